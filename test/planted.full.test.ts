import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { test } from 'node:test'

test('each planted bug is found', (t) => {
  const root = resolve(import.meta.dirname, '..')
  // Other files of tests run beside it: it has more time than alone.
  const { status, stdout } = spawnSync(process.execPath, ['scripts/planted.mjs', '--minutes', '25'], {
    cwd: root,
    encoding: 'utf8',
  })
  for (const line of stdout.trim().split('\n')) t.diagnostic(line)
  assert.match(stdout, /\n\d+ bugs, 0 not found, 0 that nothing sees yet, \d+ seeds in \d+ s\n$/)
  assert.equal(status, 0, stdout)
})

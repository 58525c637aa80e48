import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { test } from 'node:test'

test('each planted bug is found', (t) => {
  const root = resolve(import.meta.dirname, '..')
  const { status, stdout } = spawnSync(process.execPath, ['scripts/planted.mjs'], {
    cwd: root,
    encoding: 'utf8',
  })
  for (const line of stdout.trim().split('\n')) t.diagnostic(line)
  assert.equal(status, 0, stdout)
})

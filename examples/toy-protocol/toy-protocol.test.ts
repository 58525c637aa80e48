import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const example = fileURLToPath(new URL('find-the-bug.ts', import.meta.url))

test('the bug of the toy protocol is found, cut down and played again; without it nothing fails', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', example])
  const [found = '', takes = '', ...rest] = stdout.trimEnd().split('\n')
  assert.match(found, /^without ids: nothing is counted twice fails with seed \d+$/)
  const faults = JSON.parse(/and (\[.*\])$/.exec(takes)?.[1] ?? '') as unknown[]
  assert.equal(faults.length, 1, takes)
  assert.deepEqual(rest.slice(-2), ['played again it is the same run', 'with ids: 50 seeds, 0 failures'])
})

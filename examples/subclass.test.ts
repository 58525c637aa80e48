/** The talk as it runs: one process, whose words are those of three socks. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

test('the talk: both hear how many are here, and one hears the other by way of the hub, cleaned', async () => {
  const talk = fileURLToPath(new URL('subclass.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', talk], {
    timeout: 60_000,
  })
  const lines = stdout.split('\n').filter((line) => line !== '' && !line.includes('1 are here'))
  assert.deepEqual(lines.sort(), [
    'ann hears hub: 2 are here',
    'bob hears ann: hello,?all of you',
    'bob hears hub: 2 are here',
    'hub hears ann: hello,?all of you',
  ])
})

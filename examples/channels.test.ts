/** The channels as they run. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

test('channels: both ways at once, half closed, and left', async () => {
  const path = fileURLToPath(new URL('channels.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', path], {
    timeout: 60_000,
  })
  assert.deepEqual(
    stdout.split('\n').map((line) => line.trim()),
    [
      'both ways',
      'ONE!',
      'TWO!',
      'THREE!',
      'half closed',
      '100000 numbers, 5000050000 together',
      'left',
      'HELLO',
      'CANCELLED',
      '',
    ],
  )
})

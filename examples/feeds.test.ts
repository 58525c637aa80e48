/** The feeds as they run: a reader that is slow and leaves, and a file. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const path = fileURLToPath(new URL('feeds.ts', import.meta.url))
const run = async (...args: readonly string[]): Promise<readonly string[]> => {
  const all = ['--import', 'tsx', path, ...args]
  const { stdout } = await promisify(execFile)(process.execPath, all, { timeout: 60_000 })
  return stdout.split('\n').filter((line) => line !== '')
}

test('feeds: the slow reader holds the server back and ends it; the file arrives as it is', async () => {
  const lines = await run()
  assert.deepEqual(
    lines.filter((line) => !line.includes('the server')),
    [
      'a reader that takes its time',
      'a file',
      '  20971520 bytes, the same',
      'a file that is not there',
      '  NO_SUCH_FILE',
    ],
  )
  assert.ok(lines.includes('  the server stops making readings'))
  const ahead = /read 10; the server was ahead by (\d+)/.exec(lines.join('\n'))?.[1]
  // A reading takes 2 to 4 KB, and two windows of 256 KiB are all that may lie between the two.
  assert.ok(Number(ahead) > 0 && Number(ahead) < 270, `ahead by ${ahead ?? '?'}`)
})

test('feeds: serves a file that is named on the command line', async () => {
  assert.ok((await run(path)).some((line) => / {2}\d{4} bytes, the same/.test(line)))
})

/** The calls as they run: what is printed by who asks, in order, and what by who is asked. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

test('calls: answers, declared errors, deadlines, and what is known when the connection breaks', async () => {
  const path = fileURLToPath(new URL('calls.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', path], {
    timeout: 60_000,
  })
  const lines = stdout.split('\n').filter((line) => line !== '')
  assert.deepEqual(
    lines.filter((line) => !line.startsWith('  ')),
    [
      'answers',
      '0.25',
      'BY_ZERO {"a":1}',
      'REMOTE_ERROR: HANDLER_FAILED, the handler failed',
      'REMOTE_ERROR: BAD_MESSAGE, not what the schema takes: the data: too small',
      'many at once',
      '4950',
      'a deadline',
      'CALL_TIMEOUT',
      'done',
      'given up',
      'ABORTED',
      'the connection breaks, with 70 calls under way',
      '64 OUTCOME_UNKNOWN',
      '6 NOT_SENT',
    ],
  )
  // The handler hears of the end of a call a moment after who asked.
  assert.deepEqual(lines.filter((line) => line.startsWith('  ')).sort(), [
    '  fault: a secret of the server',
    '  work is stopped',
    '  work is stopped',
    '  work of 300 ms; whoever asked has time',
    '  work of 60000 ms; whoever asked has time',
    '  work of 60000 ms; whoever asked waits 200 ms',
  ])
})

/** The reporter of `npm test`: whatever a test fails with is told. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Report } from '../scripts/reporter.mjs'

async function reported(cause: unknown): Promise<string> {
  const file = '/x.test.ts'
  const events = [
    { type: 'test:start', data: { nesting: 0, name: 'one' } },
    { type: 'test:fail', data: { nesting: 0, name: 'one', details: { error: { cause }, duration_ms: 1 } } },
  ]
  const report = new Report('x.test.ts', file)
  await report.read(events)
  assert.equal(report.failures.length, 1)
  return String(report)
}

for (const [what, cause] of [
  ['an Error', new Error('the reason')],
  ['text', 'the reason'],
  ['an object without a prototype', Object.assign(Object.create(null), { message: 'the reason' })],
  ['an object that cannot be made text', { toString: null, why: 'the reason' }],
] as const) {
  test(`a test that fails with ${what} is told with its reason`, async () => {
    assert.match(await reported(cause), /not ok {2}x\.test\.ts[^]*✖ one[^]*the reason/)
  })
}

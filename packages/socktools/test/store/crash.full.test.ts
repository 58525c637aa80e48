import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { crashes, type Outcome } from './crash.ts'

describe('power failures', () => {
  test('100,000 of them', async (t) => {
    const total: Outcome = { crashes: 0, accepted: 0, early: 0, torn: 0, swept: 0 }
    // Behind those of crash.test.ts.
    for (let seed = 101; total.crashes < 100_000; seed++) await crashes(seed, 100, total)
    assert.ok(total.swept > 0)
    t.diagnostic(JSON.stringify(total))
  })
})

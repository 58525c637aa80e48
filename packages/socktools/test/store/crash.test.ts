import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { crashes, type Outcome } from './crash.ts'

describe('a power failure', () => {
  test('at any step takes nothing that was accepted, and alters nothing', async () => {
    const total: Outcome = { crashes: 0, accepted: 0, early: 0, torn: 0, swept: 0 }
    for (let seed = 1; seed <= 4; seed++) await crashes(seed, 100, total)
    assert.ok(total.crashes > 2000, `${total.crashes} crash points`)
    assert.ok(total.swept > 0, 'old segments go')
    assert.ok(total.early > 20, 'some came between the sync and the word of it')
  })
})

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DEFAULT_BACKOFF, backoffDelay } from '../../src/sock/backoff.ts'
import { xoshiro128 } from '../../src/testing/sim-platform.ts'

/** The ceiling after so many failures, as the documentation says: doubling from `first` to `max`. */
const ceilings = [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]

describe('backoffDelay', () => {
  for (const [i, ceiling] of ceilings.entries()) {
    test(`after failure ${i + 1}: evenly between 0 and ${ceiling} ms`, () => {
      const random = xoshiro128(i)
      const quarters = [0, 0, 0, 0]
      for (let n = 0; n < 10_000; n++) {
        const delay = backoffDelay(i + 1, DEFAULT_BACKOFF, random())
        assert.ok(delay >= 0 && delay < ceiling, `${delay}`)
        quarters[Math.floor((delay / ceiling) * 4)]!++
      }
      // 2,500 each, ± 7 standard deviations.
      assert.ok(
        quarters.every((n) => Math.abs(n - 2500) < 305),
        quarters.join(),
      )
    })
  }

  test('however long it goes on, the delay is at most max, and a number', () => {
    for (const failures of [31, 32, 1024, 2 ** 31, Number.MAX_SAFE_INTEGER]) {
      assert.equal(backoffDelay(failures, DEFAULT_BACKOFF, 0.5), 15_000)
    }
  })

  test('a first above max is held to max', () => {
    assert.equal(backoffDelay(1, { first: 500, max: 100, healthy: 0 }, 0.5), 50)
  })
})

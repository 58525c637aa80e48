import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { crashes, INBOXES } from './crash.ts'

describe('posted messages and crashes', () => {
  for (const kind of INBOXES) {
    test(`with an inbox in ${kind}: nothing is lost, 500 seeds`, async (t) => {
      const total = { handled: 0, accepted: 0, again: 0, crashes: 0 }
      for (let seed = 1001; seed <= 1500; seed++) await crashes(seed, kind, total)
      t.diagnostic(JSON.stringify(total))
      assert.ok(total.accepted > 50_000 && total.crashes > 1000, JSON.stringify(total))
    })
  }
})

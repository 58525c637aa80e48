/** Crashes of senders, receivers and both, under every kind of inbox. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { crashes, INBOXES } from './crash.ts'

describe('posted messages and crashes', () => {
  for (const kind of INBOXES) {
    test(`with an inbox in ${kind}: nothing is lost, 6 seeds`, async (t) => {
      const total = { handled: 0, accepted: 0, again: 0, crashes: 0 }
      for (let seed = 1; seed <= 6; seed++) await crashes(seed, kind, total)
      t.diagnostic(JSON.stringify(total))
      assert.ok(total.accepted > 1000 && total.crashes > 10, JSON.stringify(total))
      if (kind === 'transaction') assert.equal(total.again, 0)
      // Else the test would not know what it is about.
      if (kind === 'memory') assert.ok(total.again > 5, `${total.again} came again`)
    })
  }
})

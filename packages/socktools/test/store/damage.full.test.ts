import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { cuts, damage, flips, makeLog, unaltered } from './damage.ts'

describe('a damaged log of 64 KiB', () => {
  test('any bit flipped: refused, or all there as it was', async (t) => {
    const log = await makeLog(11, 64 * 1024, true)
    const { cases, refused } = await damage(log, flips, (found, cursor, what) => {
      assert.deepEqual(found, log.pending, what)
      assert.equal(cursor, log.cursor, what)
    })
    assert.ok(cases >= 8 * 64 * 1024)
    t.diagnostic(`${cases} flips, ${refused} refused`)
  })

  test('cut at any byte: refused, or unaltered', async (t) => {
    const log = await makeLog(12, 64 * 1024, true)
    const { cases, refused } = await damage(log, cuts, (found, _, what) => unaltered(log, found, what))
    t.diagnostic(`${cases} cuts, ${refused} refused`)
  })
})

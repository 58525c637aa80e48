import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { cuts, damage, flips, makeLog, unaltered } from './damage.ts'

describe('a damaged log', () => {
  test('any bit flipped: refused, or all there as it was', async () => {
    const log = await makeLog(1, 1500, true)
    const { cases, refused } = await damage(log, flips, (found, cursor, what) => {
      assert.deepEqual(found, log.pending, what)
      assert.equal(cursor, log.cursor, what)
    })
    assert.ok(cases >= 8 * 1500)
    // What is not refused is the last mark, with which it was closed: 25 bytes.
    assert.equal(refused, cases - 8 * 25)
  })

  test('any bit flipped after a crash: at the most what the last write had is gone', async () => {
    const log = await makeLog(2, 1500, false)
    let short = 0
    const { cases, refused } = await damage(log, flips, (found, _, what) => {
      unaltered(log, found, what)
      const missing = [...log.pending].flatMap(([peer, own]) =>
        [...own.keys()].filter((n) => found.get(peer)?.has(n) !== true),
      )
      assert.ok(missing.length <= 1, what)
      short += missing.length
    })
    assert.ok(refused > cases / 2 && refused < cases, `${refused} of ${cases}`)
    assert.ok(short > 0 || refused > 0)
  })

  test('cut at any byte: refused, or unaltered, the last ones missing', async () => {
    const log = await makeLog(3, 20_000, true)
    assert.ok([...log.files.keys()].filter((name) => name.endsWith('.seg')).length > 1, 'several segments')
    const { cases, refused } = await damage(log, cuts, (found, cursor, what) => {
      unaltered(log, found, what)
      assert.ok(cursor <= log.cursor, what)
      for (const [peer, own] of log.pending) {
        const there = [...own.keys()].map((n) => found.get(peer)?.has(n) === true)
        assert.ok(
          !there.includes(false) || !there.slice(there.indexOf(false)).includes(true),
          `${what}: a gap`,
        )
      }
    })
    // Every cut of a segment that is not the last.
    assert.ok(refused > 16_000 && refused < cases, `${refused} of ${cases}`)
  })

  test('a segment that is gone is missed when messages in it were pending', async () => {
    const log = await makeLog(4, 40_000, true)
    const [first = ''] = [...log.files.keys()].filter((name) => name.endsWith('.seg')).sort()
    const gone = { ...log, files: new Map([...log.files].filter(([name]) => name !== first)) }
    const none = function* (bytes: Uint8Array) {
      yield bytes
    }
    const { cases, refused } = await damage(gone, none, () => undefined)
    assert.equal(refused, cases)
  })
})

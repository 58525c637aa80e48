/** How much more may come, to the byte: when a limit is told, and which. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { EVENT, HEADER, ITEM, MAX_CHUNK, MORE, RESET, VOLATILE } from '../../../src/wire/v1/frame.ts'
import { Far, FAR_CHUNK as CHUNK } from './frames.ts'

const KIB = 1024
const MIB = 1024 * KIB
const WINDOW = 64 * KIB
/** What all partial messages but one are granted beyond their windows. */
const ADVANCE = 4 * MIB

describe('a limit is told', () => {
  test('once half a window was taken, and a byte before it is not', () => {
    for (const short of [0, 1]) {
      const far = new Far([1], 4 * WINDOW)
      far.frame(1, WINDOW, EVENT)
      far.frame(1, WINDOW - short, EVENT)
      far.into.lanes.taken(1, 2 * WINDOW - short)
      assert.deepEqual(far.hear(), short === 0 ? [[1, 6 * WINDOW]] : [])
    }
  })

  test('once the longest chunk would not fit, though less than half was taken', () => {
    // Half of it is a little less than the longest frame.
    const window = 2 * (HEADER + MAX_CHUNK) - 10
    for (const over of [0, 1]) {
      const far = new Far([1], window)
      const bytes = window - (HEADER + MAX_CHUNK) + over
      far.frame(1, bytes, EVENT)
      far.into.lanes.taken(1, bytes)
      assert.deepEqual(far.hear(), over === 0 ? [] : [[1, window + bytes]])
    }
  })

  test('not while messages wait that will give more of it; but then for all of them', () => {
    const far = new Far([1])
    for (const bytes of [1000, 1000, 1000]) far.frame(1, bytes, EVENT)
    far.into.lanes.taken(1, 1000)
    far.into.lanes.taken(1, 1000)
    assert.deepEqual(far.hear(), [])
    far.into.lanes.taken(1, 1000)
    assert.deepEqual(far.hear(), [[1, WINDOW + 3000]])
  })

  test('while messages wait if one more has begun, whose rest needs room', () => {
    const far = new Far([1])
    far.frame(1, 1000, EVENT)
    far.frame(1, 1000, EVENT)
    far.frame(1, 500, EVENT, MORE)
    far.hear()
    far.into.lanes.taken(1, 1000)
    assert.deepEqual(far.hear(), [[1, WINDOW + 1000 + 500]])
  })

  test('once for all that came until it is asked for, and not of a lane that was closed meanwhile', () => {
    const far = new Far([1, 5])
    for (const lane of [1, 5]) {
      far.frame(lane, 1000, lane === 1 ? EVENT : ITEM)
      far.into.lanes.taken(lane, 1000)
      far.frame(lane, 500, lane === 1 ? EVENT : ITEM)
      far.into.lanes.taken(lane, 500)
    }
    far.into.lanes.close(5)
    assert.deepEqual(far.hear(), [[1, WINDOW + 1500]])
    assert.equal(far.into.lanes.due, false)
  })

  test('never lower than before', () => {
    const far = new Far([1])
    for (let i = 0; i < 4; i++) far.frame(1, 16 * KIB, EVENT)
    far.into.lanes.lend(WINDOW)
    assert.deepEqual(far.hear(), [[1, 2 * WINDOW]])
    far.into.lanes.lend(0)
    far.into.lanes.restate((lane, limit) => far.limits.set(lane, limit))
    assert.equal(far.limit(1), 2 * WINDOW)
    for (let i = 0; i < 4; i++) far.frame(1, 16 * KIB, EVENT)
    far.into.lanes.taken(1, 16 * KIB)
    assert.deepEqual(far.hear(), [])
  })

  test('not because of what takes no credit', () => {
    const far = new Far([1, 5])
    for (const flags of [MORE, MORE, 0]) far.into.got(1, 60 * KIB, VOLATILE, flags)
    far.into.got(5, 60 * KIB, RESET)
    assert.deepEqual(far.hear(), [])
    far.frame(1, 1000, EVENT)
    far.into.lanes.taken(1, 1000)
    assert.deepEqual(far.hear(), [[1, WINDOW + 1000]])
  })

  test('not of a lane that is closed, whatever is taken of it afterwards', () => {
    const far = new Far([5])
    far.frame(5, 1000)
    far.into.lanes.close(5)
    far.into.lanes.taken(5, 1000)
    assert.deepEqual(far.hear(), [])
  })
})

describe('partial messages beyond their windows', () => {
  test('one grows as it comes; the others have 4 MiB together, and the first to come has it', () => {
    const far = new Far([5, 7, 9])
    assert.equal(far.flood(5, 8 * MIB), WINDOW + 8 * MIB)
    assert.equal(far.flood(7), WINDOW + ADVANCE)
    assert.equal(far.flood(9), WINDOW)
    assert.equal(far.came(7), WINDOW + ADVANCE)
  })

  test('several share it, each as far as it came', () => {
    const far = new Far([5, 7, 9, 11])
    far.flood(5, CHUNK)
    assert.equal(far.flood(7, MIB), WINDOW + MIB)
    assert.equal(far.flood(9, MIB), WINDOW + MIB)
    assert.equal(far.flood(11), WINDOW + 2 * MIB)
    assert.equal(far.flood(7), WINDOW + MIB, 'there is no more')
  })

  test('whose turn it is gives back what it had of it', () => {
    const far = new Far([5, 7, 9])
    far.flood(5, CHUNK)
    far.flood(7)
    far.flood(9)
    far.frame(5, HEADER)
    // 7 is the oldest now: it grows by what it has, and 9 gets what it is short of, unasked.
    assert.deepEqual(new Map(far.hear()).get(7), 2 * WINDOW + ADVANCE)
    assert.equal(far.flood(7, MIB), 2 * WINDOW + ADVANCE + MIB)
    assert.equal(far.limit(9), 2 * WINDOW)
    assert.equal(far.flood(9), WINDOW + ADVANCE)
  })

  test('a lane that is closed gives back what it had, time and again', () => {
    const far = new Far([5, 7, 9])
    far.flood(5, CHUNK)
    far.flood(7)
    far.flood(9)
    // One that came and went meanwhile, and had nothing of it.
    far.into.lanes.open(33, WINDOW)
    far.limits.set(33, WINDOW)
    far.flood(33)
    far.into.lanes.close(33)
    far.into.lanes.close(7)
    assert.deepEqual(far.hear(), [[9, 2 * WINDOW]], 'told at once to who waits for it')
    assert.equal(far.flood(9), WINDOW + ADVANCE)
    for (let lane = 11; lane < 17; lane += 2) {
      far.into.lanes.open(lane, WINDOW)
      far.limits.set(lane, WINDOW)
      assert.equal(far.flood(lane), WINDOW, `${lane}: nothing is left`)
      far.into.lanes.close(lane - 2)
      assert.equal(far.flood(lane), WINDOW + ADVANCE, `${lane}`)
    }
  })

  test('what is dropped counts as taken', () => {
    const far = new Far([5, 7])
    far.flood(5, CHUNK)
    far.flood(7, 2 * MIB)
    const came = far.came(7)
    far.into.got(7, 0, RESET)
    assert.equal(far.into.lanes.partialBytes, CHUNK)
    far.into.lanes.restate((lane, limit) => far.limits.set(lane, limit))
    assert.equal(far.limit(7), came + WINDOW)
    far.frame(7, 1000)
    far.into.lanes.taken(7, 1000)
    assert.deepEqual(far.hear(), [[7, came + 1000 + WINDOW]])
  })

  test('one before which messages wait does not grow, until they are taken', () => {
    const far = new Far([1, 5])
    far.frame(1, 1000, EVENT)
    assert.equal(far.flood(1), WINDOW + ADVANCE, 'it has its share of what all others have')
    assert.equal(far.flood(5, 16 * MIB), WINDOW + 16 * MIB, 'another grows')
    far.into.lanes.close(5)
    assert.deepEqual(far.hear(), [])
    const cost = far.came(1) - 1000
    far.into.lanes.taken(1, 1000)
    assert.deepEqual(far.hear(), [[1, 1000 + WINDOW + cost]])
    assert.ok(far.flood(1, 8 * MIB) > WINDOW + ADVANCE + 8 * MIB)
  })

  test('the one that grows goes on doing so, though an older one may grow now, and others end', () => {
    const far = new Far([1, 5, 7])
    far.frame(1, 1000, EVENT)
    far.flood(1, MIB)
    far.flood(5, MIB)
    far.into.lanes.taken(1, 1000)
    far.flood(7, CHUNK)
    far.frame(7, HEADER)
    assert.equal(far.flood(5, 8 * MIB), WINDOW + 9 * MIB)
    assert.equal(far.flood(1), 1000 + WINDOW + ADVANCE)
  })

  test('the one that grows is another after it, the oldest first', () => {
    const far = new Far([5, 7, 9])
    far.flood(5, MIB)
    for (const lane of [9, 7]) far.flood(lane)
    far.frame(5, HEADER)
    far.hear()
    assert.ok(far.flood(9, 16 * MIB) >= 16 * MIB, '9 began before 7')
    assert.equal(far.flood(7), WINDOW + ADVANCE)
  })
})

describe('what is lent', () => {
  test('is granted a window at a time where one is used up, as far as it goes', () => {
    const far = new Far([1])
    far.into.lanes.lend(WINDOW + CHUNK)
    const told: number[] = []
    for (let i = 0; i < 100 && far.came(1) + CHUNK <= far.limit(1); i++) {
      far.frame(1, CHUNK, EVENT)
      told.push(...far.hear().map(([, limit]) => limit))
    }
    assert.deepEqual(told, [2 * WINDOW, 2 * WINDOW + CHUNK])
  })

  test('though it is less than half a window', () => {
    const far = new Far([1])
    far.into.lanes.lend(CHUNK / 2)
    far.frame(1, CHUNK, EVENT)
    assert.deepEqual(far.hear(), [[1, WINDOW + CHUNK / 2]])
  })

  test('not to lanes of calls, whose messages may wait as well', () => {
    const far = new Far([5])
    far.frame(5, CHUNK)
    far.frame(5, CHUNK)
    far.into.lanes.lend(WINDOW)
    far.into.lanes.taken(5, CHUNK)
    assert.deepEqual(far.hear(), [[5, WINDOW + CHUNK]])
  })

  test('one lane gets what the others have not used, whatever was taken of them before', () => {
    const far = new Far([0, 1])
    for (const lane of [0, 1]) {
      far.frame(lane, CHUNK, EVENT)
      far.into.lanes.taken(lane, CHUNK)
      assert.deepEqual(far.hear(), [[lane, WINDOW + CHUNK]])
    }
    far.into.lanes.lend(2 * WINDOW)
    for (const lane of [0, 1]) {
      for (let i = 0; i < 100 && far.came(lane) + CHUNK <= far.limit(lane); i++) {
        far.frame(lane, CHUNK, EVENT)
        far.hear()
        // So small a window is used up by the first: lane 0 has one more, and leaves it at that.
        if (lane === 0) break
      }
    }
    assert.deepEqual([far.limit(0), far.limit(1)], [2 * WINDOW + CHUNK, 2 * WINDOW + CHUNK])
  })

  test('not to a lane of which nothing waits: who takes everything needs none', () => {
    const far = new Far([1], 4 * WINDOW)
    far.frame(1, WINDOW, EVENT)
    far.into.lanes.taken(1, WINDOW)
    far.hear()
    far.into.lanes.lend(WINDOW)
    assert.deepEqual(far.hear(), [])
    far.into.lanes.restate((lane, limit) => far.limits.set(lane, limit))
    assert.equal(far.limit(1), 5 * WINDOW)
  })
})

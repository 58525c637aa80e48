/** Messages out of chunks, and how much more of them may come. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  CANCEL,
  END,
  ERROR,
  EVENT,
  HEADER,
  HEADERS,
  ITEM,
  MAX_CHUNK,
  MORE,
  REQUEST,
  RESET,
  TABLE,
  VOLATILE,
} from '../../../src/wire/v1/frame.ts'
import { Far, filled, In, payload } from './frames.ts'

const KIB = 1024
const MIB = 1024 * KIB
const WINDOW = 64 * KIB
const PROTOCOL_ERROR = { code: 'PROTOCOL_ERROR' }

/** Lanes 0 to 3, 5, 7 and 9. */
function opened(maxMessage = MIB, window = WINDOW): In {
  const into = new In(maxMessage)
  for (const lane of [0, 1, 2, 3, 5, 7, 9]) into.lanes.open(lane, window)
  return into
}

/** Lets chunks of one message come on a lane, as long as they may and `most` bytes have not come by this call. Returns how many did. */
const flooder =
  (far: Far) =>
  (lane: number, most: number): number => {
    const before = far.came(lane)
    far.flood(lane, most)
    return far.came(lane) - before
  }

describe('a message', () => {
  test('of one frame is the payload itself', () => {
    const into = opened()
    const bytes = payload({ kind: EVENT, flags: HEADERS, type: 3, lane: 1, seq: 1, body: new Uint8Array(10) })
    assert.equal(into.take(bytes), bytes)
    assert.equal(into.lanes.partialBytes, 0)
  })

  test('of many is put together behind the header of the first, without MORE', () => {
    const into = opened()
    const [a, b, c] = [new Uint8Array(2000), filled(3000, 2), filled(1, 3)]
    const one = { kind: REQUEST, type: 3, lane: 5 }
    const first = payload({ ...one, flags: HEADERS | MORE, seq: 1, body: a })
    assert.equal(into.take(first), undefined)
    assert.equal(into.take(payload({ ...one, flags: MORE, seq: 2, body: b })), undefined)
    assert.equal(into.lanes.partialBytes, HEADER + 5000)
    const whole = into.take(payload({ ...one, flags: 0, seq: 3, body: c }))
    first[1] = HEADERS
    assert.equal(Buffer.compare(whole!, Buffer.concat([first, b, c])), 0)
    assert.equal(into.lanes.partialBytes, 0)
  })

  test('on another lane may come between its chunks', () => {
    const into = opened()
    into.got(5, 100, ITEM, MORE)
    assert.equal(into.got(7, 100, ITEM)?.length, HEADER + 100)
    into.got(7, 100, ITEM, MORE)
    assert.equal(into.got(5, 100, ITEM)?.length, HEADER + 200)
    assert.equal(into.got(7, 1, ITEM)?.length, HEADER + 101)
  })

  test('is no longer than maxMessage, in one frame or many', () => {
    const into = opened(1000)
    assert.equal(into.got(1, 1000)?.length, HEADER + 1000)
    assert.throws(() => into.got(1, 1001), { ...PROTOCOL_ERROR, what: /1001 bytes of one message, and 1000/ })
    assert.throws(() => into.got(1, 1001, VOLATILE), PROTOCOL_ERROR)
    into.got(1, 600, EVENT, MORE)
    into.got(1, 400, EVENT, MORE)
    assert.throws(() => into.got(1, 1, EVENT, MORE), PROTOCOL_ERROR)
  })

  test('that tells of an error gets through however short maxMessage is', () => {
    const into = opened(10)
    for (const kind of [ERROR, RESET]) assert.equal(into.got(5, 1500, kind)?.length, HEADER + 1500)
    into.got(0, 1000, TABLE, MORE)
    assert.equal(into.got(0, 1000, TABLE)?.length, HEADER + 2000)
  })

  const breaks: [what: string, kind: number, flags: number, type: number][] = [
    ['another kind', ITEM, 0, 0],
    ['another type', REQUEST, 0, 4],
    ['another prefix', REQUEST, HEADERS, 3],
    ['an END', END, 0, 0],
  ]
  for (const [what, kind, flags, type] of breaks)
    test(`is not broken off by ${what}`, () => {
      const into = opened()
      into.got(5, 100, REQUEST, MORE, 3)
      assert.throws(() => into.got(5, kind === END ? 0 : 100, kind, flags, type), {
        ...PROTOCOL_ERROR,
        what: /in the middle of REQUEST of type 3/,
      })
    })

  for (const kind of [RESET, CANCEL])
    test(`is dropped at ${kind === RESET ? 'a RESET' : 'a CANCEL'} of its lane`, () => {
      const into = opened()
      into.got(5, 100, ITEM, MORE)
      assert.equal(into.got(5, 0, kind)?.[0], kind)
      assert.equal(into.lanes.partialBytes, 0)
    })

  test('a RESET may be cut itself, and is whole before anything else', () => {
    const into = opened()
    into.got(5, 100, ITEM, MORE)
    into.got(5, 100, RESET, MORE)
    assert.throws(() => into.got(5, 0, CANCEL), PROTOCOL_ERROR)
    assert.equal(into.got(5, 10, RESET)?.length, HEADER + 110)
  })

  test('goes with its lane, and comes on no lane that is not open', () => {
    const into = opened()
    into.got(5, 100, ITEM, MORE)
    into.lanes.close(5)
    assert.equal(into.lanes.has(5), false)
    assert.equal(into.lanes.partialBytes, 0)
    assert.throws(() => into.got(5, 10, ITEM), { ...PROTOCOL_ERROR, what: /lane 5: that lane is not open/ })
  })

  test('without credit comes in chunks one at a time', () => {
    const into = opened()
    into.got(0, 100, VOLATILE, MORE)
    assert.equal(into.got(1, 100, VOLATILE)?.length, HEADER + 100, 'whole ones may pass')
    assert.throws(() => into.got(5, 100, RESET, MORE), PROTOCOL_ERROR)
    into.got(7, 100, ITEM, MORE)
    into.got(7, 100, ITEM)
    assert.throws(() => into.got(5, 100, RESET, MORE), PROTOCOL_ERROR, 'another message changes nothing')
    into.got(0, 100, VOLATILE)
    into.got(5, 100, RESET, MORE)
  })
})

describe('credit', () => {
  test('a frame may fill the window, and not be a byte beyond', () => {
    const into = opened()
    into.got(1, WINDOW - HEADER - 100)
    into.got(1, 100 - HEADER)
    assert.throws(() => into.got(1, 0), {
      ...PROTOCOL_ERROR,
      what: /65560 bytes came, and 65536 were granted/,
    })
    into.got(5, WINDOW - HEADER, ITEM)
    into.got(5, 0, END)
    into.got(5, 20, RESET)
  })

  test('is given back when messages are taken, from half a window on', () => {
    const into = opened(MIB, 4 * WINDOW)
    const half = 2 * WINDOW
    for (let i = 0; i < 4; i++) into.got(1, half / 4 - HEADER)
    for (let i = 0; i < 3; i++) into.lanes.taken(1, half / 4)
    into.lanes.taken(1, half / 4 - 1)
    assert.equal(into.lanes.due, false)
    into.got(1, 100)
    assert.deepEqual(into.credits, [], 'not when they come')
    into.lanes.taken(1, 100 + HEADER)
    assert.equal(into.lanes.due, true)
    assert.deepEqual(into.credits, [[1, 4 * WINDOW + half - 1 + 124]])
    assert.deepEqual([into.lanes.due, into.credits], [false, []])
  })

  test('of a small window is given back as soon as all is taken: who cuts nothing may need all of it', () => {
    const into = opened()
    into.got(1, 100)
    into.got(1, 200)
    into.lanes.taken(1, 124)
    assert.equal(into.lanes.due, false)
    into.lanes.taken(1, 224)
    assert.deepEqual(into.credits, [[1, WINDOW + 348]])
  })

  test('is given back once, whatever the application says', () => {
    const into = opened()
    into.got(1, 1000)
    into.lanes.taken(1, WINDOW)
    into.lanes.taken(1, WINDOW)
    assert.deepEqual(into.credits, [[1, WINDOW + 1024]])
  })

  test('of a message in chunks: the headers of all count, though it is taken with one', () => {
    const into = opened()
    const whole = into.cut(1, 40 * KIB, 10 * KIB)!
    for (const _ of into.credits);
    into.lanes.taken(1, whole.length)
    const restated: [number, number][] = []
    into.lanes.restate((lane, limit) => restated.push([lane, limit]))
    assert.deepEqual(restated[1], [1, WINDOW + 40 * KIB + 4 * HEADER])
    assert.deepEqual(
      restated.map(([lane]) => lane),
      [0, 1, 2, 3, 5, 7, 9],
    )
  })

  test('a partial message gets more as soon as a chunk may not fit', () => {
    const into = opened(MIB, 256 * KIB)
    into.got(5, 100, ITEM, MORE)
    for (
      let left = 256 * KIB - 124;
      left - (16 * KIB + HEADER) >= MAX_CHUNK + HEADER;
      left -= 16 * KIB + HEADER
    ) {
      assert.equal(into.lanes.due && left > 128 * KIB, false)
      into.got(5, 16 * KIB, ITEM, MORE)
    }
    const [[lane, limit] = []] = into.credits
    assert.equal(lane, 5)
    assert.ok(limit! >= 256 * KIB + 128 * KIB, `${limit}`)
  })

  test('a message of exactly maxMessage passes through the smallest window', () => {
    const into = opened(16 * MIB)
    let came = 0
    let limit = WINDOW
    for (let left = 16 * MIB; left > 0; ) {
      const n = Math.min(left, 32 * KIB, limit - came - HEADER)
      assert.ok(n > 0, 'stuck')
      left -= n
      came += n + HEADER
      const whole = into.got(5, n, ITEM, left > 0 ? MORE : 0)
      for (const [, more] of into.credits) limit = more
      assert.equal(whole?.length, left > 0 ? undefined : 16 * MIB + HEADER)
    }
  })
})

describe('partial messages', () => {
  test('one grows to maxMessage, all others together by 4 MiB; when it is whole, the next does', () => {
    const far = new Far([5, 7, 9], WINDOW, 16 * MIB)
    const { into } = far
    const flood = flooder(far)
    assert.equal(flood(5, 15 * MIB), 15 * MIB)
    const seven = flood(7, 15 * MIB)
    const nine = flood(9, 15 * MIB)
    assert.ok(seven >= 4 * MIB, `${seven}`)
    assert.ok(seven + nine <= 4 * MIB + 2 * WINDOW, `${seven + nine}`)

    into.got(5, 10, ITEM)
    assert.ok(flood(9, 15 * MIB) >= 4 * MIB - WINDOW, 'what 7 had of the 4 MiB is free: it is its turn')
    assert.equal(flood(7, 10 * MIB), 10 * MIB)
    into.lanes.close(7)
    assert.equal(flood(9, 10 * MIB), 10 * MIB, 'a lane that is closed hands on its turn too')
  })

  test('the one that grows is none that waits for the application', () => {
    const far = new Far([1, 5], WINDOW, 16 * MIB)
    const { into } = far
    // A handler of lane 1 has not taken its message, since it waits for the answer on lane 5.
    into.got(1, 1000)
    into.got(1, 100, EVENT, MORE)
    assert.equal(flooder(far)(5, 10 * MIB), 10 * MIB)
    into.got(5, 10, ITEM)
    into.lanes.taken(1, 1024)
    assert.deepEqual(
      into.credits.map(([lane]) => lane),
      [1],
    )
  })

  test('what is kept of them keeps little else alive', () => {
    const into = opened(16 * MIB, 16 * MIB)
    // Each chunk came in a read of 256 KiB, among other things, and is all ones.
    const chunk = 16 * KIB
    const reads = Array.from({ length: 100 }, () => new Uint8Array(256 * KIB))
    reads.forEach((read, i) => {
      const body = new Uint8Array(chunk).fill(1)
      read.set(payload({ kind: ITEM, flags: MORE, type: 0, lane: 5, seq: i + 1, body }))
      assert.equal(into.take(read.subarray(0, HEADER + chunk)), undefined)
    })
    const held = into.lanes.partialBytes
    // Where a view was kept, the message shows what becomes of the read.
    for (const read of reads) read.fill(2)
    const whole = into.got(5, 0, ITEM)!
    const views = reads.filter((_, i) => whole[HEADER + i * chunk + 100] === 2).length
    assert.ok(views * 256 * KIB <= 2 * held + 512 * KIB, `${views}`)
    assert.ok(views > 0, 'all were copied')
  })
})

describe('after an attach', () => {
  test('what was lost with the pipe is dropped, the rest goes on', () => {
    const into = opened()
    into.got(1, 100, VOLATILE, MORE)
    into.got(0, 100, TABLE, MORE)
    into.got(5, 100, ITEM, MORE)
    into.lanes.restate(() => undefined)
    assert.equal(into.lanes.partialBytes, HEADER + 100)
    assert.equal(into.got(1, 10)?.length, HEADER + 10)
    assert.equal(into.got(0, 10, TABLE)?.length, HEADER + 10)
    assert.equal(into.got(5, 10, ITEM)?.length, HEADER + 110)
  })
})

test('a RESET in chunks goes on over another pipe', () => {
  const into = opened()
  into.got(5, 100, RESET, MORE)
  into.lanes.restate(() => undefined)
  assert.equal(into.got(5, 10, RESET)?.length, HEADER + 110)
})

describe('what is lent', () => {
  /** Messages of 16 KiB come on a lane, as many as are granted; nobody takes them. Returns their bytes. */
  function fill(into: In, lane: number): number {
    let limit = WINDOW
    let came = 0
    for (;;) {
      for (const [of, granted] of into.credits) if (of === lane) limit = granted
      if (came + 16 * KIB > limit) return came
      into.got(lane, 16 * KIB - HEADER)
      came += 16 * KIB
    }
  }

  test('events get it beyond the window where that is used up, whatever the application takes', () => {
    const into = opened()
    into.lanes.lend(200 * KIB)
    assert.deepEqual(into.credits, [])
    assert.equal(fill(into, 1), 256 * KIB)
    assert.throws(() => into.got(1, 16 * KIB), PROTOCOL_ERROR)
  })

  test('several lanes share it, and one that came later has its window', () => {
    const into = opened()
    into.lanes.lend(200 * KIB)
    const all = [3, 0, 2].map((lane) => fill(into, lane))
    assert.equal(
      all.reduce((sum, n) => sum + n),
      3 * WINDOW + 192 * KIB,
    )
    assert.deepEqual(
      all.map((n) => n >= WINDOW),
      [true, true, true],
    )
  })

  test('to lanes that were used up before; not to those of calls, and no more once it is 0', () => {
    const into = opened()
    assert.equal(fill(into, 1), WINDOW)
    for (let i = 0; i < 4; i++) into.got(5, 16 * KIB - HEADER, ITEM)
    into.lanes.lend(WINDOW)
    assert.deepEqual(into.credits, [[1, 2 * WINDOW]])
    into.lanes.lend(0)
    into.got(1, 16 * KIB - HEADER)
    into.got(1, 16 * KIB - HEADER)
    // What is taken pays back what was lent, first of all.
    for (let i = 0; i < 4; i++) into.lanes.taken(1, 16 * KIB)
    assert.deepEqual(into.credits, [])
    for (let i = 0; i < 2; i++) into.lanes.taken(1, 16 * KIB)
    assert.deepEqual(into.credits, [[1, 2 * WINDOW + 32 * KIB]])
  })
})

describe('a message on a lane that is not open', () => {
  function only(n: number, { most = MIB, window = WINDOW, kind = REQUEST } = {}): number {
    const into = new In(most)
    const bytes = payload({ kind, flags: 0, type: 0, lane: 5, seq: 1, body: new Uint8Array(n) })
    into.header.read(bytes)
    assert.equal(into.lanes.only(into.header, bytes, window), bytes)
    return n
  }

  test('may fill the window with its header, and is no longer than a message may be', () => {
    assert.equal(only(1000 - HEADER, { window: 1000 }), 1000 - HEADER)
    assert.throws(() => only(1001 - HEADER, { window: 1000 }), { ...PROTOCOL_ERROR, what: /1001 bytes came/ })
    assert.equal(only(1000, { most: 1000 }), 1000)
    assert.throws(() => only(1001, { most: 1000 }), { ...PROTOCOL_ERROR, what: /1001 bytes of one message/ })
  })

  test('takes no credit if its kind does not, and an error is as long as a frame may be', () => {
    assert.equal(only(500, { window: 100, kind: RESET }), 500)
    assert.equal(only(1001, { most: 1000, kind: ERROR }), 1001)
  })
})

test('lanes that are open, and what has come of a message there', () => {
  const into = new In()
  for (const lane of [2, 5]) into.lanes.open(lane, WINDOW)
  const open = (): number[] => [0, 2, 3, 4, 5, 6].filter((lane) => into.lanes.has(lane))
  assert.deepEqual(open(), [2, 5])
  assert.deepEqual([into.lanes.partialOf(2), into.lanes.partialOf(3)], [0, 0])
  into.got(2, 10, EVENT, MORE)
  assert.equal(into.lanes.partialOf(2), EVENT)
  into.lanes.close(3)
  into.lanes.close(2)
  assert.deepEqual([open(), into.lanes.partialBytes], [[5], 0])
  into.lanes.close(5)
  assert.deepEqual(open(), [])
})

test('what is taken is never more than came whole: a window is given back once', () => {
  const into = opened()
  into.got(5, 20 * KIB - HEADER, ITEM)
  into.got(5, 20 * KIB - HEADER, ITEM, MORE)
  into.lanes.taken(5, MIB)
  // 20 KiB were taken, and of the message that is not whole 20 have come.
  assert.deepEqual(into.credits, [[5, WINDOW + 40 * KIB]])
})

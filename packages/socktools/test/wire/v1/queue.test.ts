/** One lane and what waits on it: how much goes into the next frame, at each bound. Whose turn it is: lanes.test.ts. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  END,
  EVENT,
  HEADER,
  ITEM,
  MAX_CHUNK,
  REQUEST,
  RESET,
  SEND_CHUNK,
  VOLATILE,
} from '../../../src/wire/v1/frame.ts'
import { Lane, Message, Ring } from '../../../src/wire/v1/queue.ts'

const LARGE = 1024 * 1024

const message = (kind: number, bytes: number): Message =>
  new Message(kind, 0, 0, new Uint8Array(bytes), undefined)
const laneOf = (window: number): Lane => new Lane(5, window, 1, 1000)

/** What the next frame of this message carries, with so much credit left. */
function cut(kind: number, bytes: number, { window, room }: { window: number; room: number }): number {
  const lane = laneOf(window)
  lane.written = 7
  lane.limit = 7 + room
  return lane.chunk(message(kind, bytes))
}

describe('a frame carries', () => {
  test('all that fits into a chunk, or a chunk', () => {
    const plenty = { window: LARGE, room: LARGE }
    for (const kind of [EVENT, REQUEST, VOLATILE, RESET]) {
      const sizes = [0, SEND_CHUNK - 1, SEND_CHUNK, SEND_CHUNK + 1, MAX_CHUNK].map((n) =>
        cut(kind, n, plenty),
      )
      assert.deepEqual(sizes, [0, SEND_CHUNK - 1, SEND_CHUNK, SEND_CHUNK, SEND_CHUNK])
    }
  })

  test('an item of up to MAX_CHUNK, where the window holds two of them', () => {
    const roomy = 2 * (HEADER + MAX_CHUNK)
    assert.equal(cut(ITEM, MAX_CHUNK, { window: roomy, room: roomy }), MAX_CHUNK)
    assert.equal(cut(ITEM, MAX_CHUNK + 1, { window: roomy, room: roomy }), SEND_CHUNK)
    assert.equal(cut(ITEM, MAX_CHUNK, { window: roomy - 1, room: roomy }), SEND_CHUNK)
    const lane = laneOf(roomy)
    assert.deepEqual(
      [SEND_CHUNK, SEND_CHUNK + 1].map((n) => lane.fitsOne(EVENT, n)),
      [true, false],
    )
    assert.deepEqual(
      [MAX_CHUNK, MAX_CHUNK + 1].map((n) => lane.fitsOne(ITEM, n)),
      [true, false],
    )
  })

  test('what credit there is, if that is half of the window', () => {
    const window = 2000
    const carried = (room: number): number => cut(EVENT, 1500, { window, room })
    assert.deepEqual([carried(1500 + HEADER), carried(1499 + HEADER)], [1500, 1499])
    assert.deepEqual([carried(1000), carried(999)], [1000 - HEADER, -1])
  })

  test('nothing where there is credit for a header alone, but for an empty message', () => {
    const tiny = 2 * HEADER
    assert.equal(cut(EVENT, 10, { window: tiny, room: HEADER + 1 }), 1)
    assert.equal(cut(EVENT, 10, { window: tiny, room: HEADER }), -1)
    assert.equal(cut(EVENT, 0, { window: tiny, room: HEADER }), 0)
    assert.equal(cut(EVENT, 0, { window: tiny, room: HEADER - 1 }), -1)
  })

  test('all of a chunk without credit, if its kind takes none', () => {
    for (const kind of [VOLATILE, RESET, END]) assert.equal(cut(kind, 100, { window: 0, room: 0 }), 100)
  })

  test('the rest of what was started', () => {
    const lane = laneOf(LARGE)
    assert.equal(lane.nextBytes, HEADER)
    const one = message(EVENT, SEND_CHUNK + 100)
    lane.add(one)
    assert.equal(lane.nextBytes, HEADER + SEND_CHUNK)
    lane.wrote(one, SEND_CHUNK)
    assert.deepEqual([lane.chunk(one), lane.nextBytes], [100, HEADER + 100])
    assert.deepEqual([one.started, lane.queued], [true, HEADER + 100])
  })
})

test('bulk is each item, and each part of a message that is cut, but for volatile ones', () => {
  const lane = laneOf(LARGE)
  const whole = message(EVENT, 100)
  const isBulk = (kind: number, n: number, at = 0): boolean => {
    const one = message(kind, 100)
    one.at = at
    return lane.isBulk(one, n)
  }
  assert.equal(lane.isBulk(whole, 100), false)
  assert.deepEqual([isBulk(ITEM, 100), isBulk(EVENT, 99), isBulk(EVENT, 100, 50)], [true, true, true])
  assert.deepEqual([isBulk(VOLATILE, 99), isBulk(VOLATILE, 50, 50)], [false, false])
})

test('what is credit-free and longer than a chunk is sent apart', () => {
  for (const kind of [RESET, VOLATILE])
    assert.deepEqual([message(kind, SEND_CHUNK).apart, message(kind, SEND_CHUNK + 1).apart], [false, true])
  assert.equal(message(EVENT, SEND_CHUNK + 1).apart, false)
})

test('a lane counts what waits on it, whichever is taken out', () => {
  for (const order of [
    [0, 1, 2],
    [1, 0, 2],
    [2, 1, 0],
    [1, 2, 0],
  ]) {
    const lane = laneOf(LARGE)
    const all = [10, 20, 30].map((n) => message(EVENT, n))
    for (const one of all) lane.add(one)
    const left = [...all]
    for (const i of order) {
      const one = all[i]!
      assert.equal(lane.remove(one), HEADER + 10 * (i + 1))
      assert.equal(one.waits, false)
      left.splice(left.indexOf(one), 1)
      assert.equal(
        lane.queued,
        left.reduce((sum, { body }) => sum + HEADER + body.length, 0),
      )
      const waiting: Message[] = []
      for (let at = lane.first; at !== undefined; at = at.after) waiting.push(at)
      assert.deepEqual(waiting, left)
      assert.equal(lane.last, left.at(-1))
    }
  }
})

test('a ring is first in, first out, and any may leave', () => {
  for (const order of [
    [0, 1, 2],
    [1, 0, 2],
    [2, 0, 1],
  ]) {
    const ring = new Ring()
    const lanes = [0, 1, 2].map(() => laneOf(LARGE))
    for (const [turn, lane] of lanes.entries()) ring.push(lane, turn)
    const left = [...lanes]
    for (const i of order) {
      const lane = lanes[i]!
      ring.remove(lane)
      assert.deepEqual([lane.ring, lane.prev, lane.next], [undefined, undefined, undefined])
      left.splice(left.indexOf(lane), 1)
      const waiting: Lane[] = []
      for (let at = ring.first; at !== undefined; at = at.next) waiting.push(at)
      assert.ok(waiting.length === left.length && waiting.every((one, at) => one === left[at]))
    }
    const again = laneOf(LARGE)
    ring.push(again, 9)
    assert.deepEqual([ring.first === again, again.turn, again.ring === ring], [true, 9, true])
  }
})

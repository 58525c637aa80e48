/** What is written, in which order, under which credit. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { COPY_MAX } from '../../../src/wire/batch.ts'
import { BULK_MIN } from '../../../src/wire/v1/bulk.ts'
import {
  CANCEL,
  DONE,
  END,
  EVENT,
  HEADER,
  HEADERS,
  ITEM,
  MORE,
  REPLY,
  REQUEST,
  RESET,
  SEND_CHUNK,
  VOLATILE,
} from '../../../src/wire/v1/frame.ts'
import { filled, Out } from './frames.ts'

const KIB = 1024
const MIB = 1024 * KIB
const LONG = 3 * SEND_CHUNK
const PROTOCOL_ERROR = { code: 'PROTOCOL_ERROR' }

/** Lanes 0 to 3, each of its priority, and 5 and 7 of priority 1. */
function opened(window = MIB): Out {
  const out = new Out()
  for (let lane = 0; lane < 4; lane++) out.lanes.open(lane, window, lane)
  for (const lane of [5, 7]) out.lanes.open(lane, window, 1)
  return out
}

describe('a message that nothing is before', () => {
  test('is written within put, as it is', () => {
    const out = opened()
    const body = filled(100)
    assert.equal(out.lanes.put(1, EVENT, HEADERS, 7, body, 0), undefined)
    const frame = out.frames[0]!
    assert.deepEqual({ ...frame }, { kind: EVENT, flags: HEADERS, type: 7, lane: 1, seq: 1, body })
    assert.equal(frame.body.buffer, body.buffer, 'not copied')
    assert.equal(out.lanes.queued, 0)
  })

  test('is cut if it is longer than a chunk; flags and prefix are of the first alone', () => {
    const out = opened()
    assert.equal(out.put(1, 2 * SEND_CHUNK + 1, EVENT, HEADERS), undefined)
    assert.deepEqual(
      out.frames.map(({ flags, seq, body }) => [flags, seq, body.length]),
      [
        [HEADERS | MORE, 1, SEND_CHUNK],
        [MORE, 2, SEND_CHUNK],
        [0, 3, 1],
      ],
    )
  })

  test('of exactly a chunk is not', () => {
    const out = opened()
    out.put(1, SEND_CHUNK)
    assert.deepEqual(out.log, [`EVENT 1: ${SEND_CHUNK}`])
  })

  test('waits for room, then for its turn', () => {
    const out = opened()
    out.takes = 0
    const entry = out.put(1, 100)
    assert.equal(entry?.started, false)
    assert.deepEqual([out.log, out.lanes.queued, out.lanes.queuedOf(1)], [[], 124, 124])
    out.pump()
    assert.deepEqual([out.log, entry.started, out.lanes.queued], [['EVENT 1: 100'], true, 0])
  })
})

test('what waits is copied if it is short, so that its sender may write to it again; what is long is lent', () => {
  const out = opened()
  out.takes = 0
  for (const length of [COPY_MAX, COPY_MAX + 1]) {
    const body = new Uint8Array(length)
    out.lanes.put(1, EVENT, 0, 0, body, 0)
    body[0] = 1
  }
  out.pump()
  assert.deepEqual(
    out.frames.map(({ body }) => body[0]),
    [0, 1],
  )
})

describe('credit', () => {
  test('counts 24 bytes for each frame, and free kinds nothing', () => {
    const out = opened(64 * KIB)
    for (let i = 0; i < 3; i++) out.put(5, 0, END)
    out.put(5, 64 * KIB - 24 - 4096)
    out.put(5, 4096 - 24)
    assert.equal(out.frames.splice(0).length, 5, 'all of the window is used')
    out.put(5, 0)
    assert.deepEqual(out.log, [], 'nothing costs 24 bytes')
    out.lanes.limit(5, 64 * KIB + 24)
    out.pump()
    assert.deepEqual(out.log, ['EVENT 5: 0'])
  })

  test('a message is cut to the credit there is, but only if that is half of the window', () => {
    const out = opened(64 * KIB)
    out.put(1, 30 * KIB)
    out.put(1, 50 * KIB)
    const room = 64 * KIB - 30 * KIB - 2 * HEADER
    assert.deepEqual(out.log, ['EVENT 1: 30720', `EVENT 1: ${room}+`])
    out.lanes.limit(1, 64 * KIB + 10 * KIB)
    out.pump()
    assert.deepEqual(out.log, [], 'too little for what is left')
    out.lanes.limit(1, 128 * KIB)
    out.pump()
    assert.deepEqual(out.log, [`EVENT 1: ${50 * KIB - room}`])
  })

  test('a lane without it holds up no other lane, and keeps its order', () => {
    const out = opened(64 * KIB)
    out.put(5, 60 * KIB - 24)
    out.put(5, 5 * KIB)
    out.put(5, 10)
    out.put(5, 0, END)
    out.put(7, 10)
    assert.deepEqual(out.log, [`EVENT 5: ${60 * KIB - 24}`, 'EVENT 7: 10'])
    out.lanes.limit(5, 128 * KIB)
    out.pump()
    assert.deepEqual(out.log, ['EVENT 5: 5120', 'EVENT 5: 10', 'END 5: 0'])
  })

  test('never falls, has no more than 53 bits, and is ignored where no lane is', () => {
    const out = opened(64 * KIB)
    out.lanes.limit(5, 64 * KIB)
    assert.throws(() => out.lanes.limit(5, 64 * KIB - 1), PROTOCOL_ERROR)
    assert.throws(() => out.lanes.limit(5, 2 ** 53), PROTOCOL_ERROR)
    assert.throws(() => out.lanes.limit(99, NaN), PROTOCOL_ERROR)
    out.lanes.limit(5, 2 ** 53 - 1)
    out.lanes.limit(99, 0)
  })
})

describe('the order', () => {
  test('is by priority, then in turns, one chunk each', () => {
    const out = opened()
    out.takes = 0
    out.put(3, 1)
    out.put(5, LONG)
    out.put(7, LONG)
    out.put(5, 1)
    out.put(2, 1)
    out.put(0, 1)
    out.pump(3)
    const chunk = String(SEND_CHUNK)
    assert.deepEqual(out.log, ['EVENT 0: 1', `EVENT 5: ${chunk}+`, `EVENT 7: ${chunk}+`])
    out.put(0, 2)
    out.pump(3)
    assert.deepEqual(
      out.log,
      ['EVENT 0: 2', `EVENT 5: ${chunk}+`, `EVENT 7: ${chunk}+`],
      'after the running chunk',
    )
    out.lanes.bulk.acked(out.sequence.sent, 0)
    out.pump()
    assert.deepEqual(out.log, [
      `EVENT 5: ${chunk}`,
      `EVENT 7: ${chunk}`,
      'EVENT 5: 1',
      'EVENT 2: 1',
      'EVENT 3: 1',
    ])
  })

  test('put passes what is of a lower priority, and nothing of its own', () => {
    const out = opened()
    out.takes = 0
    out.put(1, 1)
    out.takes = 1
    assert.notEqual(out.put(1, 2), undefined, 'the same lane')
    assert.notEqual(out.put(5, 3), undefined, 'the same priority')
    assert.notEqual(out.put(3, 4), undefined, 'a lower one')
    assert.deepEqual(out.log, ['EVENT 1: 1'])
    out.takes = 1
    assert.equal(out.put(0, 5), undefined)
    assert.deepEqual(out.log, ['EVENT 0: 5'])
  })
})

describe('bulk', () => {
  test('waits while 256 KiB are in flight; what is small does not', () => {
    const out = opened(16 * MIB)
    out.put(5, 10 * SEND_CHUNK)
    assert.equal(out.frames.splice(0).length, 4)
    assert.ok(out.lanes.bulk.inFlight <= BULK_MIN, `${out.lanes.bulk.inFlight}`)
    assert.equal(out.put(7, 100), undefined)
    assert.notEqual(out.put(7, 100, ITEM), undefined, 'items are bulk, however short')
    assert.deepEqual(out.log, ['EVENT 7: 100'])
    out.lanes.acked(2, 1)
    out.lanes.pump(1)
    assert.deepEqual(out.log, [`EVENT 5: ${SEND_CHUNK}+`, 'ITEM 7: 100', `EVENT 5: ${SEND_CHUNK}+`])
  })

  test('of a lower priority does not pass bulk that waits', () => {
    const out = opened(16 * MIB)
    out.put(2, 4 * SEND_CHUNK)
    out.put(5, 2 * SEND_CHUNK)
    out.frames.length = 0
    out.lanes.open(9, MIB, 3)
    assert.notEqual(out.put(9, 100, ITEM), undefined)
    out.pump()
    assert.deepEqual(out.log, [], 'though so few bytes would fit')
  })
})

describe('what waits', () => {
  test('is taken back unless it was started', () => {
    const out = opened()
    out.takes = 1
    const started = out.put(1, LONG)
    const waiting = out.put(1, 100)
    const after = out.put(1, 50)
    assert.ok(started !== undefined && waiting !== undefined && after !== undefined, 'all wait')
    assert.equal(out.lanes.revoke(1, started), false)
    assert.equal(out.lanes.revoke(1, waiting), true)
    assert.equal(out.lanes.revoke(1, waiting), false, 'once')
    out.frames.length = 0
    out.pump()
    assert.deepEqual(out.log, [`EVENT 1: ${SEND_CHUNK}+`, `EVENT 1: ${SEND_CHUNK}`, 'EVENT 1: 50'])
    assert.equal(out.lanes.queued, 0)
    assert.equal(out.lanes.revoke(1, after), false, 'it is written')
  })

  test('was held up by the first, which is taken back: the next needs less credit', () => {
    const out = opened(64 * KIB)
    out.put(5, 50 * KIB)
    const first = out.put(5, 50 * KIB)
    out.put(5, 10)
    assert.ok(first !== undefined && out.lanes.revoke(5, first), 'it was not started')
    out.frames.length = 0
    out.pump()
    assert.deepEqual(out.log, ['EVENT 5: 10'])
  })

  test('tells when there is room again: half of the mark, after more than the mark', () => {
    const out = opened()
    out.lanes.open(9, MIB, 1, 1000)
    out.takes = 0
    for (let i = 0; i < 10; i++) out.put(9, 76)
    out.pump(9)
    assert.deepEqual(out.rooms, [], 'it was never above')
    out.takes = 0
    for (let i = 0; i < 10; i++) out.put(9, 76)
    out.pump(5)
    assert.deepEqual([out.rooms, out.lanes.queuedOf(9)], [[], 600])
    out.pump(1)
    assert.deepEqual([out.rooms, out.lanes.queuedOf(9)], [[9], 500])
    out.pump()
    assert.deepEqual(out.rooms, [9], 'once')
  })
})

describe('the end of a lane', () => {
  test('finish: when all that waits is written', () => {
    const out = opened()
    out.takes = 0
    out.put(5, 10, REPLY)
    out.lanes.finish(5)
    assert.equal(out.put(5, 10, REPLY), undefined)
    assert.equal(out.lanes.has(5), true)
    out.pump()
    assert.deepEqual([out.log, out.lanes.has(5)], [['REPLY 5: 10'], false])
    out.lanes.finish(7)
    assert.equal(out.lanes.has(7), false)
  })

  test('close: what was not started is dropped, what was is finished', () => {
    const out = opened()
    out.takes = 1
    out.put(5, LONG)
    out.put(5, 100)
    out.put(5, 0, DONE)
    assert.deepEqual(out.lanes.close(5), { messages: 1, bytes: 124 }, 'DONE is no message')
    assert.equal(out.lanes.has(5), true)
    out.pump()
    assert.equal(out.frames.splice(0).length, 3)
    assert.deepEqual([out.lanes.has(5), out.lanes.queued], [false, 0])
    assert.deepEqual(out.lanes.close(5), { messages: 0, bytes: 0 })
  })

  test('close of a lane with nothing started: it is gone', () => {
    const out = opened()
    out.takes = 0
    out.put(5, 100)
    assert.deepEqual(out.lanes.close(5), { messages: 1, bytes: 124 })
    assert.deepEqual([out.lanes.has(5), out.lanes.queued], [false, 0])
    out.pump()
    assert.deepEqual(out.log, [])
  })

  test('abort: the message under way is cut short by the last frame', () => {
    const out = opened(64 * KIB)
    out.put(5, LONG, REQUEST)
    assert.deepEqual(out.log, [`REQUEST 5: ${SEND_CHUNK}+`])
    out.put(5, 100, ITEM)
    const left = LONG - SEND_CHUNK + 24
    assert.deepEqual(out.lanes.abort(5, CANCEL, filled(0), 0), { messages: 2, bytes: left + 124 })
    assert.deepEqual([out.log, out.lanes.has(5), out.lanes.queued], [['CANCEL 5: 0'], false, 0])
  })

  test('abort waits for room like all else', () => {
    const out = opened()
    out.takes = 1
    out.put(5, LONG, ITEM)
    out.lanes.abort(5, RESET, filled(20), 0)
    assert.equal(out.lanes.has(5), true)
    assert.deepEqual(out.lanes.close(5), { messages: 0, bytes: 0 })
    assert.deepEqual(out.lanes.abort(5, CANCEL, filled(0), 0), { messages: 0, bytes: 0 }, 'once')
    out.frames.length = 0
    out.pump()
    assert.deepEqual([out.log, out.lanes.has(5)], [['RESET 5: 20'], false])
  })

  test('a RESET that was started is finished', () => {
    const out = opened()
    out.takes = 1
    out.lanes.abort(5, RESET, filled(LONG), 0)
    out.lanes.abort(5, CANCEL, filled(0), 0)
    out.pump()
    assert.deepEqual(out.log, [
      `RESET 5: ${SEND_CHUNK}+`,
      `RESET 5: ${SEND_CHUNK}+`,
      `RESET 5: ${SEND_CHUNK}`,
    ])
  })
})

describe('long messages without credit', () => {
  test('go one after the other; the rest goes on beside them', () => {
    const out = opened()
    out.takes = 1
    out.put(1, 2 * SEND_CHUNK, VOLATILE)
    out.put(0, 2 * SEND_CHUNK, VOLATILE)
    out.put(2, 10, VOLATILE)
    out.put(0, 10)
    out.pump()
    const chunk = String(SEND_CHUNK)
    assert.deepEqual(out.log, [
      `VOLATILE 1: ${chunk}+`,
      `VOLATILE 1: ${chunk}`,
      `VOLATILE 0: ${chunk}+`,
      `VOLATILE 0: ${chunk}`,
      'EVENT 0: 10',
      'VOLATILE 2: 10',
    ])
  })

  test('VOLATILE has no seq, and its rest is lost with the pipe', () => {
    const out = opened()
    out.takes = 1
    out.put(1, LONG, VOLATILE)
    out.put(1, 10)
    assert.equal(out.frames[0]?.seq, 0)
    out.frames.length = 0
    out.lanes.restart()
    out.pump()
    assert.deepEqual(
      out.frames.map(({ kind, seq }) => [kind, seq]),
      [[EVENT, 1]],
    )
    assert.equal(out.lanes.queued, 0)
  })
})

test('an item of 64 KiB is one frame where the window holds two of them, and cut where it does not', () => {
  const long = 64 * 1024
  for (const [window, log] of [
    [2 * (long + 24), [`ITEM 7: ${long}`]],
    [2 * (long + 24) - 1, [`ITEM 7: ${SEND_CHUNK}+`, `ITEM 7: ${long - SEND_CHUNK}`]],
  ] as const) {
    const out = opened(window)
    out.put(7, long, ITEM)
    out.lanes.acked(2, 1)
    out.lanes.pump(1)
    assert.deepEqual(out.log, log)
  }
})

describe('a frame of a lane that is not open', () => {
  test('passes with the next seq, if it is no longer than a chunk and there is room', () => {
    const out = opened()
    assert.equal(out.lanes.pass(1, HEADER + SEND_CHUNK), 1)
    assert.equal(out.lanes.pass(1, HEADER + SEND_CHUNK + 1), 0)
    assert.equal(out.lanes.pass(1, HEADER), 2)
    out.takes = 0
    assert.equal(out.lanes.pass(1, HEADER), 0)
  })

  test('does not pass what waits with its priority or a higher one', () => {
    const out = opened()
    out.takes = 0
    out.put(1, 100)
    out.takes = 100
    assert.deepEqual(
      [0, 1, 2, 3].map((priority) => out.lanes.pass(priority, HEADER)),
      [1, 0, 0, 0],
    )
    out.pump()
    assert.equal(out.lanes.pass(1, HEADER), 3)
  })
})

test('a volatile message has no seq, at once or after a wait', () => {
  const out = opened()
  out.put(1, 10, VOLATILE)
  out.takes = 0
  out.put(1, 10, VOLATILE)
  out.put(1, 10)
  out.takes = 100
  out.pump()
  assert.deepEqual(
    out.frames.map(({ kind, seq }) => [kind, seq]),
    [
      [VOLATILE, 0],
      [VOLATILE, 0],
      [EVENT, 1],
    ],
  )
})

test('of what is written at once only items and parts of messages are bulk', () => {
  const out = opened()
  out.put(5, 100)
  assert.equal(out.lanes.bulk.inFlight, 0)
  out.put(5, 100, ITEM)
  assert.equal(out.lanes.bulk.inFlight, 100 + HEADER)
  // Long enough to be in a group of its own.
  out.put(5, 10_000, ITEM)
  assert.equal(out.lanes.bulk.inFlight, 10_100 + 2 * HEADER)
})

test('of what waited only items and parts of messages are bulk', () => {
  const out = opened()
  const inFlight = (bytes: number, kind: number): number => {
    const before = out.lanes.bulk.inFlight
    out.takes = 0
    out.put(5, bytes, kind)
    out.takes = 100
    out.pump()
    return out.lanes.bulk.inFlight - before
  }
  assert.equal(inFlight(100, EVENT), 0)
  assert.equal(inFlight(100, ITEM), 100 + HEADER)
  assert.equal(inFlight(SEND_CHUNK + 1, EVENT), SEND_CHUNK + 1 + 2 * HEADER)
})

test('who waits for a message hears once that all of it is written, with the seq of its last frame', () => {
  const out = opened()
  const heard: number[] = []
  const fate = { written: (seq: number) => heard.push(seq), cutOff: () => assert.fail() }
  const put = (n: number): unknown => out.lanes.put(1, EVENT, 0, 0, filled(n), 0, fate)
  put(10)
  assert.deepEqual(heard.splice(0), [1])
  out.takes = 0
  put(LONG)
  put(10)
  out.pump(2)
  assert.deepEqual(heard, [])
  out.pump()
  assert.deepEqual(heard, [4, 5])
})

test('lanes 3 and 4, the last of events and the first of others', () => {
  const out = new Out()
  for (const lane of [3, 4]) {
    assert.deepEqual([out.lanes.has(lane), out.lanes.queuedOf(lane)], [false, 0])
    assert.equal(out.put(lane, 10), undefined)
    out.lanes.open(lane, MIB, 1)
    out.put(lane, 10)
    out.lanes.finish(lane)
    assert.equal(out.lanes.has(lane), false)
  }
  assert.deepEqual(out.log, ['EVENT 3: 10', 'EVENT 4: 10'])
})

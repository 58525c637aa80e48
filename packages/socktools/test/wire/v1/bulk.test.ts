/** How much bulk may be in flight: the bound, and how it follows the round trips. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { BULK_MAX, BULK_MIN, BulkWindow } from '../../../src/wire/v1/bulk.ts'

/** A far side that acks each frame `rtt` milliseconds after it was sent. */
class Path {
  readonly bulk = new BulkWindow()
  now = 0
  #seq = 0

  /** Fills the window, or sends `frames` of 64 KiB, and acks them all. */
  round(rtt: number, frames = Infinity): number {
    for (let i = 0; i < frames && this.bulk.fits(65_536); i++) this.bulk.sent(++this.#seq, 65_536, this.now)
    this.now += rtt
    this.bulk.acked(this.#seq, this.now)
    return this.bulk.size
  }
}

describe('the bulk window', () => {
  test('begins with 256 KiB and takes no frame beyond', () => {
    const { bulk } = new Path()
    bulk.sent(1, BULK_MIN - 100, 0)
    assert.deepEqual([bulk.fits(100), bulk.fits(101)], [true, false])
    bulk.sent(2, 100, 0)
    assert.equal(bulk.inFlight, BULK_MIN)
    bulk.acked(1, 10)
    assert.equal(bulk.inFlight, 100)
  })

  test('doubles while round trips stay short, up to 16 MiB', () => {
    const path = new Path()
    const sizes = Array.from({ length: 9 }, () => path.round(10) / BULK_MIN)
    assert.deepEqual(sizes, [2, 4, 8, 16, 32, 64, 64, 64, 64])
    assert.equal(path.bulk.size, BULK_MAX)
  })

  test('halves when they are twice the shortest ever, down to 256 KiB', () => {
    const path = new Path()
    for (let i = 0; i < 3; i++) path.round(10)
    const sizes = [19.9, 20, 20, 100, 100, 100, 19.9].map((rtt) => path.round(rtt) / BULK_MIN)
    assert.deepEqual(sizes, [16, 8, 4, 2, 1, 1, 2])
  })

  test('stays as it is while there is less to send: acks then wait for more', () => {
    const path = new Path()
    path.round(10)
    for (let i = 0; i < 20; i++) assert.equal(path.round(i % 2 === 0 ? 10 : 40, 3), 2 * BULK_MIN)
  })

  test('one fast frame is enough for a round, since acks may be late', () => {
    const path = new Path()
    path.round(10)
    const { bulk } = path
    for (let seq = 11; bulk.fits(65_536); seq++) bulk.sent(seq, 65_536, 100)
    bulk.acked(11, 130)
    bulk.sent(19, 65_536, 130)
    bulk.acked(19, 142)
    assert.equal(bulk.size, 4 * BULK_MIN)
  })

  test('a clock that does not move is a path that takes no time', () => {
    const path = new Path()
    path.round(0)
    assert.equal(path.round(0), 4 * BULK_MIN)
  })

  test('begins anew on another pipe, with what is in flight', () => {
    const path = new Path()
    path.round(1)
    path.bulk.sent(100, 300_000, path.now)
    path.bulk.restart()
    assert.deepEqual([path.bulk.size, path.bulk.inFlight, path.bulk.floor], [BULK_MIN, 300_000, Infinity])
    assert.equal(path.bulk.fits(1), false)
    path.bulk.acked(100, path.now + 50)
    assert.deepEqual(
      [path.bulk.inFlight, path.bulk.floor],
      [0, Infinity],
      'what the old pipe took tells nothing',
    )
  })

  test('counts what is in flight to within 8 KiB, and exactly when all is acked', () => {
    const step = fc.record({
      bytes: fc.oneof(fc.integer({ min: 24, max: 300 }), fc.integer({ min: 24, max: 61_464 })),
      gap: fc.integer({ min: 1, max: 3 }),
      ack: fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.nat(100) }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const bulk = new BulkWindow()
        let sent: { seq: number; bytes: number }[] = []
        let seq = 0
        for (const { bytes, gap, ack } of steps) {
          seq += gap
          bulk.sent(seq, bytes, seq)
          sent.push({ seq, bytes })
          if (ack !== undefined) {
            const upTo = sent[Math.floor((sent.length * ack) / 101)]!.seq
            bulk.acked(upTo, seq + 1)
            sent = sent.filter((one) => one.seq > upTo)
          }
          const inFlight = sent.reduce((sum, one) => sum + one.bytes, 0)
          assert.ok(
            bulk.inFlight >= inFlight && bulk.inFlight <= inFlight + 8192,
            `${bulk.inFlight}, not ${inFlight}`,
          )
        }
        bulk.acked(seq, seq + 1)
        assert.equal(bulk.inFlight, 0)
      }),
    )
  })

  test('knows of each long frame, however many are in flight', () => {
    const bulk = new BulkWindow()
    let sent = 0
    let acked = 0
    const check = (): void => assert.equal(bulk.inFlight, (sent - acked) * 9000)
    // More and more, from wherever the first one stands.
    for (const [more, upTo] of [
      [5, 3],
      [7, 4],
      [30, 11],
      [100, 140],
    ] as const) {
      for (let i = 0; i < more; i++) bulk.sent(++sent, 9000, 0)
      check()
      while (acked < upTo) {
        bulk.acked(++acked, 1)
        check()
      }
    }
  })

  test('short frames are free when the last of up to 8 KiB is acked', () => {
    for (const [second, free] of [
      [4096, 0],
      [4097, 4096],
    ] as const) {
      const bulk = new BulkWindow()
      bulk.sent(1, 4096, 0)
      bulk.sent(2, second, 0)
      bulk.acked(1, 1)
      assert.equal(bulk.inFlight, 4096 + second - free)
    }
  })

  test('one frame at a time is timed, and an ack that came before tells nothing of the next', () => {
    const bulk = new BulkWindow()
    bulk.sent(1, 9000, 0)
    bulk.sent(2, 9000, 5)
    bulk.acked(1, 10)
    assert.equal(bulk.floor, 10)
    bulk.sent(3, 9000, 20)
    bulk.acked(2, 21)
    assert.equal(bulk.floor, 10)
    bulk.acked(3, 24)
    assert.equal(bulk.floor, 4)
  })

  test('a slow frame after a fast one does not make a round slow', () => {
    const path = new Path()
    path.round(10)
    const { bulk } = path
    for (let seq = 11; bulk.fits(65_536); seq++) bulk.sent(seq, 65_536, 100)
    bulk.acked(11, 112)
    bulk.sent(19, 65_536, 112)
    bulk.acked(19, 142)
    assert.equal(bulk.size, 4 * BULK_MIN)
  })

  test('a window that was filled and held nothing back stays, on a new pipe too', () => {
    const bulk = new BulkWindow()
    for (const seq of [1, 2]) {
      assert.equal(bulk.fits(BULK_MIN), true)
      bulk.sent(seq, BULK_MIN, 0)
      bulk.acked(seq, 10)
      assert.equal(bulk.size, BULK_MIN)
      bulk.sent(10, 1, 20)
      assert.equal(bulk.fits(BULK_MIN), false)
      bulk.restart()
      bulk.acked(10, 30)
    }
  })
})

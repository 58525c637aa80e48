/** What a session keeps until it is acknowledged, against a list that keeps everything. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { COPY_MAX } from '../../../src/wire/batch.ts'
import { EVENT, MORE, REQUEST } from '../../../src/wire/v1/frame.ts'
import { Blocks, Retained } from '../../../src/wire/v1/retained.ts'

interface Kept {
  readonly seq: number
  readonly lane: number
  readonly flags: number
  readonly body: string
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

function replayed(retained: Retained, most = Infinity): Kept[] {
  const got: Kept[] = []
  while (got.length < most) {
    const more = retained.next((kind, flags, type, lane, seq, body) => {
      assert.deepEqual([kind, type], [flags === MORE ? EVENT : REQUEST, seq % 65_536])
      got.push({ seq, lane, flags, body: text(body) })
    })
    if (!more) break
  }
  return got
}

const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('add' as const), n: fc.nat(3000) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('long' as const), n: fc.nat(70_000) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('ack' as const), n: fc.nat(20) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('rewind' as const), n: fc.nat(30) }) },
  ),
  { maxLength: 200 },
)

test('what is not acknowledged is sent again, in order and unchanged, whenever a new pipe takes over', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const blocks = new Blocks()
      const retained = new Retained(blocks)
      let kept: Kept[] = []
      let seq = 0
      let acked = 0
      for (const { do: what, n } of all) {
        if (what === 'add' || what === 'long') {
          // Nothing new is written before all is sent again.
          replayed(retained)
          seq++
          const lane = n % 7
          const deadline = n % 3 === 0 ? n : -1
          const body = new Uint8Array(n).fill(seq)
          const flags = n % 2 === 0 ? MORE : 0
          retained.add(flags === MORE ? EVENT : REQUEST, flags, seq % 65_536, lane, seq, body, deadline)
          const prefix = deadline < 0 ? '' : deadline.toString(16).padStart(8, '0')
          kept.push({ seq, lane, flags, body: prefix + text(body) })
          // A short one is copied: who sent it may use its memory again.
          if (n + 4 <= COPY_MAX) body.fill(0xee)
        } else if (what === 'ack') {
          acked = Math.min(seq, acked + n)
          kept = kept.filter((one) => one.seq > acked)
          retained.acked(acked)
        } else {
          retained.rewind()
          const some = replayed(retained, n)
          assert.deepEqual(some, kept.slice(0, n))
          assert.equal(retained.messages, kept.filter(({ flags }) => flags === 0).length)
        }
      }
      retained.rewind()
      assert.deepEqual(replayed(retained), kept)
      assert.equal(retained.replaying, false)
      retained.acked(seq)
      assert.equal(retained.bytes, 0)
    }),
    { numRuns: 300 },
  )
})

test('a pipe that takes over while all is acknowledged has nothing to send again, and what is new leaves once', () => {
  const retained = new Retained(new Blocks())
  retained.rewind()
  retained.add(REQUEST, 0, 1, 5, 1, new Uint8Array(5), -1)
  assert.equal(retained.replaying, false)
  assert.deepEqual(replayed(retained), [])
})

test('an ack in the middle of sending again goes on behind it', () => {
  const retained = new Retained(new Blocks())
  for (let seq = 1; seq <= 200; seq++) retained.add(REQUEST, 0, seq, 5, seq, new Uint8Array(500), -1)
  retained.rewind()
  assert.deepEqual(
    replayed(retained, 100).map(({ seq }) => seq),
    Array.from({ length: 100 }, (_, i) => i + 1),
  )
  retained.acked(100)
  assert.deepEqual(
    replayed(retained).map(({ seq }) => seq),
    Array.from({ length: 100 }, (_, i) => i + 101),
  )
})

test('one that has little underway keeps little memory, and none when all is acknowledged', () => {
  const sizes: number[] = []
  class Counted extends Blocks {
    override take(size: number): Uint8Array {
      sizes.push(size)
      return super.take(size)
    }
  }
  const retained = new Retained(new Counted())
  for (let seq = 1; seq <= 1000; seq++) {
    retained.add(REQUEST, 0, seq % 65_536, 5, seq, new Uint8Array(64), -1)
    retained.acked(seq)
  }
  assert.deepEqual([...new Set(sizes)], [1024])
  assert.equal(retained.bytes, 0)
})

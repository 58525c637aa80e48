/** What a session keeps until it is acknowledged, against a list that keeps everything. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { COPY_MAX } from '../../../src/wire/batch.ts'
import { EVENT, ITEM, MORE, REQUEST } from '../../../src/wire/v1/frame.ts'
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

const sent = (retained: Retained, seq: number, size: number, kind = REQUEST, flags = 0): void =>
  retained.add(kind, flags, seq % 65_536, 5, seq, new Uint8Array(size).fill(seq), -1)

function seqs(retained: Retained, most = Infinity): number[] {
  const got: number[] = []
  const again = (type: number, lane: number, seq: number, body: Uint8Array, deadline: number): void => {
    assert.deepEqual([type, lane, deadline, body[0]], [seq % 65_536, 5, -1, seq % 256])
    got.push(seq)
  }
  while (got.length < most && retained.next((_k, _f, ...frame) => again(...frame))) continue
  return got
}

const span = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i)

test('an ack that frees much, in the middle of sending again, leaves the rest of it', () => {
  // Some 70 blocks: those that are freed are forgotten together now and then.
  for (const [before, acked] of [
    [10, 3000],
    [3000, 3000],
    [3500, 3000],
    [4900, 3000],
    [3500, 4000],
    [0, 2300],
  ] as const) {
    const retained = new Retained(new Blocks())
    for (let seq = 1; seq <= 5000; seq++) sent(retained, seq, 900)
    retained.rewind()
    assert.deepEqual(seqs(retained, before), span(1, before))
    retained.acked(acked)
    assert.equal(retained.replaying, true)
    assert.deepEqual(
      seqs(retained),
      span(Math.max(before, acked) + 1, 5000),
      `${before} sent, ${acked} acked`,
    )
    retained.acked(4500)
    retained.rewind()
    assert.deepEqual(seqs(retained), span(4501, 5000))
  }
})

test('an ack of less than was sent again does not begin anew', () => {
  const retained = new Retained(new Blocks())
  for (let seq = 1; seq <= 10; seq++) sent(retained, seq, 5)
  retained.rewind()
  assert.deepEqual(seqs(retained, 6), span(1, 6))
  retained.acked(3)
  assert.deepEqual(seqs(retained), span(7, 10))
})

test('counts only what is kept, however much was freed before', () => {
  const retained = new Retained(new Blocks())
  for (let seq = 1; seq <= 20_000; seq++) {
    sent(retained, seq, 900)
    if (seq > 100) retained.acked(seq - 100)
  }
  assert.equal(retained.messages, 100)
  assert.ok(retained.bytes < 300 * 1024)
})

test('it is replaying until the last frame was sent again, and no longer', () => {
  const retained = new Retained(new Blocks())
  assert.equal(retained.replaying, false)
  for (const seq of [1, 2]) sent(retained, seq, 5)
  assert.equal(retained.replaying, false)
  retained.rewind()
  assert.equal(retained.replaying, true)
  assert.deepEqual(seqs(retained), [1, 2])
  assert.equal(retained.replaying, false)
  retained.rewind()
  retained.acked(2)
  assert.equal(retained.replaying, false)
  sent(retained, 3, 5)
  assert.equal(retained.replaying, false, 'what is new is not sent again')
})

test('messages are events, questions, answers and items that were written whole, and not acknowledged', () => {
  const retained = new Retained(new Blocks())
  sent(retained, 1, 5, EVENT)
  sent(retained, 2, 5, ITEM, MORE)
  sent(retained, 3, COPY_MAX + 1, ITEM)
  sent(retained, 4, 5, ITEM + 1)
  sent(retained, 5, 5, REQUEST)
  sent(retained, 6, 7, EVENT, MORE)
  assert.equal(retained.messages, 3)
  assert.deepEqual(retained.events, { messages: 1, bytes: 12 })
  retained.acked(1)
  assert.equal(retained.messages, 2)
  assert.deepEqual(retained.events, { messages: 0, bytes: 7 })
  retained.acked(3)
  assert.equal(retained.messages, 1)
})

test('messages are counted to the end of what was written, in memory that another session had', () => {
  const blocks = new Blocks()
  const before = new Retained(blocks)
  for (const seq of [1, 2, 3]) sent(before, seq, 5)
  before.clear()
  const retained = new Retained(blocks)
  sent(retained, 1, 5)
  assert.equal(retained.messages, 1)
  // The longest that is copied, the shortest that is lent; and what is behind them.
  for (const size of [COPY_MAX, COPY_MAX + 1]) {
    const one = new Retained(new Blocks())
    sent(one, 1, size)
    for (let seq = 2; seq <= 20; seq++) sent(one, seq, 5, ITEM + 1)
    assert.equal(one.messages, 1)
  }
})

test('a body of COPY_MAX is copied, a longer one is lent', () => {
  for (const [size, first] of [
    [COPY_MAX, 1],
    [COPY_MAX + 1, 9],
  ] as const) {
    const retained = new Retained(new Blocks())
    const body = new Uint8Array(size).fill(1)
    retained.add(REQUEST, 0, 1, 5, 1, body, -1)
    body.fill(9)
    retained.rewind()
    retained.next((_kind, _flags, _type, _lane, _seq, again) => assert.equal(again[0], first))
  }
})

test('blocks: sixteen of each size are used again', () => {
  const blocks = new Blocks()
  const given: Uint8Array[] = Array.from({ length: 17 }, () => new Uint8Array(1024))
  for (const block of given) blocks.give(block)
  const other = new Uint8Array(2048)
  blocks.give(other)
  const taken = Array.from({ length: 17 }, () => blocks.take(1024))
  assert.equal(taken.filter((block) => given.includes(block)).length, 16)
  assert.equal(new Set(taken).size, 17)
  assert.equal(blocks.take(2048), other)
})

class Seen extends Blocks {
  readonly taken: Uint8Array[] = []
  readonly given: Uint8Array[] = []
  override take(size: number): Uint8Array {
    const block = super.take(size)
    this.taken.push(block)
    return block
  }
  override give(block: Uint8Array): void {
    this.given.push(block)
    super.give(block)
  }
}

test('blocks grow with what is kept, to 64 KiB; each is filled to its end, and given back once', () => {
  const blocks = new Seen()
  const retained = new Retained(blocks)
  // With its 28 bytes before it, four to a KiB.
  const many = 4 * 64 * 8
  for (let seq = 1; seq <= many; seq++) sent(retained, seq, 256 - 28)
  assert.deepEqual(
    blocks.taken.map(({ length }) => length / 1024),
    [1, 1, 2, 4, 8, 16, 32, ...Array.from({ length: 7 }, () => 64)],
  )
  retained.acked(4)
  assert.deepEqual(blocks.given, blocks.taken.slice(0, 1))
  retained.clear()
  assert.deepEqual(blocks.given, blocks.taken)
  assert.deepEqual([retained.bytes, retained.replaying, retained.messages], [0, false, 0])
  retained.rewind()
  assert.deepEqual(seqs(retained), [])
  sent(retained, many + 1, 5)
  retained.rewind()
  assert.deepEqual(seqs(retained), [many + 1])
})

test('a frame that fills the smallest block takes no larger one', () => {
  for (const [size, length] of [
    [1024 - 28, 1024],
    [1025 - 28, 2048],
  ] as const) {
    const blocks = new Seen()
    sent(new Retained(blocks), 1, size)
    assert.deepEqual(
      blocks.taken.map((block) => block.length),
      [length],
    )
  }
})

test('a clone goes its own way from the same state, in memory of its own', () => {
  const blocks = new Seen()
  const one = new Retained(blocks)
  for (let seq = 1; seq <= 40; seq++) sent(one, seq, seq % 5 === 0 ? COPY_MAX + 1 : 100)
  one.acked(20)
  one.rewind()
  assert.deepEqual(seqs(one, 3), [21, 22, 23])
  const other = one.clone()
  assert.equal(other.key(), one.key())
  assert.deepEqual([other.bytes, other.replaying, other.messages], [one.bytes, true, 20])
  const bodies = (retained: Retained): string[] => replayed(retained).map(({ seq, body }) => `${seq} ${body}`)
  assert.notEqual((other.clone(), seqs(other, 1), other.key()), one.key(), 'where it is')
  assert.deepEqual(seqs(one, 1), [24])
  assert.equal(other.key(), one.key())
  other.acked(30)
  assert.notEqual(other.key(), one.key(), 'what is acknowledged')
  one.acked(30)
  assert.equal(other.key(), one.key())
  sent(other, 41, 7)
  assert.notEqual(other.key(), one.key(), 'what is kept')
  sent(one, 41, 7)
  assert.equal(other.key(), one.key())
  assert.deepEqual(bodies(other), bodies(one))
  const third = one.clone()
  one.clear()
  for (const block of blocks.given) block.fill(0xff)
  third.rewind()
  assert.deepEqual(seqs(third), span(31, 41))
})

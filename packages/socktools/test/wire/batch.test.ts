/** A batch against its model: a plain array of bytes, and where the messages in it end. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { Batch, COPY_MAX, type Cut, SLAB, Slabs } from '../../src/wire/batch.ts'
import type { Framing } from '../../src/wire/framing.ts'
import { lengthPrefixed } from '../../src/wire/length-prefixed.ts'
import { lines } from '../../src/wire/lines.ts'
import { codeOf, frame, frames, join, latin1, textual } from './bytes.ts'

/** A framing of someone else's that lends nothing: a long payload is copied, whatever its size. */
const copying: Framing = (({ around: _, ...rest }: Framing) => rest)(lengthPrefixed())
const framings: [string, Framing][] = [
  ['lengthPrefixed', lengthPrefixed()],
  ['varints, of which long payloads have longer ones', lengthPrefixed({ length: 'varint' })],
  ['lines', lines({ crlf: true })],
  ['a framing that lends nothing', copying],
]

const length = fc.oneof(
  { weight: 8, arbitrary: fc.nat(200) },
  { weight: 2, arbitrary: fc.nat(COPY_MAX) },
  fc.constantFrom(COPY_MAX - 1, COPY_MAX, COPY_MAX + 1, SLAB - 5, SLAB - 4, SLAB, SLAB + 1, 200_000),
)
type Op =
  | { op: 'add' | 'append'; sizes: number[] }
  | { op: 'take'; limit: number }
  | { op: 'since'; skip: number }
  | { op: 'done' }
const op = fc.oneof<fc.Arbitrary<Op>[]>(
  fc.record({ op: fc.constant('add'), sizes: fc.array(length, { minLength: 1, maxLength: 5 }) }),
  fc.record({ op: fc.constant('append'), sizes: fc.array(length, { minLength: 1, maxLength: 3 }) }),
  fc.record({ op: fc.constant('take'), limit: fc.constantFrom(1, 100, 70_000, 1_000_000, Infinity) }),
  fc.record({ op: fc.constant('since'), skip: fc.nat(9) }),
  fc.record({ op: fc.constant('done') }),
)

/** What a batch should be, beside one that is. */
class Model {
  readonly batch: Batch
  readonly #framing: Framing
  readonly #slabs: Slabs
  #waiting: Uint8Array = new Uint8Array(0)
  #ends: number[] = []
  #taken: { chunks: readonly Uint8Array[]; bytes: Uint8Array }[] = []
  #messages = 0
  #salt = 0

  constructor(framing: Framing, slabs: Slabs) {
    this.#framing = framing
    this.#slabs = slabs
    this.batch = new Batch(framing, slabs)
  }

  run(step: Op): void {
    if (step.op === 'add') for (const payload of this.#expect(step.sizes)) this.batch.add(payload)
    else if (step.op === 'append') this.#append(step.sizes)
    else if (step.op === 'take') this.#take(step.limit)
    else if (step.op === 'since') this.#since(step.skip)
    else this.#done()
    assert.deepEqual([this.batch.bytes, this.batch.messages], [this.#waiting.length, this.#messages])
  }

  /** Payloads of these sizes that are to come out; nothing may be lent twice, so each is its own. */
  #expect(sizes: readonly number[]): Uint8Array[] {
    const payloads = sizes.map((n) => textual(n).map((byte) => byte ^ (this.#salt++ & 0x1f)))
    for (const payload of payloads) {
      this.#waiting = join([this.#waiting, frame(this.#framing, payload)])
      this.#ends.push(this.#waiting.length)
      this.#messages++
    }
    return payloads
  }

  /** As a broadcast does it: framed in a batch of its own, whose memory is not used again. */
  #append(sizes: readonly number[]): void {
    const other = new Batch(this.#framing, this.#slabs)
    for (const payload of this.#expect(sizes)) other.add(payload)
    this.batch.append(other.take())
  }

  #take(limit: number): void {
    const cut = this.batch.take(limit)
    const bytes = this.#check(cut, 0)
    assert.ok(bytes.length >= Math.min(limit, this.#waiting.length), 'as much as it was to be')
    this.#taken.push({ chunks: cut.chunks, bytes })
    this.#waiting = this.#waiting.slice(bytes.length)
    this.#ends = this.#ends.map((end) => end - bytes.length).filter((end) => end > 0)
    this.#messages -= cut.messages
    if (this.#waiting.length === 0) assert.equal(this.#messages, 0, 'no message is left, and none counted')
  }

  #since(skip: number): void {
    // Marks lie between messages, and are forgotten when something is taken.
    if (this.#messages !== this.#ends.length) return
    const messages = Math.min(skip, this.#ends.length)
    const bytes = this.#ends[messages - 1] ?? 0
    const cut = this.batch.since(bytes, messages)
    assert.equal(this.#check(cut, bytes).length, this.#waiting.length - bytes)
    assert.equal(cut.messages, this.#messages - messages)
  }

  #check(cut: Cut, from: number): Uint8Array {
    const bytes = join(cut.chunks)
    assert.equal(bytes.length, cut.bytes)
    assert.equal(
      Buffer.compare(bytes, this.#waiting.subarray(from, from + bytes.length)),
      0,
      'the same bytes',
    )
    return bytes
  }

  /** All that was taken has left, and was not written over on its way. */
  #done(): void {
    for (const { chunks, bytes } of this.#taken)
      assert.equal(Buffer.compare(join(chunks), bytes), 0, 'unharmed')
    this.#taken = []
    this.batch.rewind()
  }
}

for (const [name, framing] of framings) {
  describe(`Batch of ${name}`, () => {
    test('what was added comes out as one stream in order, whatever is done in between', () => {
      fc.assert(
        fc.property(fc.array(op, { maxLength: 40 }), (ops) => {
          const model = new Model(framing, new Slabs())
          for (const step of [...ops, { op: 'take', limit: Infinity }, { op: 'done' }] as Op[])
            model.run(step)
        }),
        { seed: 1, numRuns: 150 },
      )
    })

    test('two batches that share slabs keep out of each other', () => {
      fc.assert(
        fc.property(fc.array(fc.tuple(fc.boolean(), op), { maxLength: 40 }), (ops) => {
          const slabs = new Slabs()
          const models = [new Model(framing, slabs), new Model(framing, slabs)]
          for (const [first, step] of ops) models[first ? 0 : 1]?.run(step)
          for (const model of models) model.run({ op: 'take', limit: Infinity })
          for (const model of models) model.run({ op: 'done' })
        }),
        { seed: 1, numRuns: 100 },
      )
    })

    test('a message is counted with the bytes that end it', () => {
      const batch = new Batch(framing, new Slabs())
      const payloads = [1, COPY_MAX + 1, 1, 2, COPY_MAX + 1].map(textual)
      for (const payload of payloads) batch.add(payload)
      const ends = payloads.map((_, i) => frames(framing, payloads.slice(0, i + 1)).length)
      let [bytes, messages] = [0, 0]
      while (batch.bytes > 0) {
        const cut = batch.take(1)
        bytes += cut.bytes
        messages += cut.messages
        assert.equal(messages, ends.filter((end) => end <= bytes).length, `within the first ${bytes} bytes`)
      }
    })

    test('small messages leave as one chunk; a turn of them is one write', () => {
      const batch = new Batch(framing, new Slabs())
      for (let i = 0; i < 100; i++) batch.add(latin1('hi'))
      assert.equal(batch.take().chunks.length, 1)
    })
  })
}

describe('Batch', () => {
  test('a lent payload has room for all that stands around it, wherever in a slab it begins', () => {
    const framing = lengthPrefixed({ length: 'varint' })
    const long = textual(COPY_MAX + 1)
    for (let before = SLAB - 4; before <= SLAB + 4; before++) {
      const batch = new Batch(framing, new Slabs())
      // Small ones up to so many bytes of the slab.
      const fill = Array.from({ length: 4 }, (_, i) =>
        textual(i < 3 ? COPY_MAX - 3 : before - 3 * COPY_MAX - 3),
      )
      for (const payload of [...fill, long]) batch.add(payload)
      assert.equal(
        Buffer.compare(join(batch.take().chunks), frames(framing, [...fill, long])),
        0,
        String(before),
      )
    }
  })

  test('a payload up to COPY_MAX is copied; a longer one is lent, neither copied nor changed', () => {
    const batch = new Batch(lengthPrefixed(), new Slabs())
    const [short, long] = [textual(COPY_MAX), textual(COPY_MAX + 1)]
    batch.add(short)
    batch.add(long)
    short.fill(0)
    const { chunks } = batch.take()
    assert.equal(chunks.at(-1)?.buffer, long.buffer)
    assert.equal(chunks[0]?.[4], 0x20)
  })

  test('what the framing refuses leaves no trace, long or short', () => {
    const batch = new Batch(lines(), new Slabs())
    batch.add(latin1('before'))
    for (const n of [3, COPY_MAX + 1]) {
      const bad = textual(n).fill(0x0a, n - 2)
      assert.equal(
        codeOf(() => batch.add(bad)),
        'CANNOT_FRAME',
      )
    }
    batch.add(latin1('behind'))
    assert.deepEqual(
      [batch.messages, Buffer.from(join(batch.take().chunks)).toString()],
      [2, 'before\nbehind\n'],
    )
  })

  test('a framing that writes more or less than it said is CANNOT_FRAME, and nothing of it waits', () => {
    const good = lengthPrefixed()
    const around = good.around!
    const wrong: [what: string, n: number, framing: Partial<Framing>][] = [
      ['beyond its end', 5, { write: (into, at, payload) => good.write(into, at, payload) + 1 }],
      ['before its beginning', 5, { write: (_, at) => at - 1 }],
      ['no number', 5, { write: () => NaN }],
      ['a start before its beginning', COPY_MAX + 1, { around: { ...around, before: (_, at) => at - 1 } }],
      ['an end before its start', COPY_MAX + 1, { around: { ...around, after: (_, at) => at - 1 } }],
      ['an end beyond its size', COPY_MAX + 1, { around: { ...around, after: (_, at) => at + 1 } }],
    ]
    for (const [what, n, part] of wrong) {
      const batch = new Batch({ ...good, ...part }, new Slabs())
      for (let i = 0; i < 2; i++)
        assert.equal(
          codeOf(() => batch.add(textual(n))),
          'CANNOT_FRAME',
          what,
        )
      assert.deepEqual([batch.bytes, batch.messages, join(batch.take().chunks).length], [0, 0, 0], what)
    }
  })

  test('a framing may write less than it said, or nothing at all', () => {
    const good = lengthPrefixed()
    const batch = new Batch({ ...good, size: (n) => n + 9, write: (_, at) => at }, new Slabs())
    batch.add(textual(5))
    assert.deepEqual([batch.bytes, batch.messages], [0, 1])
  })

  test('take ends with the chunk that reaches the limit, and since has no chunk without bytes', () => {
    const batch = new Batch(lengthPrefixed(), new Slabs())
    const [long, n] = [textual(COPY_MAX + 1), COPY_MAX + 5]
    for (let i = 0; i < 4; i++) batch.add(long)
    const lengths = (cut: Cut): number[] => cut.chunks.map((chunk) => chunk.length)
    assert.deepEqual(lengths(batch.take(n)), [4, COPY_MAX + 1])
    assert.deepEqual(lengths(batch.since(n, 1)), [4, COPY_MAX + 1, 4, COPY_MAX + 1])
    assert.deepEqual(lengths(batch.since(n + 3, 1)), [1, COPY_MAX + 1, 4, COPY_MAX + 1])
    assert.deepEqual(lengths(batch.take(n + 1)), [4, COPY_MAX + 1, 4])
    assert.deepEqual(lengths(batch.take()), [COPY_MAX + 1, 4, COPY_MAX + 1])
  })

  test('crowded tells, before it is added, what would not fit into the slab', () => {
    const batch = new Batch(lengthPrefixed(), new Slabs())
    assert.equal(batch.ripe(1_000_000), false, 'an empty batch has nothing to flush')
    batch.add(textual(COPY_MAX))
    assert.equal(batch.ripe(100), false)
    for (let i = 0; i < 2; i++) batch.add(textual(COPY_MAX))
    assert.equal(batch.ripe(COPY_MAX), true)
  })

  test('what waits is looked at once a slab of small messages, and once it is much at each that is lent', () => {
    const small = new Batch(lengthPrefixed(), new Slabs())
    const count = (batch: Batch, payload: Uint8Array, times: number): number => {
      let ripe = 0
      for (let i = 0; i < times; i++) {
        if (batch.ripe(payload.length)) ripe++
        batch.add(payload)
      }
      return ripe
    }
    assert.equal(count(small, new Uint8Array(64), 20_000), Math.floor((20_000 * 68) / SLAB))
    const lent = new Batch(lengthPrefixed(), new Slabs())
    const long = new Uint8Array(64 * 1024)
    assert.equal(count(lent, long, 20), 11)
    lent.take()
    assert.equal(count(lent, long, 8), 0, 'what was taken does not count')
    assert.equal(count(lent, long, 1), 0)
    lent.take(2 * long.length)
    assert.equal(count(lent, long, 3), 1, 'nor a part of it')
  })

  test('a slab that was rewound is used again, and at most eight are spared', () => {
    const slabs = new Slabs()
    const batch = new Batch(lengthPrefixed(), slabs)
    batch.add(latin1('first'))
    const { buffer, byteOffset } = batch.take().chunks[0]!
    batch.rewind()
    batch.add(latin1('second'))
    const [chunk] = batch.take().chunks
    assert.deepEqual([chunk?.buffer === buffer, chunk?.byteOffset], [true, byteOffset])

    const given: Uint8Array[] = [10, SLAB + 1, ...Array<number>(20).fill(SLAB)].map((n) => new Uint8Array(n))
    for (const slab of given) slabs.give(slab)
    const taken = Array.from({ length: 20 }, () => slabs.take())
    assert.equal(taken.filter((slab) => given.includes(slab)).length, 8)
    assert.deepEqual(new Set(taken.map((slab) => slab.length)), new Set([SLAB]))
  })

  test('rewind keeps what is still waiting', () => {
    const batch = new Batch(lengthPrefixed(), new Slabs())
    batch.add(latin1('a'))
    batch.rewind()
    batch.add(latin1('b'))
    assert.equal(
      Buffer.compare(join(batch.take().chunks), frames(lengthPrefixed(), ['a', 'b'].map(latin1))),
      0,
    )
  })
})

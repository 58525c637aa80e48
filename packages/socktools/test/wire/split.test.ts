/**
 * The same frames, whatever the segmentation: every stream is cut at every offset, and what comes out is
 * compared with what the stream means as a whole.
 */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import fc from 'fast-check'
import { type Builtin, lengths, lineFramings } from './builtin.ts'
import { assertSame, decode, frames, hex, join, latin1, textual, toHex } from './bytes.ts'

// Thousands of refusals are provoked, and nobody looks at their stacks.
Error.stackTraceLimit = 0

const KiB = 1024
const MiB = 1024 * KiB
/** Sizes at which something changes: slabs, what is kept uncopied, what a socket reads at once, the limit. */
const BOUNDARIES = [256, KiB, 3 * KiB, 16 * KiB, 60 * KiB, 64 * KiB, MiB, 16 * MiB]
/** Pieces of a stream: enough to fill most of 300 bytes. */
const MANY = { minLength: 12, maxLength: 60, size: 'max' } as const

interface Wire extends Builtin {
  readonly streams: fc.Arbitrary<Uint8Array>
  readonly known: readonly Uint8Array[]
  /** Streams of up to so many bytes, and how many of them. */
  readonly bytes: number
  readonly runs: number
  /** Sizes at which something changes, up to this. */
  readonly upTo: number
}

const piece = fc.oneof(
  { weight: 5, arbitrary: fc.uint8Array({ maxLength: 12 }) },
  { weight: 5, arbitrary: fc.uint8Array({ maxLength: 80 }) },
  { weight: 1, arbitrary: fc.uint8Array({ minLength: 120, maxLength: 200 }) },
)
const ending = fc.constantFrom(hex('0a'), hex('0d'), hex('0d0a'), hex('0d0d0a'))

/** Where only the header differs, less is enough; that of a varint differs with what it says. */
function effort({ name }: Builtin): Pick<Wire, 'bytes' | 'runs' | 'upTo'> {
  if (name === 'lengthPrefixed()' || name === 'lines()') return { bytes: 300, runs: 10, upTo: 16 * MiB }
  if (name.includes('varint')) return { bytes: 300, runs: 3, upTo: 64 * KiB }
  return { bytes: 100, runs: 5, upTo: KiB }
}

const wires: readonly Wire[] = [
  ...lengths.map((builtin) => ({
    ...builtin,
    ...effort(builtin),
    streams: fc
      .tuple(fc.array(piece, MANY), fc.uint8Array({ maxLength: 9 }))
      .map(([payloads, rest]) => join([frames(builtin.framing, payloads), rest])),
    known: [
      ...['', '00', '00000000', '00000000 00000000 00000000', '0000000000000000 0000000000000000 00'],
      ...['00000001 61 | 00000000 | 00000002 6262 | 000000', '01 61 | 00 | 02 6262 | 83 00 | 61'],
      ...['00000003 616263 | ffffffff | 00000001 64', '0003 61 | 0002 | 0004 6262 | 0001 | 61'],
      ...['01000000 61 | 04000000 | 03000000 | 6161', '0100000000000000 61 | 0000000000002000 61'],
      '474554202f20485454502f312e310d0a',
    ].map(hex),
  })),
  ...lineFramings.map((builtin) => ({
    ...builtin,
    ...effort(builtin),
    streams: fc.array(fc.oneof(piece, ending), MANY).map(join),
    known: ['', '\n', '\r\n', '\r\r\n\n\r', 'one\r\ntwo\nthree', 'a\rb\n\r\n\r'].map(latin1),
  })),
]

describe('split at every offset', () => {
  let cases = 0
  after(() => assert.ok(cases >= 1_000_000, `a million cases, not ${cases}`))

  for (const { name, framing, read, streams, known, bytes, runs, upTo } of wires) {
    /** Compares one segmentation of `stream` after the other with what it means. */
    const checker = (stream: Uint8Array, max: number): ((...cuts: number[]) => void) => {
      const want = read(stream, max)
      return (...cuts) => {
        const chunks = [0, ...cuts].map((from, i) => stream.subarray(from, cuts[i]))
        assertSame(
          decode(framing, max, chunks),
          want,
          () => `${toHex(stream)}, limit ${max}, cut at ${cuts.join()}`,
        )
        cases++
      }
    }

    /** In two, in three (where a part is empty, that is in two or not at all), and byte by byte. */
    const everywhere = (stream: Uint8Array, max: number): void => {
      const check = checker(stream, max)
      for (let a = 0; a <= stream.length; a++) for (let b = a; b <= stream.length; b++) check(a, b)
      check(...stream.keys())
    }

    test(`${name}: known streams`, () => {
      for (const stream of known) for (const max of [0, 1, 2, 3, 100]) everywhere(stream, max)
    })

    test(`${name}: streams of up to ${bytes} bytes`, () => {
      const limits = fc.constantFrom(300, 100, 40, 11)
      fc.assert(
        fc.property(streams, limits, (stream, max) => {
          everywhere(stream.subarray(0, bytes), max)
        }),
        { seed: 1, numRuns: runs },
      )
    })

    test(`${name}: up to 8 bytes around every edge, up to ${upTo} bytes`, () => {
      for (const size of BOUNDARIES.filter((one) => one <= upTo)) {
        for (const n of size > 64 * KiB ? [size] : [-8, -1, 0, 1, 8].map((by) => size + by)) {
          if (n > framing.max) continue
          const stream = frames(framing, [hex('61'), textual(n), hex('6262')])
          const start = framing.size(1)
          const edges = [
            start,
            start + framing.size(n) - n,
            start + Math.min(n, 16 * KiB),
            start + framing.size(n),
          ]
          const cuts = [...new Set(edges.flatMap(near))].filter((at) => at >= 0 && at <= stream.length)
          const check = checker(stream, n)
          for (const a of cuts) check(a)
          for (const a of n > MiB ? [] : cuts)
            for (const b of cuts) if (a < b && (a + b) % 5 === 0) check(a, b)
        }
      }
    })

    if (upTo < 16 * MiB) continue
    test(`${name}: one byte over 16 MiB is refused wherever it is cut`, () => {
      const stream = frames(framing, [textual(16 * MiB + 1)])
      const check = checker(stream, 16 * MiB)
      for (const at of [...near(8), ...near(16 * MiB)]) check(at)
    })
  }
})

const near = (at: number): number[] => Array.from({ length: 17 }, (_, i) => at - 8 + i)

/** What decoders keep of a frame that has not arrived whole: its bytes, and how much memory for them. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Held } from '../../src/wire/held.ts'
import { join, pattern, toHex } from './bytes.ts'
import { taken } from './taken.ts'

const KiB = 1024

/** Adds `n` bytes that stand alone, in pieces of `step`. */
function add(held: Held, n: number, step = n, room = Infinity): void {
  for (let at = 0; at < n; at += step)
    held.add(pattern(Math.min(step, n - at)), 0, Math.min(step, n - at), room)
}

test('what was added comes out in one piece, with what is behind it, and then nothing is held', () => {
  const held = new Held()
  const sizes = [1, 0, 1023, 1024, 1025, 4095, 4096, 100, 16 * KiB - 1, 16 * KiB, 7, 64 * KiB + 1, 3000, 3000]
  for (const [round, around] of [0, 5, 20 * KiB].entries()) {
    const pieces = sizes.map((n, i) => pattern(n, round * 50 + i))
    let length = 0
    for (const piece of pieces) {
      const within = new Uint8Array(around + piece.length + around)
      within.set(piece, around)
      // A view in the middle of other memory, and of that the middle.
      held.add(
        within.subarray(around >> 1),
        around - (around >> 1),
        around - (around >> 1) + piece.length,
        2 ** 20,
      )
      assert.equal(held.length, (length += piece.length))
    }
    const last = pattern(20, 9)
    const got = held.take(last.subarray(1), 2, 10)
    assert.equal(Buffer.compare(got, join([...pieces, last.subarray(3, 11)])), 0)
    assert.equal(held.length, 0)
    assert.equal(held.take(last, 3, 3).length, 0)
  }
})

describe('a piece is kept as it came', () => {
  const kept = (n: number, memory: number): boolean => {
    const held = new Held()
    const bytes = new Uint8Array(memory)
    held.add(bytes, memory - n, memory, Infinity)
    bytes.fill(1)
    const all = new Set(held.take(bytes, 0, 0))
    assert.equal(all.size, 1)
    return all.has(1)
  }
  for (const [n, memory, is] of [
    [16 * KiB, 10 * 64 * KiB, true],
    [16 * KiB - 1, 10 * 64 * KiB, false],
    [4 * KiB, 8 * KiB, true],
    [4 * KiB, 8 * KiB + 1, false],
    [4 * KiB - 1, 4 * KiB - 1, false],
    [10_000, 20_000, true],
    [10_000, 20_001, false],
  ] as const)
    test(`of ${n} bytes in a memory of ${memory}: ${is}`, () => assert.equal(kept(n, memory), is))
})

describe('memory for short pieces', () => {
  test('doubles from 1 KiB to 64 KiB', () => {
    const lengths = taken(() => add(new Held(), 300 * KiB, 100)).filter((n) => n > 100)
    assert.deepEqual(lengths, [...[1, 2, 4, 8, 16, 32, 64, 64, 64, 64].map((n) => n * KiB)])
  })

  test('is as long as a piece that is longer than that', () => {
    const held = new Held()
    const pieces = [pattern(3000), pattern(1), pattern(3000)]
    const lengths = taken(() => {
      for (const piece of pieces) held.add(piece, 0, piece.length, Infinity)
    })
    assert.deepEqual(lengths, [3000, 6000])
    const behind = new Held()
    const [some, rest] = [pattern(1000), pattern(4000)]
    behind.add(some, 0, 1000, Infinity)
    // 24 bytes of it fit in what there is.
    assert.deepEqual(
      taken(() => behind.add(rest, 0, 4000, Infinity)),
      [3976],
    )
  })

  test('is no longer than the frame may still become', () => {
    const held = new Held()
    const [one, more] = [pattern(1000), pattern(100)]
    assert.deepEqual(
      taken(() => held.add(one, 0, 1, 10)),
      [10],
    )
    const other = new Held()
    other.add(one, 0, 1000, 1126)
    assert.deepEqual(
      taken(() => other.add(more, 0, 100, 150)),
      [126],
    )
  })

  test('is cut to what is in it before a long piece, and begins small again then, but for one that is full', () => {
    const [some, full, long, one] = [pattern(10), pattern(1024), pattern(16 * KiB), pattern(1)]
    const lengths = (first: Uint8Array): number[] => {
      const held = new Held()
      const all = taken(() => {
        for (const piece of [first, long, one]) held.add(piece, 0, piece.length, Infinity)
      })
      assert.equal(toHex(held.take(one, 0, 0)), toHex(join([first, long, one])))
      return all
    }
    assert.deepEqual(lengths(some), [1024, 10, 1024])
    assert.deepEqual(lengths(full), [1024, 2048])
  })

  test('is not cut when all of it is taken, and begins small again', () => {
    const held = new Held()
    add(held, 1024 + 2048, 512)
    add(held, 5)
    const one = pattern(1)
    assert.deepEqual(
      taken(() => held.take(one, 0, 1)),
      [3078],
    )
    assert.deepEqual(
      taken(() => held.add(one, 0, 1, Infinity)),
      [1024],
    )
  })
})

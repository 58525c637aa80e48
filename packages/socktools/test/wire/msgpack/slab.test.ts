/** The memory that msgpack() writes messages into: where each begins, when there is other memory, and what of it is kept. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Slab } from '../../../src/wire/msgpack/slab.ts'
import { pattern, toHex } from '../bytes.ts'
import { taken } from '../taken.ts'

const SLAB = 16 * 1024

/** Writes these bytes, for which there is to be room. */
function put(slab: Slab, bytes: Uint8Array): void {
  slab.room(bytes.length).set(bytes, slab.at)
  slab.at += bytes.length
}

/** A message of these parts, taken or left. */
function message(slab: Slab, ...parts: readonly number[]): Uint8Array {
  slab.begin()
  for (const [i, n] of parts.entries()) put(slab, pattern(n, i))
  const payload = slab.take()
  slab.end()
  return payload
}

test('messages stand behind each other in one memory until it is full, and none of them changes', () => {
  const slab = new Slab()
  const payloads = [message(slab, 1000), message(slab, 384), message(slab, 8000), message(slab, 7000)]
  const [first] = payloads
  assert.equal(first?.buffer.byteLength, SLAB)
  assert.deepEqual(
    payloads.map(({ buffer, byteOffset }) => [buffer === first.buffer, byteOffset]),
    [
      [true, 0],
      [true, 1000],
      [true, 1384],
      [true, 9384],
    ],
  )
  const next = message(slab, 1)
  assert.deepEqual([next.buffer === first.buffer, next.byteOffset], [false, 0])
  const want = [1000, 384, 8000, 7000, 1].map((n) => toHex(pattern(n)))
  assert.deepEqual([...payloads, next].map(toHex), want)
})

test('a message that does not fit behind the others is moved, with what was written of it', () => {
  const slab = new Slab()
  const before = message(slab, SLAB - 8192, 7192)
  const moved = message(slab, 999, 3)
  assert.equal(toHex(moved), toHex(Uint8Array.of(...pattern(999), ...pattern(3, 1))))
  assert.deepEqual([moved.buffer === before.buffer, moved.byteOffset, moved.length], [false, 0, 1002])
  assert.equal(message(slab, 1).byteOffset, 1002)
})

test('a message that is refused leaves its room to the next', () => {
  const slab = new Slab()
  const before = message(slab, 10)
  slab.begin()
  put(slab, pattern(50))
  slab.end()
  assert.equal(slab.bytes.length, 0)
  const next = message(slab, 5)
  assert.deepEqual([next.buffer === before.buffer, next.byteOffset], [true, 10])
})

test('a message of more than half of it has memory of its own, twice what it has so far, and 64 bytes', () => {
  const lengths = (...parts: readonly number[]): number[] => {
    const slab = new Slab()
    const all = parts.map((n, i) => pattern(n, i))
    return taken(() => {
      slab.begin()
      for (const part of all) put(slab, part)
    })
  }
  assert.deepEqual(lengths(8192), [SLAB])
  assert.deepEqual(lengths(8193), [8193 + 64])
  assert.deepEqual(lengths(8192, 1), [SLAB])
  assert.deepEqual(lengths(8192, 8192), [SLAB])
  assert.deepEqual(lengths(8192, 8193), [SLAB, 16_385 + 64])
  assert.deepEqual(lengths(10_000, 64), [10_064])
  assert.deepEqual(lengths(10_000, 65), [10_064, 20_064])
  assert.deepEqual(lengths(10_000, 10_001), [10_064, 20_065])
})

test('such memory is kept with the message if that is more than three quarters of it; else it is copied out', () => {
  const kept = (n: number): number => {
    const slab = new Slab()
    slab.begin()
    slab.room(10_000)
    put(slab, pattern(n))
    const payload = slab.take()
    assert.equal(toHex(payload), toHex(pattern(n)))
    return payload.buffer.byteLength
  }
  assert.deepEqual([kept(7549), kept(7548), kept(1)], [10_064, 7548, 1])
})

test('a message of 2 GiB is refused before there is memory for it', () => {
  const slab = new Slab()
  slab.begin()
  assert.throws(() => slab.room(0x7fd0_0001), { name: 'RangeError', message: /longer than 2 GiB/ })
})

/**
 * What decoding costs, by counting: memory that follows what was received, never what was declared, and work
 * in proportion to the bytes, however small the pieces.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import v8 from 'node:v8'
import vm from 'node:vm'
import type { Framing } from '../../src/wire/framing.ts'
import { lengthPrefixed } from '../../src/wire/length-prefixed.ts'
import { lines } from '../../src/wire/lines.ts'
import { xoshiro128 } from '../../src/testing/sim-platform.ts'
import { frames, hex, textual } from './bytes.ts'

v8.setFlagsFromString('--expose-gc')
const gc = vm.runInNewContext('gc') as () => void

const KiB = 1024
const MiB = 1024 * KiB

/** The beginning of a frame that never ends. */
const endless: [string, Framing, Uint8Array][] = [
  ['lengthPrefixed', lengthPrefixed(), hex('ffffffff')],
  ['a varint', lengthPrefixed({ length: 'varint' }), hex('ffffffff0f')],
  ['lines', lines({ max: 2 ** 32 }), hex('')],
]

/** Bytes of all ArrayBuffers that something still refers to, and of everything else. */
function held(): { buffers: number; heap: number } {
  gc()
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return { buffers: arrayBuffers, heap: heapUsed }
}

/** The same, without the garbage of the test before. */
function baseline(): { buffers: number; heap: number } {
  gc()
  return held()
}

/** Fails if more than these are held. What looks held may be garbage that a collection under way had seen alive. */
function assertHeld(most: { buffers: number; heap: number }, what: () => string): void {
  let now = held()
  for (let again = 0; again < 3 && (now.buffers > most.buffers || now.heap > most.heap); again++) now = held()
  assert.ok(now.buffers <= most.buffers, `${now.buffers - most.buffers} bytes of buffers too many: ${what()}`)
  assert.ok(now.heap <= most.heap, `${now.heap - most.heap} bytes of heap too many: ${what()}`)
}

describe('memory held for a frame that is not whole: at most twice what was received, and 64 KiB', () => {
  const patterns: number[][] = [
    [1],
    [100],
    [1000, 24],
    [16 * KiB - 1],
    [16 * KiB],
    [64 * KiB],
    [1, 64 * KiB],
    [1, 16 * KiB],
    [16 * KiB - 1, 16 * KiB],
    [4 * KiB],
    [16 * KiB - 4, 4 * KiB, 4 * KiB - 1],
  ]
  const random = xoshiro128(11)
  const any = [1, 2, 100, 1023, 1024, 1025, 5000, 8192, 16 * KiB - 1, 16 * KiB, 40_000]
  for (let i = 0; i < 10; i++)
    patterns.push(Array.from({ length: 2 + (i % 4) }, () => any[Math.floor(random() * any.length)]!))

  for (const [name, framing, start] of endless) {
    for (const sizes of patterns) {
      test(`${name}, in pieces of ${sizes.join(', ')} bytes`, () => {
        const decoder = framing.decoder(() => assert.fail('no frame is whole'), 2 ** 32)
        const before = baseline()
        decoder.push(start)
        let received = start.length
        // Fewer of the tiny ones, which take longest.
        const size = Math.max(...sizes) < 100 ? 400_000 : 2 * MiB
        for (let i = 0, look = 1; received < size; i++) {
          const piece = new Uint8Array(sizes[i % sizes.length] ?? 0)
          decoder.push(piece)
          received += piece.length
          if (received < look) continue
          look = received * 1.5
          // What else the process does shows in the heap, so that is coarse: an object for each piece is much more.
          const most = { buffers: before.buffers + 2 * received + 64 * KiB, heap: before.heap + 4 * MiB }
          assertHeld(most, () => `${received} received in ${i + 1} pieces`)
        }
        assert.equal(decoder.partial, received)
      })
    }
  }

  test('a thousand decoders that were told of 4 GiB, or 8 PiB, and got none of it take next to nothing', () => {
    for (const [options, header] of [
      [{}, 'ffffffff'],
      [{ length: 8 }, '001fffffffffffff'],
      [{ length: 'varint' }, 'ffffffffffffff0f'],
    ] as const) {
      const before = baseline()
      const decoders = Array.from({ length: 1000 }, () =>
        lengthPrefixed(options).decoder(() => assert.fail(), Infinity),
      )
      for (const decoder of decoders) decoder.push(hex(header))
      assertHeld({ buffers: before.buffers + 64 * KiB, heap: Infinity }, () => `after the headers ${header}`)
      assert.equal(decoders.length, 1000)
    }
  })

  test('nothing is held once the frame has come', () => {
    const decoder = lengthPrefixed().decoder(() => undefined, MiB)
    const stream = frames(lengthPrefixed(), [textual(MiB)])
    const before = baseline()
    for (let at = 0; at < stream.length; at += 1000) decoder.push(stream.subarray(at, at + 1000))
    assertHeld({ buffers: before.buffers + KiB, heap: Infinity }, () => 'after the frame')
    assert.equal(decoder.partial, 0)
  })
})

describe('work in proportion to the bytes', () => {
  for (const [name, framing] of [
    ['lengthPrefixed', lengthPrefixed()],
    ['a varint', lengthPrefixed({ length: 'varint' })],
    ['lines', lines({ max: MiB })],
  ] as const) {
    for (const step of [1, 100, 5000, 64 * KiB]) {
      test(`${name}: 256 KiB in pieces of ${step} are copied, filled and searched a few times at most`, () => {
        const n = 256 * KiB
        const stream = frames(framing, [textual(n)])
        const got: number[] = []
        const count = counting(() => {
          const decoder = framing.decoder((payload) => got.push(payload.length), n)
          for (let at = 0; at < stream.length; at += step) decoder.push(stream.subarray(at, at + step))
        })
        assert.deepEqual(got, [n])
        assert.ok(count.copied >= n, `the counter no longer sees the copying: ${count.copied} bytes`)
        assert.ok(count.copied <= 2.1 * n, `copied: ${count.copied}`)
        assert.ok(count.taken <= 3.5 * n, `taken from the system: ${count.taken}`)
        assert.ok(count.searched <= 1.1 * n, `searched: ${count.searched}`)
      })
    }

    test(`${name}: whole frames cost one view each, and no byte is copied`, () => {
      const stream = frames(
        framing,
        Array.from({ length: 1000 }, () => textual(60)),
      )
      let got = 0
      const count = counting(() => framing.decoder(() => got++, 100).push(stream))
      assert.equal(got, 1000)
      assert.ok(count.views <= 1000, `views: ${count.views}`)
      assert.equal(count.copied, 0)
      // The bytes of one header, for the whole stream.
      assert.ok(count.taken <= 8, `taken: ${count.taken}`)
    })

    for (const first of [0, 500]) {
      test(`${name}: a frame over the limit, ${first} bytes of it held, is refused without taking memory for it`, () => {
        const stream = frames(framing, [textual(MiB)])
        const decoder = framing.decoder(() => assert.fail('it is too long'), 1000)
        const count = counting(() =>
          assert.throws(() => {
            decoder.push(stream.subarray(0, first))
            decoder.push(stream.subarray(first))
          }),
        )
        assert.ok(
          count.taken <= 1100 && count.copied <= first,
          `taken: ${count.taken}, copied: ${count.copied}`,
        )
      })
    }
  }
})

interface Count {
  /** Bytes of new memory, and views of memory that was there. */
  taken: number
  views: number
  copied: number
  /** Bytes looked at for a line feed. */
  searched: number
}

/** What `fn` does with Uint8Arrays. */
function counting(fn: () => void): Count {
  const count: Count = { taken: 0, views: 0, copied: 0, searched: 0 }
  const real = Uint8Array
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with `this` below
  const { set, indexOf, slice } = real.prototype
  globalThis.Uint8Array = new Proxy(real, {
    construct(target, args, newTarget) {
      if (typeof args[0] === 'number') count.taken += args[0]
      else count.views++
      return Reflect.construct(target, args, newTarget) as object
    },
  })
  real.prototype.set = function (source, at) {
    count.copied += source.length
    set.call(this, source, at)
  }
  real.prototype.slice = function (...range) {
    const copy = slice.apply(this, range)
    count.taken += copy.length
    count.copied += copy.length
    return copy
  }
  real.prototype.indexOf = function (byte, from = 0) {
    const found = indexOf.call(this, byte, from)
    count.searched += (found < 0 ? this.length : found + 1) - from
    return found
  }
  try {
    fn()
  } finally {
    globalThis.Uint8Array = real
    // What they hid is one prototype further up.
    for (const name of ['set', 'indexOf', 'slice'] as const) Reflect.deleteProperty(real.prototype, name)
  }
  return count
}

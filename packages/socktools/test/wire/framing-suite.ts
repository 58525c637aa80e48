/**
 * What holds of every framing: of those that come with the library, and of yours. docs/framings.md tells how to
 * run it over one. Segmentation at every offset: split.test.ts; hostile bytes: fuzz.test.ts.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Framing } from '../../src/wire/framing.ts'
import { assertSame, codeOf, decode, frame, frames, join, latin1, reading, textual, toHex } from './bytes.ts'

/** `payloads`: what the framing can carry, up to 300 bytes. The bytes 0x20 to 0x7f must be among it. */
export function framingSuite(name: string, framing: Framing, payloads: fc.Arbitrary<Uint8Array>): void {
  describe(name, () => {
    test('payloads come out as they went in, however the stream is cut', () => {
      fc.assert(
        fc.property(fc.array(payloads), fc.array(fc.nat(400)), (sent, sizes) => {
          const want = { frames: sent, partial: 0, refused: false } as const
          assertSame(decode(framing, 300, cut(frames(framing, sent), sizes)), want, () => sizes.join())
        }),
      )
    })

    test('a frame is handed out with its last byte, and partial counts what is held until then', () => {
      fc.assert(
        fc.property(payloads, (bytes) => {
          const { decoder, got } = reading(framing)
          const whole = frame(framing, bytes)
          for (const [i, byte] of whole.entries()) {
            assert.deepEqual([got.length, decoder.partial], [0, i])
            decoder.push(Uint8Array.of(byte))
          }
          assert.deepEqual([got.length, decoder.partial], [1, 0])
        }),
      )
    })

    test('an empty chunk changes nothing', () => {
      const { decoder, got } = reading(framing)
      const whole = frame(framing, latin1('abc'))
      for (const chunk of [
        whole.subarray(0, 0),
        whole.subarray(0, 2),
        whole.subarray(2, 2),
        whole.subarray(2),
      ])
        decoder.push(chunk)
      decoder.push(new Uint8Array(0))
      assert.deepEqual([got, decoder.partial], [['abc'], 0])
    })

    test('write fills exactly its frame, within the room that size asks for, and around writes the same', () => {
      fc.assert(
        fc.property(payloads, fc.nat(9), (bytes, at) => {
          const n = bytes.length
          const room = framing.size(n)
          const [into, other] = [0, 0].map(() => new Uint8Array(at + room + 9).fill(0xee)) as [
            Uint8Array,
            Uint8Array,
          ]
          const end = framing.write(into, at, bytes)
          assert.ok(end - at <= room, `${end - at} bytes, and size says ${room}`)
          const untouched = [...into.subarray(0, at), ...into.subarray(end)]
          assert.ok(
            untouched.every((byte) => byte === 0xee),
            'nothing before it, nothing behind it',
          )
          if (framing.around === undefined) return
          framing.around.check?.(bytes)
          const start = framing.around.before(other, at, n)
          other.set(bytes, start)
          assert.equal(framing.around.after(other, start + n, n), end)
          assert.equal(toHex(other), toHex(into))
        }),
      )
    })

    test('a payload of exactly max is taken; one byte more is refused, and what came before it is not lost', () => {
      for (const max of [0, 1, 7, 254, 1000].filter((one) => one < framing.max)) {
        const stream = frames(framing, [textual(max), textual(max + 1)])
        for (const size of [1, 3, 5000]) {
          const chunks = cut(stream, Array<number>(stream.length).fill(size))
          const { frames: got, refused } = decode(framing, max, chunks)
          assert.deepEqual([got.map(toHex), refused], [[toHex(textual(max))], 'FRAME_TOO_LARGE'])
        }
      }
    })

    test('nothing comes out after a refusal', () => {
      const { decoder, got } = reading(framing, 3)
      const codes = [
        codeOf(() => decoder.push(frames(framing, ['abc', 'abcd', 'abc'].map(latin1)))),
        codeOf(() => decoder.push(frame(framing, latin1('abc')))),
      ]
      assert.deepEqual([codes[0], got], ['FRAME_TOO_LARGE', ['abc']])
    })

    test('stop holds within the chunk, in the chunks after it, and at the end', () => {
      const stream = frames(framing, ['a', 'b', 'c'].map(latin1))
      const got: string[] = []
      const decoder = framing.decoder((bytes) => {
        if (got.push(Buffer.from(bytes).toString()) === 2) decoder.stop()
      }, 10)
      decoder.push(stream)
      decoder.push(stream)
      decoder.push(latin1('tail'))
      decoder.finish?.()
      assert.deepEqual(got, ['a', 'b'])
    })

    test('a frame in pieces is not handed out after stop', () => {
      const { decoder, got } = reading(framing)
      const whole = frame(framing, latin1('abc'))
      decoder.push(whole.subarray(0, -1))
      decoder.stop()
      decoder.push(whole.subarray(-1))
      decoder.finish?.()
      assert.deepEqual(got, [])
    })

    test('payloads stay as they are while more comes', () => {
      const kept: Uint8Array[] = []
      const decoder = framing.decoder((bytes) => kept.push(bytes), 100)
      const sent = Array.from({ length: 50 }, (_, i) => textual(i).map((byte) => byte ^ (i & 7)))
      for (const chunk of cut(frames(framing, sent), Array<number>(1000).fill(7))) decoder.push(chunk.slice())
      assert.deepEqual(kept.map(toHex), sent.map(toHex))
    })

    test('two streams keep out of each other', () => {
      const [one, other] = [reading(framing), reading(framing)]
      const [a, b] = [frame(framing, latin1('one')), frame(framing, latin1('other'))]
      for (let i = 0; i < b.length; i++) {
        one.decoder.push(a.subarray(i, i + 1))
        other.decoder.push(b.subarray(i, i + 1))
      }
      assert.deepEqual([one.got, other.got], [['one'], ['other']])
    })
  })
}

/** In pieces of these sizes, the rest in one. */
function cut(stream: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  let at = 0
  const chunks = sizes.map((n) => stream.subarray(at, (at += n)))
  const all = [...chunks, stream.subarray(at)]
  assert.equal(join(all).length, stream.length)
  return all
}

/** What holds of every framing, and what is each one's own. Segmentation: split.test.ts; hostile bytes: fuzz.test.ts. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Framing } from '../../src/wire/framing.ts'
import { lengthPrefixed } from '../../src/wire/length-prefixed.ts'
import { lines } from '../../src/wire/lines.ts'
import {
  assertSame,
  codeOf,
  decode,
  frame,
  frames,
  hex,
  join,
  latin1,
  pattern,
  reading,
  textual,
  toHex,
} from './bytes.ts'

const anything = fc.uint8Array({ maxLength: 300 })
/** What lines() can carry: no line feed, no carriage return at the end. */
const line = anything.map((bytes) =>
  bytes.map((byte, i) => (byte === 0x0a || (byte === 0x0d && i === bytes.length - 1) ? 0x20 : byte)),
)

const framings: [name: string, framing: Framing, payload: fc.Arbitrary<Uint8Array>][] = [
  ['lengthPrefixed()', lengthPrefixed(), anything],
  ['lines()', lines(), line],
  ['lines({ crlf: true })', lines({ crlf: true }), line],
]

for (const [name, framing, payload] of framings) {
  describe(name, () => {
    test('payloads come out as they went in, however the stream is cut', () => {
      fc.assert(
        fc.property(fc.array(payload), fc.array(fc.nat(400)), (payloads, sizes) => {
          const want = { frames: payloads, partial: 0, refused: false }
          assertSame(decode(framing, 300, cut(frames(framing, payloads), sizes)), want, () => sizes.join())
        }),
      )
    })

    test('a frame is handed out with its last byte, and partial counts what is held until then', () => {
      fc.assert(
        fc.property(payload, (bytes) => {
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

    test('write fills exactly its frame, as long as size says, and around writes the same', () => {
      fc.assert(
        fc.property(payload, fc.nat(9), (bytes, at) => {
          const n = bytes.length
          const [into, other] = [
            new Uint8Array(at + framing.size(n) + 9).fill(0xee),
            new Uint8Array(at + framing.size(n) + 9).fill(0xee),
          ]
          const end = framing.write(into, at, bytes)
          assert.equal(end - at, framing.size(n))
          assert.ok(
            into.subarray(0, at).every((byte) => byte === 0xee),
            'nothing before it',
          )
          assert.ok(
            into.subarray(end).every((byte) => byte === 0xee),
            'nothing behind it',
          )
          const around = framing.around!
          around.check?.(bytes)
          const start = around.before(other, at, n)
          other.set(bytes, start)
          assert.equal(around.after(other, start + n, n), end)
          assert.equal(toHex(other), toHex(into))
        }),
      )
    })

    test('a payload of exactly max is taken; one byte more is refused, and what came before it is not lost', () => {
      for (const max of [0, 1, 7, 1000]) {
        const stream = frames(framing, [textual(max), textual(max + 1)])
        for (const size of [1, 3, 5000]) {
          const { frames: got, code } = decode(
            framing,
            max,
            cut(stream, Array<number>(stream.length).fill(size)),
          )
          assert.deepEqual([got.map(toHex), code], [[toHex(textual(max))], 'FRAME_TOO_LARGE'])
        }
      }
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
      const payloads = Array.from({ length: 50 }, (_, i) => textual(i).map((byte) => byte ^ (i & 7)))
      for (const chunk of cut(frames(framing, payloads), Array<number>(1000).fill(7)))
        decoder.push(chunk.slice())
      assert.deepEqual(kept.map(toHex), payloads.map(toHex))
    })
  })
}

describe('lengthPrefixed', () => {
  test('the frames of PROTOCOL.md', () => {
    assert.equal(toHex(frame(lengthPrefixed(), hex(''))), '00000000')
    assert.equal(toHex(frame(lengthPrefixed(), latin1('hi'))), '000000026869')
    assert.equal(toHex(frame(lengthPrefixed(), pattern(0x0102)).subarray(0, 4)), '00000102')
    const head = new Uint8Array(4)
    lengthPrefixed().around?.before(head, 0, 0xfedc_ba98)
    assert.equal(toHex(head), 'fedcba98')
  })

  test('max is judged on the header: with its fourth byte, before any of the body', () => {
    const { decoder } = reading(lengthPrefixed(), 255)
    for (const byte of hex('000001')) decoder.push(Uint8Array.of(byte))
    assert.equal(
      codeOf(() => decoder.push(hex('00'))),
      'FRAME_TOO_LARGE',
    )
  })

  test('the lower of both limits holds', () => {
    assert.equal(decode(lengthPrefixed({ max: 4 }), 100, [hex('00000005')]).code, 'FRAME_TOO_LARGE')
    assert.equal(decode(lengthPrefixed({ max: 100 }), 4, [hex('00000005')]).code, 'FRAME_TOO_LARGE')
  })

  test('the longest that the header can say is taken if it may be', () => {
    const { decoder } = reading(lengthPrefixed(), Infinity)
    decoder.push(hex('ffffffff 61'))
    assert.equal(decoder.partial, 5)
  })

  test('max is 0 to 4,294,967,295', () => {
    for (const max of [-1, 0.5, NaN, Infinity, 2 ** 32])
      assert.equal(
        codeOf(() => lengthPrefixed({ max })),
        'BAD_OPTION',
      )
    for (const max of [0, 2 ** 32 - 1]) assert.equal(lengthPrefixed({ max }).max, max)
  })

  test('what the stream leaves behind is partial, not a frame', () => {
    assert.equal(decode(lengthPrefixed(), 100, [hex('0000')]).partial, 2)
    assert.equal(decode(lengthPrefixed(), 100, [hex('00000003 6162')]).partial, 6)
  })
})

describe('lines', () => {
  const ends: [stream: string, lines: string[], partial: number][] = [
    ['a\n', ['a'], 0],
    ['a\r\n', ['a'], 0],
    ['\n\r\n', ['', ''], 0],
    ['a\r\r\n', ['a\r'], 0],
    ['a\rb\n', ['a\rb'], 0],
    ['a\nb', ['a'], 1],
    ['a\nb\r', ['a'], 2],
  ]
  for (const [stream, want, partial] of ends) {
    test(`${JSON.stringify(stream)} is ${JSON.stringify(want)}`, () => {
      const { decoder, got } = reading(lines())
      decoder.push(latin1(stream))
      assert.deepEqual([got, decoder.partial], [want, partial])
    })
  }

  test('a last line without an ending is a line when the sender has finished', () => {
    const { decoder, got } = reading(lines())
    decoder.push(latin1('one\ntwo'))
    decoder.finish?.()
    assert.deepEqual([got, decoder.partial], [['one', 'two'], 0])
    decoder.finish?.()
    assert.deepEqual(got, ['one', 'two'], 'once')
  })

  test('with unterminated: false it stays partial', () => {
    const { decoder, got } = reading(lines({ unterminated: false }))
    decoder.push(latin1('one\ntwo'))
    decoder.finish?.()
    assert.deepEqual([got, decoder.partial], [['one'], 3])
  })

  test('nothing is made up at the end of a stream that ended with its line', () => {
    const { decoder, got } = reading(lines())
    decoder.push(latin1('one\n'))
    decoder.finish?.()
    assert.deepEqual(got, ['one'])
  })

  const limits: [chunks: string[], fits: boolean][] = [
    [['abc\n'], true],
    [['abc\r\n'], true],
    [['abc\r', '\n'], true],
    [['a', 'b', 'c', '\r', '\n'], true],
    [['abcd\n'], false],
    [['abcd'], false],
    [['abc', 'd'], false],
    [['abc\rd'], false],
    [['abc\r', '\r'], false],
    [['abc\r\r\n'], false],
  ]
  for (const [chunks, fits] of limits) {
    test(`${JSON.stringify(chunks)} ${fits ? 'is a line' : 'is too long at once, ending or not,'} when max is 3`, () => {
      assert.equal(decode(lines(), 3, chunks.map(latin1)).code, fits ? undefined : 'FRAME_TOO_LARGE')
    })
  }

  test('what would not come out as one line is not sent, and nothing is written of it', () => {
    for (const bad of ['a\nb', '\n', 'a\r', '\r', 'a\r\n']) {
      const into = new Uint8Array(16)
      assert.equal(
        codeOf(() => lines().write(into, 0, latin1(bad))),
        'CANNOT_FRAME',
        JSON.stringify(bad),
      )
      assert.equal(
        codeOf(() => lines().around?.check?.(latin1(bad))),
        'CANNOT_FRAME',
        JSON.stringify(bad),
      )
      assert.deepEqual(into, new Uint8Array(16))
    }
  })

  test('max is a number of bytes, 64 KiB if not said', () => {
    for (const max of [-1, 0.5, NaN, Infinity])
      assert.equal(
        codeOf(() => lines({ max })),
        'BAD_OPTION',
      )
    assert.equal(lines().max, 65_536)
    assert.equal(decode(lines(), Infinity, [textual(65_537)]).code, 'FRAME_TOO_LARGE')
  })

  test('crlf changes what is sent, not what is understood', () => {
    assert.equal(toHex(frame(lines({ crlf: true }), latin1('hi'))), '68690d0a')
    assert.equal(toHex(frame(lines(), latin1('hi'))), '68690a')
    assert.deepEqual(decode(lines({ crlf: true }), 9, [latin1('a\nb\r\n')]).frames.map(toHex), ['61', '62'])
  })
})

/** In pieces of these sizes, the rest in one. */
function cut(stream: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  let at = 0
  const chunks = sizes.map((n) => stream.subarray(at, (at += n)))
  const all = [...chunks, stream.subarray(at)]
  assert.equal(join(all).length, stream.length)
  return all
}

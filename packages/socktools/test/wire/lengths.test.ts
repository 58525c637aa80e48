/** The lengths of lengthPrefixed(), byte by byte. What holds of every framing: framing.test.ts. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { lengthHeader } from '../../src/wire/length-header.ts'
import { type LengthPrefixedOptions, lengthPrefixed } from '../../src/wire/length-prefixed.ts'
import { codeOf, decode, frame, hex, latin1, pattern, reading, textual, toHex } from './bytes.ts'

const MAX = Number.MAX_SAFE_INTEGER
const HUGE = 0xfedc_ba98

/** What stands before a payload of `n` bytes. */
function header(options: LengthPrefixedOptions, n: number): string {
  const into = new Uint8Array(9)
  const end = lengthPrefixed(options).around!.before(into, 0, n)
  return toHex(into.subarray(0, end))
}

describe('lengthPrefixed', () => {
  test('the frames of PROTOCOL.md', () => {
    assert.equal(toHex(frame(lengthPrefixed(), hex(''))), '00000000')
    assert.equal(toHex(frame(lengthPrefixed(), latin1('hi'))), '000000026869')
    assert.equal(toHex(frame(lengthPrefixed(), pattern(0x0102)).subarray(0, 4)), '00000102')
    const hi: [LengthPrefixedOptions, string][] = [
      [{ length: 1 }, '02 6869'],
      [{ length: 2 }, '0002 6869'],
      [{ length: 2, endian: 'little' }, '0200 6869'],
      [{ length: 2, inclusive: true }, '0004 6869'],
      [{ length: 4, endian: 'little', inclusive: true }, '06000000 6869'],
      [{ length: 8 }, '0000000000000002 6869'],
      [{ length: 'varint' }, '02 6869'],
    ]
    for (const [options, bytes] of hi)
      assert.equal(toHex(frame(lengthPrefixed(options), latin1('hi'))), bytes.replace(' ', ''))
  })

  const headers: [options: LengthPrefixedOptions, n: number, bytes: string][] = [
    [{}, HUGE, 'fedcba98'],
    [{ length: 4, endian: 'big', inclusive: false }, HUGE, 'fedcba98'],
    [{ endian: 'little' }, HUGE, '98badcfe'],
    [{ inclusive: true }, HUGE, 'fedcba9c'],
    [{ endian: 'little', inclusive: true }, HUGE, '9cbadcfe'],
    [{ length: 1 }, 255, 'ff'],
    [{ length: 1, inclusive: true }, 254, 'ff'],
    [{ length: 2 }, 0xfedc, 'fedc'],
    [{ length: 2, endian: 'little' }, 0xfedc, 'dcfe'],
    [{ length: 2, inclusive: true }, 0xfedc, 'fede'],
    [{ length: 8 }, MAX, '001fffffffffffff'],
    [{ length: 8 }, 0x10_2030_4050_6070, '0010203040506070'],
    [{ length: 8, endian: 'little' }, 0x10_2030_4050_6070, '7060504030201000'],
    [{ length: 8, inclusive: true }, MAX - 8, '001fffffffffffff'],
    [{ length: 'varint' }, 0, '00'],
    [{ length: 'varint' }, 127, '7f'],
    [{ length: 'varint' }, 128, '8001'],
    [{ length: 'varint' }, 300, 'ac02'],
    [{ length: 'varint' }, 16_383, 'ff7f'],
    [{ length: 'varint' }, 16_384, '808001'],
    [{ length: 'varint' }, 2 ** 31, '8080808008'],
    [{ length: 'varint' }, 2 ** 32, '8080808010'],
    [{ length: 'varint' }, 2 ** 49 - 1, 'ffffffffffff7f'],
    [{ length: 'varint' }, 2 ** 49, '8080808080808001'],
    [{ length: 'varint' }, MAX, 'ffffffffffffff0f'],
  ]
  for (const [options, n, bytes] of headers) {
    test(`${JSON.stringify(options)}: ${n} is ${bytes}, in either direction`, () => {
      assert.equal(header(options, n), bytes)
      const framing = lengthPrefixed(options)
      assert.equal(framing.size(n), n + bytes.length / 2)
      // Its length is what the decoder makes of it: one less is too little a limit.
      if (n > 0) assert.equal(decode(framing, n - 1, [hex(bytes)]).refused, 'FRAME_TOO_LARGE')
      const { decoder, got } = reading(framing, n)
      decoder.push(hex(bytes))
      assert.deepEqual([decoder.partial, got.length], n > 0 ? [bytes.length / 2, 0] : [0, 1])
    })
  }

  const senseless: [options: LengthPrefixedOptions, bytes: string, what: string][] = [
    [{ length: 'varint' }, '8000', 'overlong: 0 in two bytes'],
    [{ length: 'varint' }, 'ff00', 'overlong: 127 in two bytes'],
    [{ length: 'varint' }, 'ac8200', 'overlong: 300 in three bytes'],
    [{ length: 'varint' }, 'ffffffffffffff10', 'beyond 2^53 - 1'],
    [{ length: 'varint' }, 'ffffffffffffff7f', 'far beyond 2^53 - 1'],
    [{ length: 'varint' }, '8080808080808080', 'no end within eight bytes'],
    [{ length: 8 }, '0020000000000000', '2^53'],
    [{ length: 8 }, 'ffffffffffffffff', '2^64 - 1'],
    [{ length: 8, endian: 'little' }, '0000000000002000', '2^53'],
    [{ length: 8, inclusive: true }, '0020000000000000', '2^53'],
    [{ length: 8, inclusive: true }, '0000000000000007', 'less than itself'],
    [{ length: 1, inclusive: true }, '00', 'less than itself'],
    [{ length: 2, inclusive: true }, '0001', 'less than itself'],
    [{ length: 4, inclusive: true }, '00000003', 'less than itself'],
    [{ length: 4, endian: 'little', inclusive: true }, '03000000', 'less than itself'],
  ]
  for (const [options, bytes, what] of senseless) {
    test(`${JSON.stringify(options)}: ${bytes} is BAD_FRAME, with its last byte: ${what}`, () => {
      for (const max of [10, Infinity]) {
        const framing = lengthPrefixed(options)
        assert.equal(decode(framing, max, [hex(bytes)]).refused, 'BAD_FRAME', 'in one piece')
        const { decoder } = reading(framing, max)
        const pieces = Array.from(hex(bytes), (byte) => Uint8Array.of(byte))
        for (const byte of pieces.slice(0, -1)) decoder.push(byte)
        assert.throws(() => decoder.push(pieces.at(-1)!), {
          code: 'BAD_FRAME',
          message: new RegExp(bytes.replaceAll(/(..)(?!$)/g, '$1 ')),
        })
      }
      assert.equal(decode(lengthPrefixed(options), 9, [hex(bytes), latin1('more')]).frames.length, 0)
    })
  }

  test('a length that counts itself may say that nothing follows', () => {
    assert.deepEqual(
      decode(lengthPrefixed({ length: 2, inclusive: true }), 9, [hex('0002 0003 61')]).frames.map(toHex),
      ['', '61'],
    )
  })

  test('max is judged on the header: with its last byte, before any of the body', () => {
    const { decoder } = reading(lengthPrefixed(), 255)
    for (const byte of hex('000001')) decoder.push(Uint8Array.of(byte))
    assert.equal(
      codeOf(() => decoder.push(hex('00'))),
      'FRAME_TOO_LARGE',
    )
    const varint = reading(lengthPrefixed({ length: 'varint' }), 127)
    varint.decoder.push(hex('80'))
    assert.equal(
      codeOf(() => varint.decoder.push(hex('01'))),
      'FRAME_TOO_LARGE',
    )
  })

  test('the lower of both limits holds', () => {
    for (const length of [4, 'varint'] as const) {
      const five = hex(header({ length }, 5))
      assert.equal(decode(lengthPrefixed({ length, max: 4 }), 100, [five]).refused, 'FRAME_TOO_LARGE')
      assert.equal(decode(lengthPrefixed({ length, max: 100 }), 4, [five]).refused, 'FRAME_TOO_LARGE')
      assert.equal(decode(lengthPrefixed({ length, max: 5 }), 5, [five]).refused, false)
    }
  })

  const mosts: [options: LengthPrefixedOptions, most: number][] = [
    [{}, 2 ** 32 - 1],
    [{ inclusive: true }, 2 ** 32 - 5],
    [{ endian: 'little' }, 2 ** 32 - 1],
    [{ length: 1 }, 255],
    [{ length: 1, inclusive: true }, 254],
    [{ length: 2 }, 65_535],
    [{ length: 2, inclusive: true }, 65_533],
    [{ length: 8 }, MAX],
    [{ length: 8, inclusive: true }, MAX - 8],
    [{ length: 'varint' }, MAX],
  ]
  for (const [options, most] of mosts) {
    test(`${JSON.stringify(options)}: max is 0 to ${most}, which is the default`, () => {
      assert.equal(lengthPrefixed(options).max, most)
      for (const max of [0, 1, most]) assert.equal(lengthPrefixed({ ...options, max }).max, max)
      for (const max of [-1, 0.5, NaN, Infinity, most + 1])
        assert.equal(
          codeOf(() => lengthPrefixed({ ...options, max })),
          'BAD_OPTION',
        )
    })
  }

  const wrong: unknown[] = [
    { length: 0 },
    { length: 3 },
    { length: 16 },
    { length: '4' },
    { length: null },
    { length: 'Varint' },
    { endian: 'middle' },
    { endian: null },
    { inclusive: 'yes' },
    { inclusive: 1 },
    { length: 'varint', inclusive: true },
    { length: 'varint', endian: 'little' },
    { length: 'varint', endian: 'big' },
  ]
  for (const options of wrong) {
    test(`${JSON.stringify(options)} is BAD_OPTION`, () =>
      assert.equal(
        codeOf(() => lengthPrefixed(options as LengthPrefixedOptions)),
        'BAD_OPTION',
      ))
  }

  test('what the stream leaves behind is partial, not a frame', () => {
    assert.equal(decode(lengthPrefixed(), 100, [hex('0000')]).partial, 2)
    assert.equal(decode(lengthPrefixed(), 100, [hex('00000003 6162')]).partial, 6)
    assert.equal(decode(lengthPrefixed({ length: 'varint' }), 1000, [hex('80')]).partial, 1)
    assert.equal(decode(lengthPrefixed({ length: 'varint' }), 1000, [hex('8001 6162')]).partial, 4)
  })

  test('a header cut anywhere is read as a whole one, frame after frame', () => {
    const framing = lengthPrefixed({ length: 'varint' })
    const long = frame(framing, textual(300))
    const { decoder, got } = reading(framing)
    for (const at of [1, 2, 3, 301]) {
      decoder.push(long.subarray(0, at))
      decoder.push(long.subarray(at))
    }
    assert.deepEqual([got.length, decoder.partial], [4, 0])
  })

  test('another protocol is named under headers of four bytes and more, and only at the beginning', () => {
    const http = latin1('GET / HTTP/1.1\r\n')
    for (const options of [{}, { inclusive: true }, { endian: 'little' }, { length: 8 }] as const) {
      const framing = lengthPrefixed(options)
      for (const chunks of [[http], Array.from(http, (byte) => Uint8Array.of(byte))])
        assert.equal(decode(framing, 1e6, chunks).refused, 'FOREIGN_PROTOCOL', JSON.stringify(options))
      const late = decode(framing, 1e6, [frame(framing, latin1('hi')), http])
      assert.equal(late.refused, 'length' in options ? 'BAD_FRAME' : 'FRAME_TOO_LARGE')
    }
    assert.equal(decode(lengthPrefixed({ length: 2 }), 100, [http]).refused, 'FRAME_TOO_LARGE')
  })
})

test('a header is whole when its last byte is there, wherever it stands', () => {
  const before = 5
  for (const length of [1, 2, 4, 8, 'varint'] as const) {
    const ways: LengthPrefixedOptions[] = [{ length }, { length, endian: 'little' }]
    for (const options of length === 'varint' ? ways.slice(0, 1) : ways) {
      const header = lengthHeader(options)
      const n = length === 1 ? 200 : length === 2 ? 60_000 : 1_000_000
      const bytes = new Uint8Array(40)
      const end = header.write(bytes, before, n)
      assert.equal(end - before, header.size(n))
      for (let at = before; at < end; at++) assert.equal(header.span(bytes, before, at), 0)
      assert.equal(header.span(bytes, before, end), end - before)
      assert.equal(header.span(bytes, before, bytes.length), end - before)
      assert.equal(header.read(bytes, before), n)
    }
  }
})

test('a length of which a part has come is not judged yet, behind a whole frame either', () => {
  const got: string[] = []
  const decoder = lengthPrefixed().decoder((payload) => got.push(toHex(payload)), 10)
  decoder.push(hex('00000001 41 ff'))
  assert.deepEqual([got, decoder.partial], [['41'], 1])
  assert.throws(() => decoder.push(hex('000000')), { code: 'FRAME_TOO_LARGE' })
})

/** msgpack(): text, integers and times at the edges of their forms, as bytes and back. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { msgpack } from '../../../src/wire/msgpack/msgpack.ts'
import { codeOf, toHex } from '../bytes.ts'

const sent = (data: unknown): string => toHex(msgpack().encode(0, data)).slice('9200'.length)
const back = (data: unknown): unknown => msgpack().decode(Uint8Array.from(msgpack().encode(0, data))).data

/** Shorter than what the engine writes, with the character first, last, alone and before others that are not ASCII. */
const around = (char: string): string[] => [char, `a${char}`, `${char}a`, `aa${char}é`, `é${char}${char}`]

describe('short text', () => {
  const edges = [0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x103ff, 0x10400, 0x10ffff]
  for (const point of edges)
    test(`with U+${point.toString(16)} is what UTF-8 has for it`, () => {
      for (const text of around(String.fromCodePoint(point))) {
        const bytes = Buffer.from(text)
        assert.equal(sent(text), (0xa0 + bytes.length).toString(16) + bytes.toString('hex'))
        assert.equal(back(text), text)
      }
    })

  test('of 31 bytes has a head of one, of 32 one of two, however many characters that are', () => {
    for (const text of ['a'.repeat(31), `${'é'.repeat(15)}a`, `${'語'.repeat(10)}a`])
      assert.equal(sent(text), `bf${Buffer.from(text).toString('hex')}`)
    for (const text of ['a'.repeat(32), 'é'.repeat(16), `${'語'.repeat(10)}é`, '😀'.repeat(8)])
      assert.equal(sent(text), `d920${Buffer.from(text).toString('hex')}`)
    const longest = '語'.repeat(63)
    assert.equal(sent(longest), `d9bd${Buffer.from(longest).toString('hex')}`)
  })

  test('with half a surrogate pair is refused, wherever it stands', () => {
    const halves = [
      '\udc00',
      '\udfff',
      '\ud800',
      '\udbff',
      '\ud800x',
      '\ud800\ue000',
      '\ud800\ud800',
      '\udc00\udc00',
    ]
    for (const half of [...halves, '\udbff\udbff\udc00', '\ud800\ud7ff', '\udc00\ud800'])
      for (const text of [half, `a${half}`, `é${half}`, `${half}a`])
        assert.equal(
          codeOf(() => msgpack().encode(0, text)),
          'CANNOT_ENCODE',
          JSON.stringify(text),
        )
  })
})

test('bigints have a sign as long as 64 bits are enough', () => {
  assert.equal(sent(2n ** 63n - 1n), 'd37fffffffffffffff')
  assert.equal(sent(2n ** 63n), 'cf8000000000000000')
  assert.equal(sent(2n ** 64n - 1n), 'cfffffffffffffffff')
  assert.equal(sent(-(2n ** 63n)), 'd38000000000000000')
  for (const n of [2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n, -(2n ** 63n)]) assert.equal(back(n), n)
})

describe('a time', () => {
  const forms: [ms: number, bytes: string][] = [
    [0, 'd6ff00000000'],
    [1, 'd7ff003d090000000000'],
    [(2 ** 32 - 1) * 1000, 'd6ffffffffff'],
    [(2 ** 32 - 1) * 1000 + 999, 'd7ffee2e1f00ffffffff'],
    [2 ** 32 * 1000, 'c70cff000000000000000100000000'],
    [-1, 'c70cff3b8b87c0ffffffffffffffff'],
    [-1000, 'c70cff00000000ffffffffffffffff'],
    [8.64e15, 'c70cff00000000000007dba8218000'],
    [-8.64e15, 'c70cff00000000fffff82457de8000'],
  ]
  for (const [ms, bytes] of forms)
    test(`of ${ms} ms is written as it should be, and read`, () => {
      assert.equal(sent(new Date(ms)), bytes)
      assert.deepEqual(back(new Date(ms)), new Date(ms))
    })

  test('beyond what a Date can say is refused', () => {
    assert.equal(
      codeOf(() => msgpack().encode(0, new Date(NaN))),
      'CANNOT_ENCODE',
    )
    const said = (bytes: string): string | undefined =>
      codeOf(() => msgpack().decode(Buffer.from(`9200${bytes}`, 'hex')))
    assert.equal(said('c70cff00000000000007dba8218000'), undefined)
    assert.equal(said('c70cff00000001000007dba8218000'), undefined)
    assert.equal(said('c70cff000f4240000007dba8218000'), 'BAD_MESSAGE')
    assert.equal(said('c70cff00000000000007dba8218001'), 'BAD_MESSAGE')
    assert.equal(said('d7ffee6b280000000000'), 'BAD_MESSAGE')
    assert.equal(said('d7ffee6b27fc00000000'), undefined)
  })
})

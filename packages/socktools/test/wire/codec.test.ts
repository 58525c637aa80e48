import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { SockError } from '../../src/errors.ts'
import { type Codec, MAX_JSON_DEPTH, json, raw } from '../../src/wire/codec.ts'
import { codeOf, hex, latin1, toHex } from './bytes.ts'

/** As a caller without types. */
const untyped = (codec: unknown): Codec<any, any> => codec as Codec<any, any>

describe('raw', () => {
  test('bytes come out as they went in, and are not copied', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        assert.equal(raw().encode(0, bytes), bytes)
        assert.deepEqual(raw().decode(bytes), { type: 0, data: bytes })
      }),
    )
  })

  test('a string is sent as UTF-8', () => {
    assert.equal(toHex(raw().encode(0, 'hé€😀')), '68c3a9e282acf09f9880')
  })

  test('what it cannot carry: another type, another kind of data', () => {
    for (const type of [1, -1, '0', 'say', NaN])
      assert.equal(
        codeOf(() => raw().encode(type, 'x')),
        'CANNOT_ENCODE',
      )
    for (const data of [undefined, null, 7, {}, [1], new DataView(new ArrayBuffer(1)), Object.create(null)]) {
      assert.equal(
        codeOf(() => untyped(raw()).encode(0, data)),
        'CANNOT_ENCODE',
      )
    }
  })
})

describe('json', () => {
  const types = fc.oneof(fc.string({ unit: 'binary' }), fc.maxSafeInteger())

  test('any JSON value under any type comes out as it went in', () => {
    fc.assert(
      fc.property(types, fc.jsonValue({ maxDepth: 8 }), (type, data) => {
        // JSON itself knows no -0.
        const want = JSON.parse(JSON.stringify({ type, data })) as object
        assert.deepEqual(json().decode(json().encode(type, data)), want)
      }),
    )
  })

  test('on the wire it is [type, data] in UTF-8', () => {
    assert.equal(
      Buffer.from(json().encode('say', { text: 'hé' })).toString('latin1'),
      '["say",{"text":"hÃ©"}]',
    )
    assert.equal(toHex(json().encode(0, null)), toHex(latin1('[0,null]')))
  })

  test('undefined arrives as null', () => {
    assert.deepEqual(json().decode(json().encode('x', undefined)), { type: 'x', data: null })
  })

  test('half a surrogate pair survives', () => {
    assert.deepEqual(json().decode(json().encode('\ud800', 'a\udfff')), { type: '\ud800', data: 'a\udfff' })
  })

  test('__proto__ is a name like any other', () => {
    const { data } = json().decode(latin1('["__proto__",{"__proto__":{"evil":1}}]')) as {
      data: { evil?: number }
    }
    assert.equal(data.evil, undefined)
    assert.equal(Object.getPrototypeOf(data), Object.prototype)
  })

  const cyclic: { self?: object } = {}
  cyclic.self = cyclic
  const unsayable: [string, unknown][] = [
    ['a bigint', 1n],
    ['a cycle', cyclic],
    ['a toJSON that throws', { toJSON: () => assert.fail('no') }],
    ['bytes', Uint8Array.of(1)],
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
  ]
  for (const [what, data] of unsayable) {
    test(`${what} is CANNOT_ENCODE`, () =>
      assert.equal(
        codeOf(() => json().encode('x', data)),
        'CANNOT_ENCODE',
      ))
  }

  for (const type of [1.5, NaN, Infinity, 2 ** 53, null, ['a']]) {
    test(`type ${JSON.stringify(type)}, which no one could decode, is CANNOT_ENCODE`, () => {
      assert.equal(
        codeOf(() => untyped(json()).encode(type as never, 1)),
        'CANNOT_ENCODE',
      )
    })
  }

  test('what the far side would refuse is not sent: too deep, too long', () => {
    const nested = (n: number): unknown => (n === 0 ? 0 : [nested(n - 1)])
    assert.equal(
      codeOf(() => json().encode('x', nested(MAX_JSON_DEPTH - 1))),
      undefined,
    )
    assert.equal(
      codeOf(() => json().encode('x', nested(MAX_JSON_DEPTH))),
      'CANNOT_ENCODE',
    )
    assert.equal(
      codeOf(() => json({ max: 100 }).encode('x', 'a'.repeat(100 - '["x",""]'.length))),
      undefined,
    )
    assert.equal(
      codeOf(() => json({ max: 100 }).encode('x', 'a'.repeat(101 - '["x",""]'.length))),
      'CANNOT_ENCODE',
    )
    assert.equal(
      codeOf(() => json({ max: 100 }).decode(latin1(`["x","${'a'.repeat(100)}"]`))),
      'BAD_MESSAGE',
    )
    for (const max of [0, -1, NaN])
      assert.equal(
        codeOf(() => json({ max })),
        'BAD_OPTION',
      )
  })

  const bad: [what: string, payload: Uint8Array][] = [
    ['nothing', hex('')],
    ['half of it', latin1('["say",{"te')],
    ['not an array', latin1('{"0":"say","1":1}')],
    ['one item', latin1('["say"]')],
    ['three items', latin1('["say",1,2]')],
    ['no type', latin1('[null,1]')],
    ['a fraction for a type', latin1('[1.5,1]')],
    ['an unsafe integer for a type', latin1('[9007199254740993,1]')],
    ['an array for a type', latin1('[["say"],1]')],
    ['an object that names its class', latin1('[{"constructor":{"name":"x"}},1]')],
    ['an object that cannot be printed', latin1('[{"constructor":{"name":{"toString":1,"valueOf":1}}},1]')],
    ['bytes that are no UTF-8', hex('5b2261ff222c315d')],
    ['an overlong slash', hex('5b22c0af222c315d')],
    ['a byte order mark', hex('efbbbf5b302c305d')],
    ['something behind it', latin1('[0,0]x')],
    ['NaN', latin1('[0,NaN]')],
    ['100,000 brackets', latin1('['.repeat(100_000))],
    ['5 MB of brackets', latin1(`[0,${'[{"a":'.repeat(1_000_000)}`)],
  ]
  for (const [what, payload] of bad) {
    test(`${what} is BAD_MESSAGE`, () =>
      assert.equal(
        codeOf(() => json().decode(payload)),
        'BAD_MESSAGE',
      ))
  }

  test('nesting is taken up to its limit, whatever stands in strings', () => {
    const nested = (n: number): Uint8Array =>
      latin1(`["[[\\"[[",${'['.repeat(n)}"{{{${'['.repeat(99)}"${']'.repeat(n)}]`)
    assert.equal(
      codeOf(() => json().decode(nested(MAX_JSON_DEPTH - 1))),
      undefined,
    )
    assert.equal(
      codeOf(() => json().decode(nested(MAX_JSON_DEPTH))),
      'BAD_MESSAGE',
    )
    assert.equal(
      codeOf(() => json().decode(latin1(`[0,[${'{"a":[]},'.repeat(500)}0]]`))),
      undefined,
      'many side by side',
    )
  })

  test('what a peer wrote is escaped in the error about it', () => {
    for (const evil of ['[0,\x1b[2J\nroot', '[{"constructor":{"name":"\\u001b[2J\\nroot"}},1]']) {
      assert.throws(
        () => json().decode(latin1(evil)),
        (error) => error instanceof SockError && !['\x1b', '\n'].some((c) => error.message.includes(c)),
      )
    }
  })
})

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { SockError, fail } from '../../src/errors.ts'
import { type Codec, json, raw } from '../../src/wire/codec.ts'
import { MAX_DEPTH } from '../../src/wire/plain-data.ts'
import { codeOf, hex, latin1, toHex } from './bytes.ts'
import { codecSuite } from './codec-suite.ts'

/** As a caller without types. */
const untyped = (codec: unknown): Codec<any, any> => codec as Codec<any, any>

codecSuite('raw()', untyped(raw()) as Codec<Uint8Array, Uint8Array>, fc.uint8Array(), {
  types: fc.constant(0),
})

/** Itself twice, twice … of which there are 2 ** n to write. */
const doubled = (n: number): unknown => {
  let data: unknown[] = [1]
  for (let i = 0; i < n; i++) data = [data, data]
  return data
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

/** JSON itself knows no -0. */
const jsonValues = fc.jsonValue({ maxDepth: 8 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown)
codecSuite('json()', json(), jsonValues)

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

  class Secretive {
    readonly #secret = 1
    get secret(): number {
      return this.#secret
    }
  }
  const cyclic: { self?: object; list: unknown[] } = { list: [1] }
  cyclic.self = cyclic
  const photo = Buffer.from('photo')
  const unsayable: [what: string, data: unknown, where: RegExp][] = [
    ['bytes', Uint8Array.of(1), /^json\(\) cannot send bytes: send bytes under msgpack\(\) or raw\(\):/],
    [
      'bytes within',
      { rows: [0, { photo }] },
      /cannot send bytes at data\.rows\[1\]\.photo: send bytes under msgpack/,
    ],
    ['a DataView', [new DataView(new ArrayBuffer(1))], /bytes at data\[0\]:/],
    ['floats', { a: new Float64Array(2) }, /bytes at data\.a:/],
    ['an ArrayBuffer', { a: { b: new ArrayBuffer(8) } }, /bytes at data\.a\.b:/],
    ['a bigint', 1n, /cannot send a bigint: send it under msgpack\(\), or as text/],
    ['a bigint within', { a: [1, 2n] }, /a bigint at data\.a\[1\]/],
    ['a function', () => 1, /cannot send a function:/],
    ['a function within', { 'on click': () => 1 }, /a function at data\["on click"\]:/],
    ['a symbol', Symbol('s'), /cannot send a symbol:/],
    ['a symbol within', [[Symbol('s')]], /a symbol at data\[0\]\[0\]:/],
    ['a Map', { a: new Map([[1, 2]]) }, /a Map at data\.a: send Object\.fromEntries/],
    ['a Set', [new Set([1])], /a Set at data\[0\]: send \[\.\.\.set\]/],
    ['a promise', { user: Promise.resolve(1) }, /a promise at data\.user: await it first/],
    ['an Error', { error: new Error('x') }, /an Error at data\.error: send its message/],
    ['one with properties', Object.assign(new Error('x'), { code: 1 }), /an Error: send its message/],
    ['a RegExp', [/x/], /a RegExp at data\[0\]: send its source/],
    [
      'what only its methods can see',
      { q: new URLSearchParams('a=1') },
      /an object of class URLSearchParams without properties of its own at data\.q: send its parts/,
    ],
    ['private fields', new Secretive(), /an object of class Secretive without properties of its own:/],
    ['a WeakMap', new WeakMap(), /an object of class WeakMap without/],
    ['an iterator', { all: [1, 2].values() }, /an object .*without properties of its own at data\.all:/],
    ['shared memory', new SharedArrayBuffer(3), /an object of class SharedArrayBuffer without/],
    ['a boxed bigint', Object(1n), /cannot write this message: .*BigInt/],
    ['a boxed symbol', Object(Symbol('s')), /an object of class Symbol without/],
    ['a circle', cyclic, /nests deeper than 63, or in a circle, at data\.self\.self\.self/],
    ['bytes from toJSON', { a: { toJSON: () => ({ b: photo }) } }, /bytes at data\.a\.b:/],
    ['a toJSON that throws', { toJSON: () => assert.fail('no') }, /cannot write this message: no/],
    ['one that throws ours', { toJSON: () => fail('CLOSED', 'no') }, /cannot write this message: no/],
    ['a proxy that is revoked', [revoked()], /cannot write this message: Cannot perform/],
    [
      'a field of a class',
      new (class {
        run = () => 1
      })(),
      /a function at data\.run:/,
    ],
    ['a name that would forge a line', { 'a\n[CLOSED]': 1n }, /a bigint at data\["a\\n\[CLOSED\]"\]/],
  ]
  for (const [what, data, message] of unsayable) {
    test(`${what} is CANNOT_ENCODE, and it is told where it stands`, () => {
      assert.throws(() => json().encode('x', data), { code: 'CANNOT_ENCODE', message })
    })
  }

  test('a path that is long is cut', () => {
    assert.throws(
      () => json().encode('x', { ['long'.repeat(100)]: 1n }),
      ({ message }: Error) =>
        message.includes('data.longlong') && message.includes('…') && message.length < 500,
    )
  })

  class Mover {
    static kind = 1n
    readonly at = [1, 2]
    get double(): bigint {
      return 2n
    }
    move(): void {}
  }
  /** As it was done before there were classes: what is inherited can be enumerated. */
  const Old = Object.assign(function Old(this: { at: number }) {
    this.at = 1
  }, {}) as unknown as new () => { at: number }
  Object.assign(Old.prototype as object, { move: () => 1 })
  const once = { toJSON: () => ({ toJSON: () => 1n, a: 1 }) }

  const sayable: [what: string, data: unknown, arrives: unknown][] = [
    ['undefined in an object is left out', { a: undefined, b: [undefined] }, { b: [null] }],
    ['NaN is null', [NaN, -Infinity], [null, null]],
    ['a hole is null', Array.from({ length: 2 }).concat([1]), [null, null, 1]],
    ['a Date is text', { at: new Date(0) }, { at: '1970-01-01T00:00:00.000Z' }],
    ['an object of a class is its fields', new Mover(), { at: [1, 2] }],
    ['what is inherited does not count', new Old(), { at: 1 }],
    ['an object without a prototype', Object.assign(Object.create(null) as object, { a: 1 }), { a: 1 }],
    ['an empty object of another realm', [runInNewContext('({})'), Object.create(null)], [{}, {}]],
    ['boxed primitives', [new String('a\ud800'), new Number(5), new Boolean(false)], ['a\ud800', 5, false]],
    ['a Map that has a toJSON', Object.assign(new Map([[1, 2]]), { toJSON: () => 'said' }), 'said'],
    ['toJSON answers for its object', [{ secret: 1n, toJSON: () => 'said' }], ['said']],
    ['toJSON may answer with nothing', [{ toJSON: () => undefined }], [null]],
    ['a symbol for a name is left out', { [Symbol('s')]: 1n, a: 1 }, { a: 1 }],
    ['the same object twice', [cyclic.list, cyclic.list], [[1], [1]]],
  ]
  for (const [what, data, arrives] of sayable) {
    test(what, () => assert.deepEqual(json().decode(json().encode('x', data)).data, arrives))
  }

  const tooMuch = /more than json\(\{ max \}\) holds, which is 1048576 bytes: send/
  const many = Array<number>(2 ** 19 - 10).fill(0)
  const wide = Object.fromEntries(many.map((zero, i) => [i, zero]))
  for (const [what, data] of [
    ['shares its parts 62 deep', doubled(62)],
    ['holds one long array many times', Array(2 ** 19).fill(many)],
    ['holds one wide object many times', Array(2 ** 19).fill(wide)],
    ['is an array of holes', Array(2 ** 32 - 1)],
  ] as const) {
    test(`what ${what} is CANNOT_ENCODE before any of it is written`, () => {
      assert.throws(() => json().encode(0, data), { code: 'CANNOT_ENCODE', message: tooMuch })
    })
  }

  test('what just fits is not taken for too much', () => {
    assert.equal(json().encode(0, many).length, 2 ** 20 - 15)
    const inherited = Object.assign(Object.create(Object.fromEntries(many.map((n, i) => [i, n]))), { a: 1 })
    const left = Object.fromEntries(many.map((_, i) => [i, undefined]))
    assert.deepEqual(json().decode(json().encode(0, [inherited, inherited, left, left, left])).data, [
      { a: 1 },
      { a: 1 },
      {},
      {},
      {},
    ])
    fc.assert(
      fc.property(jsonValues, (value) => {
        const { length } = json().encode(0, value)
        assert.equal(json({ max: length }).encode(0, value).length, length)
      }),
    )
  })

  test('a toJSON in the answer of a toJSON is a function like any other', () => {
    assert.throws(() => json().encode('x', once), { message: /a function at data\.toJSON/ })
  })

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
      codeOf(() => json().encode('x', nested(MAX_DEPTH - 1))),
      undefined,
    )
    assert.equal(
      codeOf(() => json().encode('x', nested(MAX_DEPTH))),
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

  test('objects nest as arrays do, and what has ended counts no more', () => {
    const said = (n: number): string | undefined => {
      const nested = `${'{"a":'.repeat(n)}0${'}'.repeat(n)}`
      return codeOf(() => json().decode(Buffer.from(`["x",[[],{},${nested},{},[]]]`)))
    }
    assert.deepEqual([said(MAX_DEPTH - 2), said(MAX_DEPTH - 1)], [undefined, 'BAD_MESSAGE'])
  })

  test('nesting is taken up to its limit, whatever stands in strings', () => {
    const nested = (n: number): Uint8Array =>
      latin1(`["[[\\"[[",${'['.repeat(n)}"{{{${'['.repeat(99)}"${']'.repeat(n)}]`)
    assert.equal(
      codeOf(() => json().decode(nested(MAX_DEPTH - 1))),
      undefined,
    )
    assert.equal(
      codeOf(() => json().decode(nested(MAX_DEPTH))),
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

describe('data alone, for wire v1', () => {
  const { values } = json()

  test('is its JSON in UTF-8, and nothing for undefined', () => {
    assert.equal(Buffer.from(values!.encode({ text: 'hé' })).toString(), '{"text":"hé"}')
    assert.equal(values!.encode(undefined).length, 0)
    assert.equal(values!.encode({ toJSON: () => undefined }).length, 0)
    assert.equal(Buffer.from(values!.encode(null)).toString(), 'null')
    assert.equal(values!.decode(new Uint8Array(0)), undefined)
  })

  test('nests as deep as with its type, and no deeper', () => {
    const deep = (n: number): unknown => JSON.parse('['.repeat(n) + ']'.repeat(n))
    assert.equal(toHex(values!.encode(deep(63))), '5b'.repeat(63) + '5d'.repeat(63))
    assert.deepEqual(values!.decode(values!.encode(deep(63))), deep(63))
    assert.equal(
      codeOf(() => values!.encode(deep(64))),
      'CANNOT_ENCODE',
    )
    assert.equal(
      codeOf(() => values!.decode(Buffer.from('['.repeat(64) + ']'.repeat(64)))),
      'BAD_MESSAGE',
    )
  })

  test('is bounded by `max`, both ways', () => {
    const small = json({ max: 4 }).values!
    assert.equal(small.encode('ab').length, 4)
    assert.equal(
      codeOf(() => small.encode('abc')),
      'CANNOT_ENCODE',
    )
    assert.equal(
      codeOf(() => small.decode(Buffer.from('12345'))),
      'BAD_MESSAGE',
    )
    assert.equal(small.decode(Buffer.from('1234')), 1234)
    assert.equal(
      codeOf(() => json({ maxBytes: 4 } as object)),
      'BAD_OPTION',
    )
  })

  test('a codec says what it is called: both sides must have the same', () => {
    assert.deepEqual([raw().name, json().name], ['raw', 'json'])
  })

  test('raw() has none: what is bytes needs no codec there', () => assert.equal(raw().values, undefined))
})

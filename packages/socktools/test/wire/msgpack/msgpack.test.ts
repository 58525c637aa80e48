/** msgpack(): what it sends and what it refuses, its limits, and data alone. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { msgpack } from '../../../src/wire/msgpack/msgpack.ts'
import { codeOf, hex, toHex } from '../bytes.ts'
import { readMsgpack } from './reference.ts'
import { octets } from './vectors.ts'

/** Itself twice, twice … of which there are 2 ** n to write. */
const doubled = (n: number): unknown => {
  let data: unknown[] = [1]
  for (let i = 0; i < n; i++) data = [data, data]
  return data
}

describe('msgpack', () => {
  const holes: unknown[] = [1]
  holes.length = 3
  const arrives: [what: string, sent: unknown, got: unknown][] = [
    ['a Buffer as bytes', Buffer.from('hi'), Uint8Array.of(0x68, 0x69)],
    ['undefined as null', undefined, null],
    ['undefined in an array as null', [undefined, 1], [null, 1]],
    ['a hole as null', holes, [1, null, null]],
    ['an object without what is undefined', { a: undefined, b: 1 }, { b: 1 }],
    ['-0 as 0', [-0], [0]],
    ['a small bigint as a number', [7n, -7n, 2n ** 53n], [7, -7, 2 ** 53]],
    [
      'an object of a class as a plain one',
      new (class {
        a = 1
      })(),
      { a: 1 },
    ],
    ['an object without a prototype', Object.assign(Object.create(null) as object, { a: 1 }), { a: 1 }],
    ['a symbol for a name not at all', { [Symbol('s')]: 1, a: 1 }, { a: 1 }],
    [
      'names of what every object has',
      { constructor: 'x', hasOwnProperty: 1, toString: [] },
      { constructor: 'x', hasOwnProperty: 1, toString: [] },
    ],
  ]
  for (const [what, sent, got] of arrives) {
    test(`sends ${what}`, () => {
      const payload = Uint8Array.from(msgpack().encode('x', sent))
      assert.deepEqual(msgpack().decode(payload), { type: 'x', data: got })
    })
  }

  const circle: { a: object[] } = { a: [] }
  circle.a.push(circle)
  const refused: [what: string, sent: unknown, message: RegExp][] = [
    ['a function', { a: [() => 1] }, /^msgpack\(\) cannot send a function at data\.a\[0\]:/],
    ['a symbol', Symbol('s'), /cannot send a symbol:/],
    ['a bigint of 65 bits', { n: 2n ** 64n }, /a bigint of more than 64 bits at data\.n/],
    ['a negative one', [-(2n ** 63n) - 1n], /a bigint of more than 64 bits at data\[0\]/],
    ['other views', { a: new Float32Array(1) }, /memory at data\.a: send a Uint8Array of it/],
    ['an ArrayBuffer', new ArrayBuffer(1), /memory: send a Uint8Array of it/],
    ['a Map', [new Map()], /a Map at data\[0\]/],
    ['a Set', [new Set()], /a Set at data\[0\]/],
    ['a promise', Promise.resolve(), /a promise: await it first/],
    ['an Error', { error: new Error('x') }, /an Error at data\.error: send its message/],
    ['a RegExp', [/x/], /a RegExp at data\[0\]: send its source/],
    ['boxed text', new String('abc'), /a boxed primitive: send its valueOf\(\)/],
    [
      'other boxes',
      [[new Number(1)], [new Boolean(true)], [Object(1n)]],
      /a boxed primitive at data\[0\]\[0\]/,
    ],
    ['a boxed bigint', { n: Object(1n) }, /a boxed primitive at data\.n/],
    ['a WeakSet', [new WeakSet()], /an object of class WeakSet without properties of its own at data\[0\]/],
    ['an iterator', new Map([[1, 2]]).entries(), /an object .*without properties of its own: send its parts/],
    ['shared memory', new SharedArrayBuffer(3), /an object of class SharedArrayBuffer without/],
    ['what shares its parts', doubled(62), /more values than msgpack\(\{ maxValues \}\)/],
    ['an invalid Date', { at: new Date(NaN) }, /an invalid Date at data\.at/],
    ['what has a toJSON', new URL('http://localhost'), /what has a toJSON: send what that answers/],
    ['a toJSON of its own', { toJSON: () => 1 }, /a function at data\.toJSON/],
    ['a circle', circle, /nests deeper than 63, or in a circle, at data\.a\[0\]\.a\[0\]/],
    [
      'a getter that throws',
      {
        get a() {
          return assert.fail('no')
        },
      },
      /cannot write this message: no/,
    ],
    ['half a surrogate pair', ['\ud800'], /half a surrogate pair at data\[0\]/],
    ['half of one in a long text', { a: `${'x'.repeat(100)}\udc00y` }, /half a surrogate pair at data\.a/],
    [
      'half of one in a key',
      [{ [`${'x'.repeat(100)}\ud800`]: 1 }],
      /half a surrogate pair in a key at data\[0\]/,
    ],
    ['the key __proto__', JSON.parse('{"__proto__":1}'), /the key __proto__/],
  ]
  for (const [what, sent, message] of refused) {
    test(`cannot send ${what}, and says where it stands`, () => {
      assert.throws(() => msgpack().encode('x', sent), { code: 'CANNOT_ENCODE', message })
    })
  }

  test('cannot send what nests too deep, be it arrays or objects, nor too many values, and these stand nowhere', () => {
    for (const of of [(inner: unknown) => [inner], (inner: unknown) => ({ a: inner })]) {
      let data: unknown = 1
      for (let i = 0; i < 63; i++) data = of(data)
      assert.deepEqual(msgpack().decode(Uint8Array.from(msgpack().encode(0, data))), { type: 0, data })
      const deeper = of(data)
      assert.throws(() => msgpack().encode(0, deeper), { code: 'CANNOT_ENCODE', message: /deeper than 63/ })
    }
    assert.equal(toHex(msgpack({ maxValues: 2 }).encode(0, 1)), '920001')
    assert.equal(
      codeOf(() => msgpack({ maxValues: 1 }).encode(0, 1)),
      'CANNOT_ENCODE',
    )
    assert.throws(
      () => msgpack({ maxValues: 5 }).encode(0, [{ a: [1, 2] }]),
      ({ message }: Error) => message.includes('maxValues') && !message.includes('at data'),
    )
  })

  test('sends as many properties as there are, none of which is inherited', () => {
    for (const [n, head] of [
      [15, '8f'],
      [16, 'de0010'],
      [65_535, 'deffff'],
      [65_536, 'df00010000'],
    ] as const) {
      const data = Object.fromEntries(Array.from({ length: n }, (_, i) => [`k${i}`, i]))
      const body = Uint8Array.from(msgpack().values!.encode(data))
      assert.equal(toHex(body.subarray(0, head.length / 2)), head)
      assert.deepEqual(msgpack().values!.decode(body), data)
    }
    const child = Object.assign(Object.create({ inherited: 1 }) as object, { a: 1 })
    assert.equal(toHex(msgpack().values!.encode(child)), '81a16101')
  })

  test('is called so, and takes names and safe integers for types', () => {
    assert.equal(msgpack().name, 'msgpack')
    for (const type of [1.5, 2 ** 53, null])
      assert.equal(
        codeOf(() => msgpack().encode(type as number, 1)),
        'CANNOT_ENCODE',
      )
  })

  test('cannot send half a surrogate pair for a type', () => {
    for (const type of ['\ud800', `${'x'.repeat(100)}\ud800`])
      assert.throws(() => msgpack().encode(type, 1), {
        code: 'CANNOT_ENCODE',
        message: /half a surrogate pair:/,
      })
  })

  test('U+FEFF at the beginning is text like any other: in data, keys and types, however long they are', () => {
    const texts = [0, 1, 12, 28, 29, 60, 61, 62, 63, 249, 250, 252, 253, 300, 70_000].flatMap((n) => [
      `\ufeff${'a'.repeat(n)}`,
      `\ufeff\ufeff\ufeff${'é'.repeat(n >> 1)}`,
      `a\ufeff${'b'.repeat(n)}`,
    ])
    const bytes = Uint8Array.of(0xd9, 0x41, 0xef, 0xbb, 0xbf)
    for (const text of texts) {
      const data = [text, 1, { [text]: { text, [`${text}é`]: [bytes, text] } }, text, 2 ** 60, bytes]
      const payload = Uint8Array.from(msgpack().encode(text, data))
      assert.deepEqual(readMsgpack(payload, 1000), { type: text, data }, 'as it is on the wire')
      const before = toHex(payload)
      assert.deepEqual(msgpack().decode(payload), { type: text, data })
      assert.equal(toHex(payload), before)
    }
    assert.deepEqual(msgpack().decode(Uint8Array.from(msgpack().encode(0, texts))).data, texts)
  })

  test('so it is where its length takes more bytes than it needs', () => {
    const text = `\ufeff${'a'.repeat(97)}`
    for (const head of ['d964', 'da0064', 'db00000064']) {
      const payload = octets(`92 00 82 ${head} efbbbf + 61*97 + ${head} efbbbf + 61*97 + a161 07`)
      assert.deepEqual(msgpack().decode(payload).data, { [text]: text, a: 7 })
    }
  })

  test('integers are integers on the wire, and fractions are not, wherever they stand', () => {
    const data = {
      a: [2 ** 40, -(2 ** 40), 0.5],
      b: { c: 2 ** 52 },
      d: Uint8Array.of(0xcb, 0x42, 0x70, 0, 0, 0, 0, 0, 0),
    }
    assert.equal(
      toHex(msgpack().encode(0, data)),
      toHex(
        hex(
          '9200 83 a161 93 cf0000010000000000 d3ffffff0000000000 cb3fe0000000000000' +
            ' a162 81 a163 cf0010000000000000 a164 c409cb4270000000000000',
        ),
      ),
    )
  })

  test('received bytes are views of the payload, not copies', () => {
    const payload = Uint8Array.from(msgpack().encode(0, { a: Uint8Array.of(1, 2, 3) }))
    const { a } = msgpack<{ a: Uint8Array }>().decode(payload).data
    assert.equal(a.buffer, payload.buffer)
    assert.equal(a.constructor, Uint8Array)
  })

  test('maxValues bounds what is read and what is sent: items, keys and values, the pair included', () => {
    const codec = msgpack({ maxValues: 8 })
    for (const [data, fits] of [
      [[1, 2, 3, 4, 5, 6], true],
      [[1, 2, 3, 4, 5, 6, 7], false],
      [[1, [2, [3, 4]]], true],
      [[1, [2, [3, 4, 5]]], false],
      [{ a: 1, b: 2, c: 3 }, true],
      [{ a: 1, b: 2, c: 3, d: 4 }, false],
      [new Uint8Array(1000), true],
    ] as const) {
      const payload = msgpack().encode(0, data)
      assert.equal(
        codeOf(() => codec.encode(0, data)),
        fits ? undefined : 'CANNOT_ENCODE',
      )
      assert.equal(
        codeOf(() => codec.decode(payload)),
        fits ? undefined : 'BAD_MESSAGE',
      )
    }
    assert.equal(
      codeOf(() => msgpack().encode(0, Array(262_143).fill(0))),
      'CANNOT_ENCODE',
    )
    assert.equal(
      codeOf(() => msgpack().encode(0, Array(262_142).fill(0))),
      undefined,
    )
    // Each of these is an item and an array.
    assert.equal(
      codeOf(() => msgpack().encode(0, Array(262_142).fill([]))),
      undefined,
    )
    for (const maxValues of [0, -1, NaN])
      assert.equal(
        codeOf(() => msgpack({ maxValues })),
        'BAD_OPTION',
      )
  })

  test('the class that an error of the sender names is never made, nor any other extension run', () => {
    // ["pwned"], as an error of the class "Function".
    const evil = octets('92 00 d46500 92 a846756e6374696f6e a570776e6564')
    assert.throws(() => msgpack().decode(evil), { code: 'BAD_MESSAGE', message: /an extension type/ })
  })

  test('refuses a message before it is read any further, telling where', () => {
    assert.throws(() => msgpack().decode(octets('92 00 c1 00 00')), { message: /after 3 bytes: the byte c1/ })
  })
})

describe('data alone, for wire v1', () => {
  const values = msgpack().values!

  test('bytes arrive as Uint8Array, wherever they stand, and as views of the body', () => {
    const bytes = Uint8Array.of(0, 255, 1)
    const body = Uint8Array.from(values.encode(bytes))
    assert.equal(toHex(body), 'c40300ff01')
    const got = values.decode(body) as Uint8Array
    assert.equal(Object.getPrototypeOf(got), Uint8Array.prototype)
    assert.deepEqual([...got], [...bytes])
    assert.equal(got.buffer, body.buffer)
    const within = values.decode(Uint8Array.from(values.encode({ rows: [bytes] }))) as { rows: [Uint8Array] }
    assert.equal(Object.getPrototypeOf(within.rows[0]), Uint8Array.prototype)
    assert.deepEqual([...within.rows[0]], [...bytes])
  })

  test('undefined is no bytes, null is one', () => {
    assert.equal(toHex(values.encode(undefined)), '')
    assert.equal(toHex(values.encode(null)), 'c0')
  })

  test('U+FEFF at the beginning of long text is kept', () => {
    const text = `\ufeff${'x'.repeat(100)}`
    assert.equal(values.decode(Uint8Array.from(values.encode(text))), text)
  })

  test('nests as deep as with its type, and has as many values', () => {
    const body = (levels: number): Uint8Array =>
      Uint8Array.from({ length: levels }, (_, i) => (i < levels - 1 ? 0x91 : 0x90))
    assert.equal(
      codeOf(() => values.decode(body(63))),
      undefined,
    )
    assert.equal(
      codeOf(() => values.decode(body(64))),
      'BAD_MESSAGE',
    )
    const few = msgpack({ maxValues: 3 }).values!
    assert.equal(few.encode([1, 2, 3]).length, 4)
    assert.equal(
      codeOf(() => few.encode([1, 2, 3, 4])),
      'CANNOT_ENCODE',
    )
    assert.equal(
      codeOf(() => few.decode(hex('94 01 02 03 04'))),
      'BAD_MESSAGE',
    )
  })
})

/** msgpack(): what holds of every codec, the golden bytes of spec/vectors/msgpack.json, and what is its own. */
import assert from 'node:assert/strict'
import { isUtf8 } from 'node:buffer'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { msgpack } from '../../../src/wire/msgpack/msgpack.ts'
import { readText } from '../../../src/wire/msgpack/text.ts'
import { simulate } from '../../support/world.ts'
import { codeOf, hex, toHex } from '../bytes.ts'
import { codecSuite } from '../codec-suite.ts'
import { readMsgpack } from './reference.ts'

/** What `{ '$bin': hex }` and its kin mean. */
const tags: Record<string, (value: any) => unknown> = {
  $bin: (text: string) => octets(text),
  $text: (text: string) => Buffer.from(octets(text)).toString(),
  $int: BigInt,
  $float: Number,
  $time: (text: string) => new Date(text),
  $items: (n: number) => Array<number>(n).fill(0),
  $nested: (n: number) =>
    Array.from({ length: n }).reduce<unknown[]>((inner, _, i) => (i === 0 ? [] : [inner]), []),
}

interface Case {
  readonly id: string
  readonly what: string
  readonly type: string | number
  readonly data: unknown
  readonly bytes: string
  readonly read?: 'only'
  readonly error?: string
}
const vectors = new URL('../../../../../spec/vectors/msgpack.json', import.meta.url)
const { cases, good, bad } = JSON.parse(readFileSync(vectors, 'utf8'), (_, value: unknown) => {
  const [tag = '', ...more] = Object.keys((value as object | null) ?? {})
  const meaning = more.length === 0 ? tags[tag] : undefined
  return meaning === undefined ? value : meaning((value as Record<string, unknown>)[tag])
}) as { cases: readonly Case[]; good: number; bad: number }

/** Hex, in which '*' repeats and '+' joins. */
function octets(text: string): Uint8Array {
  return Uint8Array.from(
    text.split('+').flatMap((part) => {
      const [digits = '', times = '1'] = part.split('*')
      return Array.from({ length: Number(times) }, () => [...hex(digits)]).flat()
    }),
  )
}

describe('the golden bytes of spec/vectors/msgpack.json', () => {
  test('are as many as it says, each with an id of its own', () => {
    assert.equal(new Set(cases.map(({ id }) => id)).size, good + bad)
    assert.equal(cases.filter(({ error }) => error === undefined).length, good)
    assert.ok(good >= 90 && bad >= 50)
  })

  for (const { id, what, type, data, bytes, read, error } of cases) {
    test(`${id}: ${what}`, () => {
      const payload = octets(bytes)
      if (error !== undefined) {
        assert.equal(
          codeOf(() => msgpack().decode(payload)),
          error,
        )
        assert.equal(readMsgpack(payload, 262_144), undefined, 'the reference agrees')
        return
      }
      assert.deepEqual(msgpack().decode(payload), { type, data })
      assert.deepEqual(readMsgpack(payload, 262_144), { type, data }, 'the reference agrees')
      if (read !== 'only') assert.equal(toHex(msgpack().encode(type, data)), toHex(payload))
    })
  }
})

/** Everything that comes out as it went in. */
const values = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.oneof(
      fc.constantFrom(null, true, false),
      fc.string({ unit: 'grapheme' }),
      fc.string({ unit: 'binary-ascii', maxLength: 100 }),
      fc.string({ minLength: 60, maxLength: 70 }).map((text) => `\ufeff${text}`),
      fc.uint8Array(),
      fc.integer(),
      fc.maxSafeInteger(),
      fc.double().map((n) => (n === 0 ? 0 : n)), // it knows no -0
      fc.bigInt({ min: 2n ** 53n + 1n, max: 2n ** 64n - 1n }),
      fc.bigInt({ min: -(2n ** 63n), max: -(2n ** 53n) - 1n }),
      fc.date({ noInvalidDate: true }),
    ),
    fc.array(tie('value'), { maxLength: 20 }),
    fc.dictionary(
      fc.string({ unit: 'grapheme' }).filter((key) => key !== '__proto__'),
      tie('value'),
      { maxKeys: 20, noNullPrototype: true },
    ),
  ),
})).value

codecSuite('msgpack()', msgpack(), values)

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

  test('two socks talk in it: bytes, names and numbers for types', () =>
    simulate(async (world) => {
      const got: unknown[] = []
      const codec = msgpack<{ photo: Uint8Array; size: number }>()
      const put = (
        { photo, size }: { photo: Uint8Array; size: number },
        { type }: { type: unknown },
      ): unknown => got.push([type, toHex(photo), size])
      await world.open({ bind: 'memory:a', codec, handlers: { photo: put, 7: put } })
      const client = await world.open({ codec, connect: 'memory:a' })
      await client.sendMsg('photo', { photo: Uint8Array.of(1, 2), size: 2 ** 40 })
      await client.sendMsg(7, { photo: new Uint8Array(0), size: 0 })
      await world.quiet()
      assert.deepEqual(got, [
        ['photo', '0102', 2 ** 40],
        [7, '', 0],
      ])
      await assert.rejects(client.sendMsg('photo', new Map() as never), { code: 'CANNOT_ENCODE' })
    }))

  test('refuses a message before it is read any further, telling where', () => {
    assert.throws(() => msgpack().decode(octets('92 00 c1 00 00')), { message: /after 3 bytes: the byte c1/ })
  })

  test('any damage to any message is read as the reference reads it', () => {
    const messages = cases.map(({ bytes }) => octets(bytes)).filter(({ length }) => length < 300)
    const damage = fc.record({ at: fc.nat(299), cut: fc.nat(3), put: fc.uint8Array({ maxLength: 3 }) })
    const spliced = fc
      .tuple(fc.constantFrom(...messages), fc.constantFrom(...messages), fc.array(damage, { maxLength: 3 }))
      .map(([one, other, damages]) => {
        // One message in the place of the other's data.
        const bytes = [...other.subarray(0, 2), ...one.subarray(2), ...other.subarray(2)]
        for (const { at, cut, put } of damages) bytes.splice(at % (bytes.length + 1), cut, ...put)
        return Uint8Array.from(bytes)
      })
    const nested = fc.array(fc.constantFrom(...messages), { minLength: 1, maxLength: 4 }).map((items) => {
      const bytes = items.map((item) => [...item.subarray(2)])
      return Uint8Array.from([0x92, 0x00, 0x90 + bytes.length, ...bytes.flat()])
    })
    fc.assert(
      fc.property(
        fc.oneof(spliced, nested, fc.uint8Array({ maxLength: 40 })),
        fc.constantFrom(5, 40, 1000),
        (bytes, maxValues) => {
          let got: unknown
          const code = codeOf(() => (got = msgpack({ maxValues }).decode(bytes)))
          const want = readMsgpack(bytes, maxValues)
          assert.equal(code, want === undefined ? 'BAD_MESSAGE' : undefined)
          assert.deepEqual(got, want)
        },
      ),
      { numRuns: 30_000, seed: 1 },
    )
  })
})

describe('text', () => {
  /** What is read of it, and whether that is right. */
  const check = (bytes: Uint8Array, from = 0, to = bytes.length): void => {
    const part = bytes.subarray(from, to)
    const want = isUtf8(part) ? Buffer.from(part).toString() : undefined
    const got = readText(bytes, from, to)
    if (got !== want) assert.fail(`${toHex(part)} ${want === undefined ? 'is' : 'is not'} read`)
  }

  test('is read if it is UTF-8, of any length, whole or damaged', () => {
    const text = fc.string({ unit: 'binary', minLength: 10, maxLength: 60 }).map((one) => Buffer.from(one))
    fc.assert(
      fc.property(text, fc.nat(), fc.nat(255), (bytes, at, byte) => {
        check(bytes)
        bytes[at % bytes.length] = byte
        check(bytes)
      }),
      { numRuns: 2000 },
    )
  })

  test('that is ASCII is read at every length, and refused with a stray byte anywhere', () => {
    for (let n = 0; n < 70; n++) {
      const bytes = Uint8Array.from({ length: n + 2 }, (_, i) => 32 + ((i * 7) % 95))
      check(bytes, 1, n + 1)
      for (let at = 1; at <= n; at++) check(bytes.with(at, 0xff), 1, n + 1)
      check(bytes.with(0, 0xff).with(n + 1, 0xff), 1, n + 1)
    }
  })

  test('is judged by every sequence of up to four bytes of note', () => {
    const edges = [
      0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed,
      0xee,
    ]
    edges.push(0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff)
    const last = [0x41, 0x7f, 0x80, 0xbf, 0xc0]
    const bytes = Uint8Array.of(0x80, 0, 0, 0, 0, 0x80)
    const each = (from: number, bytesOfNote: readonly number[], then?: () => void): void => {
      for (const byte of bytesOfNote) {
        bytes[from] = byte
        check(bytes, 1, from + 1)
        then?.()
      }
    }
    each(1, edges, () => each(2, edges, () => each(3, edges, () => each(4, last))))
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

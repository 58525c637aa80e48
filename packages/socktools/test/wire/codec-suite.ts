/** What holds of every codec: of those that come with the library, and of yours. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import type { Codec, Message } from '../../src/wire/codec.ts'
import { codeOf, toHex } from './bytes.ts'

export interface CodecSuiteOptions {
  /** The types that it carries. Default: names and integers. */
  readonly types?: fc.Arbitrary<string | number>
}

/** Types by name and by number, the odd ones too. */
export const names = fc.oneof(
  fc.string({ unit: 'binary-ascii' }),
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom('', '0', '-1', '__proto__', 'constructor', 'toString'),
  fc.maxSafeInteger(),
  fc.constantFrom(0, 1, -1, 127, 128, -32, -33, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 1 - 2 ** 53),
)

/** `data`: what it carries and hands out again as it was. */
export function codecSuite<T>(
  name: string,
  codec: Codec<T, T>,
  data: fc.Arbitrary<T>,
  { types = names }: CodecSuiteOptions = {},
): void {
  /** As a caller without types. */
  const untyped = codec as Codec<any>
  /** As they arrive: in memory of their own, and no Buffer. */
  const arrived = (type: string | number, value: unknown): Uint8Array =>
    Uint8Array.from(untyped.encode(type, value))

  describe(name, () => {
    test('any data under any type comes out as it went in', () => {
      fc.assert(
        fc.property(types, data, (type, value) => {
          assert.deepEqual(codec.decode(arrived(type, value)), { type, data: value })
        }),
        { numRuns: 1000 },
      )
    })

    test('a payload is not touched any more, whatever is encoded and decoded after it', () => {
      fc.assert(
        fc.property(fc.array(fc.tuple(types, data), { minLength: 2, maxLength: 30 }), (messages) => {
          const payloads = messages.map(([type, value]) => codec.encode(type, value))
          const before = payloads.map((payload) => toHex(payload))
          for (const payload of payloads) codec.decode(Uint8Array.from(payload))
          assert.deepEqual(
            payloads.map((payload) => toHex(payload)),
            before,
          )
        }),
      )
    })

    /** A message, or BAD_MESSAGE; anything else fails. */
    const read = (payload: Uint8Array): Message | undefined => {
      let message: Message | undefined
      const code = codeOf(() => (message = codec.decode(payload)))
      if (code !== undefined) assert.equal(code, 'BAD_MESSAGE')
      else assert.ok(isType(message?.type), `${String(message?.type)} for a type`)
      return message
    }

    test('any bytes are a message or BAD_MESSAGE', () => {
      const any = fc.uint8Array({ maxLength: 60 })
      fc.assert(
        fc.property(any, (bytes) => void read(bytes)),
        { numRuns: 5000 },
      )
    })

    test('any damage to a message leaves a message or BAD_MESSAGE', () => {
      const damage = fc.record({
        from: fc.nat(200),
        cut: fc.nat(3),
        put: fc.uint8Array({ maxLength: 3 }),
        end: fc.option(fc.nat(200)),
      })
      fc.assert(
        fc.property(types, data, fc.array(damage, { minLength: 1, maxLength: 3 }), (type, value, damages) => {
          let bytes = [...arrived(type, value)]
          for (const { from, cut, put, end } of damages) {
            bytes.splice(from % (bytes.length + 1), cut, ...put)
            if (end !== null) bytes = bytes.slice(0, end)
          }
          read(Uint8Array.from(bytes))
        }),
        { numRuns: 5000 },
      )
      assert.deepEqual(Object.keys(Object.prototype), [], 'nothing has come into every object')
    })

    const odd: [what: string, value: unknown][] = [
      ['undefined', undefined],
      ['null', null],
      ['NaN', NaN],
      ['a bigint of 65 bits', 2n ** 64n],
      ['a function', () => 1],
      ['a symbol', Symbol('s')],
      ['an invalid Date', new Date(NaN)],
      ['a promise', Promise.resolve(1)],
      ['a circle', circle()],
      ['1,000 levels', deep(1000)],
      ['half a surrogate pair', '\ud800'],
      [
        'a getter that throws',
        Object.defineProperty({}, 'x', { enumerable: true, get: () => assert.fail('no') }),
      ],
      ['a property called __proto__', JSON.parse('{"__proto__":{"evil":1}}')],
      [
        'properties called as those of every object',
        { constructor: 1, hasOwnProperty: 2, toString: 3, valueOf: 4 },
      ],
      ['memory', new ArrayBuffer(3)],
      ['a view of memory', new DataView(new ArrayBuffer(3))],
    ]
    for (const [what, value] of odd) {
      for (const [where, wrapped] of [
        ['as the data', value],
        ['in an object', { a: { b: value } }],
        ['in an array', [[value]]],
      ] as const) {
        test(`${what} ${where} is sent so that it can be read, or CANNOT_ENCODE`, () => {
          fc.assert(
            fc.property(types, (type) => {
              encodedOrRefused(type, wrapped)
            }),
            { numRuns: 5 },
          )
        })
      }
    }

    for (const type of [
      NaN,
      Infinity,
      1.5,
      2 ** 53,
      null,
      undefined,
      true,
      {},
      ['a'],
      1n,
      Symbol('s'),
      '\udc00',
    ]) {
      test(`a type that is ${inspect(type)} is sent so that it can be read, or CANNOT_ENCODE`, () => {
        fc.assert(
          fc.property(data, (value) => {
            encodedOrRefused(type, value)
          }),
          { numRuns: 5 },
        )
      })
    }

    const { values } = untyped
    if (values !== undefined) {
      test('data alone comes out as it went in, and undefined is no bytes', () => {
        fc.assert(
          fc.property(data, (value) => {
            assert.deepEqual(values.decode(Uint8Array.from(values.encode(value))), value)
          }),
          { numRuns: 1000 },
        )
        assert.equal(values.encode(undefined).length, 0)
        assert.equal(values.decode(new Uint8Array(0)), undefined)
      })

      test('data alone is refused where it is refused with its type, and arrives as it does then', () => {
        for (const [what, value] of odd) {
          for (const wrapped of [value, { a: { b: value } }, [[value]]]) {
            if (wrapped === undefined) continue
            const pair = codeOrData(() => codec.decode(arrived('x', wrapped)).data)
            const alone = codeOrData(() => values.decode(Uint8Array.from(values.encode(wrapped))))
            assert.deepEqual(alone, pair, what)
          }
        }
      })

      test('any bytes are data or BAD_MESSAGE, damaged ones too', () => {
        const readable = (bytes: Uint8Array): void => {
          const code = codeOf(() => values.decode(bytes))
          assert.ok(code === undefined || code === 'BAD_MESSAGE', code)
        }
        fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), readable), { numRuns: 5000 })
        fc.assert(
          fc.property(data, fc.nat(), fc.nat(255), (value, at, byte) => {
            const bytes = Uint8Array.from(values.encode(value))
            if (bytes.length > 0) bytes[at % bytes.length] = byte
            readable(bytes)
            readable(bytes.subarray(0, at % (bytes.length + 1)))
          }),
          { numRuns: 5000 },
        )
      })
    }

    function encodedOrRefused(type: unknown, value: unknown): void {
      let payload: unknown
      const code = codeOf(() => (payload = untyped.encode(type as string, value)))
      if (code !== undefined) assert.equal(code, 'CANNOT_ENCODE')
      else
        assert.ok(
          payload instanceof Uint8Array && read(Uint8Array.from(payload)) !== undefined,
          'it can be read',
        )
    }
  })
}

/** What comes of `fn`: the code of its error, or what it returns. */
function codeOrData(fn: () => unknown): unknown {
  let data: unknown
  return codeOf(() => (data = fn())) ?? { data }
}

const isType = (type: unknown): boolean => typeof type === 'string' || Number.isSafeInteger(type)

const deep = (n: number): unknown => (n === 0 ? 0 : [deep(n - 1)])

function circle(): object {
  const [one, other]: [Record<string, object>, Record<string, object>] = [{}, {}]
  // Two ways on from each: to walk all of them would never end.
  for (const name of ['a', 'b']) [one[name], other[name]] = [other, one]
  return one
}

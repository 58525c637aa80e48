/** msgpack() beside msgpackr, which it took the place of: the same bytes are written, and the same is read of them. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { Packr } from 'msgpackr'
import { msgpack } from '../../../src/wire/msgpack/msgpack.ts'
import { toHex } from '../bytes.ts'

/** Plain MessagePack: nothing of msgpackr's own that others would not read. */
const library = new Packr({
  useRecords: false,
  mapsAsObjects: true,
  variableMapSize: true,
  skipValues: [undefined],
  encodeUndefinedAsNil: true,
  int64AsType: 'auto',
  useToJSON: false,
  moreTypes: false,
  structuredClone: false,
} as object)
const values = msgpack().values!
const encode = (data: unknown): Uint8Array => values.encode(data)
const decode = (body: Uint8Array): unknown => values.decode(body)

/** Without those that msgpackr writes as floats, since they are beyond 32 bits: the golden bytes have them. */
const integer = fc.integer({ min: -(2 ** 31), max: 2 ** 32 - 1 })

/** Text of any length about which the form of its length changes, in characters of one to four bytes. */
const text = fc
  .tuple(
    fc.constantFrom(0, 5, 15, 31, 32, 63, 64, 127, 128, 255, 256),
    fc.constantFrom('a', 'é', '€', '😀'),
    fc.string({ unit: 'grapheme', maxLength: 4 }),
  )
  .map(([n, unit, more]) => more.repeat(3) + unit.repeat(Math.max(0, n - 2)) + more)

const any = fc
  .letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      fc.oneof(
        fc.constantFrom(null, true, false, undefined, -0, NaN, Infinity),
        fc.string({ unit: 'binary-ascii', maxLength: 100 }),
        fc.string({ unit: 'grapheme', maxLength: 100 }),
        text,
        integer,
        fc.constantFrom(-1, -32, -33, -128, -129, -32_768, -32_769, 127, 128, 255, 256, 65_535, 65_536),
        fc.double().filter((n) => !Number.isSafeInteger(n)),
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
        fc.date({ noInvalidDate: true }),
        fc.date({ noInvalidDate: true, min: new Date(-5000), max: new Date(5000) }),
        fc.uint8Array({ maxLength: 300 }),
      ),
      fc.array(tie('value'), { maxLength: 17 }),
      fc.dictionary(
        fc
          .oneof(
            fc.string({ unit: 'grapheme' }),
            fc.string({ minLength: 10, maxLength: 70 }),
            fc.nat().map(String),
          )
          .filter((key) => key !== '__proto__'),
        tie('value'),
        { maxKeys: 17, noNullPrototype: true },
      ),
    ),
  }))
  .value.filter((value) => value !== undefined)

/** msgpackr drops a U+FEFF that begins a long text. */
const agreed = (value: unknown): boolean => !JSON.stringify(value, bigints).includes('\ufeff')
const bigints = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value)

describe('beside msgpackr', () => {
  test('the same bytes are written', () => {
    fc.assert(
      fc.property(any, (value) => assert.equal(toHex(encode(value)), toHex(library.pack(value)))),
      { numRuns: 2000 },
    )
  })

  test('the same is read of them', () => {
    fc.assert(
      fc.property(any.filter(agreed), (value) => {
        const bytes = Uint8Array.from(library.pack(value))
        assert.deepEqual(decode(bytes), library.unpack(Uint8Array.from(bytes)))
      }),
      { numRuns: 2000 },
    )
  })

  test('so is long text about each length where its form changes', () => {
    for (const limit of [2 ** 16, 2 ** 17]) {
      for (const unit of ['a', 'é', '€', '😀']) {
        const n = Math.floor(limit / Buffer.byteLength(unit))
        for (const more of [-3, -2, -1, 0, 1]) {
          for (const edge of ['', 'é']) {
            const long = edge + unit.repeat(n + more) + edge
            const bytes = encode(long)
            assert.ok(Buffer.from(bytes).equals(library.pack(long)), `${n + more} times ${unit}`)
            assert.ok(decode(bytes) === long)
          }
        }
      }
    }
  })

  for (const n of [15, 16, 17, 65_535, 65_536]) {
    test(`objects and arrays of ${n} within each other are written as it writes them`, () => {
      const wide = Object.fromEntries(Array.from({ length: n }, (_, i) => [`key ${i}`, i]))
      const value = [{ before: wide, items: Array(n).fill(-1), after: { wide } }, 'behind']
      const payload = msgpack({ maxValues: 1e6 }).values!.encode(value)
      assert.ok(Buffer.from(payload).equals(library.pack(value)))
    })
  }
})

/** msgpack(): what holds of every codec, any damage to what it writes, and two socks that talk in it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { msgpack } from '../../../src/wire/msgpack/msgpack.ts'
import { simulate } from '../../support/world.ts'
import { codeOf, toHex } from '../bytes.ts'
import { codecSuite } from '../codec-suite.ts'
import { readMsgpack } from './reference.ts'
import { cases, octets } from './vectors.ts'

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

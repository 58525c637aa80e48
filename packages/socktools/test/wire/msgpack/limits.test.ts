/** msgpack(): what its insides could get wrong. Memory that is shared, keys that are kept, what others wrote or run. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { msgpack } from '../../../src/wire/msgpack/msgpack.ts'
import { codeOf, toHex } from '../bytes.ts'
import { readMsgpack } from './reference.ts'

const codec = msgpack()
const encode = (data: unknown): Uint8Array => codec.values!.encode(data)
const decode = (body: Uint8Array): unknown => codec.values!.decode(body)
const copy = (bytes: Uint8Array): Uint8Array => Uint8Array.from(bytes)

describe('memory that messages are written into', () => {
  test('grows in the middle of whatever is written', () => {
    // Nothing of this is as long as what there is at once, so that it ends at every place of each.
    const wide = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`key ${i}`, [i, 2 ** 40, 0.5]]))
    const value = [wide, 'é'.repeat(50), new Uint8Array(90), 2n ** 60n, new Date(1500), 'x'.repeat(300)]
    const [want] = [toHex(encode(value))]
    for (let i = 0; i < 2000; i++) {
      encode('x'.repeat(i % 61))
      assert.equal(toHex(encode(value)), want)
    }
  })

  test('of a long message is all of it, or it is copied out', () => {
    const held = (data: unknown): number => encode(data).buffer.byteLength
    for (const n of [20_000, 65_536, 2 ** 20]) {
      assert.ok(held(new Uint8Array(n)) < n * 1.1)
      assert.ok(held('x'.repeat(n)) < n * 1.1)
      assert.ok(held('é'.repeat(n)) < n * 2 * 1.4)
      assert.ok(held(Array(n / 4).fill(70_000)) < 1.4 * 5 * (n / 4))
    }
    assert.ok(held('short') <= 16 * 1024)
  })

  test('is not shared with what a getter sends', () => {
    const inner: string[] = []
    const chatty = {
      a: 1,
      get b() {
        inner.push(toHex(encode({ inner: 'x'.repeat(100) })))
        return 2
      },
      c: 3,
    }
    const want = toHex(encode({ a: 1, b: 2, c: 3 }))
    for (let i = 0; i < 3; i++) assert.equal(toHex(encode(chatty)), want)
    assert.deepEqual(new Set(inner), new Set([toHex(encode({ inner: 'x'.repeat(100) }))]))
  })

  test('is as it was after what cannot be sent', () => {
    const thrower = {
      get a() {
        return assert.fail('no')
      },
    }
    const want = toHex(encode(['x', 1]))
    for (const bad of [['x'.repeat(70_000), Symbol('s')], [1, thrower], ['\ud800']]) {
      assert.equal(
        codeOf(() => encode(bad)),
        'CANNOT_ENCODE',
      )
      assert.equal(toHex(encode(['x', 1])), want)
    }
  })
})

describe('keys', () => {
  test('are those of the message, whatever keys came before', () => {
    // Each differs from others in one byte, at every place; some are longer than what is kept.
    const keys = [1, 2, 3, 5, 8, 31, 32, 33, 50].flatMap((n) =>
      Array.from({ length: n * 3 }, (_, i) => {
        const units = Array<string>(n).fill('k')
        units[i % n] = 'xyé'[Math.floor(i / n)] ?? ''
        return units.join('')
      }),
    )
    const all = [...keys, '', 'é', '0', '10', '01', 'constructor', 'toString', '-1']
    for (let round = 0; round < 3; round++) {
      for (const key of all) {
        const payload = copy(codec.encode(key, { [key]: { [key]: key } }))
        assert.deepEqual(codec.decode(payload), readMsgpack(payload, 100))
      }
    }
    const many = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`key${i}`, i]))
    for (let round = 0; round < 2; round++) assert.deepEqual(decode(copy(encode(many))), many)
  })

  test('that every object inherits are not sent', () => {
    const everywhere = Object.prototype as { haunted?: number }
    everywhere.haunted = 1
    try {
      assert.equal(toHex(encode({ a: { b: 1 } })), '81a16181a16201')
    } finally {
      delete everywhere.haunted
    }
  })

  test('that are numbers come in their order, near and far', () => {
    for (const keys of [
      ['b', '999', '3', 'a', '0'],
      ['4294967294', '4294967295', '1', '20', '17', '18', '19'],
      Array.from({ length: 300 }, (_, i) => String(i * 7)),
      ['1e3', '0999', '999.0', '1000', '-1000'],
    ]) {
      const data = Object.fromEntries(keys.map((key, i) => [key, i]))
      const got = decode(copy(encode(data))) as object
      assert.deepEqual(got, data)
      assert.deepEqual(Object.keys(got), Object.keys(data))
      assert.equal(Object.getPrototypeOf(got), Object.prototype)
    }
  })

  test('that are numbers cost no more memory than others, though V8 would make room for all below', () => {
    const maps = 20_000
    // {999: 0}, with the key as text and as an integer: 12 KB each, else.
    for (const one of ['81a339393900', '81cd03e700']) {
      const body = Buffer.from(`dd${maps.toString(16).padStart(8, '0')}${one.repeat(maps)}`, 'hex')
      const before = process.memoryUsage().heapUsed
      const got = decode(body) as unknown[]
      const grown = process.memoryUsage().heapUsed - before
      assert.equal(got.length, maps)
      assert.ok(grown < 60e6, `${grown} bytes for ${body.length}`)
    }
  })
})

test('floats are read alike however many there are, in a message that lies anywhere', () => {
  for (const n of [1, 9, 10, 11, 100]) {
    const data = Array.from({ length: n }, (_, i) => [i + 0.5, { a: -(i + 1) / 3 }])
    const payload = encode(data)
    const within = new Uint8Array(payload.length + 3)
    within.set(payload, 3)
    assert.deepEqual(decode(within.subarray(3)), data)
  }
})

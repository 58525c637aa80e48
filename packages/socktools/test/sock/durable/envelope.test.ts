/** A posted message as the store keeps it. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Envelope, seal, unseal } from '../../../src/sock/durable/envelope.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

/** These facts, whatever they are, in front of two bytes. */
function sealed(facts: string): Uint8Array {
  const bytes = encode(facts)
  return Uint8Array.from([bytes.length >>> 8, bytes.length & 255, ...bytes, 7, 8])
}

const bad = { code: 'BAD_MESSAGE' }

describe('an envelope', () => {
  test('is the length of its facts, the facts, and the data', () => {
    const bytes = seal({ codec: 'json', done: 'durable', headers: undefined, data: encode('[1]') })
    const facts = '{"v":1,"codec":"json","done":"durable"}'
    assert.deepEqual(bytes, Uint8Array.from([0, facts.length, ...encode(facts), ...encode('[1]')]))
  })

  test('gives back what it was given', () => {
    const headers = { long: 'x'.repeat(1000), other: 'é' }
    const all: Envelope[] = [
      { codec: 'json', done: 'processed', headers: undefined, data: encode('{}') },
      { codec: 'json', done: 'durable', headers: undefined, data: encode('') },
      { codec: 'msgpack', done: 'durable', headers: undefined, data: encode('a') },
      { codec: '', done: 'processed', headers, data: encode('bytes') },
      { codec: '', done: 'processed', headers: {}, data: encode('bytes') },
      { codec: 'json', done: 'processed', headers: undefined, data: encode('again') },
    ]
    for (const one of all) assert.deepEqual(unseal(seal(one)), one)
  })

  test('that no sock has sealed is refused', () => {
    const good = unseal(sealed('{"v":1,"codec":"c","done":"durable"}'))
    assert.deepEqual([good.codec, good.done, [...good.data]], ['c', 'durable', [7, 8]])
    for (const facts of ['', '{', '{"v":1,"codec":"c"'])
      assert.throws(() => unseal(sealed(facts)), { ...bad, message: /a record that no sock posted/ })
    assert.throws(
      () => unseal(sealed('{')),
      ({ cause }: Error) => cause instanceof SyntaxError,
    )
    for (const bytes of [[], [0], [0, 2, 0x7b]])
      assert.throws(() => unseal(Uint8Array.from(bytes)), { ...bad, message: /no sock posted/ })
    for (const facts of [
      '{"v":2,"codec":"c","done":"durable"}',
      '{"codec":"c","done":"durable"}',
      '{"v":1,"codec":7,"done":"durable"}',
      '{"v":1,"codec":"c"}',
      '{"v":1,"codec":"c","done":"received"}',
    ])
      assert.throws(() => unseal(sealed(facts)), { ...bad, message: /a record of version/ })
  })
})

/** msgpack(): the golden bytes of spec/vectors/msgpack.json. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { msgpack } from '../../../src/wire/msgpack/msgpack.ts'
import { codeOf, toHex } from '../bytes.ts'
import { readMsgpack } from './reference.ts'
import { bad, cases, good, octets } from './vectors.ts'

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

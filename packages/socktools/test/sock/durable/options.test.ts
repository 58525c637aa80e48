import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { durableSettings } from '../../../src/sock/durable/options.ts'

const none = (): undefined => undefined
const inbox = { cursor: () => 0, advance: none }
const store = { ...inbox, append: none, pending: none, settle: none, on: none } as never
const DEFAULTS = { maxBytes: 1024 * 1024, maxCount: 1024, undeliverable: 'hold' }

const refused = (options: object, message: RegExp, wire: 'plain' | 'v1' | 'auto' = 'v1'): void =>
  assert.throws(() => durableSettings(options, wire), { code: 'BAD_OPTION', message })

describe('what is durable of a sock', () => {
  test('has defaults, also where one is undefined', () => {
    const bare = { store: undefined, inbox: undefined, nameOf: undefined, outbox: DEFAULTS }
    assert.deepEqual(durableSettings({}, 'plain'), bare)
    const outbox = { maxBytes: undefined, maxCount: undefined, undeliverable: undefined }
    assert.deepEqual(durableSettings({ outbox } as never, 'v1'), bare)
  })

  test('is taken as it is given', () => {
    const outbox = { maxBytes: 1, maxCount: 1, undeliverable: 'drop' } as const
    const given = { store, inbox, nameOf: none, outbox }
    for (const wire of ['v1', 'auto'] as const) assert.deepEqual(durableSettings(given, wire), given)
  })

  test('needs wire v1', () => {
    for (const one of [{ store }, { inbox }, { nameOf: none }]) refused(one, /need wire v1/, 'plain')
  })

  test('is what it is taken for', () => {
    for (const name of ['append', 'pending', 'settle', 'cursor', 'advance', 'on'])
      refused({ store: { ...(store as object), [name]: undefined } }, /store/)
    refused({ store: null }, /store/)
    for (const name of ['cursor', 'advance']) refused({ inbox: { ...inbox, [name]: 7 } }, /inbox/)
    refused({ store, nameOf: 'anna' }, /nameOf must be a function/)
    refused({ inbox, nameOf: none }, /nameOf says where .* it needs one/)
    for (const outbox of [null, 7, 'x']) refused({ outbox }, /outbox takes an object/)
    refused({ outbox: { most: 1 } }, /outbox has no "most"/)
    for (const value of [0, -1, 1.5, NaN, Infinity, '1', null]) {
      refused({ outbox: { maxBytes: value } }, /outbox.maxBytes is a whole number from 1 on/)
      refused({ outbox: { maxCount: value } }, /outbox.maxCount is/)
    }
    for (const undeliverable of ['', 'keep', null]) refused({ outbox: { undeliverable } }, /'hold' or 'drop'/)
  })
})

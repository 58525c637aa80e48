import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type StoreOptions, storeSettings } from '../../src/store/options.ts'

const MIB = 1024 * 1024
const refused = (options: object): void =>
  assert.throws(() => storeSettings(options), { code: 'BAD_OPTION' }, JSON.stringify(options))

describe('the options of a store', () => {
  test('have defaults, also where one is undefined', () => {
    const want = { maxBytes: 1024 * MIB, maxAge: Infinity, whenFull: 'reject', segmentBytes: 16 * MIB }
    assert.deepEqual(storeSettings({}), want)
    const none = { maxBytes: undefined, maxAge: undefined, whenFull: undefined, segmentBytes: undefined }
    assert.deepEqual(storeSettings(none as unknown as StoreOptions), want)
  })

  test('are taken at their bounds, and not beyond', () => {
    const least: StoreOptions = { maxBytes: 4096, maxAge: 0.5, whenFull: 'expire', segmentBytes: 16 * 1024 }
    assert.deepEqual(storeSettings(least), least)
    const most = { maxBytes: Number.MAX_SAFE_INTEGER, maxAge: 1e300, segmentBytes: 1024 * MIB }
    assert.deepEqual(storeSettings({ ...most, whenFull: 'reject' }), { ...most, whenFull: 'reject' })
    refused({ maxBytes: 4095 })
    refused({ maxBytes: 2 ** 53 })
    refused({ segmentBytes: 16 * 1024 - 1 })
    refused({ segmentBytes: 1024 * MIB + 1 })
    refused({ maxAge: 0 })
    refused({ maxAge: -1 })
  })

  test('are of their kind', () => {
    for (const maxBytes of ['5000', 5000.5, NaN, Infinity, null, 5000n]) {
      assert.throws(() => storeSettings({ maxBytes } as never), { code: 'BAD_OPTION' })
      assert.throws(() => storeSettings({ segmentBytes: maxBytes } as never), { code: 'BAD_OPTION' })
    }
    for (const maxAge of ['5000', NaN, null, true]) refused({ maxAge })
    for (const whenFull of ['', 'drop', 'rejec', null, true]) refused({ whenFull })
    refused({ maxbytes: 5000 })
    assert.throws(() => storeSettings({ maxbytes: 1 } as never), /a store has no "maxbytes"/)
    assert.throws(() => storeSettings({ maxBytes: 1 }), /maxBytes is/)
    assert.throws(() => storeSettings({ segmentBytes: 1 }), /segmentBytes is/)
  })
})

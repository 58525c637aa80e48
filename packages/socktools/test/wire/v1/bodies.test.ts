import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  decodeCredit,
  decodeDone,
  decodeFault,
  decodeGoaway,
  decodeGoodbye,
  decodePing,
  decodePrefix,
  decodeTable,
  encodeCredit,
  encodeDone,
  encodeFault,
  encodeGoaway,
  encodeGoodbye,
  encodePing,
  encodePrefix,
  encodeTable,
  MAX_CREDITS,
  MAX_TEXT,
  MAX_TYPES,
  prefixFlags,
} from '../../../src/wire/v1/bodies.ts'
import { HEADER, MAX_CHUNK, MAX_U53 } from '../../../src/wire/v1/frame.ts'
import { codeOf, join } from '../bytes.ts'

/** As it arrives. */
const behind = (...body: Uint8Array[]): Uint8Array => join([new Uint8Array(HEADER).fill(0xff), ...body])

const text = fc.string({ unit: 'grapheme' })
const code = fc.stringMatching(/^[A-Z0-9_]{1,40}$/)
const orNone = fc.oneof(code, fc.constant(''))
const u32 = fc.nat(2 ** 32 - 1)
const eight = fc.uint8Array({ minLength: 8, maxLength: 8 })
const bytes = fc.uint8Array()

describe('what is written is what is read', () => {
  test('prefix', () => {
    const key = fc.stringMatching(/^[a-z0-9-]{1,20}$/)
    const headers = fc.option(fc.dictionary(key, text, { noNullPrototype: false }), { nil: undefined })
    fc.assert(
      fc.property(fc.option(u32, { nil: undefined }), headers, bytes, (deadline, slot, data) => {
        const payload = behind(encodePrefix(deadline, slot), data)
        const prefix = decodePrefix(payload, prefixFlags(deadline, slot))
        assert.equal(prefix.deadline, deadline)
        assert.deepEqual(
          prefix.headers === undefined ? undefined : new Map(Object.entries(prefix.headers)),
          slot === undefined ? undefined : new Map(Object.entries(slot)),
        )
        assert.deepEqual(payload.subarray(prefix.at), data)
      }),
      { numRuns: 1000 },
    )
  })

  test('ERROR and RESET', () => {
    fc.assert(
      fc.property(code, text, bytes, (code, text, data) => {
        assert.deepEqual(decodeFault(behind(encodeFault(code, text, data))), { code, text, data })
      }),
    )
  })

  test('DONE, GOAWAY, GOODBYE, PING', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: MAX_U53 }), u32, orNone, eight, (seq, n, code, nonce) => {
        assert.deepEqual(decodeDone(behind(encodeDone({ seq, code }))), { seq, code })
        assert.deepEqual(decodeGoaway(behind(encodeGoaway({ delay: n, code }))), { delay: n, code })
        assert.equal(decodeGoodbye(behind(encodeGoodbye(code))), code)
        assert.deepEqual(decodePing(behind(encodePing({ ttl: n, nonce }))), { ttl: n, nonce })
      }),
    )
  })

  test('CREDIT', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(u32, fc.maxSafeNat()), { minLength: 1 }), (credits) => {
        assert.deepEqual(decodeCredit(behind(encodeCredit(credits))), credits)
      }),
    )
    const most = Array.from({ length: MAX_CREDITS }, (_, lane) => [lane, MAX_U53 - lane] as const)
    const body = encodeCredit(most)
    assert.ok(body.length <= MAX_CHUNK && body.length + 12 > MAX_CHUNK)
    assert.deepEqual(decodeCredit(behind(body)), most)
  })

  test('TABLE', () => {
    const kind = fc.constantFrom('msg', 'call', 'feed', 'channel')
    const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
    const entry = fc.record({ kind, name, hash: eight }, { noNullPrototype: true })
    fc.assert(
      fc.property(fc.uniqueArray(entry, { selector: ({ name }) => name }), (entries) => {
        entries.sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)))
        assert.deepEqual(decodeTable(behind(encodeTable(entries))), entries)
      }),
    )
  })

  test('the longest TABLE', () => {
    const names = Array.from({ length: MAX_TYPES }, (_, i) => String(i).padStart(255, '0'))
    const entries = names.map((name) => ({ kind: 'msg' as const, name, hash: new Uint8Array(8) }))
    const body = encodeTable(entries)
    assert.equal(body.length, 2 + MAX_TYPES * (1 + 1 + 255 + 8))
    assert.equal(decodeTable(behind(body)).length, MAX_TYPES)
    const more = encodeTable([...entries, { ...entries[0]!, name: 'one more' }])
    assert.equal(
      codeOf(() => decodeTable(behind(more))),
      'PROTOCOL_ERROR',
    )
  })
})

describe('a header slot', () => {
  const slotOf = (...pairs: [key: string, text: string][]): Uint8Array => {
    const parts = pairs.flatMap(([key, text]) => [
      Uint8Array.of(key.length),
      Buffer.from(key),
      Uint8Array.of(text.length >> 8, text.length),
      Buffer.from(text),
    ])
    const size = parts.reduce((sum, { length }) => sum + length, 0)
    return behind(Uint8Array.of(size >> 8, size), ...parts)
  }

  test('has no prototype and cannot be changed, whatever its keys are called', () => {
    const { headers } = decodePrefix(slotOf(['constructor', 'a'], ['trace', 'b']), 2)
    assert.equal(Object.getPrototypeOf(headers), null)
    assert.ok(Object.isFrozen(headers))
    assert.deepEqual(Object.entries(headers!), [
      ['constructor', 'a'],
      ['trace', 'b'],
    ])
    assert.equal(
      codeOf(() => decodePrefix(slotOf(['__proto__', 'evil']), 2)),
      'PROTOCOL_ERROR',
    )
    assert.equal(({} as Record<string, unknown>)['evil'], undefined)
  })

  const refused: [what: string, headers: Record<string, unknown>][] = [
    ['a name with an upper case letter', { Trace: 'x' }],
    ['an empty name', { '': 'x' }],
    ['a name of 256 characters', { ['a'.repeat(256)]: 'x' }],
    ['a name with a line end', { 'a\n': 'x' }],
    ['a number', { a: 1 }],
    ['undefined', { a: undefined }],
    ['half a surrogate pair', { a: '\ud800' }],
    ['more than 8 KiB', { a: 'x'.repeat(8189) }],
    ['more than 8 KiB in all', { a: 'x'.repeat(4100), b: 'x'.repeat(4100) }],
    ['more than 8 KiB in bytes', { a: 'é'.repeat(4100) }],
    ['text of megabytes', { a: 'x'.repeat(2 ** 24) }],
  ]
  for (const [what, headers] of refused) {
    test(`${what} is BAD_OPTION before anything is sent`, () =>
      assert.equal(
        codeOf(() => encodePrefix(undefined, headers as any)),
        'BAD_OPTION',
      ))
  }

  test('8 KiB are taken, and not a byte more', () => {
    const headers = { a: 'x'.repeat(8188) }
    const payload = behind(encodePrefix(undefined, headers))
    assert.deepEqual({ ...decodePrefix(payload, 2).headers }, headers)
    assert.equal(
      codeOf(() => decodePrefix(slotOf(['a', 'x'.repeat(8189)]), 2)),
      'PROTOCOL_ERROR',
    )
  })
})

describe('a deadline', () => {
  test('is cut to whole milliseconds, and to what 32 bits hold', () => {
    assert.equal(decodePrefix(behind(encodePrefix(1.9)), 4).deadline, 1)
    assert.equal(decodePrefix(behind(encodePrefix(1e12)), 4).deadline, 2 ** 32 - 1)
    assert.equal(decodePrefix(behind(encodePrefix(Infinity)), 4).deadline, 2 ** 32 - 1)
  })

  test('that is cut off is PROTOCOL_ERROR, with headers or without', () => {
    for (const flags of [4, 6])
      for (let n = 0; n < 4; n++)
        assert.equal(
          codeOf(() => decodePrefix(behind(new Uint8Array(n)), flags)),
          'PROTOCOL_ERROR',
        )
  })

  test('that is none is BAD_OPTION', () => {
    for (const deadline of [-1, NaN])
      assert.equal(
        codeOf(() => encodePrefix(deadline)),
        'BAD_OPTION',
      )
  })
})

describe('a fault', () => {
  test('has its text cut between two characters', () => {
    const { text } = decodeFault(behind(encodeFault('A', `x${'😀'.repeat(300)}`)))
    assert.equal(text, `x${'😀'.repeat(255)}`)
    assert.equal(decodeFault(behind(encodeFault('A', 'x'.repeat(MAX_TEXT + 1)))).text.length, MAX_TEXT)
    // Half a surrogate pair has no form in UTF-8.
    assert.equal(decodeFault(behind(encodeFault('A', '\ud800'))).text, '\ufffd')
  })

  test('with a code that is none is BAD_OPTION', () => {
    for (const code of ['', 'a', 'A B', 'A\n', 'A'.repeat(256)])
      assert.equal(
        codeOf(() => encodeFault(code, '')),
        'BAD_OPTION',
      )
    assert.equal(
      codeOf(() => encodeGoodbye('no')),
      'BAD_OPTION',
    )
  })

  test('what the far side wrote is escaped in the error about it', () => {
    const body = behind(Uint8Array.of(4), Buffer.from('A\x1b[2'))
    assert.throws(
      () => decodeFault(body),
      (error: any) => error.code === 'PROTOCOL_ERROR' && !/\p{Cc}/u.test(error.message),
    )
  })
})

test('bytes that are handed out are views of the payload', () => {
  const fault = behind(encodeFault('A', '', Uint8Array.of(1, 2)))
  assert.equal(decodeFault(fault).data.buffer, fault.buffer)
  const ping = behind(encodePing({ ttl: 1, nonce: new Uint8Array(8) }))
  assert.equal(decodePing(ping).nonce.buffer, ping.buffer)
})

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { SockError } from '../../../src/errors.ts'
import {
  decodeHello,
  decodeWelcome,
  encodeHello,
  encodeWelcome,
  isMagic,
  MAGIC,
  mayBeHello,
} from '../../../src/wire/v1/hello-bytes.ts'
import {
  agreedFeatures,
  type Hello,
  judgeWelcome,
  MAX_HELLO,
  MIN_WINDOW,
  negotiate,
  type Offer,
  rejection,
  tooSlow,
  VERSIONS,
  type Versions,
} from '../../../src/wire/v1/hello.ts'
import { codeOf, hex, latin1 } from '../bytes.ts'

const u32 = fc.nat(2 ** 32 - 1)
const window = fc.integer({ min: MIN_WINDOW, max: 2 ** 32 - 1 })
const sixteen = fc.uint8Array({ minLength: 16, maxLength: 16 })
const codec = fc.stringMatching(/^[!-~]{1,20}$/)
const plain = { noNullPrototype: true }
const offer = {
  features: fc.bigInt(0n, 2n ** 64n - 1n),
  maxMessage: u32,
  eventWindow: window,
  laneWindow: window,
  maxCalls: u32,
  maxStreams: u32,
  heartbeat: u32,
  ttl: u32,
  nodeId: fc.uint8Array({ minLength: 16, maxLength: 64 }),
  incarnation: sixteen,
  fingerprint: sixteen,
}
const session = { sessionId: sixteen, token: sixteen, lastRecv: fc.maxSafeNat() }
const codecs = fc.array(codec, { minLength: 1, maxLength: 5 })
const nothing = fc.constant(undefined)
const resume = fc.oneof(nothing, fc.record({ ...session, connGen: u32 }, plain))
const hello = fc
  .record({ ...offer, codecs, resume }, plain)
  .chain((rest) => fc.nat(254).map((above): Hello => ({ ...rest, low: 1, high: 1 + above })))
const accepted = fc
  .record(
    { ...offer, codec, version: fc.integer({ min: 1, max: 255 }), session: fc.record(session, plain) },
    plain,
  )
  .chain(({ codec, ...rest }) =>
    fc
      .constantFrom('new' as const, 'resumed' as const)
      .map((result) => ({ ...rest, codecs: [codec], result })),
  )
const code = fc.stringMatching(/^[A-Z0-9_]{1,40}$/)
const rejected = fc.record(
  {
    result: fc.constant('rejected' as const),
    version: fc.integer({ min: 1, max: 255 }),
    code,
    text: fc.string({ unit: 'grapheme', maxLength: 100 }),
    lastRecv: fc.maxSafeNat(),
    nodeId: fc.uint8Array({ minLength: 16, maxLength: 64 }),
  },
  { ...plain, requiredKeys: ['result', 'version', 'code', 'text'] },
)

const side: Offer = {
  features: 0n,
  maxMessage: 2 ** 24,
  eventWindow: 2 ** 20,
  laneWindow: 2 ** 18,
  maxCalls: 64,
  maxStreams: 256,
  heartbeat: 15_000,
  ttl: 45_000,
  nodeId: new Uint8Array(16).fill(1),
  incarnation: new Uint8Array(16).fill(2),
  fingerprint: new Uint8Array(16).fill(3),
  codecs: ['json'],
}

describe('what is written is what is read', () => {
  test('HELLO', () => {
    fc.assert(fc.property(hello, (one) => assert.deepEqual(decodeHello(encodeHello(one)), one)))
  })

  test('WELCOME', () => {
    fc.assert(fc.property(accepted, (one) => assert.deepEqual(decodeWelcome(encodeWelcome(one)), one)))
    fc.assert(fc.property(rejected, (one) => assert.deepEqual(decodeWelcome(encodeWelcome(one)), one)))
  })

  test('both begin with the magic, and stay within their bound', () => {
    const payload = encodeHello({ ...side, low: 1, high: 1 })
    assert.ok(isMagic(payload) && payload.length < MAX_HELLO)
    assert.ok(isMagic(payload.subarray(0, 16)))
    assert.ok(!isMagic(payload.subarray(0, 15)))
    assert.ok(!isMagic(latin1('["say","hello"] and more')))
    assert.ok(!isMagic(hex('')))
  })
})

test('what an acceptor chooses is judged right by the dialer, whoever they are', () => {
  const few = fc.uniqueArray(fc.constantFrom('json', 'msgpack', 'cbor'), { minLength: 1 })
  const range = fc.tuple(fc.nat(5), fc.nat(5)).map(([low, more]) => ({ low: low + 1, high: low + 1 + more }))
  fc.assert(
    fc.property(few, few, range, range, (theirs, ours, they, we) => {
      const hello = { ...side, ...they, codecs: theirs }
      const welcome = negotiate(hello, { ...side, ...we, codecs: ours })
      const versions = they.low <= we.high && we.low <= they.high
      const codec = theirs.find((name) => ours.includes(name))
      if (versions && codec !== undefined) {
        const judged = judgeWelcome(decodeWelcome(encodeWelcome(welcome)), hello)
        assert.deepEqual([judged.version, judged.codecs], [Math.min(they.high, we.high), [codec]])
      } else {
        const why = versions ? 'NO_COMMON_CODEC' : 'VERSION_MISMATCH'
        assert.equal(
          codeOf(() => judgeWelcome(decodeWelcome(encodeWelcome(welcome)), hello)),
          why,
        )
      }
    }),
    { numRuns: 1000 },
  )
})

test('what begins a stream may be a HELLO as long as its length and its magic may be', () => {
  const first = (length: number, ...behind: number[]): Uint8Array =>
    Uint8Array.of(length >>> 24, length >>> 16, length >>> 8, length, ...behind)
  for (const [length, may] of [
    [0, false],
    [MAGIC.length - 1, false],
    [MAGIC.length, true],
    [MAX_HELLO, true],
    [MAX_HELLO + 1, false],
    [2 ** 32 - 1, false],
  ] as const)
    assert.equal(mayBeHello(first(length)), may, `${length} bytes`)
  const whole = first(200, ...MAGIC, 1, 1, 1)
  for (let n = 0; n <= whole.length; n++) assert.ok(mayBeHello(whole.subarray(0, n)), `its first ${n} bytes`)
  for (let at = 4; at < 4 + MAGIC.length; at++) {
    const other = whole.with(at, whole[at]! ^ 1)
    assert.ok(mayBeHello(other.subarray(0, at)) && !mayBeHello(other.subarray(0, at + 1)))
    assert.ok(!mayBeHello(other), `another byte at ${at}`)
  }
})

describe('what is refused', () => {
  test('names what both sides have', () => {
    const hello = { ...side, low: 2, high: 3, codecs: ['cbor', 'bson'] }
    const one = negotiate(hello, side)
    assert.deepEqual(one, {
      result: 'rejected',
      version: VERSIONS.high,
      code: 'VERSION_MISMATCH',
      text: 'the dialer speaks version 2 to 3, the acceptor 1',
    })
    const other = negotiate({ ...hello, low: 1 }, side)
    assert.equal(other.result === 'rejected' && other.text, 'the dialer takes cbor, bson, the acceptor json')
  })

  test('reaches the dialer under its own code, one that is unknown as REFUSED', () => {
    const hello = { ...side, low: 1, high: 1 }
    const said = (code: string): string | undefined =>
      codeOf(() => judgeWelcome({ result: 'rejected', version: 1, code, text: 'no' }, hello))
    assert.equal(said('TOO_MANY_PEERS'), 'TOO_MANY_PEERS')
    assert.equal(said('TOMORROW'), 'REFUSED')
    assert.equal(said('toString'), 'REFUSED')
  })

  test('a HELLO of versions that all lie below or above ours, before its fields are read', () => {
    const mismatch = (low: number, high: number, ours: Versions): string | undefined => {
      const payload = encodeHello({ ...side, low, high }).slice(0, MAGIC.length + 3)
      try {
        decodeHello(payload, ours)
      } catch (error) {
        return (error as SockError).code === 'VERSION_MISMATCH' ? (error as SockError).what : undefined
      }
      return undefined
    }
    const ours = { low: 3, high: 4 }
    assert.equal(mismatch(1, 2, ours), 'the dialer speaks version 1 to 2, the acceptor 3 to 4')
    assert.equal(mismatch(5, 5, ours), 'the dialer speaks version 5, the acceptor 3 to 4')
    assert.equal(mismatch(1, 3, ours), undefined)
    assert.equal(mismatch(4, 5, ours), undefined)
  })

  test('says what the acceptor still knows of the dialer, if anything', () => {
    const error = new SockError('BAD_HELLO', 'no')
    const bare = { result: 'rejected', version: VERSIONS.high, code: 'BAD_HELLO', text: 'no' }
    const nodeId = new Uint8Array(16)
    assert.deepEqual(rejection(error), bare)
    assert.deepEqual(rejection(error, 7), { ...bare, version: 7 })
    assert.deepEqual(rejection(error, 1, { lastRecv: 0 }), { ...bare, lastRecv: 0 })
    assert.deepEqual(rejection(error, 1, { nodeId }), { ...bare, nodeId })
  })

  test('a text that is too long for a WELCOME is cut', () => {
    const welcome = rejection(new SockError('BAD_HELLO', 'x'.repeat(5000)))
    const payload = encodeWelcome({ ...welcome, text: 'é'.repeat(5000) })
    assert.ok(payload.length < MAX_HELLO)
    const got = decodeWelcome(payload)
    assert.equal(got.result === 'rejected' && got.text, 'é'.repeat(512))
  })

  test('whoever waits in vain is told for what', () => {
    const error = tooSlow('WELCOME', 10_000, 'tcp://127.0.0.1:1')
    assert.deepEqual(
      [error.code, error.what, error.address],
      ['HANDSHAKE_TIMEOUT', 'no WELCOME within 10000 ms', 'tcp://127.0.0.1:1'],
    )
  })
})

test('features are those of both', () => {
  assert.equal(agreedFeatures(0b1100n, 0b1010n | (1n << 63n)), 0b1000n)
})

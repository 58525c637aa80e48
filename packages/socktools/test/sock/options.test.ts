import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DEFAULT_BACKOFF } from '../../src/sock/backoff.ts'
import { DEFAULTS, settle } from '../../src/sock/options.ts'
import { json } from '../../src/wire/codec.ts'
import { lengthPrefixed } from '../../src/wire/length-prefixed.ts'
import { lines } from '../../src/wire/lines.ts'
import { codeOf } from '../wire/bytes.ts'

/** As a caller without types. */
const untyped = settle as (options: unknown) => ReturnType<typeof settle>

const TIMES = ['timeout', 'tickInterval', 'connectTimeout', 'gateTimeout', 'frameGrace']
const MAY_BE_ZERO = [
  ...['timeout', 'frameRate', 'maxFrame', 'highWaterMark', 'maxQueue', 'readMark'],
  ...['callTimeout', 'heartbeat', 'stallTimeout', 'maxCalls', 'maxStreams'],
]

describe('defaults', () => {
  test('no option at all is complete: the plain wire, raw messages', () => {
    const settings = settle({})
    for (const [name, value] of Object.entries(DEFAULTS))
      assert.equal(settings[name as keyof typeof DEFAULTS], value)
    assert.deepEqual([settings.framing.name, settings.codec.name], ['lengthPrefixed', 'raw'])
    assert.deepEqual([settings.connect, settings.backoff], [[], DEFAULT_BACKOFF])
  })

  test('an option that is undefined is one that is not there', () => {
    const nothing = Object.fromEntries(Object.keys(DEFAULTS).map((name) => [name, undefined]))
    assert.equal(untyped({ ...nothing, framing: undefined, backoff: undefined }).maxFrame, DEFAULTS.maxFrame)
  })

  test('what is given is kept, frozen, and the object that was passed is not', () => {
    const given = { timeout: 7, connect: 'memory:a', backoff: { first: 5 } }
    const settings = settle(given)
    assert.deepEqual([settings.timeout, settings.connect], [7, ['memory:a']])
    assert.deepEqual(settings.backoff, { ...DEFAULT_BACKOFF, first: 5 })
    assert.equal(Object.isFrozen(settings), true)
    assert.equal(Object.isFrozen(given), false)
  })

  test('maxFrame is held to what the framing can carry', () => {
    assert.equal(settle({ framing: lines() }).maxFrame, 65_536)
    assert.equal(settle({ framing: lines(), maxFrame: 100 }).maxFrame, 100)
  })
})

describe('what is wrong is BAD_OPTION, and the error names it', () => {
  const bad: [name: string, value: unknown][] = [
    ...Object.keys(DEFAULTS).flatMap((name) =>
      [-1, NaN, '1', {}, true, 10n].map((value): [string, unknown] => [name, value]),
    ),
    ...Object.keys(DEFAULTS)
      .filter((name) => !MAY_BE_ZERO.includes(name))
      .map((name): [string, unknown] => [name, 0]),
    // A system timer counts no further, and fires at once beyond it.
    ...TIMES.flatMap((name) => [2 ** 31, Infinity].map((value): [string, unknown] => [name, value])),
    ...['tick', 'goodAddress', 'goodPeer'].flatMap((name) =>
      [true, {}, 'x'].map((v): [string, unknown] => [name, v]),
    ),
    ['slowPeer', 'ignore'],
    ['slowPeer', true],
    ['bind', 4000],
    ['bind', new URL('memory:a')],
    ['connect', 4000],
    ['connect', [4000]],
    ['connect', {}],
    ['handlers', 7],
    ['handlers', () => undefined],
    ['handlers', { say: 'hello' }],
    ['codec', 'json'],
    ['codec', {}],
    ['codec', json],
    ['codec', { decode: () => undefined }],
    ['framing', 'lines'],
    ['framing', {}],
    ['framing', lengthPrefixed],
    ['framing', { ...lengthPrefixed(), write: undefined }],
    ['logger', 'console'],
    ['logger', { warn: 'yes' }],
    ['backoff', 100],
    ['backoff', { first: -1 }],
    ['backoff', { first: 'soon' }],
    ['backoff', { max: 2 ** 31 }],
    ['backoff', { max: NaN }],
    ['backoff', { healthy: -1 }],
    ['backoff', { frist: 100 }],
  ]
  const show = (value: unknown): string =>
    typeof value === 'function'
      ? 'a function'
      : typeof value === 'bigint'
        ? '10n'
        : value instanceof URL
          ? 'a URL'
          : JSON.stringify(value)
  for (const [name, value] of bad) {
    test(`${name}: ${typeof value === 'number' ? value : show(value)}`, () => {
      assert.throws(
        () => untyped({ [name]: value }),
        (error: any) => {
          assert.equal(error.code, 'BAD_OPTION', error)
          assert.ok((error.message as string).includes(name === 'handlers' ? 'handler' : name), error.message)
          return true
        },
      )
    })
  }

  test('an option that does not exist', () => {
    for (const name of ['bnid', 'Bind', '__proto__', 'constructor', 'no_async']) {
      const options = JSON.parse(`{ ${JSON.stringify(name)}: 1 }`) as object
      assert.throws(
        () => untyped(options),
        (error: any) => error.code === 'BAD_OPTION' && error.message.includes(name),
      )
    }
  })

  test('no options, or something else', () => {
    for (const options of [null, undefined, 7, 'tcp://127.0.0.1:1'])
      assert.equal(
        codeOf(() => untyped(options)),
        'BAD_OPTION',
      )
  })

  test('a maxFrame that the framing cannot carry', () => {
    assert.equal(
      codeOf(() => settle({ framing: lines({ max: 100 }), maxFrame: 101 })),
      'BAD_OPTION',
    )
    assert.equal(
      codeOf(() => settle({ maxFrame: 2 ** 32 })),
      'BAD_OPTION',
    )
  })
})

describe('what is unusual, and fine', () => {
  for (const name of MAY_BE_ZERO)
    test(`${name}: 0`, () => assert.equal((untyped({ [name]: 0 }) as any)[name], 0))

  test('no limit on peers, pending ones, rates and queues', () => {
    const open = {
      maxPeers: Infinity,
      maxPending: Infinity,
      maxPendingPerHost: Infinity,
      maxConnectRate: Infinity,
    }
    untyped({
      ...open,
      highWaterMark: Infinity,
      maxQueue: Infinity,
      readMark: Infinity,
      concurrency: Infinity,
    })
  })

  test('the longest times', () => {
    for (const name of TIMES) untyped({ [name]: 2 ** 31 - 1 })
  })

  test('a logger that takes some levels, handlers without a prototype, a class for a codec', () => {
    class Mine {
      readonly name = 'mine'
      encode = (): Uint8Array => new Uint8Array(0)
      decode(): { type: number; data: unknown } {
        return { type: 0, data: this }
      }
    }
    const handlers = Object.assign(Object.create(null) as object, { say: () => undefined })
    untyped({ logger: { warn: () => undefined }, handlers, codec: new Mine() })
    untyped({ logger: console })
  })
})

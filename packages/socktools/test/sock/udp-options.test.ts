import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { json, lengthPrefixed, UdpSock, type UdpSockOptions } from '../../src/index.ts'
import { DATAGRAM_DEFAULTS, settleDatagrams } from '../../src/sock/datagram-options.ts'
import { DEFAULTS } from '../../src/sock/options.ts'
import { coded } from '../support/coded.ts'

/** As a caller without types. */
const untyped = settleDatagrams as (options: unknown) => ReturnType<typeof settleDatagrams>

describe('options of UdpSock', () => {
  test('the defaults are those of every sock, but for three', () => {
    for (const [name, value] of Object.entries({ ...DEFAULTS, ...DATAGRAM_DEFAULTS }))
      assert.equal((settleDatagrams({}) as any)[name], value, name)
    const { timeout, maxFrame, maxPeers } = untyped({ timeout: undefined })
    assert.deepEqual([timeout, maxFrame, maxPeers], [30_000, 1_472, 1_024])
    const { reuseAddr, broadcast, multicast } = settleDatagrams({})
    assert.deepEqual([reuseAddr, broadcast, multicast], [false, false, {}])
  })

  test('maxFrame is at most what a datagram carries', () => {
    assert.equal(settleDatagrams({ maxFrame: 65_507 }).maxFrame, 65_507)
    assert.throws(() => settleDatagrams({ maxFrame: 65_508 }), coded('BAD_OPTION', /65507 bytes/))
  })

  test('what a datagram makes no use of is BAD_OPTION, and says why', () => {
    assert.throws(
      () => untyped({ framing: lengthPrefixed() }),
      coded('BAD_OPTION', /one datagram is one message/),
    )
    assert.throws(() => untyped({ frameGrace: 1 }), coded('BAD_OPTION', /no frameGrace/))
    assert.throws(() => untyped({ frameRate: 1 }), coded('BAD_OPTION', /no frameRate/))
    assert.throws(() => untyped({ slowPeer: 'close' }), coded('BAD_OPTION', /slowPeer is 'reject' or 'drop'/))
    untyped({ framing: undefined })
  })

  test('and TypeScript does not know it', () => {
    const options: UdpSockOptions = {}
    // @ts-expect-error a datagram needs no framing
    assert.equal(options.framing, undefined)
    // @ts-expect-error no frameGrace
    assert.equal(options.frameGrace, undefined)
    // @ts-expect-error no frameRate
    assert.equal(options.frameRate, undefined)
    // @ts-expect-error the queue is no one peer's
    assert.throws(() => new UdpSock({ slowPeer: 'close' }), { code: 'BAD_OPTION' })
  })

  const bad: [name: string, value: unknown][] = [
    ['reuseAddr', 1],
    ['reuseAddr', null],
    ['broadcast', 'yes'],
    ['multicast', true],
    ['multicast', null],
    ['multicast', { group: 'udp://239.1.2.3' }],
    ['multicast', { groups: 'udp://239.1.2.3' }],
    ['multicast', { groups: [7] }],
    ['multicast', { interface: 7 }],
    ['multicast', { ttl: 256 }],
    ['multicast', { ttl: -1 }],
    ['multicast', { ttl: 1.5 }],
    ['multicast', { ttl: '1' }],
    ['multicast', { loopback: 0 }],
    ['timeout', -1],
    ['maxPeers', 0],
    ['slowPeer', 'ignore'],
    ['bind', 4000],
    ['sock', {}],
    ['constructor', 1],
  ]
  for (const [name, value] of bad) {
    test(`${name}: ${JSON.stringify(value)}`, () => {
      assert.throws(() => untyped({ [name]: value }), coded('BAD_OPTION', new RegExp(name)))
    })
  }

  test('no options, or something else', () => {
    for (const options of [null, 7, 'udp://127.0.0.1:1'])
      assert.throws(() => untyped(options), { code: 'BAD_OPTION' })
  })

  test('what is given is kept', () => {
    const given: UdpSockOptions<ReturnType<typeof json>> = {
      codec: json(),
      reuseAddr: true,
      broadcast: true,
      multicast: { groups: ['udp://239.1.2.3'], interface: '127.0.0.1', ttl: 0, loopback: false },
    }
    const { codec, reuseAddr, broadcast, multicast } = settleDatagrams(given)
    assert.deepEqual([codec.name, reuseAddr, broadcast, multicast], ['json', true, true, given.multicast])
  })
})

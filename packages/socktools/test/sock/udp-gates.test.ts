/** Who may become a peer, and what waits while that is asked, on the simulated network. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Candidate } from '../../src/index.ts'
import { all, Arrivals, signal } from '../support/events.ts'
import { simulateUdp } from '../support/udp-world.ts'

const HERE = 'udp://127.0.0.1:4000'

describe('the gates', () => {
  test('goodPeer is asked once about each, for those we dial too', () =>
    simulateUdp(async (world) => {
      const asked: Candidate[] = []
      const server = await world.open({ bind: HERE, goodPeer: (who) => asked.push(who) > 0 })
      for (let i = 0; i < 3; i++) world.forge(HERE, '10.0.0.1', 9)
      await server.connectTo('udp://10.0.0.2:9')
      world.forge(HERE, '10.0.0.2', 9)
      assert.deepEqual(asked, [
        { address: 'udp://10.0.0.1:9', host: '10.0.0.1', dialed: false },
        { address: 'udp://10.0.0.2:9', host: '10.0.0.2', dialed: true },
      ])
    }))

  test('what comes while it is asked waits, and is handled in its order', () =>
    simulateUdp(async (world) => {
      const [got, answer] = [new Arrivals(), signal<boolean>()]
      const server = await world.open({
        bind: HERE,
        goodPeer: () => answer.promise,
        handlers: { 0: got.push },
      })
      for (const text of ['1', '2', '3']) world.forge(HERE, '10.0.0.1', 9, text)
      await world.sleep(1_000)
      assert.deepEqual([server.knownPeers, server.stats().pending, got.list], [[], 1, []])
      answer.give(true)
      await world.quiet()
      world.forge(HERE, '10.0.0.1', 9, '4')
      assert.deepEqual([got.list, server.stats().pending], [['1', '2', '3', '4'], 0])
    }))

  test('so much waits and no more: the rest is dropped as `behind`, and counted', () =>
    simulateUdp(async (world) => {
      const [got, answer] = [new Arrivals(), signal<boolean>()]
      const server = await world.open({
        bind: HERE,
        maxFrame: 65_507,
        goodPeer: () => answer.promise,
        handlers: { 0: got.push },
      })
      const dropped = all(server, 'dropped')
      for (let i = 0; i < 20; i++) world.forge(HERE, '10.0.0.1', 9, String(i))
      for (const n of [60_000, 5_536, 1]) world.forge(HERE, '10.0.0.2', 9, 'x'.repeat(n))
      await world.quiet()
      assert.deepEqual(dropped, [{ peer: undefined, reason: 'behind', messages: 5, bytes: 9 }])
      answer.give(true)
      await world.quiet()
      assert.equal(got.list.length, 18)
      assert.deepEqual(
        got.list.slice(0, 16),
        Array.from({ length: 16 }, (_, i) => String(i)),
      )
      assert.deepEqual(server.stats().dropped, { behind: 5 })
    }))

  for (const [answer, goodPeer, code] of [
    ['no', () => false, 'REFUSED'],
    ['no, later', async () => false, 'REFUSED'],
    ['something that is not `true`', () => 1, 'REFUSED'],
    ['never', () => new Promise(() => undefined), 'GATE_TIMEOUT'],
    [
      'by throwing',
      () => {
        throw new Error('broken')
      },
      'REFUSED',
    ],
  ] as [string, () => boolean, string][]) {
    test(`a gate that answers ${answer}: ${code}, what waited is dropped as \`refused\`, and a dial rejects`, () =>
      simulateUdp(async (world) => {
        const server = await world.open({ bind: HERE, goodPeer, gateTimeout: 3_000 })
        const [refused, dropped, faults] = [
          all(server, 'refused'),
          all(server, 'dropped'),
          all(server, 'fault'),
        ]
        world.forge(HERE, '10.0.0.1', 9)
        world.forge(HERE, '10.0.0.1', 9)
        await world.sleep(3_200)
        assert.deepEqual(
          refused.map(({ address, dialed, error }) => [address, dialed, error.code]),
          [['udp://10.0.0.1:9', false, code]],
        )
        assert.equal(
          dropped.reduce((sum, { messages }) => sum + messages, 0),
          2,
        )
        assert.deepEqual(server.stats().dropped, { refused: 2 })
        await assert.rejects(server.connectTo('udp://10.0.0.2:9'), { code })
        assert.deepEqual([server.knownPeers, server.stats().pending], [[], 0])
        assert.equal(faults.length, answer === 'by throwing' ? 3 : 0)
      }))
  }

  test('goodAddress is asked before, and not about those that we dial', () =>
    simulateUdp(async (world) => {
      const sock = await world.open({
        bind: HERE,
        goodAddress: ({ host }) => host === '10.0.0.1',
        goodPeer: () => true,
      })
      world.forge(HERE, '10.0.0.2', 9)
      world.forge(HERE, '10.0.0.1', 9)
      await sock.connectTo('udp://10.0.0.3:9')
      assert.deepEqual(
        sock.knownPeers.map(({ host }) => host),
        ['10.0.0.1', '10.0.0.3'],
      )
      assert.deepEqual(sock.stats().refused, { REFUSED: 1 })
    }))

  test('one that is dialed while it waits is let in by that, with what waited', () =>
    simulateUdp(async (world) => {
      const [got, answer] = [new Arrivals(), signal<boolean>()]
      const sock = await world.open({
        bind: HERE,
        goodPeer: ({ dialed }) => dialed || answer.promise,
        handlers: { 0: got.push },
      })
      world.forge(HERE, '10.0.0.1', 9, 'early')
      const peer = await sock.connectTo('udp://10.0.0.1:9')
      assert.deepEqual([got.list, sock.stats().pending, sock.knownPeers], [['early'], 0, [peer]])
      answer.give(false)
      await world.quiet()
      assert.deepEqual([sock.knownPeers, sock.stats().refused], [[peer], {}])
    }))

  test('a gate that closes the sock lets nobody in', () =>
    simulateUdp(async (world) => {
      const sock = await world.open({
        bind: HERE,
        goodPeer: () => {
          void sock.close()
          return true
        },
      })
      const came = all(sock, 'peer')
      world.forge(HERE, '10.0.0.1', 9)
      await world.quiet()
      assert.deepEqual([came, sock.knownPeers], [[], []])
      assert.deepEqual(sock.stats().dropped, { refused: 1 })
    }))

  for (const ending of ['close', 'drain'] as const) {
    test(`a gate that calls ${ending} and never answers: whoever waits is given up at once, and counted`, () =>
      simulateUdp(async (world) => {
        const server = await world.open({
          bind: HERE,
          goodPeer: () => {
            void server[ending]()
            return new Promise(() => undefined)
          },
        })
        const [refused, dropped] = [all(server, 'refused'), all(server, 'dropped')]
        world.forge(HERE, '10.0.0.1', 9, 'abc')
        assert.equal(server.stats().pending, 0)
        await world.quiet()
        assert.deepEqual(
          refused.map(({ error }) => error.code),
          ['CLOSED'],
        )
        assert.deepEqual(dropped, [{ peer: undefined, reason: 'refused', messages: 1, bytes: 3 }])
        assert.deepEqual(server.stats().dropped, { refused: 1 })
      }))

    test(`so is a dial that waits for a gate that calls ${ending}`, () =>
      simulateUdp(async (world) => {
        const sock = await world.open({
          goodPeer: () => {
            void sock[ending]()
            return new Promise(() => undefined)
          },
        })
        const dial = sock.connectTo(HERE)
        assert.equal(await world.stateOf(dial), 'CLOSED')
        assert.deepEqual([sock.stats().pending, sock.stats().refused], [0, { CLOSED: 1 }])
      }))
  }

  test('a dial that is given up at the gate is told as what it is, in `refused` too', () =>
    simulateUdp(async (world) => {
      const sock = await world.open({ goodPeer: () => new Promise(() => undefined) })
      const refused = all(sock, 'refused')
      await assert.rejects(sock.connectTo(HERE, { timeout: 50 }), { code: 'CONNECT_TIMEOUT' })
      const aborter = new AbortController()
      const dial = sock.connectTo(HERE, { signal: aborter.signal })
      await world.quiet()
      aborter.abort()
      await assert.rejects(dial, { code: 'ABORTED' })
      assert.deepEqual(
        refused.map(({ error }) => error.code),
        ['CONNECT_TIMEOUT', 'ABORTED'],
      )
      assert.deepEqual([sock.stats().pending, sock.stats().refused], [0, { CONNECT_TIMEOUT: 1, ABORTED: 1 }])
    }))

  test('a gate that aborts the dial and says yes lets nobody in', () =>
    simulateUdp(async (world) => {
      const aborter = new AbortController()
      const sock = await world.open({
        goodPeer: () => {
          aborter.abort()
          return true
        },
      })
      await assert.rejects(sock.connectTo(HERE, { signal: aborter.signal }), { code: 'ABORTED' })
      assert.deepEqual(sock.knownPeers, [])
    }))

  test('a listener of `peer` may close it: what it said is dropped, and counted', () =>
    simulateUdp(async (world) => {
      const sock = await world.open({ bind: HERE, handlers: { 0: () => assert.fail('it was closed') } })
      sock.on('peer', ({ peer }) => peer.close())
      const gone = all(sock, 'gone')
      world.forge(HERE, '10.0.0.1', 9)
      await world.sleep(60_000)
      assert.deepEqual([sock.knownPeers, gone.length, sock.stats().dropped], [[], 1, { closed: 1 }])
    }))
})

/** How addresses come to be peers and cease to be, on the simulated network. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Peer } from '../../src/index.ts'
import { all, Arrivals, next, signal } from '../support/events.ts'
import { simulateUdp } from '../support/udp-world.ts'

const HERE = 'udp://127.0.0.1:4000'

describe('a peer is an address that was heard', () => {
  test('it appears with its first message, which it may answer', () =>
    simulateUdp(async (world) => {
      const [asked, answered] = [new Arrivals(), new Arrivals()]
      const server = await world.open({
        bind: HERE,
        handlers: {
          0: async (bytes, { peer }) => {
            asked.push(bytes)
            await peer.sendMsg(0, 'answer')
          },
        },
      })
      const client = await world.open({ handlers: { 0: answered.push } })
      const came = all(server, 'peer')
      const toServer = await client.connectTo(HERE)
      await world.quiet()
      assert.equal(came.length, 0, 'dialing sends nothing')
      await toServer.sendMsg(0, 'question')
      await answered.atLeast(1)
      assert.deepEqual([asked.list, answered.list], [['question'], ['answer']])
      assert.equal(came.length, 1)
      const { peer } = came[0]!
      assert.deepEqual([peer.dialed, toServer.dialed], [false, true])
      assert.deepEqual([peer.host, toServer.address], ['127.0.0.1', HERE])
      assert.match(peer.address, /^udp:\/\/127\.0\.0\.1:\d+$/)
      assert.deepEqual(server.knownPeers, [peer])
      const { accepted, dialed, messagesIn, messagesOut } = server.stats()
      assert.deepEqual([accepted, dialed, messagesIn, messagesOut], [1, 0, 1, 1])
    }))

  test('an empty datagram is a message', () =>
    simulateUdp(async (world) => {
      const got = new Arrivals()
      await world.open({ bind: HERE, handlers: { 0: got.push } })
      const client = await world.open({ connect: HERE })
      await client.sendMsg(0, '')
      await got.atLeast(1)
      assert.deepEqual(got.list, [''])
    }))

  test('over IPv6 too, whose addresses have brackets', () =>
    simulateUdp(async (world) => {
      const server = await world.open({ bind: 'udp://[::1]:4000' })
      const client = await world.open({ connect: 'udp://[0:0::1]:4000' })
      assert.equal(client.knownPeers[0]?.address, 'udp://[::1]:4000')
      const came = next(server, 'peer')
      await client.sendMsg(0, 'x', { to: 'udp://[0::1]:4000' })
      assert.equal((await came).peer.host, '::1')
      assert.equal(client.stats().peers, 1)
    }))

  test('a message longer than maxFrame is `invalid`, by FRAME_TOO_LARGE, and the next one is handled', () =>
    simulateUdp(async (world) => {
      const got = new Arrivals()
      const server = await world.open({ bind: HERE, maxFrame: 10, handlers: { 0: got.push } })
      const invalid = all(server, 'invalid')
      const client = await world.open({ connect: HERE })
      for (const n of [11, 10]) await client.sendMsg(0, 'x'.repeat(n))
      await got.atLeast(1)
      assert.deepEqual(
        invalid.map(({ error, payload }) => [error.code, payload.length]),
        [['FRAME_TOO_LARGE', 11]],
      )
      assert.deepEqual([got.list, server.stats().invalid], [['xxxxxxxxxx'], 1])
    }))
})

describe('silence', () => {
  test('ends a peer after `timeout`, without an error; heard again, it is a new one', () =>
    simulateUdp(async (world) => {
      const server = await world.open({ bind: HERE })
      const gone = all(server, 'gone')
      world.forge(HERE, '10.0.0.1', 9)
      const [first] = server.knownPeers
      assert.ok(first)
      await world.sleep(29_000)
      world.forge(HERE, '10.0.0.1', 9)
      await world.sleep(29_000)
      assert.equal(first.state, 'open')
      await world.sleep(3_000)
      assert.deepEqual(gone, [{ peer: first, error: undefined, lost: { unsent: 0, unhandled: 0 } }])
      assert.deepEqual([first.state, server.knownPeers, server.stats().failed], ['gone', [], {}])
      await assert.rejects(first.sendMsg(0, 'x'), (error: any) => {
        assert.deepEqual([error.code, error.cause.code], ['PEER_GONE', 'IDLE_TIMEOUT'])
        return true
      })
      world.forge(HERE, '10.0.0.1', 9)
      const [second] = server.knownPeers
      assert.deepEqual([second?.address, second?.id], [first.address, 'p2'])
    }))

  test('what is sent to a peer does not keep it', () =>
    simulateUdp(async (world) => {
      const client = await world.open()
      const peer = await client.connectTo(HERE)
      for (let i = 0; i < 40 && peer.state === 'open'; i++) {
        await peer.sendMsg(0, 'are you there?')
        await world.sleep(1_000)
      }
      assert.equal(peer.state, 'gone')
    }))

  test('a peer whose handler is at work is not judged', () =>
    simulateUdp(async (world) => {
      const done = signal()
      const server = await world.open({ bind: HERE, timeout: 1_000, handlers: { 0: () => done.promise } })
      world.forge(HERE, '10.0.0.1', 9)
      await world.sleep(10_000)
      assert.equal(server.knownPeers.length, 1)
      done.give()
      await world.sleep(2_100)
      assert.equal(server.knownPeers.length, 0)
    }))

  test('timeout 0: never', () =>
    simulateUdp(async (world) => {
      const server = await world.open({ bind: HERE, timeout: 0 })
      world.forge(HERE, '10.0.0.1', 9)
      await world.sleep(86_000_000)
      assert.equal(server.knownPeers.length, 1)
    }))

  test('those of `connect` stay, also when they were heard before; and come back when closed', () =>
    simulateUdp(async (world) => {
      const peerOf = 'udp://10.0.0.1:9'
      const client = world.sock({ bind: HERE, connect: ['udp://127.0.0.1:5000', peerOf] })
      await client.startServer()
      world.forge(HERE, '10.0.0.1', 9)
      await client.start()
      assert.equal(client.knownPeers.length, 2)
      await world.sleep(3_600_000)
      assert.equal(client.knownPeers.length, 2)
      const [before] = client.knownPeers as [Peer]
      client.closePeer(peerOf)
      assert.equal(client.knownPeers.length, 1)
      await world.sleep(60_000)
      assert.equal(client.knownPeers.length, 2)
      assert.notEqual(
        client.knownPeers.find(({ address }) => address === peerOf),
        before,
      )
    }))
})

describe('connectTo', () => {
  test('gives the peer that is there already', () =>
    simulateUdp(async (world) => {
      const sock = await world.open({ bind: HERE })
      world.forge(HERE, '10.0.0.1', 9)
      const [heard] = sock.knownPeers
      assert.equal(await sock.connectTo('udp://10.0.0.1:9'), heard)
      const [one, other] = await Promise.all([1, 2].map(() => sock.connectTo('udp://10.0.0.2:9')))
      assert.equal(one, other)
      assert.equal(sock.stats().peers, 2)
    }))

  test('binds any port of the family that it needs, and looks up names', () =>
    simulateUdp(async (world) => {
      const client = await world.open()
      const before = client.address
      const peer = await client.connectTo('udp://localhost:4000')
      assert.deepEqual([before, peer.address], [undefined, HERE])
      assert.match(client.address ?? '', /^udp:\/\/0\.0\.0\.0:\d+$/)
      const six = await world.open({ bind: 'udp://[::1]:0' })
      assert.equal((await six.connectTo('udp://localhost:4000')).address, 'udp://[::1]:4000')
    }))

  test('binds to `bind` if that says where', () =>
    simulateUdp(async (world) => {
      const sock = world.sock({ bind: HERE })
      await sock.connectTo('udp://10.0.0.1:9')
      assert.equal(sock.address, HERE)
      assert.equal(await sock.startServer(), HERE)
    }))

  const refused: [what: string, address: string, code: string][] = [
    ['another scheme', 'tcp://127.0.0.1:1', 'BAD_ADDRESS'],
    ['no scheme', '127.0.0.1:1', 'BAD_ADDRESS'],
    ['no port', 'udp://127.0.0.1', 'BAD_ADDRESS'],
    ['port 0', 'udp://127.0.0.1:0', 'BAD_ADDRESS'],
    ['a path', 'udp://127.0.0.1:1/a', 'BAD_ADDRESS'],
    ['a group', 'udp://239.1.2.3:1', 'BAD_ADDRESS'],
    ['an unknown name', 'udp://nobody.invalid:1', 'CONNECT_FAILED'],
    ['the other family', 'udp://[::1]:1', 'WRONG_FAMILY'],
  ]
  for (const [what, address, code] of refused) {
    test(`${what} is ${code}`, () =>
      simulateUdp(async (world) => {
        const sock = await world.open({ bind: HERE })
        await assert.rejects(sock.connectTo(address), { code })
        assert.deepEqual(sock.knownPeers, [])
      }))
  }

  test('a look-up that takes too long is CONNECT_TIMEOUT; one can be aborted; one ends with the sock', () =>
    simulateUdp(async (world) => {
      world.network = { ...world.network, resolve: () => new Promise(() => undefined) }
      const sock = await world.open()
      const began = world.world.sim.now()
      await assert.rejects(sock.connectTo('udp://slow:1', { timeout: 500 }), { code: 'CONNECT_TIMEOUT' })
      assert.ok(world.world.sim.now() - began >= 500)
      const aborter = new AbortController()
      const dialing = sock.connectTo('udp://slow:1', { signal: aborter.signal })
      aborter.abort('why')
      await assert.rejects(dialing, { code: 'ABORTED', cause: 'why' })
      await assert.rejects(sock.connectTo('udp://slow:1', { signal: aborter.signal }), { code: 'ABORTED' })
      const last = sock.connectTo('udp://slow:1')
      await sock.close()
      await assert.rejects(last, { code: 'CLOSED' })
    }))

  test('an address of `connect` whose name is unknown is tried again, with dialFailed', () =>
    simulateUdp(async (world) => {
      const { network } = world
      let known = false
      world.network = { ...network, resolve: (name) => network.resolve(known ? 'localhost' : name) }
      const sock = world.sock({ connect: 'udp://later.invalid:4000' })
      const failed = next(sock, 'dialFailed')
      await sock.start()
      assert.equal((await failed).error.code, 'CONNECT_FAILED')
      known = true
      const { peer } = await next(sock, 'peer')
      assert.equal(peer.address, HERE)
    }))
})

test('closePeer forgets a peer; who is none is UNKNOWN_PEER', () =>
  simulateUdp(async (world) => {
    const hang = new Promise(() => undefined)
    const sock = await world.open({ bind: HERE, handlers: { 0: () => hang } })
    for (let i = 0; i < 3; i++) world.forge(HERE, '10.0.0.1', 9)
    const [peer] = sock.knownPeers
    assert.ok(peer)
    const { signal: over } = peer
    assert.deepEqual(sock.closePeer('udp://10.0.0.1:9'), { unsent: 0, unhandled: 2 })
    assert.deepEqual([peer.state, over.aborted, peer.stats().dropped], ['gone', true, { closed: 2 }])
    assert.deepEqual(peer.close(), { unsent: 0, unhandled: 0 })
    for (const who of ['udp://10.0.0.1:9', 'p1', 'nonsense'])
      assert.throws(() => sock.closePeer(who), { code: 'UNKNOWN_PEER' })
    const other = await world.open({ bind: 'udp://127.0.0.1:5000' })
    assert.throws(() => other.closePeer(peer), { code: 'UNKNOWN_PEER' })
  }))

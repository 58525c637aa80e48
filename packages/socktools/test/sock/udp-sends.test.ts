/** Sending: to whom, how much may wait, and what cannot be sent, on the simulated network. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type DatagramSock, json, type UdpSockOptions } from '../../src/index.ts'
import { all, Arrivals } from '../support/events.ts'
import { simulateUdp, type UdpWorld } from '../support/udp-world.ts'

const at = (port: number): string => `udp://127.0.0.1:${port}`

/** Someone who listens, and what arrives there. */
async function listener(world: UdpWorld, bind: string, options: UdpSockOptions = {}): Promise<Arrivals> {
  const got = new Arrivals()
  await world.open({ ...options, bind, handlers: { 0: got.push } })
  return got
}

describe('to whom', () => {
  /** A sock with three peers. */
  async function three(
    scenario: (sock: DatagramSock, got: readonly Arrivals[], world: UdpWorld) => Promise<void>,
  ): Promise<void> {
    await simulateUdp(async (world) => {
      const got = [await listener(world, at(1)), await listener(world, at(2)), await listener(world, at(3))]
      const sock = await world.open({ connect: [at(1), at(2), at(3)] })
      await scenario(sock, got, world)
    })
  }
  const lists = (got: readonly Arrivals[]): string[] => got.map(({ list }) => list.join())

  test('without `to`: every peer', () =>
    three(async (sock, got, world) => {
      await sock.sendMsg(0, 'all')
      await world.quiet()
      assert.deepEqual(lists(got), ['all', 'all', 'all'])
      assert.equal(sock.stats().messagesOut, 3)
    }))

  test('a peer, an address, an id, several of them, each once', () =>
    three(async (sock, got, world) => {
      const [first, second] = sock.knownPeers
      await sock.sendMsg(0, 'a', { to: first! })
      await sock.sendMsg(0, 'b', { to: at(2) })
      await sock.sendMsg(0, 'c', { to: 'p3' })
      await sock.sendMsg(0, 'd', { to: [first!, at(1), second!, 'p2'] })
      await sock.sendMsg(0, 'e', { to: new Set([first!]) })
      await world.quiet()
      assert.deepEqual(lists(got), ['a,d,e', 'b,d', 'c'])
    }))

  test('`except`', () =>
    three(async (sock, got, world) => {
      await sock.sendMsg(0, 'a', { except: sock.knownPeers[0]! })
      await sock.sendMsg(0, 'b', { except: [at(1), at(2)] })
      await sock.sendMsg(0, 'c', { to: [at(1), at(3)], except: at(3) })
      await sock.sendMsg(0, 'd', { except: [at(1), at(2), at(3)] })
      await world.quiet()
      assert.deepEqual(lists(got), ['c', 'a', 'a,b'])
    }))

  test('an address that is nobody’s is sent to, and does not become a peer', () =>
    three(async (sock, got, world) => {
      const other = await listener(world, at(9))
      await sock.sendMsg(0, 'x', { to: at(9) })
      await sock.sendRaw(Uint8Array.of(0x79), { to: [at(9), at(1)] })
      await world.quiet()
      assert.deepEqual([other.list, got[0]!.list], [['x', 'y'], ['y']])
      const { peers, messagesOut, bytesOut } = sock.stats()
      assert.deepEqual([peers, messagesOut, bytesOut], [3, 3, 3])
    }))

  const unknown: [string, unknown, string][] = [
    ['an id that nobody has', 'p9', 'UNKNOWN_PEER'],
    ['an address of another kind', 'tcp://127.0.0.1:1', 'UNKNOWN_PEER'],
    ['a name, which would have to be looked up', 'udp://localhost:1', 'UNKNOWN_PEER'],
    ['an address without a port', 'udp://127.0.0.1', 'BAD_ADDRESS'],
    ['port 0', 'udp://127.0.0.1:0', 'BAD_ADDRESS'],
    ['the other family', 'udp://[::1]:1', 'WRONG_FAMILY'],
    ['undefined', undefined, 'UNKNOWN_PEER'],
    ['something else', 7, 'UNKNOWN_PEER'],
  ]
  for (const [what, to, code] of unknown) {
    test(`${what}: ${code}, counted and told`, () =>
      three(async (sock, got, world) => {
        const dropped = all(sock, 'dropped')
        await assert.rejects(sock.sendMsg(0, 'x', { to: to as string }), { code })
        await world.quiet()
        assert.deepEqual(
          dropped.map(({ reason, messages }) => [reason, messages]),
          [['unsendable', 1]],
        )
        assert.deepEqual(lists(got), ['', '', ''])
      }))
  }

  test('a peer of another sock, and one that is gone', () =>
    three(async (sock, _got, world) => {
      const other = await world.open({ connect: at(1) })
      await assert.rejects(sock.sendMsg(0, 'x', { to: other.knownPeers[0]! }), { code: 'UNKNOWN_PEER' })
      const [peer] = sock.knownPeers
      peer!.close()
      await assert.rejects(sock.sendMsg(0, 'x', { to: peer! }), { code: 'PEER_GONE' })
      await sock.sendMsg(0, 'x', { to: [peer!, at(2)] })
      assert.deepEqual(sock.stats().dropped, { unsendable: 1, gone: 2 })
    }))

  test('one of the other family among several is dropped, and the others are sent to', () =>
    three(async (sock, got, world) => {
      await sock.sendMsg(0, 'x', { to: ['udp://[::1]:1', at(2)] })
      await world.quiet()
      assert.deepEqual([lists(got), sock.stats().dropped], [['', 'x', ''], { unsendable: 1 }])
    }))
})

describe('without a socket yet', () => {
  test('the first send binds one, and what is sent meanwhile follows', () =>
    simulateUdp(async (world) => {
      const got = await listener(world, at(1))
      const sock = world.sock()
      const sends = ['a', 'b', 'c'].map((text) => sock.sendMsg(0, text, { to: at(1) }))
      assert.deepEqual([sock.address, sock.stats().queued], [undefined, 3])
      await Promise.all(sends)
      assert.match(sock.address ?? '', /^udp:\/\/0\.0\.0\.0:\d+$/)
      await world.quiet()
      assert.deepEqual([got.list, sock.stats().queued, sock.knownPeers], [['a', 'b', 'c'], 0, []])
    }))

  test('so much may wait for it and no more, though there is nothing in it', () =>
    simulateUdp(async (world) => {
      const got = await listener(world, at(1))
      const sock = world.sock()
      const sends = Array.from({ length: 20_000 }, () => sock.sendMsg(0, '', { to: at(1) }))
      const toSeveral = sock.sendMsg(0, '', { to: [at(1), at(2)] })
      // 16 MiB, at 1,024 bytes each.
      const most = 16 * 1_024
      await assert.rejects(sends[most]!, {
        code: 'SLOW_PEER',
        what: '16384 datagrams of 0 bytes wait to be sent already',
      })
      assert.deepEqual([sock.stats().queued, sock.stats().dropped], [0, { slow: 20_000 - most + 2 }])
      await Promise.all([...sends.slice(0, most), toSeveral])
      await world.quiet()
      assert.equal(got.list.length, most)
    }))

  test('if that fails, so do they; the next one tries again', () =>
    simulateUdp(async (world) => {
      const other = await world.open({ bind: at(1) })
      const sock = world.sock({ bind: at(1) })
      for (const to of [at(2), [at(2), at(3)]]) {
        const sent = sock.sendMsg(0, 'x', { to })
        if (typeof to === 'string') await assert.rejects(sent, { code: 'ADDRESS_IN_USE' })
        else await sent
        await world.quiet()
      }
      assert.deepEqual([sock.stats().dropped, sock.stats().queued], [{ unsendable: 3 }, 0])
      await other.close()
      await sock.sendMsg(0, 'x', { to: at(2) })
    }))

  test('of two families, the first decides', () =>
    simulateUdp(async (world) => {
      const sock = world.sock()
      const [four, six] = [sock.sendMsg(0, 'x', { to: at(1) }), sock.sendMsg(0, 'x', { to: 'udp://[::1]:1' })]
      await four
      await assert.rejects(six, { code: 'WRONG_FAMILY' })
      assert.equal(sock.stats().queued, 0)
    }))

  test('closed before it is there: CLOSED, and lost', () =>
    simulateUdp(async (world) => {
      const sock = world.sock()
      const sent = sock.sendMsg(0, 'x', { to: at(1) })
      assert.deepEqual(await sock.close(), { unsent: 1, unhandled: 0 })
      await assert.rejects(sent, { code: 'CLOSED' })
      assert.deepEqual(sock.stats().dropped, { closed: 1 })
    }))
})

describe('what cannot be sent', () => {
  test('longer than maxFrame is TOO_LARGE, for one and for all; 1,472 bytes are not', () =>
    simulateUdp(async (world) => {
      const got = await listener(world, at(1))
      const sock = await world.open({ connect: at(1) })
      const [peer] = sock.knownPeers
      for (const send of [
        () => sock.sendRaw(new Uint8Array(1_473)),
        () => sock.sendRaw(new Uint8Array(1_473), { to: at(9) }),
        () => peer!.sendRaw(new Uint8Array(1_473)),
      ])
        await assert.rejects(send(), { code: 'TOO_LARGE' })
      await sock.sendRaw(new Uint8Array(1_472))
      await world.quiet()
      assert.deepEqual([got.list.length, sock.stats().dropped], [1, { unsendable: 3 }])
    }))

  test('what the system finds too long is TOO_LARGE too, for that send; the peer lives on', () =>
    simulateUdp(
      async (world) => {
        const got = await listener(world, at(1), { maxFrame: 65_507 })
        const sock = await world.open({ connect: at(1), maxFrame: 65_507 })
        const dropped = all(sock, 'dropped')
        const [peer] = sock.knownPeers
        await assert.rejects(peer!.sendRaw(new Uint8Array(1_401)), { code: 'TOO_LARGE', address: at(1) })
        await assert.rejects(sock.sendRaw(new Uint8Array(1_401), { to: at(9) }), { code: 'TOO_LARGE' })
        // To several it is told by the event alone.
        await sock.sendRaw(new Uint8Array(1_401))
        await peer!.sendRaw(new Uint8Array(1_400))
        await world.quiet()
        assert.deepEqual([peer!.state, got.list.length], ['open', 1])
        assert.deepEqual(
          [peer!.stats().dropped, sock.stats().dropped],
          [{ unsendable: 2 }, { unsendable: 3 }],
        )
        assert.ok(dropped.every(({ reason }) => reason === 'unsendable'))
      },
      { weather: () => ({ limit: 1_400 }) },
    ))

  test('what the codec cannot encode, and what is no bytes', () =>
    simulateUdp(async (world) => {
      const sock = await world.open({ connect: at(1), codec: json() })
      const [peer] = sock.knownPeers
      await assert.rejects(sock.sendMsg('x', 10n), { code: 'CANNOT_ENCODE' })
      await assert.rejects(peer!.sendMsg('x', 10n), { code: 'CANNOT_ENCODE' })
      await assert.rejects(sock.sendRaw('x' as never), { code: 'CANNOT_ENCODE' })
      await assert.rejects(peer!.sendRaw('x' as never), { code: 'CANNOT_ENCODE' })
      assert.deepEqual(sock.stats().dropped, { unsendable: 4 })
    }))

  test('to everyone on the network without the option: BROADCAST_OFF; with it, all hear', () =>
    simulateUdp(async (world) => {
      const got = await listener(world, 'udp://0.0.0.0:4000')
      const to = 'udp://255.255.255.255:4000'
      const shy = await world.open()
      await assert.rejects(shy.sendMsg(0, 'x', { to }), { code: 'BROADCAST_OFF' })
      const loud = await world.open({ broadcast: true })
      await loud.sendMsg(0, 'hear', { to })
      await world.quiet()
      assert.deepEqual([got.list, loud.knownPeers], [['hear'], []])
    }))

  test('the bytes may be changed as soon as they are sent', () =>
    simulateUdp(
      async (world) => {
        const got = await listener(world, at(1), { maxFrame: 65_507 })
        const sock = world.sock({ maxFrame: 65_507 })
        for (const n of [10, 40_000]) {
          const bytes = new Uint8Array(n).fill(0x61)
          const sends = [sock.sendRaw(bytes, { to: at(1) }), sock.sendRaw(bytes, { to: [at(1), at(2)] })]
          bytes.fill(0x62)
          await Promise.all(sends)
        }
        await world.sleep(100)
        assert.deepEqual(
          got.list.map((text) => /^a+$/.test(text)),
          [true, true, true, true],
        )
      },
      { weather: () => ({ hold: () => 1 }) },
    ))
})

describe('when the system has no room', () => {
  /** It takes a datagram of 100 bytes every 10 ms. */
  const SLOW = { weather: () => ({ hold: () => 10 }) }
  const bytes = new Uint8Array(100)
  /** What one of them counts toward the marks. */
  const each = 100 + 1_024

  test('a send is accepted at once below highWaterMark, and waits above it until half is left', () =>
    simulateUdp(async (world) => {
      const sock = await world.open({ connect: at(1), highWaterMark: 4 * each })
      const [peer] = sock.knownPeers
      for (let i = 0; i < 4; i++) assert.equal(await world.stateOf(peer!.sendRaw(bytes)), 'resolved')
      assert.deepEqual([sock.stats().queued, peer!.stats().queued], [400, 400])
      const waits = peer!.sendRaw(bytes)
      assert.equal(await world.stateOf(waits), 'waits')
      await world.sleep(25)
      assert.equal(await world.stateOf(waits), 'waits')
      await world.sleep(10)
      assert.deepEqual([await world.stateOf(waits), sock.stats().queued], ['resolved', 200])
    }, SLOW))

  test('a send to all waits in the same way, since they share the buffer', () =>
    simulateUdp(async (world) => {
      const sock = await world.open({ connect: [at(1), at(2)], highWaterMark: 4 * each })
      assert.equal(await world.stateOf(sock.sendRaw(bytes)), 'resolved')
      assert.equal(await world.stateOf(sock.sendRaw(bytes)), 'resolved')
      const waits = sock.sendRaw(bytes)
      assert.equal(await world.stateOf(waits), 'waits')
      await world.sleep(100)
      assert.equal(await world.stateOf(waits), 'resolved')
    }, SLOW))

  test('above maxQueue: SLOW_PEER to one, dropped to several', () =>
    simulateUdp(async (world) => {
      const got = await listener(world, at(1))
      const sock = await world.open({ connect: [at(1), at(2)], highWaterMark: 2 * each, maxQueue: 4 * each })
      const dropped = all(sock, 'dropped')
      const [peer] = sock.knownPeers
      for (let i = 0; i < 4; i++) void peer!.sendRaw(bytes)
      assert.equal(await world.stateOf(peer!.sendRaw(bytes)), 'SLOW_PEER')
      assert.equal(await world.stateOf(sock.sendRaw(bytes, { to: at(9) })), 'SLOW_PEER')
      const toAll = sock.sendRaw(bytes)
      assert.equal(await world.stateOf(toAll), 'waits')
      assert.deepEqual(
        dropped.map(({ reason, messages }) => [reason, messages]),
        [
          ['slow', 1],
          ['slow', 1],
          ['slow', 1],
          ['slow', 1],
        ],
      )
      await world.sleep(100)
      assert.equal(await world.stateOf(toAll), 'resolved')
      assert.deepEqual([got.list.length, sock.stats().dropped], [4, { slow: 4 }])
    }, SLOW))

  test('slowPeer: drop', () =>
    simulateUdp(async (world) => {
      const sock = await world.open({
        connect: at(1),
        highWaterMark: 2 * each,
        maxQueue: 2 * each,
        slowPeer: 'drop',
      })
      const [peer] = sock.knownPeers
      for (let i = 0; i < 3; i++) void peer!.sendRaw(bytes)
      assert.equal(await world.stateOf(peer!.sendRaw(bytes)), 'resolved')
      assert.deepEqual(peer!.stats().dropped, { slow: 1 })
    }, SLOW))

  test('whoever awaits each send is never refused', () =>
    simulateUdp(async (world) => {
      const got = await listener(world, at(1))
      const sock = await world.open({ connect: at(1), highWaterMark: 0, maxQueue: 0 })
      for (let i = 0; i < 50; i++) await sock.sendRaw(bytes, { to: at(1) })
      await world.sleep(100)
      assert.deepEqual([got.list.length, sock.stats().dropped], [50, {}])
    }, SLOW))

  test('flushed: when the system has all of it; at once if it has', () =>
    simulateUdp(async (world) => {
      const sock = await world.open({ connect: at(1) })
      const [peer] = sock.knownPeers
      await peer!.flushed()
      for (let i = 0; i < 3; i++) void peer!.sendRaw(bytes)
      const flushed = peer!.flushed()
      await world.sleep(25)
      assert.equal(await world.stateOf(flushed), 'waits')
      await world.sleep(10)
      assert.equal(await world.stateOf(flushed), 'resolved')
      peer!.close()
      await assert.rejects(peer!.flushed(), { code: 'PEER_GONE' })
    }, SLOW))

  test('whoever awaits each send lets the loop go', () =>
    simulateUdp(async (world) => {
      const sock = await world.open({ connect: at(1) })
      const state = { fired: false }
      world.world.sim.setTimer(() => (state.fired = true), 0)
      let sent = 0
      for (; !state.fired && sent < 1_000; sent++) {
        world.world.block(0.1)
        await sock.sendRaw(bytes, { to: at(1) })
      }
      assert.ok(sent < 50, `${sent} were sent before a timer had its turn`)
    }))
})

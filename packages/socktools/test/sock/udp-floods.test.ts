/** Datagrams cannot be asked to wait, and anybody can send them: what that may cost, on the simulated network. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { all, Arrivals, signal } from '../support/events.ts'
import { droppedBy, simulateUdp } from '../support/udp-world.ts'

const HERE = 'udp://127.0.0.1:4000'

/** Another host for every `i`. */
const host = (i: number): string => `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`

const sum = (dropped: readonly { messages: number }[]): number =>
  dropped.reduce((n, { messages }) => n + messages, 0)

describe('a flood of forged addresses', () => {
  test('there are maxPeers peers and no more; every datagram is handled, or counted as dropped', () =>
    simulateUdp(async (world) => {
      const server = await world.open({ bind: HERE, maxPeers: 50, handlers: { 0: () => undefined } })
      const [came, refused, dropped] = [all(server, 'peer'), all(server, 'refused'), all(server, 'dropped')]
      for (let turn = 0; turn < 10; turn++) {
        for (let i = 0; i < 1_000; i++) world.forge(HERE, host(turn * 1_000 + i), 9)
        await world.quiet()
      }
      const stats = server.stats()
      assert.deepEqual([came.length, stats.peers, server.knownPeers.length], [50, 50, 50])
      assert.deepEqual([stats.refused, stats.dropped], [{ TOO_MANY_PEERS: 9_950 }, { refused: 9_950 }])
      assert.equal(stats.messagesIn + droppedBy(stats), 10_000)
      // One event a turn, whatever came in it.
      assert.equal(refused.length, 10)
      assert.deepEqual([dropped.length, sum(dropped)], [10, 9_950])
    }))

  test('after `timeout` those who said no more are gone, and others have room', () =>
    simulateUdp(async (world) => {
      const server = await world.open({ bind: HERE, maxPeers: 50 })
      for (let i = 0; i < 1_000; i++) world.forge(HERE, host(i), 9)
      await world.sleep(32_000)
      assert.equal(server.stats().peers, 0)
      world.forge(HERE, '10.9.9.9', 9)
      assert.deepEqual(
        server.knownPeers.map((peer) => peer.host),
        ['10.9.9.9'],
      )
    }))

  test('at a gate that is slow, maxPending wait, and goodPeer is asked no more often', () =>
    simulateUdp(async (world) => {
      let asked = 0
      const server = await world.open({
        bind: HERE,
        gateTimeout: 1_000,
        goodPeer: () => {
          asked++
          return new Promise<boolean>(() => undefined)
        },
      })
      for (let i = 0; i < 10_000; i++) world.forge(HERE, host(i), 9)
      assert.deepEqual([asked, server.stats().pending], [128, 128])
      await world.sleep(1_100)
      const stats = server.stats()
      assert.deepEqual([stats.pending, stats.peers], [0, 0])
      assert.deepEqual(stats.refused, { TOO_MANY_PENDING: 10_000 - 128, GATE_TIMEOUT: 128 })
      assert.deepEqual(stats.dropped, { refused: 10_000 })
    }))

  test('of one host, the gate is asked maxConnectRate times a second, in bursts of maxPendingPerHost', () =>
    simulateUdp(async (world) => {
      let asked = 0
      const server = await world.open({ bind: HERE, goodPeer: () => ++asked < 0 })
      for (let second = 0; second < 10; second++) {
        for (let i = 0; i < 1_000; i++) world.forge(HERE, '10.0.0.1', 1 + i)
        await world.sleep(1_000)
      }
      assert.equal(asked, 32 + 9 * 10)
      assert.equal(droppedBy(server.stats()), 10_000)
    }))

  test('loopback is exempt from that', () =>
    simulateUdp(async (world) => {
      const server = await world.open({ bind: HERE })
      for (let i = 0; i < 500; i++) world.forge(HERE, '127.0.0.1', 1 + i)
      assert.equal(server.stats().peers, 500)
    }))

  test('writes one line a second for each kind of trouble, and tells how many it left out', () =>
    simulateUdp(async (world) => {
      const lines: string[] = []
      const logger = { warn: (text: string) => lines.push(text) }
      await world.open({ bind: HERE, maxPeers: 1, logger })
      for (let turn = 0; turn < 30; turn++) {
        for (let i = 0; i < 100; i++) world.forge(HERE, host(turn * 100 + i), 9)
        await world.sleep(100)
      }
      assert.deepEqual(
        ['refused:', 'dropped'].map((kind) => lines.filter((line) => line.startsWith(kind)).length),
        [3, 3],
      )
      assert.equal(lines.length, 6)
    }))

  test('so do handlers that are behind; what we fail to send is told each time', () =>
    simulateUdp(async (world) => {
      const lines: string[] = []
      const logger = { warn: (text: string) => lines.push(text) }
      const sock = await world.open({
        bind: HERE,
        readMark: 0,
        handlers: { 0: () => new Promise(() => undefined) },
        logger,
      })
      for (let turn = 0; turn < 30; turn++) {
        for (let i = 0; i < 3; i++) world.forge(HERE, '10.0.0.1', 9)
        void sock.sendRaw(new Uint8Array(2_000))
        await world.sleep(100)
      }
      assert.deepEqual(
        ['behind', 'unsendable'].map((reason) => lines.filter((line) => line.endsWith(reason)).length),
        [3, 30],
      )
    }))
})

describe('handlers that are behind', () => {
  test('what comes above readMark is dropped as `behind`, told once a turn, and counted to the last', () =>
    simulateUdp(async (world) => {
      const [got, first] = [new Arrivals(), signal()]
      const server = await world.open({
        bind: HERE,
        readMark: 10_000,
        handlers: {
          0: async (bytes) => {
            got.push(bytes)
            await first.promise
          },
        },
      })
      const dropped = all(server, 'dropped')
      for (let turn = 0; turn < 5; turn++) {
        for (let i = 0; i < 100; i++) world.forge(HERE, '10.0.0.1', 9, `${turn * 100 + i}`.padEnd(100))
        await world.quiet()
      }
      // The first runs; 44 of 228 bytes each are the first to pass the mark.
      const [peer] = server.knownPeers
      assert.equal(peer?.stats().waiting, 44)
      assert.deepEqual(
        dropped.map(({ peer: whose, reason, messages, bytes }) => [whose, reason, messages, bytes]),
        [55, 100, 100, 100, 100].map((n) => [peer, 'behind', n, n * 100]),
      )
      first.give()
      await world.quiet()
      const stats = server.stats()
      assert.deepEqual(
        got.list.map((text) => Number(text)),
        Array.from({ length: 45 }, (_, i) => i),
      )
      assert.deepEqual([stats.messagesIn, stats.dropped, stats.waiting], [500, { behind: 455 }, 0])
      world.forge(HERE, '10.0.0.1', 9, 'later')
      assert.equal(got.list.at(-1), 'later')
    }))

  test('empty datagrams count too', () =>
    simulateUdp(async (world) => {
      const server = await world.open({
        bind: HERE,
        readMark: 6_400,
        handlers: { 0: () => new Promise(() => undefined) },
      })
      for (let i = 0; i < 1_000; i++) world.forge(HERE, '10.0.0.1', 9, '')
      assert.equal(server.stats().waiting, 51)
    }))

  test('other peers are not held up', () =>
    simulateUdp(async (world) => {
      const got = new Arrivals()
      await world.open({
        bind: HERE,
        readMark: 0,
        handlers: {
          0: (bytes, { peer }) => (peer.host === '10.0.0.1' ? new Promise(() => undefined) : got.push(bytes)),
        },
      })
      for (let i = 0; i < 100; i++) {
        world.forge(HERE, '10.0.0.1', 9)
        world.forge(HERE, '10.0.0.2', 9, String(i))
      }
      assert.equal(got.list.length, 100)
    }))

  test('all peers together hold 16 times readMark; who has nothing waiting is heard all the same', () =>
    simulateUdp(async (world) => {
      const got = new Arrivals()
      const server = await world.open({
        bind: HERE,
        readMark: 10_000,
        handlers: {
          0: (bytes, { peer }) => (peer.host === '10.9.9.9' ? got.push(bytes) : new Promise(() => undefined)),
        },
      })
      for (let i = 0; i < 100; i++) {
        for (let n = 0; n < 50; n++) world.forge(HERE, host(i), 9, 'x'.repeat(100))
      }
      const { waiting } = server.stats()
      assert.ok(waiting * 228 > 160_000 && waiting * 228 < 160_000 + 2 * 228, `${waiting} wait`)
      world.forge(HERE, '10.9.9.9', 9, 'heard')
      assert.deepEqual(got.list, ['heard'])
      // Those who leave give their share back.
      for (const peer of server.knownPeers) peer.close()
      for (let n = 0; n < 51; n++) world.forge(HERE, '10.8.8.8', 9, 'x'.repeat(100))
      assert.equal(server.stats().waiting, 44)
    }))

  test('a handler that keeps the loop gives it back after a few milliseconds of each turn', () =>
    simulateUdp(async (world) => {
      let handled = 0
      const server = await world.open({
        bind: HERE,
        handlers: {
          0: () => {
            handled++
            world.world.block(4)
          },
        },
      })
      for (let i = 0; i < 20; i++) world.forge(HERE, '10.0.0.1', 9)
      assert.ok(handled <= 4, `${handled} in one turn`)
      await world.sleep(1_000)
      assert.deepEqual([handled, server.stats().waiting], [20, 0])
    }))
})

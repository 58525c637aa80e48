/** Both endings, and misuse, on the simulated network. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { all, Arrivals, next, signal } from '../support/events.ts'
import { simulateUdp } from '../support/udp-world.ts'

const HERE = 'udp://127.0.0.1:4000'
const THERE = 'udp://127.0.0.1:5000'

/** The system takes a datagram every 10 ms. */
const SLOW = { weather: () => ({ hold: () => 10 }) }

describe('drain', () => {
  test('handles what arrived, sends the answers, and closes', () =>
    simulateUdp(async (world) => {
      const [answers, begin] = [new Arrivals(), signal()]
      const server = await world.open({
        bind: HERE,
        handlers: {
          0: async (bytes, { peer }) => {
            await begin.promise
            await peer.sendMsg(0, bytes)
          },
        },
      })
      const client = await world.open({ connect: HERE, handlers: { 0: answers.push } })
      for (let i = 0; i < 5; i++) await client.sendMsg(0, String(i))
      await world.quiet()
      const [gone, closed] = [all(server, 'gone'), next(server, 'closed')]
      const drained = server.drain()
      assert.equal(await world.stateOf(drained), 'waits')
      begin.give()
      assert.deepEqual(await drained, { unsent: 0, unhandled: 0 })
      await world.quiet()
      assert.deepEqual(answers.list, ['0', '1', '2', '3', '4'])
      assert.deepEqual(
        gone.map(({ error, lost }) => [error, lost]),
        [[undefined, { unsent: 0, unhandled: 0 }]],
      )
      await closed
    }))

  test('waits until the system has all, what was sent to nobody’s address too', () =>
    simulateUdp(async (world) => {
      const got = new Arrivals()
      await world.open({ bind: HERE, handlers: { 0: got.push } })
      const sock = await world.open({ connect: HERE })
      for (let i = 0; i < 5; i++) {
        void sock.sendMsg(0, 'peer')
        void sock.sendMsg(0, 'address', { to: [HERE, THERE] })
        void sock.sendMsg(0, 'nobody', { to: THERE })
      }
      assert.deepEqual(await sock.drain(), { unsent: 0, unhandled: 0 })
      assert.ok(world.world.sim.now() >= 200)
      await world.quiet()
      assert.equal(got.list.length, 10)
    }, SLOW))

  test('what was sent before there was a socket is sent', () =>
    simulateUdp(async (world) => {
      const got = new Arrivals()
      await world.open({ bind: HERE, handlers: { 0: got.push } })
      const sock = world.sock()
      const sends = [sock.sendMsg(0, 'one', { to: HERE }), sock.sendMsg(0, 'some', { to: [HERE, THERE] })]
      assert.deepEqual(await sock.drain(), { unsent: 0, unhandled: 0 })
      await Promise.all(sends)
      await world.quiet()
      assert.deepEqual([got.list, sock.stats().dropped], [['one', 'some'], {}])
    }))

  test('startServer and a dial that it overtakes are DRAINING and CLOSED, though it binds; nothing stays bound', () =>
    simulateUdp(async (world) => {
      const sock = world.sock({ bind: HERE })
      const listening = all(sock, 'listening')
      const [starting, dial] = [sock.startServer(), sock.connectTo(THERE)]
      void sock.sendMsg(0, 'x', { to: THERE })
      const drained = sock.drain()
      await assert.rejects(starting, { code: 'DRAINING' })
      await assert.rejects(dial, { code: 'CLOSED' })
      await drained
      assert.deepEqual(listening, [])
      await world.open({ bind: HERE })
    }))

  test('nobody new comes in, nothing new is begun; who is a peer can still be answered', () =>
    simulateUdp(async (world) => {
      const hang = signal()
      const server = await world.open({ bind: HERE, handlers: { 0: () => hang.promise } })
      world.forge(HERE, '10.0.0.1', 9)
      const drained = server.drain()
      world.forge(HERE, '10.0.0.2', 9)
      assert.equal(server.stats().peers, 1)
      assert.deepEqual([server.stats().refused, server.stats().dropped], [{ CLOSED: 1 }, { refused: 1 }])
      await assert.rejects(server.connectTo(THERE), { code: 'DRAINING' })
      await assert.rejects(server.startServer(), { code: 'DRAINING' })
      await assert.rejects(server.join('udp://239.1.2.3'), { code: 'DRAINING' })
      await server.sendMsg(0, 'x')
      hang.give()
      await drained
    }))

  test('at its timeout it is cut, and tells what was lost', () =>
    simulateUdp(async (world) => {
      const sock = await world.open({ bind: HERE, handlers: { 0: () => new Promise(() => undefined) } })
      for (let i = 0; i < 4; i++) world.forge(HERE, '10.0.0.1', 9)
      const dropped = all(sock, 'dropped')
      for (let i = 0; i < 20; i++) void sock.sendMsg(0, 'x', { to: THERE })
      const began = world.world.sim.now()
      assert.deepEqual(await sock.drain({ timeout: 100 }), { unsent: 10, unhandled: 3 })
      assert.ok(world.world.sim.now() - began < 120)
      assert.deepEqual(
        dropped.map(({ reason, messages }) => [reason, messages]),
        [
          ['closed', 3],
          ['closed', 10],
        ],
      )
    }, SLOW))

  test('of one peer: what was sent to it is with the system, then it is forgotten', () =>
    simulateUdp(async (world) => {
      const sock = await world.open({ connect: [HERE, THERE] })
      const [peer] = sock.knownPeers
      for (let i = 0; i < 3; i++) void peer!.sendMsg(0, 'x')
      const drained = peer!.drain()
      await world.quiet()
      assert.equal(peer!.state, 'ending')
      await assert.rejects(peer!.sendMsg(0, 'x'), { code: 'DRAINING' })
      await sock.sendMsg(0, 'x')
      await drained
      assert.deepEqual([peer!.state, sock.knownPeers.length], ['gone', 1])
      await peer!.drain()
      assert.deepEqual(sock.stats().dropped, { ending: 1 })
    }, SLOW))

  test('that of a peer whose sock is closed meanwhile ends too', () =>
    simulateUdp(async (world) => {
      const sock = await world.open({ connect: HERE })
      const [peer] = sock.knownPeers
      void peer!.sendMsg(0, 'x')
      const drained = peer!.drain()
      await sock.close()
      await drained
    }, SLOW))
})

describe('close', () => {
  test('at once: returns what was lost, and every peer tells its part', () =>
    simulateUdp(async (world) => {
      const sock = await world.open({
        bind: HERE,
        connect: THERE,
        handlers: { 0: () => new Promise(() => undefined) },
      })
      const gone = all(sock, 'gone')
      for (let i = 0; i < 4; i++) world.forge(HERE, '10.0.0.1', 9)
      const sends = [
        sock.sendMsg(0, 'x'),
        sock.sendMsg(0, 'x', { to: THERE }),
        sock.sendMsg(0, 'x', { to: HERE }),
      ]
      const lost = { unsent: 4, unhandled: 3 }
      assert.deepEqual(await sock.close(), lost)
      assert.deepEqual(await sock.drain(), lost)
      await Promise.all(sends)
      assert.deepEqual(
        gone.map((event) => [event.peer.host, event.error, event.lost]),
        [
          ['127.0.0.1', undefined, { unsent: 2, unhandled: 0 }],
          ['10.0.0.1', undefined, { unsent: 1, unhandled: 3 }],
        ],
      )
      await world.sleep(100_000)
      assert.deepEqual(sock.stats().dropped, { closed: 7 }, 'each is counted once')
      // The port is free again.
      await world.open({ bind: HERE })
    }, SLOW))

  test('whoever waits for room hears CLOSED', () =>
    simulateUdp(async (world) => {
      const sock = await world.open({ connect: HERE, highWaterMark: 0 })
      const waits = sock.knownPeers[0]!.sendMsg(0, 'x')
      assert.equal(await world.stateOf(waits), 'waits')
      await sock.close()
      await assert.rejects(waits, { code: 'CLOSED' })
    }, SLOW))

  test('what is judged as it is closed was sent', () =>
    simulateUdp(async (world) => {
      const got = new Arrivals()
      await world.open({ bind: HERE, handlers: { 0: got.push } })
      const sock = await world.open({ connect: HERE })
      const sent = sock.sendMsg(0, 'x', { to: HERE })
      assert.deepEqual(await sock.close(), { unsent: 0, unhandled: 0 })
      await sent
      await world.quiet()
      assert.deepEqual(got.list, ['x'])
    }))

  test('while it binds: startServer rejects with CLOSED, and nothing stays bound', () =>
    simulateUdp(async (world) => {
      const sock = world.sock({ bind: HERE })
      const starting = sock.startServer()
      await sock.close()
      await assert.rejects(starting, { code: 'CLOSED' })
      await world.open({ bind: HERE })
    }))

  test('a datagram that arrives after it is not heard', () =>
    simulateUdp(async (world) => {
      const got = new Arrivals()
      const sock = await world.open({ bind: HERE, handlers: { 0: got.push } })
      world.forge(HERE, '10.0.0.1', 9, 'before')
      await sock.close()
      const before = sock.stats()
      world.forge(HERE, '10.0.0.1', 9)
      world.forge(HERE, '10.0.0.2', 9)
      assert.deepEqual([got.list, sock.stats()], [['before'], before])
    }))

  test('everything after it is CLOSED', () =>
    simulateUdp(async (world) => {
      const sock = await world.open({ bind: HERE })
      await sock.close()
      const code = { code: 'CLOSED' }
      await assert.rejects(sock.start(), code)
      await assert.rejects(sock.startServer(), code)
      await assert.rejects(sock.connectTo(THERE), code)
      await assert.rejects(sock.sendMsg(0, 'x'), code)
      await assert.rejects(sock.sendMsg(0, 'x', { to: THERE }), code)
      await assert.rejects(sock.join('udp://239.1.2.3'), code)
      assert.throws(() => sock.leave('udp://239.1.2.3'), code)
      assert.throws(() => sock.readRaw(), code)
    }))
})

describe('misuse', () => {
  test('closePeer takes one: several are UNKNOWN_PEER, and none of them is closed', () =>
    simulateUdp(async (world) => {
      const sock = await world.open({ connect: [HERE, THERE] })
      const peers = sock.knownPeers
      for (const several of [peers, [peers[0]], new Set(peers), [], null])
        assert.throws(() => sock.closePeer(several as never), { code: 'UNKNOWN_PEER' })
      assert.equal(sock.knownPeers.length, 2)
      sock.closePeer(peers[0]!)
      sock.closePeer(THERE)
      assert.deepEqual(sock.knownPeers, [])
    }))

  test('starting twice is ALREADY_STARTED; an address that is taken can be tried again', () =>
    simulateUdp(async (world) => {
      const other = await world.open({ bind: HERE })
      const sock = world.sock({ bind: HERE })
      await assert.rejects(sock.start(), { code: 'ADDRESS_IN_USE' })
      await other.close()
      const listening = next(sock, 'listening')
      await sock.start()
      assert.equal((await listening).address, HERE)
      await assert.rejects(sock.start(), { code: 'ALREADY_STARTED' })
      await assert.rejects(sock.startServer(), { code: 'ALREADY_STARTED' })
    }))

  test('an address given twice is BIND_TWICE, none is NOT_BOUND', () =>
    simulateUdp(async (world) => {
      await assert.rejects(world.sock({ bind: HERE }).startServer({ bind: THERE }), { code: 'BIND_TWICE' })
      const sock = world.sock()
      await assert.rejects(sock.startServer(), { code: 'NOT_BOUND' })
      assert.equal(await sock.startServer({ bind: HERE }), HERE)
    }))

  test('another address, once a send has bound one, is ALREADY_STARTED', () =>
    simulateUdp(async (world) => {
      const sock = world.sock()
      await sock.sendMsg(0, 'x', { to: THERE })
      await assert.rejects(sock.startServer({ bind: HERE }), { code: 'ALREADY_STARTED' })
      await assert.rejects(sock.startServer(), { code: 'NOT_BOUND' })
    }))

  for (const [what, bind] of [
    ['another scheme', 'tcp://127.0.0.1:4000'],
    ['no port', 'udp://127.0.0.1'],
    ['no address', '4000'],
  ] as const) {
    test(`binding to ${what} is BAD_ADDRESS`, () =>
      simulateUdp(async (world) => {
        await assert.rejects(world.sock({ bind }).start(), { code: 'BAD_ADDRESS' })
      }))
  }

  test('what is bound by a name is IPv4 where there is a choice', () =>
    simulateUdp(async (world) => {
      const sock = await world.open({ bind: 'udp://localhost:4000' })
      assert.equal(sock.address, HERE)
    }))

  test('what the system cannot receive is counted, and the sock lives on', () =>
    simulateUdp(async (world) => {
      const got = new Arrivals()
      const sock = await world.open({ bind: HERE, handlers: { 0: got.push } })
      world.fail(HERE, new Error('ENOMEM'))
      world.forge(HERE, '10.0.0.1', 9, 'still here')
      assert.deepEqual([sock.stats().failed, got.list], [{ PIPE_FAILED: 1 }, ['still here']])
    }))
})

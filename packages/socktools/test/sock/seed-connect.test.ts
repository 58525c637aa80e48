/** The seed's rows `start_server(bind, backlog)` and `connect_to(endpoint)`. */
import assert from 'node:assert/strict'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, mock, test } from 'node:test'
import { type PipeSock, lines, type Transport } from '../../src/index.ts'
import { all, Arrivals, next } from '../support/events.ts'
import { ANY, at, GUARD, listenPlain, make, open, Plain } from '../support/tcp.ts'
import { simulate } from '../support/world.ts'

describe('startServer', GUARD, () => {
  test('returns the address as bound, with the port that the system chose for 0', async (t) => {
    const sock = make(t)
    const listening = next(sock, 'listening')
    const address = await sock.startServer({ bind: ANY })
    assert.match(address, /^tcp:\/\/127\.0\.0\.1:[1-9]\d*$/)
    assert.equal(sock.address, address)
    assert.deepEqual(await listening, { address })
    await Plain.dial(t, address)
  })

  test('takes the `bind` of the constructor', async (t) => {
    const sock = make(t, { bind: ANY })
    await Plain.dial(t, await sock.startServer())
  })

  test('IPv6: the address is a URL with brackets, and can be dialed', async (t) => {
    const server = await open(t, { bind: 'tcp://[::1]:0' })
    assert.match(at(server), /^tcp:\/\/\[::1\]:[1-9]\d*$/)
    const accepted = next(server, 'peer')
    const peer = await (await open(t)).connectTo(at(server))
    assert.equal(peer.address, at(server))
    assert.match((await accepted).peer.address, /^tcp:\/\/\[::1\]:[1-9]\d*$/)
  })

  test('backlog is what the system is asked for', async (t) => {
    const server = net.createServer()
    const listen = mock.method(server, 'listen')
    await make(t, { sock: server }).startServer({ bind: ANY, backlog: 7 })
    const [where] = listen.mock.calls[0]?.arguments as unknown as [net.ListenOptions]
    assert.equal(where.backlog, 7)
  })

  test('after connecting out it simply works', async (t) => {
    const other = await open(t, { bind: ANY })
    const sock = make(t)
    await sock.connectTo(at(other))
    const accepted = next(sock, 'peer', ({ peer }) => !peer.dialed)
    await Plain.dial(t, await sock.startServer({ bind: ANY }))
    await accepted
    assert.deepEqual(
      sock.knownPeers.map(({ dialed }) => dialed),
      [true, false],
    )
  })

  test('a port that is taken is ADDRESS_IN_USE; with another address the same sock starts', async (t) => {
    const first = await open(t, { bind: ANY })
    const sock = make(t)
    await assert.rejects(sock.startServer({ bind: at(first) }), {
      code: 'ADDRESS_IN_USE',
      address: at(first),
    })
    await Plain.dial(t, await sock.startServer({ bind: ANY }))
  })

  test('start() that failed can be tried again', async (t) => {
    const first = await open(t, { bind: ANY })
    const sock = make(t, { bind: at(first) })
    await assert.rejects(sock.start(), { code: 'ADDRESS_IN_USE' })
    await first.close()
    await sock.start()
    assert.equal(sock.address, first.address)
  })
})

describe('connectTo', GUARD, () => {
  test('returns the peer', async (t) => {
    const got = new Arrivals()
    const server = await open(t, { bind: ANY, handlers: { 0: got.push } })
    const client = await open(t)
    const peer = await client.connectTo(at(server))
    assert.deepEqual(client.knownPeers, [peer])
    assert.deepEqual([peer.address, peer.dialed, peer.state], [at(server), true, 'open'])
    await peer.sendMsg(0, 'hello')
    assert.deepEqual(await got.atLeast(1), ['hello'])
  })

  test('many at once, from one sock to several servers', async (t) => {
    const got = new Arrivals()
    const servers = await Promise.all([1, 2, 3].map(() => open(t, { bind: ANY, handlers: { 0: got.push } })))
    const client = await open(t)
    const peers = await Promise.all(
      Array.from({ length: 30 }, (_, i) => client.connectTo(at(servers[i % 3]!))),
    )
    assert.equal(new Set(peers.map(({ id }) => id)).size, 30)
    await Promise.all(peers.map((peer, i) => peer.sendMsg(0, String(i))))
    const arrived = await got.atLeast(30)
    assert.deepEqual(
      arrived.map(Number).sort((a, b) => a - b),
      Array.from({ length: 30 }, (_, i) => i),
    )
    assert.deepEqual(
      servers.map(({ knownPeers }) => knownPeers.length),
      [10, 10, 10],
    )
  })

  test('tries once: nobody there is CONNECT_FAILED, and that is all', () =>
    simulate(async (world) => {
      const sock = await world.open()
      const events = [all(sock, 'dialFailed'), all(sock, 'gone'), all(sock, 'peer')]
      await assert.rejects(sock.connectTo('memory:a'), { code: 'CONNECT_FAILED', address: 'memory:a' })
      const { activity } = world
      await world.open({ bind: 'memory:a' })
      await world.sim.sleep(600_000)
      assert.equal(world.activity, activity)
      assert.deepEqual(events, [[], [], []])
    }))

  test('a refused TCP port says so, with the system’s own error as the cause', async (t) => {
    const { address } = await listenPlain(t)
    const server = await open(t, { bind: ANY })
    const closed = at(server)
    await server.close()
    const client = await open(t)
    await assert.rejects(client.connectTo(closed), (error: NodeJS.ErrnoException) => {
      assert.equal(error.code, 'CONNECT_FAILED')
      assert.equal((error.cause as NodeJS.ErrnoException).code, 'ECONNREFUSED')
      return true
    })
    // The failure of one dial is nothing to the next.
    await client.connectTo(address)
  })

  test('a connection that ended does not come back', () =>
    simulate(async (world) => {
      const server = await world.open({ bind: 'memory:a' })
      const client = await world.open()
      await client.connectTo('memory:a')
      server.closePeer(server.knownPeers[0]!)
      await next(client, 'gone')
      await world.sim.sleep(600_000)
      assert.deepEqual(client.knownPeers, [])
    }))
})

describe('server and client at once', GUARD, () => {
  test('a ring: every sock listens and dials the next; a broadcast reaches both neighbours', async (t) => {
    const n = 4
    const got = Array.from({ length: n }, () => new Arrivals())
    const ring = await Promise.all(got.map(({ push }) => open(t, { bind: ANY, handlers: { 0: push } })))
    const accepted = ring.map((sock) => next(sock, 'peer', ({ peer }) => !peer.dialed))
    await Promise.all(ring.map((sock, i) => sock.connectTo(at(ring[(i + 1) % n]!))))
    await Promise.all(accepted)
    await Promise.all(ring.map((sock, i) => sock.sendMsg(0, String(i))))
    for (const [i, arrivals] of got.entries()) {
      const neighbours = [(i + 1) % n, (i + n - 1) % n].sort().map(String)
      assert.deepEqual([...(await arrivals.atLeast(2))].sort(), neighbours)
    }
  })

  // Three things to do for each of two socks, in every order in which each sock's own make sense.
  const orders = [
    'start a, start b, a to b, b to a',
    'start a, b to a, start b, a to b',
    'start b, a to b, start a, b to a',
  ]
  for (const order of orders) {
    test(`connecting and starting in any order: ${order}`, () =>
      simulate(async (world) => {
        const arrivals = { a: new Arrivals(), b: new Arrivals() }
        const socks: Record<string, PipeSock> = {
          a: world.sock({ handlers: { 0: arrivals.a.push } }),
          b: world.sock({ handlers: { 0: arrivals.b.push } }),
        }
        for (const step of order.split(', ')) {
          const [first = '', second = '', third] = step.split(' ')
          if (third === undefined) await socks[second]!.startServer({ bind: `memory:${second}` })
          else await socks[first]!.connectTo(`memory:${third}`)
          await socks['a']!.sendMsg(0, step)
          await socks['b']!.sendMsg(0, step)
        }
        await world.quiet()
        // Each step's message goes over every connection there is by then.
        const steps = order.split(', ')
        const expected = steps.flatMap((step, i) => {
          const links = steps.slice(0, i + 1).filter((one) => one.includes('to')).length
          return Array.from({ length: links }, () => step)
        })
        assert.deepEqual(arrivals.a.list, expected)
        assert.deepEqual(arrivals.b.list, expected)
      }))
  }

  test('over tcp, unix and memory in one sock', async (t) => {
    const path = join(tmpdir(), `socktools-test-${process.pid}-mixed.sock`)
    const got = new Arrivals()
    const servers = await Promise.all(
      [ANY, `unix:${path}`, `memory:mixed-${process.pid}`].map((bind) =>
        open(t, { bind, framing: lines(), handlers: { 0: got.push } }),
      ),
    )
    const node = await open(t, { framing: lines(), connect: servers.map(at) })
    assert.deepEqual(node.knownPeers.length, 3)
    await node.sendMsg(0, 'everywhere')
    assert.deepEqual(await got.atLeast(3), ['everywhere', 'everywhere', 'everywhere'])
  })
})

describe('giving up a dial', GUARD, () => {
  /** Dials that never settle unless they are given up. */
  const never: Transport = {
    scheme: 'never',
    dial: (_to, { signal }) =>
      new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(new Error('given up')))
      }),
    listen: () => Promise.reject(new Error('not here')),
  }
  const world = { transports: () => [never] }

  test('connectTo takes a signal', () =>
    simulate(async (world) => {
      const sock = await world.open()
      const giveUp = new AbortController()
      const dial = assert.rejects(sock.connectTo('never:a', { signal: giveUp.signal }), {
        code: 'ABORTED',
        cause: 'enough',
        address: 'never:a',
      })
      await world.sim.sleep(10)
      giveUp.abort('enough')
      await dial
      await assert.rejects(sock.connectTo('never:a', { signal: giveUp.signal }), { code: 'ABORTED' })
    }, world))

  test('connectTo takes a timeout; without one, connectTimeout holds', () =>
    simulate(async (world) => {
      const sock = await world.open({ connectTimeout: 2_000 })
      await assert.rejects(sock.connectTo('never:a', { timeout: 100 }), {
        code: 'CONNECT_TIMEOUT',
        address: 'never:a',
      })
      const first = world.sim.now()
      assert.ok(first >= 100 && first <= 108, `at ${first}`)
      await assert.rejects(sock.connectTo('never:a'), { code: 'CONNECT_TIMEOUT' })
      const second = world.sim.now() - first
      assert.ok(second >= 2_000 && second <= 2_070, `after ${second}`)
    }, world))

  test('a timeout of years is no storm of timers', () =>
    simulate(async (world) => {
      const sock = await world.open()
      const giveUp = new AbortController()
      const dial = assert.rejects(sock.connectTo('never:a', { timeout: 2 ** 45, signal: giveUp.signal }), {
        code: 'ABORTED',
      })
      await world.sim.sleep(80_000_000)
      giveUp.abort()
      await dial
    }, world))

  test('close() gives up every dial, with CLOSED', () =>
    simulate(async (world) => {
      const sock = await world.open()
      const dials = [1, 2, 3].map(() => assert.rejects(sock.connectTo('never:a'), { code: 'CLOSED' }))
      await sock.close()
      await Promise.all(dials)
    }, world))

  test('a dial that succeeds as the sock is closed leaves no peer behind', () =>
    simulate(async (world) => {
      const server = await world.open({ bind: 'memory:a' })
      const client = await world.open()
      // In memory the accepting side hears of the connection while the dialing side's promise is settling.
      server.on('peer', () => void client.close())
      await assert.rejects(client.connectTo('memory:a'), { code: 'CLOSED' })
      await world.quiet()
      assert.deepEqual([client.knownPeers, server.knownPeers], [[], []])
    }))
})

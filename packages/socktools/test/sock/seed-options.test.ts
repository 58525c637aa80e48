/** The seed's row `TCPSock(bind, connect, handlers, timeout, tick_interval, sock, meta_sock, logger, no_async)`. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { json, type Logger, type Tick } from '../../src/index.ts'
import { all, Arrivals, next, signal } from '../support/events.ts'
import { ANY, at, frame, GUARD, make, open, Plain } from '../support/tcp.ts'
import { simulate } from '../support/world.ts'

describe('bind, connect, handlers', GUARD, () => {
  test('bind: open() listens there, and the address tells the real port', async (t) => {
    const server = await open(t, { bind: ANY })
    assert.match(at(server), /^tcp:\/\/127\.0\.0\.1:[1-9]\d*$/)
    await Plain.dial(t, at(server))
  })

  test('connect: open() dials it, one address or several', async (t) => {
    const a = await open(t, { bind: ANY })
    const b = await open(t, { bind: ANY })
    const one = await open(t, { connect: at(a) })
    const both = await open(t, { connect: [at(a), at(b)] })
    assert.deepEqual(
      one.knownPeers.map(({ address }) => address),
      [at(a)],
    )
    assert.deepEqual(new Set(both.knownPeers.map(({ address }) => address)), new Set([at(a), at(b)]))
  })

  test('handlers: called with the data and where it came from', async (t) => {
    const called = signal<unknown[]>()
    const server = await open(t, {
      bind: ANY,
      handlers: {
        0: (data, { sock, peer, type }) => called.give([Buffer.from(data).toString(), sock, peer, type]),
      },
    })
    const client = await open(t, { connect: at(server) })
    await client.sendMsg(0, 'hello')
    assert.deepEqual(await called.promise, ['hello', server, server.knownPeers[0], 0])
  })

  test('handlers: types by name and by number under json(), as the seed has them', async (t) => {
    const got = signal()
    const list: unknown[] = []
    const server = await open(t, {
      bind: ANY,
      codec: json(),
      handlers: {
        say: (data, { type }) => list.push([type, data]),
        7: (data, { type }) => {
          list.push([type, data])
          got.give()
        },
      },
    })
    const client = await Plain.dial(t, at(server))
    await client.write(Buffer.concat([frame('["say",{"text":"hi"}]'), frame('[7,[1,2]]')]))
    await got.promise
    assert.deepEqual(list, [
      ['say', { text: 'hi' }],
      [7, [1, 2]],
    ])
  })
})

describe('timeout', GUARD, () => {
  test('a peer not heard for `timeout` milliseconds is removed, with IDLE_TIMEOUT', () =>
    simulate(async (world) => {
      const server = await world.open({ bind: 'memory:a', timeout: 10_000 })
      const gone = next(server, 'gone')
      const client = await world.open()
      const peer = await client.connectTo('memory:a')
      // Heard of at 9 s: the clock starts anew.
      await world.sim.sleep(9_000)
      await peer.sendMsg(0, 'here')
      await world.sim.sleep(9_000)
      assert.equal(server.knownPeers.length, 1)
      const { error } = await gone
      assert.equal(error?.code, 'IDLE_TIMEOUT')
      assert.equal(server.knownPeers.length, 0)
      // A deadline comes up to 1/32 late, never early.
      assert.ok(world.sim.now() >= 19_000 && world.sim.now() <= 19_400, `at ${world.sim.now()}`)
    }))

  test('what we send does not count as hearing of the peer', () =>
    simulate(async (world) => {
      const server = await world.open({ bind: 'memory:a', timeout: 1_000 })
      const gone = next(server, 'gone')
      await (await world.open()).connectTo('memory:a')
      for (let i = 0; i < 9; i++) {
        await server.sendMsg(0, 'are you there')
        await world.sim.sleep(100)
      }
      assert.equal((await gone).error?.code, 'IDLE_TIMEOUT')
      assert.ok(world.sim.now() < 1_100)
    }))

  test('off by default: the quiet are not thrown out of a chat', () =>
    simulate(async (world) => {
      const server = await world.open({ bind: 'memory:a' })
      await (await world.open()).connectTo('memory:a')
      await world.sim.sleep(86_000_000)
      assert.equal(server.knownPeers.length, 1)
    }))
})

describe('tickInterval', GUARD, () => {
  test('ticks come at a fixed rate, 250 ms by default', () =>
    simulate(async (world) => {
      const at: number[] = []
      await world.open({ tick: () => void at.push(world.sim.now()) })
      await world.sim.sleep(1_100)
      assert.deepEqual(at, [250, 500, 750, 1000])
    }))

  test('at the interval given', () =>
    simulate(async (world) => {
      const ticks: Tick[] = []
      await world.open({ tickInterval: 100, tick: (tick) => void ticks.push(tick) })
      await world.sim.sleep(350)
      assert.deepEqual(
        ticks.map(({ count, elapsed }) => [count, elapsed]),
        [
          [1, 100],
          [2, 100],
          [3, 100],
        ],
      )
    }))
})

describe('sock', GUARD, () => {
  test('a net.Server that listens: startServer takes its connections', async (t) => {
    const server = net.createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const got = new Arrivals()
    const sock = make(t, { sock: server, handlers: { 0: got.push } })
    const address = await sock.startServer()
    assert.equal(address, `tcp://127.0.0.1:${(server.address() as net.AddressInfo).port}`)
    const client = await Plain.dial(t, address)
    // Sent before anyone can have listened: nothing of it is lost.
    await client.write(frame('hi'))
    assert.deepEqual(await got.atLeast(1), ['hi'])
  })

  test('a net.Server that does not listen yet: it is bound to `bind`', async (t) => {
    const server = net.createServer()
    const sock = await open(t, { sock: server, bind: ANY })
    assert.equal(at(sock), `tcp://127.0.0.1:${(server.address() as net.AddressInfo).port}`)
    const peer = next(sock, 'peer')
    await Plain.dial(t, at(sock))
    await peer
  })

  test('a net.Server that does not listen, and no bind: NOT_BOUND', async (t) => {
    const sock = make(t, { sock: net.createServer() })
    await assert.rejects(sock.startServer(), { code: 'NOT_BOUND' })
  })

  test('a net.Server on a Unix socket: each connection is local and has a host', async (t) => {
    const path = join(tmpdir(), `socktools-test-${process.pid}.sock`)
    t.after(() => rmSync(path, { force: true }))
    const server = net.createServer()
    server.listen(path)
    await once(server, 'listening')
    // Per-host limits are for remote hosts.
    const sock = await open(t, { sock: server, maxPendingPerHost: 1, maxConnectRate: 1 })
    assert.equal(at(sock), `unix:${path}`)
    const refused = all(sock, 'refused')
    const client = await open(t)
    for (let i = 0; i < 3; i++) await client.connectTo(at(sock))
    if (sock.knownPeers.length + refused.length < 3) {
      await next(sock, 'peer', () => sock.knownPeers.length + refused.length === 3)
    }
    assert.deepEqual(refused, [])
    assert.deepEqual(
      sock.knownPeers.map(({ host }) => host),
      ['unix', 'unix', 'unix'],
    )
  })

  test('a net.Socket that is connected, or still connecting, becomes a peer', async (t) => {
    const server = await open(t, { bind: ANY, handlers: { 0: (data, { peer }) => peer.sendMsg(0, data) } })
    const port = Number(new URL(at(server)).port)
    const connecting = net.connect(port, '127.0.0.1')
    const connected = net.connect(port, '127.0.0.1')
    await once(connected, 'connect')
    for (const socket of [connected, connecting]) {
      const got = new Arrivals()
      const sock = await open(t, { sock: socket, handlers: { 0: got.push } })
      assert.deepEqual(
        sock.knownPeers.map(({ address, dialed }) => [address, dialed]),
        [[at(server), true]],
      )
      await sock.sendMsg(0, 'over your own socket')
      assert.deepEqual(await got.atLeast(1), ['over your own socket'])
    }
  })

  test('a net.Socket that is closed: CONNECT_FAILED', async (t) => {
    const sock = make(t, { sock: new net.Socket().destroy() })
    await assert.rejects(sock.start(), { code: 'CONNECT_FAILED' })
  })

  test('a net.Socket that connects only after close() does not become a peer', async (t) => {
    const server = await open(t, { bind: ANY })
    const socket = net.connect(Number(new URL(at(server)).port), '127.0.0.1')
    const sock = make(t, { sock: socket })
    const starting = assert.rejects(sock.start(), { code: 'CLOSED' })
    await sock.close()
    await starting
    assert.deepEqual(sock.knownPeers, [])
    if (!socket.closed) await once(socket, 'close')
  })
})

describe('logger', GUARD, () => {
  test('hears of what happens, each level on its own', () =>
    simulate(async (world) => {
      const lines: string[] = []
      const to = (level: string) => (text: string) => void lines.push(`${level}: ${text}`)
      const logger: Logger = { debug: to('debug'), info: to('info'), warn: to('warn'), error: to('error') }
      const handlers = {
        0: () => {
          throw new Error('my mistake')
        },
      }
      await world.open({ bind: 'memory:a', handlers, logger })
      const client = await world.open()
      const peer = await client.connectTo('memory:a')
      await peer.sendMsg(0, 'x')
      await world.quiet()
      peer.close()
      await world.quiet()
      assert.equal(lines[0], 'info: listening on memory:a')
      assert.equal(lines[1], 'debug: peer p1 is up (memory:a#1)')
      assert.match(lines[2] ?? '', /^error: .*my mistake.*HANDLER_FAILED/)
      assert.equal(lines[3], 'debug: peer p1 is gone (memory:a#1)')
      assert.equal(lines.length, 4)
    }))

  test('a level that is missing is not logged', () =>
    simulate(async (world) => {
      const lines: string[] = []
      await world.open({ bind: 'memory:a', logger: { warn: (text) => void lines.push(text) } })
      const peer = await (await world.open()).connectTo('memory:a')
      peer.close()
      await world.quiet()
      assert.deepEqual(lines, [])
    }))

  test('a flood of refused connections does not flood the log', () =>
    simulate(async (world) => {
      const lines: object[] = []
      const logger: Logger = { warn: (_text, facts = {}) => void lines.push(facts) }
      await world.open({ bind: 'memory:a', goodAddress: () => false, logger })
      const client = await world.open()
      const knock = async (): Promise<void> => {
        const peer = await client.connectTo('memory:a')
        if (peer.state !== 'gone') await next(client, 'gone', (event) => event.peer === peer)
      }
      for (let i = 0; i < 50; i++) await knock()
      await world.sim.sleep(1_000)
      await knock()
      const codes = lines.map((facts) =>
        'code' in facts && 'unsaid' in facts ? [facts.code, facts.unsaid] : facts,
      )
      assert.deepEqual(codes, [
        ['REFUSED', 0],
        ['REFUSED', 49],
      ])
    }))
})

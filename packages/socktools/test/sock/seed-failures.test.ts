/**
 * Where the seed fails: one test for each failure that the plain wire can cure. Each says what the seed does,
 * which is how the test would fail on it. (Two nodes that dial each other at once keep two connections here as
 * well: on the plain wire nobody says who they are.)
 */
import assert from 'node:assert/strict'
import net from 'node:net'
import { describe, test } from 'node:test'
import { type PipeSock, json } from '../../src/index.ts'
import { all, Arrivals, next, signal, turn } from '../support/events.ts'
import { knocking } from '../support/knock.ts'
import { ANY, at, frame, GUARD, open, pair, pattern, Plain } from '../support/tcp.ts'
import { simulate } from '../support/world.ts'

describe('where the seed fails', GUARD, () => {
  test('one recv is taken for the whole message: a message in many segments is one message', async (t) => {
    // The seed: recv(length) returns what is there, so the first segment is taken for the message and the
    // rest of it for the next length.
    const got = signal<Uint8Array>()
    const server = await open(t, { bind: ANY, handlers: { 0: (data) => got.give(data) } })
    const client = await Plain.dial(t, at(server))
    const payload = pattern(300)
    for (const byte of frame(payload)) {
      await client.write(Uint8Array.of(byte))
      // Given to the system alone, and read alone: the loop has looked at its sockets in between.
      await turn()
    }
    assert.deepEqual(Buffer.from(await got.promise), Buffer.from(payload))
    assert.equal(server.stats().messagesIn, 1)
  })

  test('one recv is taken for the whole message: megabytes arrive whole, and two messages in one segment are two', async (t) => {
    // The seed: as above, and what follows in the segment is lost with it.
    const got: Uint8Array[] = []
    const three = signal()
    const server = await open(t, {
      bind: ANY,
      handlers: {
        0: (data) => {
          if (got.push(data) === 3) three.give()
        },
      },
    })
    const client = await Plain.dial(t, at(server))
    const large = pattern(5_000_000)
    await client.write(Buffer.concat([frame('first'), frame(large), frame('last')]))
    await three.promise
    assert.deepEqual(
      got.map((data) => Buffer.from(data)),
      [Buffer.from('first'), Buffer.from(large), Buffer.from('last')],
    )
  })

  test('no length cap: a declared length over maxFrame is refused at the header', async (t) => {
    // The seed: waits for 4 GiB, for ever, and keeps all that comes.
    const server = await open(t, { bind: ANY, maxFrame: 1000 })
    const gone = next(server, 'gone')
    const client = await Plain.dial(t, at(server))
    await client.write(Buffer.from('ffffffff', 'hex'))
    const { error } = await gone
    assert.equal(error?.code, 'FRAME_TOO_LARGE')
    assert.match(error.message, /4294967295 bytes.*1000/)
    await client.everything
  })

  test('peers are known by (ip, port): one that comes back from the same port is another peer', () =>
    // The seed: known_peers[endpoint] is overwritten, and what was meant for the first reaches the second.
    knocking(async (world, door) => {
      const server = await world.open({ bind: 'knock:any' })
      const one = door.knock('10.0.0.1', false, 50_000)
      const [before] = server.knownPeers
      one.break(new Error('reset'))
      await world.quiet()
      const two = door.knock('10.0.0.1', false, 50_000)
      const [after] = server.knownPeers
      assert.equal(after?.address, before?.address)
      assert.notEqual(after?.id, before?.id)
      await assert.rejects(before!.sendMsg(0, 'secret'), { code: 'PEER_GONE' })
      await assert.rejects(server.sendMsg(0, 'secret', { to: before! }), { code: 'PEER_GONE' })
      await after!.sendMsg(0, 'hi')
      await world.quiet()
      assert.deepEqual(Buffer.concat(two.written), frame('hi'))
    }))

  test('connecting out replaces the receive queue: what waits to be handled still is', () =>
    // The seed: connect_to() makes a new recv_q; what the old one held is lost.
    simulate(async (world) => {
      const got = new Arrivals()
      const first = signal()
      const server = await world.open({
        bind: 'memory:a',
        handlers: {
          0: async (data) => {
            if (got.list.length === 0) await first.promise
            got.push(data)
          },
        },
      })
      await world.open({ bind: 'memory:b' })
      const client = await world.open({ connect: 'memory:a' })
      for (const text of ['1', '2', '3']) await client.sendMsg(0, text)
      await world.quiet()
      const raw = server.readRaw()
      await client.sendMsg(0, '4')
      await world.quiet()
      await server.connectTo('memory:b')
      first.give()
      await world.quiet()
      assert.deepEqual(got.list, ['1', '2', '3', '4'])
      assert.equal((await raw.next()).done, false)
    }))

  test('the send queue blocks: one peer that reads nothing stalls no broadcast', async (t) => {
    // The seed: send_raw() puts into each peer's queue of 100, and blocks at the 101st of the one who is slow.
    const server = await open(t, { bind: ANY, highWaterMark: 64 * 1024, maxQueue: 1024 * 1024 })
    const stalled = await Plain.dial(t, at(server))
    stalled.socket.pause()
    const reader = await Plain.dial(t, at(server))
    while (server.knownPeers.length < 2) await next(server, 'peer')
    const [, good] = server.knownPeers
    const dropped = all(server, 'dropped')
    const payload = pattern(100_000)
    let sent = 0
    const wanted = frame(payload).length
    // Until the one that stalls has missed messages: the kernel's buffers and its queue are full.
    for (; dropped.length === 0; sent++) {
      await server.sendMsg(0, payload)
      await good!.flushed()
      await turn()
    }
    assert.equal((await reader.atLeast(sent * wanted)).length, sent * wanted)
    assert.deepEqual([dropped[0]?.reason, good!.stats().dropped], ['slow', {}])
  })

  test('ten parsers and ten handlers at once break the order: messages of a peer stay in order', () =>
    // The seed: ten green threads take from one queue; whichever handler is done first is first.
    simulate(async (world) => {
      const order: number[] = []
      const server = await world.open({
        bind: 'memory:a',
        handlers: {
          0: async (data) => {
            await world.sim.sleep(world.sim.random() * 100)
            order.push(Number(Buffer.from(data).toString()))
          },
        },
      })
      const client = await world.open({ connect: 'memory:a' })
      for (let i = 0; i < 500; i++) await client.sendMsg(0, String(i))
      await client.drain({ timeout: 3_600_000 })
      await server.drain()
      assert.deepEqual(
        order,
        Array.from({ length: 500 }, (_, i) => i),
      )
    }))

  test('closing a peer does not close its socket: here the far side sees it, and the system forgets it', async (t) => {
    // The seed: close_peer() deletes the entry in known_peers; the connection stays up and is read for ever.
    const native = net.createServer()
    const server = await open(t, { sock: native, bind: ANY })
    const client = await Plain.dial(t, at(server))
    if (server.knownPeers.length === 0) await next(server, 'peer')
    server.closePeer(server.knownPeers[0]!)
    await client.everything
    client.socket.end()
    await client.closed
    const connections = await new Promise((resolve) =>
      native.getConnections((_error, count) => resolve(count)),
    )
    assert.equal(connections, 0)
  })

  test('after a failed read the reader spins: here a broken connection is told once, and then nothing happens', () =>
    // The seed: the read loop catches the error of recv() and calls recv() again, on the same dead socket.
    knocking(async (world, door) => {
      const server = await world.open({ bind: 'knock:any' })
      const [gone, faults] = [all(server, 'gone'), all(server, 'fault')]
      const pipe = door.knock()
      await world.quiet()
      pipe.say(Buffer.from('0000', 'hex'))
      pipe.break(new Error('read ECONNRESET'))
      await world.quiet()
      assert.deepEqual(
        gone.map(({ error }) => error?.code),
        ['PIPE_FAILED'],
      )
      assert.deepEqual([faults, server.knownPeers], [[], []])
      const { activity } = world
      await world.sim.sleep(600_000)
      assert.equal(world.activity, activity)
    }))

  test('the tick never starts and its pause is inverted: ticks come, and a slow one shortens the next pause', () =>
    // The seed: nothing starts the tick's thread; were it started, it would sleep the longer the slower it was.
    simulate(async (world) => {
      const times: number[] = []
      const sock = await world.open({
        tickInterval: 100,
        tick: () => {
          times.push(world.platform.now())
          world.block(40)
        },
      })
      await world.sim.sleep(500)
      await sock.close()
      assert.deepEqual(times.slice(0, 4), [100, 200, 300, 400])
    }))

  test('a frame from an unwanted peer is judged only after decoding: here nothing of it is decoded', () =>
    // The seed: read, decode, and only then good_peer.
    simulate(async (world) => {
      const codec = { ...json(), decode: () => assert.fail('decoded') }
      const server = await world.open({ bind: 'memory:a', codec, goodPeer: async () => false })
      const [refused, invalid] = [next(server, 'refused'), all(server, 'invalid')]
      const client = await world.open({ connect: 'memory:a' })
      await client.sendMsg(0, 'not wanted')
      await refused
      await world.quiet()
      assert.deepEqual([invalid, server.stats().messagesIn], [[], 0])
    }))

  describe('silence: here each of these is an error, an event and a counter', () => {
    test('sending to an unknown peer', () =>
      simulate(async (world) => {
        const server = await world.open({ bind: 'memory:a' })
        const dropped = all(server, 'dropped')
        await assert.rejects(server.sendMsg(0, 'x', { to: 'tcp://10.0.0.1:1' }), {
          code: 'UNKNOWN_PEER',
          address: 'tcp://10.0.0.1:1',
        })
        await world.quiet()
        assert.deepEqual(
          dropped.map(({ reason, messages }) => [reason, messages]),
          [['unsendable', 1]],
        )
      }))

    test('refusing a client', () =>
      simulate(async (world) => {
        const server = await world.open({ bind: 'memory:a', goodPeer: () => false })
        const refused = all(server, 'refused')
        const client = await world.open({ connect: 'memory:a' })
        await next(client, 'gone')
        assert.deepEqual(
          refused.map(({ host, error }) => [host, error.code]),
          [['memory', 'REFUSED']],
        )
        assert.deepEqual(server.stats().refused, { REFUSED: 1 })
        await client.close()
      }))

    test('a send that fails', async (t) => {
      const handling = signal()
      const never = (): Promise<void> => {
        handling.give()
        return new Promise(() => undefined)
      }
      const options = { readMark: 0, maxQueue: 2 ** 30 }
      const { client, toServer, server } = await pair(t, { handlers: { 0: never }, ...options }, options)
      const dropped = all(client, 'dropped')
      const gone = next(client, 'gone')
      // More than the kernel takes while nobody reads.
      const payload = pattern(1_000_000)
      const sends = Array.from({ length: 60 }, () => toServer.sendMsg(0, payload))
      await handling.promise
      await server.close()
      const { unsent } = (await gone).lost
      assert.ok(unsent > 0 && unsent < 60, `${unsent} of 60 were not sent`)
      await turn()
      assert.deepEqual(
        dropped.map(({ reason, messages, peer }) => [reason, messages, peer]),
        [['gone', unsent, toServer]],
      )
      assert.deepEqual(client.stats().dropped, { gone: unsent })
      const results = await Promise.allSettled(sends)
      const codes = new Set(
        results.flatMap((one) => (one.status === 'rejected' ? [(one.reason as { code: string }).code] : [])),
      )
      assert.deepEqual(codes, new Set(['PEER_GONE']))
    })
  })

  test('what may not be called twice cannot be reached, or says so', () =>
    // The seed: start_server(), handle_client_send() and server_thread() twice corrupt the connections.
    simulate(async (world) => {
      const server: PipeSock = await world.open({ bind: 'memory:a' })
      await assert.rejects(server.startServer(), { code: 'ALREADY_STARTED' })
      await assert.rejects(server.start(), { code: 'ALREADY_STARTED' })
      const got = new Arrivals()
      server.addHandler(0, got.push)
      const client = await world.open({ connect: 'memory:a' })
      await client.sendMsg(0, 'whole')
      await world.quiet()
      assert.deepEqual(got.list, ['whole'])
    }))
})

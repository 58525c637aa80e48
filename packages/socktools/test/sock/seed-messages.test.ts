/** The seed's rows `send_msg`, `send_raw(data, to_peer)`, `read_raw()`, `add_handler(exclusive)`, `handle_all`. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type BaseSock, json, type Peer } from '../../src/index.ts'
import { all, Arrivals, next } from '../support/events.ts'
import { ANY, at, frame, GUARD, open, pair, Plain } from '../support/tcp.ts'
import { simulate, type World } from '../support/world.ts'

/** A server and three clients, each with what it received. */
async function star(world: World): Promise<{ server: BaseSock; clients: BaseSock[]; got: Arrivals[]; peers: readonly Peer[] }> {
  const server = await world.open({ bind: 'memory:a' })
  const got = [new Arrivals(), new Arrivals(), new Arrivals()]
  const clients: BaseSock[] = []
  for (const { push } of got) clients.push(await world.open({ connect: 'memory:a', handlers: { 0: push } }))
  return { server, clients, got, peers: server.knownPeers }
}

const lists = (got: readonly Arrivals[]): string[] => got.map(({ list }) => list.join())

for (const method of ['sendMsg', 'sendRaw'] as const) {
  const send = (sock: BaseSock, text: string, options?: Parameters<BaseSock['sendRaw']>[1]): Promise<void> =>
    method === 'sendMsg' ? sock.sendMsg(0, text, options) : sock.sendRaw(Buffer.from(text), options)

  describe(method, GUARD, () => {
    test('to every peer', () =>
      simulate(async (world) => {
        const { server, got } = await star(world)
        await send(server, 'x')
        await world.quiet()
        assert.deepEqual(lists(got), ['x', 'x', 'x'])
      }))

    test('to one: a peer, or its address', () =>
      simulate(async (world) => {
        const { server, got, peers } = await star(world)
        await send(server, 'peer', { to: peers[1]! })
        await send(server, 'address', { to: peers[2]!.address })
        await world.quiet()
        assert.deepEqual(lists(got), ['', 'peer', 'address'])
      }))

    test('to several: an array, a set, of peers and addresses; twice the same is once', () =>
      simulate(async (world) => {
        const { server, got, peers } = await star(world)
        await send(server, 'array', { to: [peers[0]!, peers[1]!.address, peers[0]!] })
        await send(server, 'set', { to: new Set([peers[2]!, peers[0]!]) })
        await send(server, 'nobody', { to: [] })
        await world.quiet()
        assert.deepEqual(lists(got), ['array,set', 'array', 'set'])
      }))

    test('to everyone except some', () =>
      simulate(async (world) => {
        const { server, got, peers } = await star(world)
        await send(server, 'a', { except: peers[0]! })
        await send(server, 'b', { except: [peers[1]!.address, peers[2]!] })
        await send(server, 'c', { to: [peers[0]!, peers[1]!], except: peers[1]! })
        await world.quiet()
        assert.deepEqual(lists(got), ['b,c', 'a', 'a'])
      }))

    test('with nobody there it resolves, however often', () =>
      simulate(async (world) => {
        const got = new Arrivals()
        const server = await world.open({ bind: 'memory:a' })
        for (let i = 0; i < 3; i++) {
          await send(server, 'into the void')
          await world.quiet()
        }
        await world.open({ connect: 'memory:a', handlers: { 0: got.push } })
        await send(server, 'heard')
        await world.quiet()
        assert.deepEqual(got.list, ['heard'])
      }))

    test('a peer that is gone does not keep the rest from it', () =>
      simulate(async (world) => {
        const { server, got, peers } = await star(world)
        peers[1]!.close()
        const dropped = all(server, 'dropped')
        await send(server, 'to some', { to: peers })
        await send(server, 'to all')
        await world.quiet()
        assert.deepEqual(lists(got), ['to some,to all', '', 'to some,to all'])
        assert.deepEqual(dropped.map(({ peer, reason, messages }) => [peer, reason, messages]), [[peers[1], 'gone', 1]])
      }))
  })
}

describe('the bytes', GUARD, () => {
  test('sendMsg goes through the codec, sendRaw past it; both are framed', async (t) => {
    const server = await open(t, { bind: ANY, codec: json() })
    const client = await Plain.dial(t, at(server))
    if (server.knownPeers.length === 0) await next(server, 'peer')
    await server.sendMsg('say', { text: 'hi' })
    await server.sendRaw(Buffer.from('hi'))
    await server.sendRaw(new Uint8Array(0))
    void server.drain()
    const expected = `${frame('["say",{"text":"hi"}]').toString('hex')}00000002686900000000`
    assert.equal((await client.everything).toString('hex'), expected)
  })

  test('raw(): bytes as they are, text as UTF-8', async (t) => {
    const server = await open(t, { bind: ANY })
    const client = await Plain.dial(t, at(server))
    if (server.knownPeers.length === 0) await next(server, 'peer')
    await server.sendMsg(0, 'é')
    await server.sendMsg(0, Uint8Array.of(0, 255))
    void server.drain()
    assert.equal((await client.everything).toString('hex'), '00000002c3a90000000200ff')
  })
})

describe('readRaw', GUARD, () => {
  test('an async iterable of [bytes, peer], before the codec', async (t) => {
    const { server, toClient, client } = await pair(t, { codec: json() })
    const packets = server.readRaw()
    const invalid = next(server, 'invalid')
    await client.sendRaw(Buffer.from('no JSON'))
    const { value } = await packets.next()
    assert.equal(Buffer.from(value?.[0] ?? []).toString(), 'no JSON')
    assert.equal(value?.[1], toClient)
    assert.equal((await invalid).error.code, 'BAD_MESSAGE')
  })

  test('bounded: a reader that falls behind ends itself with SLOW_CONSUMER, and the sock goes on', () =>
    simulate(async (world) => {
      const got = new Arrivals()
      const server = await world.open({ bind: 'memory:a', handlers: { 0: got.push } })
      const client = await world.open({ connect: 'memory:a' })
      const slow = server.readRaw({ limit: 2 })
      const standard = server.readRaw()
      for (let i = 0; i < 1001; i++) await client.sendMsg(0, String(i))
      await world.quiet()
      assert.equal(got.list.length, 1001)
      // What was within the limit can still be read.
      for (const expected of ['0', '1']) {
        assert.equal(Buffer.from((await slow.next()).value?.[0] ?? []).toString(), expected)
      }
      await assert.rejects(slow.next(), { code: 'SLOW_CONSUMER' })
      assert.equal((await slow.next()).done, true)
      for (let i = 0; i < 1000; i++) assert.equal((await standard.next()).done, false)
      await assert.rejects(standard.next(), { code: 'SLOW_CONSUMER' })
    }))

  test('ends with its signal, with break, and with the sock', () =>
    simulate(async (world) => {
      const server = await world.open({ bind: 'memory:a', handlers: { 0: () => undefined } })
      const client = await world.open({ connect: 'memory:a' })
      const stop = new AbortController()
      const ended: string[] = []
      const read = async (name: string, signal?: AbortSignal): Promise<void> => {
        for await (const [bytes] of server.readRaw(signal === undefined ? {} : { signal })) {
          if (bytes[0] === 'b'.charCodeAt(0) && name === 'break') break
        }
        ended.push(name)
      }
      const readers = [read('signal', stop.signal), read('break'), read('sock')]
      await client.sendMsg(0, 'a')
      await world.quiet()
      stop.abort()
      await world.quiet()
      assert.deepEqual(ended, ['signal'])
      await client.sendMsg(0, 'b')
      await world.quiet()
      assert.deepEqual(ended, ['signal', 'break'])
      await server.close()
      await Promise.all(readers)
      assert.deepEqual(ended, ['signal', 'break', 'sock'])
    }))
})

describe('messages', GUARD, () => {
  test('one whose signal is aborted before it begins is over, and takes nothing', () =>
    simulate(async (world) => {
      const server = await world.open({ bind: 'memory:a' })
      const client = await world.open({ connect: 'memory:a' })
      const unhandled = all(server, 'unhandled')
      const over = [server.messages(0, { signal: AbortSignal.abort() }), server.readRaw({ signal: AbortSignal.abort() })]
      await client.sendMsg(0, 'x')
      await world.quiet()
      for (const one of over) assert.equal((await one.next()).done, true)
      assert.equal(unhandled.length, 1)
    }))

  test('of one type or of all, beside the handlers', () =>
    simulate(async (world) => {
      const handled: unknown[] = []
      const server = await world.open({ bind: 'memory:a', codec: json(), handlers: { a: (data) => handled.push(data) } })
      const client = await world.open({ connect: 'memory:a', codec: json() })
      const [some, every] = [server.messages('b'), server.messages()]
      const unhandled = all(server, 'unhandled')
      for (const [type, data] of [['a', 1], ['b', 2], ['a', 3]] as const) await client.sendMsg(type, data)
      await world.quiet()
      assert.deepEqual(handled, [1, 3])
      const [data, context] = (await some.next()).value ?? []
      assert.deepEqual([data, context?.type, context?.peer], [2, 'b', server.knownPeers[0]])
      for (const expected of [1, 2, 3]) assert.equal((await every.next()).value?.[0], expected)
      // Somebody took each of them.
      assert.deepEqual(unhandled, [])
    }))

  test('a full one ends itself with SLOW_CONSUMER and stalls nobody; the limit is 1,000', () =>
    simulate(async (world) => {
      const got = new Arrivals()
      const server = await world.open({ bind: 'memory:a', handlers: { 0: got.push } })
      const client = await world.open({ connect: 'memory:a' })
      const messages = server.messages(0)
      for (let i = 0; i < 1500; i++) await client.sendMsg(0, 'x')
      await world.quiet()
      assert.equal(got.list.length, 1500)
      for (let i = 0; i < 1000; i++) assert.equal((await messages.next()).done, false)
      await assert.rejects(messages.next(), { code: 'SLOW_CONSUMER' })
    }))
})

describe('addHandler', GUARD, () => {
  /** What a message of type 'a' is handled by, as the handlers say it. */
  const scene = (world: World): Promise<{ server: BaseSock<ReturnType<typeof json>>; say: () => Promise<string> }> =>
    world.open({ bind: 'memory:a', codec: json() }).then(async (server) => {
      const client = await world.open({ connect: 'memory:a', codec: json<unknown>() })
      return {
        server,
        say: async () => {
          said.length = 0
          await client.sendMsg('a', 1)
          await world.quiet()
          return said.join()
        },
      }
    })
  const said: string[] = []
  const says = (word: string) => (): void => void said.push(word)

  test('several for one type run in the order in which they were added', () =>
    simulate(async (world) => {
      const { server, say } = await scene(world)
      server.addHandler('a', async () => {
        await world.sim.sleep(0.0001)
        said.push('first')
      })
      server.addHandler('a', says('second'))
      server.addHandler('b', says('other'))
      assert.equal(await say(), 'first,second')
    }))

  test('exclusive takes the place of those that the type had; later ones add to it', () =>
    simulate(async (world) => {
      const { server, say } = await scene(world)
      server.addHandler('a', says('one'))
      server.addHandler('a', says('two'))
      server.addHandler('a', says('only'), { exclusive: true })
      assert.equal(await say(), 'only')
      server.addHandler('a', says('later'))
      assert.equal(await say(), 'only,later')
    }))

  test('what it returns takes back that handler, once, and no other', () =>
    simulate(async (world) => {
      const { server, say } = await scene(world)
      const same = says('same')
      const off = server.addHandler('a', same)
      server.addHandler('a', same)
      assert.equal(await say(), 'same,same')
      off()
      off()
      assert.equal(await say(), 'same')
    }))

  test('a type nobody handles is counted and reported, not lost in silence', () =>
    simulate(async (world) => {
      const { server, say } = await scene(world)
      const unhandled = all(server, 'unhandled')
      const off = server.addHandler('a', says('x'))
      off()
      await say()
      assert.deepEqual(unhandled.map(({ type, data, peer }) => [type, data, peer]), [['a', 1, server.knownPeers[0]]])
      assert.equal(server.stats().unhandled, 1)
    }))

  test('types named like things of Object are types like any other', () =>
    simulate(async (world) => {
      const types: unknown[] = []
      const server = await world.open({ bind: 'memory:a', codec: json() })
      server.addHandler('__proto__', (_data, { type }) => types.push(type))
      const unhandled = all(server, 'unhandled')
      const client = await world.open({ connect: 'memory:a', codec: json() })
      for (const type of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) await client.sendMsg(type, 0)
      await world.quiet()
      assert.deepEqual(types, ['__proto__'])
      assert.deepEqual(unhandled.map(({ type }) => type), ['constructor', 'toString', 'hasOwnProperty'])
    }))
})

describe('use', GUARD, () => {
  test('sees every message, may rewrite its type and data, and may stop it', () =>
    simulate(async (world) => {
      const got: unknown[] = []
      const server = await world.open({ bind: 'memory:a', codec: json<string>(), handlers: { loud: (data) => got.push(data) } })
      const seen: string[] = []
      server.use((message, { peer, sock }, next) => {
        seen.push(message.data)
        assert.deepEqual([peer, sock], [server.knownPeers[0], server])
        if (message.data === 'spam') return undefined
        message.type = 'loud'
        message.data = message.data.toUpperCase()
        return next()
      })
      const client = await world.open({ connect: 'memory:a', codec: json<string>() })
      for (const data of ['one', 'spam', 'two']) await client.sendMsg('say', data)
      await world.quiet()
      assert.deepEqual(seen, ['one', 'spam', 'two'])
      assert.deepEqual(got, ['ONE', 'TWO'])
    }))

  test('runs in the order added, each around the next, the handler innermost', () =>
    simulate(async (world) => {
      const steps: string[] = []
      const server = await world.open({ bind: 'memory:a', handlers: { 0: () => void steps.push('handler') } })
      server.use(async (_message, _context, next) => {
        steps.push('a in')
        await next()
        steps.push('a out')
      })
      const off = server.use(async (_message, _context, next) => {
        steps.push('b in')
        await world.sim.sleep(0.0001)
        await next()
        steps.push('b out')
      })
      const client = await world.open({ connect: 'memory:a' })
      await client.sendMsg(0, 'x')
      await world.quiet()
      assert.deepEqual(steps.splice(0), ['a in', 'b in', 'handler', 'b out', 'a out'])
      off()
      await client.sendMsg(0, 'x')
      await world.quiet()
      assert.deepEqual(steps, ['a in', 'handler', 'a out'])
    }))

  test('the next message waits until the middleware of the one before has settled', () =>
    simulate(async (world) => {
      const got = new Arrivals()
      const server = await world.open({ bind: 'memory:a', handlers: { 0: got.push } })
      server.use(async (message, _context, next) => {
        if (message.data[0] === 'a'.charCodeAt(0)) await world.sim.sleep(100)
        await next()
      })
      const client = await world.open({ connect: 'memory:a' })
      await client.sendMsg(0, 'a')
      await client.sendMsg(0, 'b')
      await world.sim.sleep(200)
      assert.deepEqual(got.list, ['a', 'b'])
    }))
})

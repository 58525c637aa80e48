/** The seed's rows `read_raw()`, `add_handler(exclusive)` and `handle_all`. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type PipeSock, json } from '../../src/index.ts'
import { all, Arrivals, next } from '../support/events.ts'
import { GUARD, pair } from '../support/tcp.ts'
import { simulate, type World } from '../support/world.ts'

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
      const over = [
        server.messages(0, { signal: AbortSignal.abort() }),
        server.readRaw({ signal: AbortSignal.abort() }),
      ]
      await client.sendMsg(0, 'x')
      await world.quiet()
      for (const one of over) assert.equal((await one.next()).done, true)
      assert.equal(unhandled.length, 1)
    }))

  test('of one type or of all, beside the handlers', () =>
    simulate(async (world) => {
      const handled: unknown[] = []
      const server = await world.open({
        bind: 'memory:a',
        codec: json(),
        handlers: { a: (data) => handled.push(data) },
      })
      const client = await world.open({ connect: 'memory:a', codec: json() })
      const [some, every] = [server.messages('b'), server.messages()]
      const unhandled = all(server, 'unhandled')
      for (const [type, data] of [
        ['a', 1],
        ['b', 2],
        ['a', 3],
      ] as const)
        await client.sendMsg(type, data)
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
  const scene = (
    world: World,
  ): Promise<{ server: PipeSock<ReturnType<typeof json>>; say: () => Promise<string> }> =>
    world.open({ bind: 'memory:a', codec: json() }).then(async (server) => {
      const client = await world.open({ connect: 'memory:a', codec: json() })
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
      assert.deepEqual(
        unhandled.map(({ type, data, peer }) => [type, data, peer]),
        [['a', 1, server.knownPeers[0]]],
      )
      assert.equal(server.stats().unhandled, 1)
    }))

  test('types named like things of Object are types like any other', () =>
    simulate(async (world) => {
      const types: unknown[] = []
      const server = await world.open({ bind: 'memory:a', codec: json() })
      server.addHandler('__proto__', (_data, { type }) => types.push(type))
      const unhandled = all(server, 'unhandled')
      const client = await world.open({ connect: 'memory:a', codec: json() })
      for (const type of ['__proto__', 'constructor', 'toString', 'hasOwnProperty'])
        await client.sendMsg(type, 0)
      await world.quiet()
      assert.deepEqual(types, ['__proto__'])
      assert.deepEqual(
        unhandled.map(({ type }) => type),
        ['constructor', 'toString', 'hasOwnProperty'],
      )
    }))
})

describe('use', GUARD, () => {
  test('sees every message, may rewrite its type and data, and may stop it', () =>
    simulate(async (world) => {
      const got: unknown[] = []
      const server = await world.open({
        bind: 'memory:a',
        codec: json<string>(),
        handlers: { loud: (data) => got.push(data) },
      })
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

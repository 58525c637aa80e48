/** A protocol where there is no handshake: on the plain wire and in datagrams. And what hooks mean under it. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import {
  call,
  channel,
  type Codec,
  feed,
  json,
  type Message,
  msg,
  PipeSock,
  type Protocol,
  type RawCodec,
  type Sock,
  type SockOptions,
  UdpSock,
} from '../../../src/index.ts'
import { coded } from '../../support/coded.ts'
import { noCrashes } from '../../support/crashes.ts'
import { all } from '../../support/events.ts'
import { GUARD } from '../../support/tcp.ts'
import { simulateUdp, type UdpWorld } from '../../support/udp-world.ts'
import { simulate } from '../../support/world.ts'

noCrashes()

const chat = {
  say: msg(z.object({ at: z.string().transform(Number) })),
  short: msg(z.string(), { maxSize: 20 }),
  slow: msg(z.string().refine(async (text) => Promise.resolve(text !== 'no'))),
  add: call(z.number(), z.number()),
  count: feed(z.number(), z.number()),
  echo: channel(z.string(), z.string()),
}
type Chat = typeof chat
type Chatting = Sock<RawCodec, Chat>

/** Two socks that know each other, the first dialed; `raw` sends what it likes to the first. */
interface Pair {
  readonly here: Chatting
  readonly there: Chatting
  readonly raw: (payload: string) => Promise<void>
}

const carriers: Record<string, [error: RegExp, pair: (udp: UdpWorld) => Promise<Pair>]> = {
  'the plain wire': [
    /the plain wire carries/,
    async ({ world }) => {
      const here = await world.open({ protocol: chat, wire: 'plain', bind: 'memory:a' })
      const there = await world.open({ protocol: chat, wire: 'plain', connect: 'memory:a' })
      const foe = await world.open({ connect: 'memory:a' })
      return { here, there, raw: (payload) => foe.sendRaw(Buffer.from(payload)) }
    },
  ],
  datagrams: [
    /a datagram carries/,
    async (udp) => {
      const bind = 'udp://127.0.0.1:4000'
      const here = await udp.open({ protocol: chat, bind })
      const there = await udp.open({ protocol: chat, connect: bind })
      const foe = await udp.open({ connect: bind })
      return { here, there, raw: (payload) => foe.sendRaw(Buffer.from(payload)) }
    },
  ],
}

for (const [name, [only, pairOf]] of Object.entries(carriers)) {
  const pairTest = (what: string, scenario: (pair: Pair, udp: UdpWorld) => Promise<void>): void => {
    test(what, () => simulateUdp(async (udp) => scenario(await pairOf(udp), udp)))
  }

  describe(`a protocol over ${name}`, GUARD, () => {
    pairTest(
      'has messages as [type, data], which arrive as their schema gives them out',
      async (pair, udp) => {
        const { here, there, raw } = pair
        const payloads = here.readRaw()
        const said = here.messages('say')
        await there.sendMsg('say', { at: '7' })
        const [payload] = (await payloads.next()).value ?? []
        assert.equal(Buffer.from(payload ?? []).toString(), '["say",{"at":"7"}]')
        await raw('["say",{"at":"8"}]')
        await udp.quiet()
        const first: { at: number } | undefined = (await said.next()).value?.[0]
        assert.deepEqual(first, { at: 7 })
        assert.deepEqual((await said.next()).value?.[0], { at: 8 })
      },
    )

    pairTest('takes nothing in that its schemas do not, and goes on', async ({ here, raw }, udp) => {
      const invalid = all(here, 'invalid')
      const unhandled = all(here, 'unhandled')
      const heard: unknown[] = []
      here.addHandler('say', ({ at }) => heard.push(at))
      here.addHandler('slow', (text) => heard.push(text))
      here.addHandler('add', () => assert.fail('a call is not for messages'))
      const bad = ['no JSON', '["say",{"at":5}]', '["slow","no"]', '["add",5]', '["count",5]', '["echo"]']
      for (const one of bad) await raw(one)
      await raw('["shout",1]')
      await raw('["slow","yes"]')
      await raw('["say",{"at":"9"}]')
      await udp.quiet()
      assert.deepEqual(heard, ['yes', 9])
      assert.deepEqual(
        invalid.map(({ error, payload }) => `${error.code} ${Buffer.from(payload).toString()}`),
        bad.map((one) => `BAD_MESSAGE ${one}`),
      )
      assert.match(invalid[3]?.error.message ?? '', /"add" is a call, and this came as a message/)
      assert.deepEqual(
        unhandled.map(({ type, data }) => [type, data]),
        [['shout', 1]],
      )
    })

    pairTest('sends the messages of its contract and nothing else', async ({ there }, udp) => {
      const [peer] = there.knownPeers
      assert.ok(peer !== undefined)
      for (const one of [there, peer] as {
        sendMsg(type: string, data: unknown, options?: object): Promise<void>
      }[]) {
        await assert.rejects(one.sendMsg('shout', 1), coded('UNKNOWN_TYPE', /no type "shout"/))
        await assert.rejects(one.sendMsg('add', 1), coded('UNKNOWN_TYPE', /"add" is a call, not a msg/))
        await assert.rejects(one.sendMsg('short', 'x'.repeat(20)), coded('TOO_LARGE', /maxSize is 20/))
        await one.sendMsg('short', 'x')
        const headers = one.sendMsg('short', 'x', { headers: { k: 'v' } })
        await assert.rejects(headers, coded('OVER_PLAIN', only))
        await assert.rejects(headers, coded('OVER_PLAIN', /no headers/))
      }
      await udp.quiet()
      assert.equal(there.stats().dropped.unsendable, 8)
      assert.equal(there.stats().messagesOut, 2)
      assert.equal(peer.stats().dropped.unsendable, 4)
    })

    pairTest('has no calls, feeds and channels', async ({ there }) => {
      const [peer] = there.knownPeers
      assert.ok(peer !== undefined)
      await assert.rejects(peer.request('add', 1), coded('OVER_PLAIN', only))
      await assert.rejects(peer.stream('count', 1).next(), coded('OVER_PLAIN', only))
      assert.throws(() => peer.channel('echo'), coded('OVER_PLAIN', /messages and nothing else/))
      // A forgotten await ends no process.
      void peer.request('add', 1)
    })
  })
}

describe('datagrams under a protocol', GUARD, () => {
  test('have no other wire, and no options of one', () => {
    const refuses = (options: object, what: RegExp): void => {
      assert.throws(() => new UdpSock(options), coded('BAD_OPTION', what))
    }
    for (const wire of ['v1', 'auto', 'other']) refuses({ protocol: chat, wire }, /wire is 'plain' over UDP/)
    refuses(
      { protocol: chat, callTimeout: 5 },
      /UDP has no callTimeout: datagrams carry messages and nothing else/,
    )
    refuses({ protocol: chat, heartbeat: 5 }, /UDP has no heartbeat/)
    refuses({ protocol: chat, codec: [json(), json()] }, /one codec/)
    const shout = { protocol: chat, handlers: { shout: () => 0 } }
    assert.throws(() => new UdpSock(shout as object), coded('UNKNOWN_TYPE', /no type "shout"/))
    assert.equal(new UdpSock({ protocol: chat, wire: 'plain' }).protocol, chat)
  })

  test('carry no more than they did: longer ones are TOO_LARGE', () =>
    simulateUdp(async (udp) => {
      await udp.open({ protocol: chat, bind: 'udp://127.0.0.1:4000' })
      const sock = await udp.open({ protocol: chat, connect: 'udp://127.0.0.1:4000' })
      // 1,472 in all, ["slow",""] included.
      await sock.sendMsg('slow', 'x'.repeat(1461))
      await assert.rejects(sock.sendMsg('slow', 'x'.repeat(1462)), coded('TOO_LARGE', /1473 bytes, and 1472/))
      await assert.rejects(
        sock.knownPeers[0]!.sendMsg('slow', 'x'.repeat(1462)),
        coded('TOO_LARGE', /1473 bytes, and 1472/),
      )
    }))
})

describe('under wire: auto', GUARD, () => {
  test('one who speaks plain gets messages without headers, and none with them', () =>
    simulate(async (world) => {
      const server = await world.open({ protocol: chat, wire: 'auto', bind: 'memory:a' })
      const heard: string[] = []
      const handlers = { slow: (text: string) => heard.push(text) }
      await world.open({ protocol: chat, connect: 'memory:a', handlers })
      const plain = await world.open({ protocol: chat, wire: 'plain', connect: 'memory:a', handlers })
      await plain.sendMsg('slow', 'first')
      await world.sim.sleep(2000)
      const dropped = all(server, 'dropped')
      await server.sendMsg('slow', 'both')
      await server.sendMsg('slow', 'one', { headers: { k: 'v' } })
      await world.quiet()
      assert.deepEqual(heard.sort(), ['both', 'both', 'one'])
      assert.deepEqual(
        dropped.map(({ peer, reason, messages }) => [peer?.wire, reason, messages]),
        [['plain', 'unsendable', 1]],
      )
      const peer = server.knownPeers.find(({ wire }) => wire === 'plain')
      const alone = server.sendMsg('slow', 'alone', { headers: {}, to: peer ?? [] })
      await assert.rejects(alone, coded('OVER_PLAIN', /no headers/))
      await assert.rejects(peer!.request('add', 1), coded('OVER_PLAIN', /nothing else/))
    }))
})

class Parsing<P extends Protocol | undefined> extends PipeSock<Codec<unknown>, P> {
  protected override parse(payload: Uint8Array): Message {
    const { type, data } = super.parse(payload)
    return { type, data: data === 'hooked' ? 'parsed' : data }
  }
}
class Serialising<P extends Protocol | undefined> extends PipeSock<Codec<unknown>, P> {
  protected override serialise(type: string | number): Uint8Array {
    return Buffer.from(JSON.stringify([type, 'hooked']))
  }
}
class Watching extends PipeSock<RawCodec, Chat> {
  readonly seen: unknown[] = []
  protected override handleAll(message: Message, _context: unknown, next: () => unknown): unknown {
    this.seen.push(message.type)
    if (message.type === 'add') message.data = 40
    return message.data === 'stop' ? undefined : next()
  }
}

describe('a hook of a class', GUARD, () => {
  test('for payloads is refused where the wire has none', () =>
    simulate(async (world) => {
      for (const wire of ['v1', 'auto'] as const) {
        for (const [Class, name] of [
          [Parsing, 'parse'],
          [Serialising, 'serialise'],
        ] as const) {
          const what = new RegExp(`'${wire}' never calls ${name}: .*codec`)
          assert.throws(() => new Class({ protocol: chat, wire }, world), coded('BAD_OPTION', what))
        }
      }
      await Promise.resolve()
    }))

  test('for payloads works on the plain wire, inside the contract', () =>
    simulate(async (world) => {
      const options: SockOptions<Codec<unknown>, Chat> = { protocol: chat, wire: 'plain' }
      const server = new Parsing({ ...options, bind: 'memory:a' }, world)
      const client = new Serialising({ ...options, connect: 'memory:a' }, world)
      await server.start()
      await client.start()
      const heard: string[] = []
      server.addHandler('slow', (text) => heard.push(text))
      await client.sendMsg('slow', 'anything')
      await world.quiet()
      assert.deepEqual(heard, ['parsed'])
      const call = client.sendMsg('add' as never, 1 as never)
      await assert.rejects(call, coded('UNKNOWN_TYPE', /a call, not a msg/))
      await client.close()
      await server.close()
    }))

  test('around everything sees messages, calls, feeds and channels', () =>
    simulate(async (world) => {
      const server = new Watching(
        {
          protocol: chat,
          bind: 'memory:a',
          handlers: {
            short: () => assert.fail('handleAll stopped it'),
            add: (n) => n + 2,
            async *count(n) {
              await Promise.resolve()
              yield n
            },
            echo: async (here) => {
              await here.send('hi')
              await here.end()
            },
          },
        },
        world,
      )
      await server.start()
      const peer = await (await world.open({ protocol: chat })).connectTo('memory:a')
      await peer.sendMsg('short', 'stop')
      await world.quiet()
      assert.equal(await peer.request('add', 1), 42)
      assert.equal((await peer.stream('count', 3).next()).value, 3)
      const talk = peer.channel('echo')
      for await (const text of talk) assert.equal(text, 'hi')
      assert.deepEqual(server.seen, ['short', 'add', 'count', 'echo'])
      await server.close()
    }))
})

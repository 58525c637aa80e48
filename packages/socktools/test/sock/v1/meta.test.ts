/** A MetaSock under a protocol: one table of handlers for whatever its socks carry, by whichever wire. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { call, channel, feed, MetaSock, msg, type Peer, type RawCodec, TcpSock } from '../../../src/index.ts'
import { coded } from '../../support/coded.ts'
import { noCrashes } from '../../support/crashes.ts'
import { all } from '../../support/events.ts'
import { GUARD } from '../../support/tcp.ts'
import { simulateUdp } from '../../support/udp-world.ts'
import { simulate } from '../../support/world.ts'

noCrashes()

const Line = z.object({ text: z.string() })
const chat = {
  say: msg(Line),
  add: call(z.object({ a: z.number(), b: z.number() }), z.number()),
  count: feed(z.number(), z.number()),
  echo: channel(z.string(), z.string()),
}
type Chat = typeof chat

/** All that one peer can ask, in one line. */
async function ask(peer: Peer<RawCodec, Chat>): Promise<string> {
  const sum = await peer.request('add', { a: 2, b: 3 })
  const counted: number[] = []
  for await (const n of peer.stream('count', 3)) counted.push(n)
  const talk = peer.channel('echo')
  const echoed: string[] = []
  await talk.send('x')
  await talk.end()
  for await (const text of talk) echoed.push(text)
  return `${sum} ${counted.join()} ${echoed.join()}`
}

/** Handlers that serve all of it. */
const served: NonNullable<ConstructorParameters<typeof MetaSock<RawCodec, Chat>>[0]>['handlers'] = {
  add: ({ a, b }) => a + b,
  async *count(n) {
    await Promise.resolve()
    for (let i = 0; i < n; i++) yield i
  },
  async echo(here) {
    for await (const text of here) await here.send(text.toUpperCase())
    await here.end()
  },
}

describe('a meta under a protocol', GUARD, () => {
  test('handles messages, calls, feeds and channels of the socks in it, one meta in the other', () =>
    simulate(async (world) => {
      const heard: unknown[] = []
      const outer = world.meta({ protocol: chat, handlers: served })
      const meta = world.meta({
        protocol: chat,
        handlers: {
          say: ({ text }, { sock, peer, headers }) => heard.push([text, sock, peer, headers['k']]),
        },
      })
      outer.add(meta)
      const sock = meta.add(await world.open({ protocol: chat, bind: 'memory:a' }))
      const client = await world.open({ protocol: chat })
      const peer = await client.connectTo('memory:a')
      await peer.sendMsg('say', { text: 'hi' }, { headers: { k: 'v' } })
      assert.equal(await ask(peer), '5 0,1,2 X')
      assert.deepEqual(heard, [['hi', sock, sock.knownPeers[0], 'v']])
      assert.equal(sock.stats().unhandled, 0)
    }))

  test('is asked where the sock has no handler, with its middleware inside that of the sock', () =>
    simulate(async (world) => {
      const steps: string[] = []
      const sock = await world.open({
        protocol: chat,
        bind: 'memory:a',
        handlers: { count: served.count! },
      })
      const meta = world.meta({
        protocol: chat,
        handlers: { ...served, count: () => assert.fail('the sock’s') },
      })
      for (const [name, one] of [
        ['sock', sock],
        ['meta', meta],
      ] as const) {
        one.use(async (message, context, next) => {
          assert.equal(context.sock, sock)
          steps.push(`${name}: ${message.type}`)
          return next()
        })
      }
      meta.add(sock)
      const peer = await (await world.open({ protocol: chat })).connectTo('memory:a')
      assert.equal(await ask(peer), '5 0,1,2 X')
      assert.deepEqual(steps, ['sock: add', 'meta: add', 'sock: count', 'sock: echo', 'meta: echo'])
    }))

  test('that overrides answers in the place of the socks, and nobody does where it cannot', () =>
    simulate(async (world) => {
      const sock = await world.open({
        protocol: chat,
        bind: 'memory:a',
        handlers: { ...served, add: () => 0, say: () => assert.fail('silent') },
      })
      const heard: string[] = []
      const meta = world.meta({
        protocol: chat,
        override: true,
        handlers: { add: ({ a, b }) => a * b, say: ({ text }) => heard.push(text) },
      })
      meta.add(sock)
      const unhandled = all(meta, 'unhandled')
      const peer = await (await world.open({ protocol: chat })).connectTo('memory:a')
      await peer.sendMsg('say', { text: 'hi' })
      assert.equal(await peer.request('add', { a: 2, b: 3 }), 6)
      await assert.rejects(peer.stream('count', 1).next(), coded('REMOTE_ERROR', /UNHANDLED/))
      assert.deepEqual(heard, ['hi'])
      assert.deepEqual(
        unhandled.map(({ type }) => type),
        ['count'],
      )
      meta.remove(sock)
      assert.equal(await peer.request('add', { a: 2, b: 3 }), 0)
      assert.equal((await peer.stream('count', 1).next()).value, 0)
    }))

  test('ceases to answer for a sock that left', () =>
    simulate(async (world) => {
      const meta = world.meta({ protocol: chat, handlers: served })
      const sock = meta.add(await world.open({ protocol: chat, bind: 'memory:a' }))
      const peer = await (await world.open({ protocol: chat })).connectTo('memory:a')
      assert.equal(await peer.request('add', { a: 1, b: 1 }), 2)
      meta.remove(sock)
      await assert.rejects(peer.request('add', { a: 1, b: 1 }), coded('REMOTE_ERROR', /UNHANDLED/))
    }))

  test('has messages of either wire and of datagrams in one list, each as its schema gives it out', () =>
    simulateUdp(async (udp) => {
      const { world } = udp
      const meta = world.meta({ protocol: chat })
      const invalid = all(meta, 'invalid')
      const said = meta.messages('say')
      meta.add(world.sock({ protocol: chat, bind: 'memory:v1' }))
      meta.add(world.sock({ protocol: chat, bind: 'memory:plain', wire: 'plain' }))
      meta.add(udp.sock({ protocol: chat, bind: 'udp://127.0.0.1:4000' }))
      await meta.start()
      const far = [
        await (await world.open({ protocol: chat })).connectTo('memory:v1'),
        await (await world.open({ protocol: chat, wire: 'plain' })).connectTo('memory:plain'),
        await (await udp.open({ protocol: chat })).connectTo('udp://127.0.0.1:4000'),
      ]
      for (const peer of far) {
        await peer.sendMsg('say', { text: 5 } as never)
        await peer.sendMsg('say', { text: peer.wire, more: 1 } as never)
        await world.quiet()
        const { value } = await said.next()
        assert.deepEqual(value?.[0], { text: peer.wire })
      }
      assert.deepEqual(
        invalid.map(({ error }) => error.code),
        ['BAD_MESSAGE', 'BAD_MESSAGE', 'BAD_MESSAGE'],
      )
      assert.deepEqual(
        meta.knownPeers.map(({ wire }) => wire),
        ['v1', 'plain', 'plain'],
      )
    }))

  test('dials with the sock that knows how to, and asks whom it reached', () =>
    simulate(async (world) => {
      await world.open({ protocol: chat, bind: 'memory:far', handlers: served })
      const meta = world.meta({ protocol: chat })
      meta.add(world.sock({ protocol: chat }))
      assert.equal(await ask(await meta.connectTo('memory:far')), '5 0,1,2 X')
    }))

  test('drains the calls of its socks before it ends', () =>
    simulate(async (world) => {
      const meta = world.meta({
        protocol: chat,
        handlers: { add: async ({ a, b }) => (await world.sim.sleep(100), a + b) },
      })
      meta.add(await world.open({ protocol: chat, bind: 'memory:a' }))
      const peer = await (await world.open({ protocol: chat })).connectTo('memory:a')
      const asked = peer.request('add', { a: 2, b: 3 })
      await world.quiet()
      await meta.drain()
      assert.equal(await asked, 5)
    }))

  test('does all of it over TCP, Unix sockets and within the process', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'meta-'))
    try {
      await using meta = new MetaSock({ protocol: chat, handlers: served })
      for (const bind of ['tcp://127.0.0.1:0', `unix:${join(dir, 'a')}`, 'memory:v1-meta'])
        meta.add(new TcpSock({ protocol: chat, bind }))
      await meta.start()
      await using client = await TcpSock.open({ protocol: chat })
      assert.equal(meta.addresses.length, 3)
      for (const address of meta.addresses)
        assert.equal(await ask(await client.connectTo(address)), '5 0,1,2 X', address)
      const told = client.messages('say')
      await meta.sendMsg('say', { text: 'all' }, { headers: { k: 'v' } })
      for (const _ of meta.addresses) {
        const { value } = await told.next()
        assert.deepEqual([value?.[0], { ...value?.[1].headers }], [{ text: 'all' }, { k: 'v' }])
      }
    } finally {
      await rm(dir, { recursive: true })
    }
  })
})

describe('what a meta sends', GUARD, () => {
  test('goes with its headers to all, to one, to some, and to all but one', () =>
    simulate(async (world) => {
      const meta = world.meta({ protocol: chat })
      meta.add(world.sock({ protocol: chat, bind: 'memory:a' }))
      meta.add(world.sock({ protocol: chat, bind: 'memory:b' }))
      await meta.start()
      const heard: string[] = []
      for (const address of ['memory:a', 'memory:b', 'memory:b']) {
        await world.open({
          protocol: chat,
          connect: address,
          handlers: { say: ({ text }, { headers }) => heard.push(`${text} ${headers['k']}`) },
        })
      }
      const [first, ...rest] = meta.knownPeers
      assert.ok(first !== undefined && rest.length === 2)
      const headers = { k: 'v' }
      await meta.sendMsg('say', { text: 'all' }, { headers })
      await meta.sendMsg('say', { text: 'one' }, { headers, to: first })
      await meta.sendMsg('say', { text: 'some' }, { headers, to: [first, rest[0]!] })
      await meta.sendMsg('say', { text: 'but' }, { headers, except: first })
      await world.quiet()
      const expected = ['all v', 'all v', 'all v', 'but v', 'but v', 'one v', 'some v', 'some v']
      assert.deepEqual(heard.sort(), expected)
    }))

  test('is a message of its protocol, whatever is in it', () =>
    simulate(async (world) => {
      const meta = world.meta({ protocol: chat })
      const unsendable = all(meta, 'dropped')
      for (const sock of [undefined, world.sock({ protocol: { ...chat, extra: msg(Line) } })]) {
        if (sock !== undefined) meta.add(sock)
        for (const type of ['add', 'shout', 'extra'])
          await assert.rejects(
            meta.sendMsg(type as never, {} as never),
            coded('UNKNOWN_TYPE', new RegExp(type)),
          )
        await meta.sendMsg('say', { text: 'to nobody' })
      }
      await world.quiet()
      assert.equal(meta.stats().dropped.unsendable, 6)
      assert.ok(unsendable.every(({ reason }) => reason === 'unsendable'))
      assert.throws(() => meta.messages('add' as never), coded('UNKNOWN_TYPE', /is a call/))
      assert.throws(() => meta.messages('extra' as never), coded('UNKNOWN_TYPE', /extra/))
      assert.throws(
        () => meta.addHandler('extra' as never, (() => 0) as never),
        coded('UNKNOWN_TYPE', /extra/),
      )
    }))

  test('reaches those who can have headers, and rejects for those who cannot', () =>
    simulateUdp(async (udp) => {
      const { world } = udp
      const meta = world.meta({ protocol: chat })
      const v1 = meta.add(world.sock({ protocol: chat, bind: 'memory:v1' }))
      meta.add(world.sock({ protocol: chat, bind: 'memory:plain', wire: 'plain' }))
      const datagrams = meta.add(udp.sock({ protocol: chat, bind: 'udp://127.0.0.1:4000' }))
      await meta.start()
      const heard: string[] = []
      const take =
        (name: string) =>
        ({ text }: { text: string }): void =>
          void heard.push(`${name} ${text}`)
      await world.open({ protocol: chat, connect: 'memory:v1', handlers: { say: take('v1') } })
      await world.open({
        protocol: chat,
        wire: 'plain',
        connect: 'memory:plain',
        handlers: { say: take('plain') },
      })
      const far = await udp.open({ protocol: chat, handlers: { say: take('udp') } })
      await far.sendMsg('say', { text: 'here' }, { to: 'udp://127.0.0.1:4000' })
      await world.quiet()
      await meta.sendMsg('say', { text: 'all' })
      const refused = meta.sendMsg('say', { text: 'headers' }, { headers: {} })
      await assert.rejects(refused, coded('OVER_PLAIN', /plain wire carries no headers/))
      const [only] = datagrams.knownPeers
      const toOne = meta.sendMsg('say', { text: 'headers' }, { headers: {}, to: only ?? [] })
      await assert.rejects(toOne, coded('OVER_PLAIN', /datagram carries no headers/))
      await v1.sendMsg('say', { text: 'v1' })
      await world.quiet()
      assert.deepEqual(heard.sort(), ['plain all', 'udp all', 'v1 all', 'v1 headers', 'v1 v1'])
    }))
})

describe('a meta takes in', GUARD, () => {
  test('what has each of its types, of the same kind, and says what is missing', () =>
    simulate(async (world) => {
      const meta = world.meta({ protocol: chat })
      const { say, ...rest } = chat
      const refuses = (sock: object, what: RegExp): void => {
        assert.throws(() => meta.add(sock as never), coded('BAD_CHILD', what))
      }
      refuses(world.sock(), /it has no protocol, and the meta has one/)
      refuses(world.meta(), /it has no protocol/)
      refuses(world.sock({ protocol: rest }), /another protocol: it has no msg "say"/)
      refuses(
        world.sock({ protocol: { ...chat, say: chat.add } }),
        /its "say" is a call, and the meta's a msg/,
      )
      refuses(world.sock({ protocol: { extra: say } }), /call "add"; .*echo.*; and 1 more/)
      refuses(world.meta({ protocol: rest }), /no msg "say"/)
      assert.equal(meta.add(world.meta({ protocol: chat })).protocol, chat)
      // A protocol of its own that says the same, as two copies of a module do.
      meta.add(world.sock({ protocol: { ...chat } }))
      await Promise.resolve()
    }))

  test('without a protocol whatever there is, and answers for it', () =>
    simulate(async (world) => {
      const meta = world.meta({ handlers: { add: (data) => (data as { a: number }).a } })
      meta.add(await world.open({ protocol: chat, bind: 'memory:a' }))
      meta.add(await world.open({ bind: 'memory:b' }))
      const client = await world.open({ protocol: chat })
      const peer = await client.connectTo('memory:a')
      assert.equal(await peer.request('add', { a: 7, b: 0 }), 7)
      const said = client.messages('say')
      await meta.sendMsg('say', { text: 'hi' }, { to: meta.knownPeers })
      assert.deepEqual((await said.next()).value?.[0], { text: 'hi' })
    }))

  test('more than it declares, and leaves that alone', () =>
    simulate(async (world) => {
      const heard: string[] = []
      const meta = world.meta({ protocol: chat })
      void (async () => {
        for await (const [{ text }] of meta.messages()) heard.push(`meta ${text}`)
      })()
      const protocol = { ...chat, extra: msg(Line), lost: msg(Line) }
      const sock = await world.open({
        protocol,
        bind: 'memory:a',
        handlers: { extra: ({ text }) => heard.push(`sock ${text}`) },
      })
      meta.add(sock)
      const unhandled = all(sock, 'unhandled')
      const peer = await (await world.open({ protocol })).connectTo('memory:a')
      for (const type of ['extra', 'lost', 'say'] as const) await peer.sendMsg(type, { text: type })
      await world.quiet()
      assert.deepEqual(heard, ['sock extra', 'meta say'])
      assert.deepEqual(
        unhandled.map(({ type }) => type),
        ['lost'],
      )
    }))
})

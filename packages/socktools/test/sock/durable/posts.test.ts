/** Posting: what is posted on one sock is handled on another, however often either of them, or the way between, breaks. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import {
  bytes,
  call,
  type Durable,
  type Inbox,
  msg,
  type Peer,
  type PipeSock,
  type RawCodec,
  SockError,
  type SockOptions,
} from '../../../src/index.ts'
import { Store, type StoreOptions } from '../../../src/store/index.ts'
import { SimDisk } from '../../../src/testing/index.ts'
import { cuttable } from '../../support/cuts.ts'
import { noCrashes } from '../../support/crashes.ts'
import { all, next, signal } from '../../support/events.ts'
import { simulate, type World } from '../../support/world.ts'

noCrashes()

const protocol = {
  order: msg(z.string()),
  safe: msg(z.string(), { ack: 'durable' }),
  blob: msg(bytes()),
  say: msg(z.string()),
  told: msg(z.string(), { ack: 'processed' }),
  place: msg(z.string(), { delivery: 'volatile' }),
  ask: call(z.number(), z.number()),
}
type P = typeof protocol
type Options = SockOptions<RawCodec, P>

const codeOf = (thrown: unknown): string => (thrown as SockError).code

interface Shop {
  readonly world: World
  readonly store: Store
  readonly client: PipeSock<RawCodec, P>
  readonly server: PipeSock<RawCodec, P>
  readonly cuts: ReturnType<typeof cuttable>
  readonly heard: string[]
  /** With what each came. */
  readonly contexts: (Durable | undefined)[]
  openStore(name: string, options?: StoreOptions): Promise<Store>
  serve(options?: Options): Promise<PipeSock<RawCodec, P>>
  buy(store: Store, options?: Options): PipeSock<RawCodec, P>
}

const BACKOFF = { first: 1, max: 5, healthy: 1 }

function shop(
  scenario: (shop: Shop) => Promise<void>,
  { serving, buying }: { serving?: Options; buying?: Options } = {},
): Promise<void> {
  return simulate(async (world) => {
    const disk = world.platform.disk as SimDisk
    const heard: string[] = []
    const contexts: (Durable | undefined)[] = []
    const cuts = cuttable(world.transports[0]!)
    const note = (data: string | Uint8Array, { durable }: { durable: Durable | undefined }): void => {
      heard.push(typeof data === 'string' ? data : `${data.length} bytes`)
      contexts.push(durable)
    }
    const openStore = (name: string, options: StoreOptions = {}): Promise<Store> =>
      Store.open(`/${name}`, { platform: { ...world.platform, disk }, ...options })
    const serve = (options: Options = {}): Promise<PipeSock<RawCodec, P>> =>
      world.open<RawCodec, P>({
        protocol,
        bind: 'memory:shop',
        ...options,
        handlers: { order: note, safe: note, blob: note, say: note, told: note, ...options.handlers },
      } as Options)
    const buy = (store: Store, options: Options = {}): PipeSock<RawCodec, P> =>
      world.sock<RawCodec, P>({ protocol, store, backoff: BACKOFF, ...options }, world.platform, [
        cuts.transport,
      ])
    const server = await serve(serving)
    const store = await openStore('client')
    const client = buy(store, buying)
    await scenario({ world, store, client, server, cuts, heard, contexts, openStore, serve, buy })
    await store.close()
  })
}

const DELIVERED = { status: 'delivered' }

describe('a posted message', () => {
  test('is on disk when it is accepted, is handled once, and is off the disk when that is told', () =>
    shop(async ({ world, store, client, heard, contexts }) => {
      const { accepted, outcome } = client.post('shop', 'order', 'apples')
      assert.equal(await accepted, 1)
      assert.equal(store.stats().pending, 1)
      const settled = all(client, 'settled')
      await client.connectTo('memory:shop', { name: 'shop' })
      assert.deepEqual(await outcome, DELIVERED)
      const second = client.post('shop', 'order', 'pears')
      assert.deepEqual(await second.outcome, DELIVERED)
      assert.deepEqual(heard, ['apples', 'pears'])
      assert.deepEqual(
        contexts.map((one) => [one?.n, one?.redelivered]),
        [
          [1, false],
          [2, false],
        ],
      )
      assert.match(contexts[0]!.store, /^[0-9a-f]{32}$/)
      assert.notEqual(contexts[0]!.store, store.id)
      assert.equal(contexts[1]!.store, contexts[0]!.store)
      assert.deepEqual(
        settled.map(({ name, n, outcome: { status } }) => [name, n, status]),
        [
          ['shop', 1, 'delivered'],
          ['shop', 2, 'delivered'],
        ],
      )
      await world.quiet()
      assert.equal(store.stats().pending, 0)
      assert.deepEqual(client.stats().durable, {
        ...{ posted: 2, underway: 0, underwayBytes: 0, names: 1, held: 0, duplicates: 0 },
        settled: { delivered: 2, 'not-delivered': 0, unknown: 0 },
      })
    }))

  test('all kinds and sizes, with headers: thousands in order', () => {
    const traces: string[] = []
    return shop(
      async ({ client, heard }) => {
        await client.connectTo('memory:shop', { name: 'shop' })
        const big = client.post('shop', 'blob', new Uint8Array(300_000))
        const posts = Array.from({ length: 3000 }, (_, i) => client.post('shop', 'order', `o${i}`))
        const traced = client.post('shop', 'say', 'hi', { headers: { trace: 'abc' } })
        for (const { outcome } of [big, ...posts, traced]) assert.deepEqual(await outcome, DELIVERED)
        assert.deepEqual(heard, ['300000 bytes', ...posts.map((_, i) => `o${i}`)])
        assert.deepEqual(traces, ['abc'])
      },
      {
        serving: {
          handlers: {
            say: (_data: string, { headers }: { headers: object }) =>
              void traces.push(Object.values(headers).join()),
          },
        },
      },
    )
  })

  test('one whose handler throws, whose data are wrong or that nothing takes is not delivered, with a code', () => {
    const loose = { ...protocol, order: msg(z.any()), other: msg(z.string()) }
    return shop(
      async ({ world, store, server, heard, cuts }) => {
        const faults = all(server, 'fault')
        const client = world.sock({ protocol: loose, store }, world.platform, [cuts.transport])
        await client.connectTo('memory:shop', { name: 'shop' })
        const posts = [
          client.post('shop', 'order', 12),
          client.post('shop', 'place' as 'say', 'x').outcome,
          client.post('shop', 'told', 'throw'),
          client.post('shop', 'order', 'fine'),
        ] as const
        assert.deepEqual(await posts[0].outcome, {
          status: 'not-delivered',
          reason: 'failed',
          code: 'BAD_MESSAGE',
        })
        assert.deepEqual(await posts[1], { status: 'not-delivered', reason: 'unsendable' })
        assert.deepEqual(await posts[2].outcome, {
          status: 'not-delivered',
          reason: 'failed',
          code: 'HANDLER_FAILED',
        })
        assert.deepEqual(await posts[3].outcome, DELIVERED)
        assert.deepEqual(heard, ['fine'])
        assert.equal(faults.length, 1)
        await world.quiet()
        assert.deepEqual(store.stats().settled, { delivered: 1, 'not-delivered': 2, unknown: 0, expired: 0 })
      },
      {
        serving: {
          handlers: {
            told: async () => {
              await Promise.resolve()
              throw new Error('no')
            },
          },
        },
      },
    )
  })

  test('is UNHANDLED without a handler, REFUSED by middleware that does not pass it on', () =>
    shop(async ({ world, store, cuts }) => {
      const bare = await world.open({ protocol, bind: 'memory:bare' })
      const client = world.sock<RawCodec, P>({ protocol, store }, world.platform, [cuts.transport])
      await client.connectTo('memory:bare', { name: 'bare' })
      const failed = (code: string) => ({ status: 'not-delivered', reason: 'failed', code })
      assert.deepEqual(await client.post('bare', 'order', 'x').outcome, failed('UNHANDLED'))
      const off = bare.use(() => undefined)
      assert.deepEqual(await client.post('bare', 'order', 'x').outcome, failed('REFUSED'))
      off()
      bare.use((_message, _context, go) => go())
      bare.addHandler('order', () => Promise.resolve())
      assert.deepEqual(await client.post('bare', 'order', 'x').outcome, DELIVERED)
    }))

  test('is not settled before its handler has returned', () => {
    const gate = signal()
    return shop(
      async ({ world, client, store }) => {
        await client.connectTo('memory:shop', { name: 'shop' })
        const { outcome } = client.post('shop', 'order', 'slow')
        await world.sim.sleep(1000)
        assert.equal(await world.stateOf(outcome), 'waits')
        assert.equal(store.stats().pending, 1)
        gate.give()
        assert.deepEqual(await outcome, DELIVERED)
      },
      { serving: { handlers: { order: () => gate.promise } } },
    )
  })

  test('goes over the next connection of a session once, over the next session again, and is handled once', () =>
    shop(async ({ world, client, server, cuts, heard, contexts }) => {
      const peer = await client.connectTo('memory:shop', { name: 'shop' })
      const gate = signal()
      server.addHandler(
        'order',
        (data, { durable }) => {
          heard.push(data)
          contexts.push(durable)
          return gate.promise
        },
        { exclusive: true },
      )
      const posts = ['a', 'b', 'c'].map((text) => client.post('shop', 'order', text))
      await world.quiet()
      cuts.cut()
      await world.sim.sleep(1000)
      assert.equal(peer.state, 'open')
      assert.deepEqual(heard, ['a'])
      // The session ends: nothing is known of any of them.
      peer.close()
      await world.sim.sleep(10)
      await client.connectTo('memory:shop', { name: 'shop' })
      await world.sim.sleep(10)
      assert.deepEqual(heard, ['a'], 'it runs still')
      gate.give()
      for (const { outcome } of posts) assert.deepEqual(await outcome, DELIVERED)
      assert.deepEqual(heard, ['a', 'b', 'c'])
      assert.deepEqual(
        contexts.map((one) => [one?.n, one?.redelivered]),
        [
          [1, false],
          [2, false],
          [3, false],
        ],
        'as they came first',
      )
      assert.equal(server.stats().durable?.duplicates, 3)
    }))

  test('of a sock that was closed goes with the next one on that store, first and in order', () =>
    shop(async ({ world, client, store, heard, contexts, buy, openStore }) => {
      const posts = ['a', 'b'].map((text) => client.post('shop', 'order', text))
      await Promise.all(posts.map(({ accepted }) => accepted))
      await client.close()
      for (const { outcome } of posts)
        assert.deepEqual(await outcome, { status: 'unknown', reason: 'closed' })
      assert.equal(await client.post('shop', 'order', 'late').accepted.catch(codeOf), 'CLOSED')
      await store.close()
      const again = await openStore('client')
      const next = buy(again)
      void next.post('shop', 'order', 'c')
      const settled = all(next, 'settled')
      await next.connectTo('memory:shop', { name: 'shop' })
      await world.sim.sleep(100)
      assert.deepEqual(heard, ['a', 'b', 'c'])
      assert.deepEqual(
        contexts.map((one) => one?.redelivered),
        [true, true, false],
      )
      assert.deepEqual(
        settled.map(({ n }) => n),
        [1, 2, 3],
      )
      assert.equal(again.stats().pending, 0)
      await again.close()
    }))

  test('two names that are one receiver do not stand in for each other', () =>
    shop(async ({ client, heard }) => {
      await client.connectTo('memory:shop', { name: 'one' })
      await client.connectTo('memory:shop', { name: 'two' })
      for (const name of ['one', 'two', 'one', 'two'])
        assert.deepEqual(await client.post(name, 'order', name).outcome, DELIVERED)
      assert.deepEqual(heard, ['one', 'two', 'one', 'two'])
    }))
})

describe('who has a name', () => {
  test('an accepted peer that the application claims, or that nameOf names', () =>
    shop(async ({ world, openStore, cuts, heard }) => {
      const store = await openStore('server')
      let named = 0
      const hub = await world.open<RawCodec, P>({
        ...{ protocol, store, bind: 'memory:hub' },
        nameOf: ({ dialed }) => {
          assert.equal(dialed, false)
          return ++named === 1 ? 'first' : undefined
        },
      })
      const handlers = { order: (text: string) => void heard.push(text) }
      const dial = async (): Promise<PipeSock<RawCodec, P>> => {
        const sock = world.sock<RawCodec, P>({ protocol, handlers }, world.platform, [cuts.transport])
        await sock.connectTo('memory:hub')
        return sock
      }
      await dial()
      assert.deepEqual(await hub.post('first', 'order', 'to the first').outcome, DELIVERED)
      await dial()
      await world.quiet()
      const [one, two] = hub.knownPeers
      const posted = hub.post('second', 'order', 'to the second')
      assert.throws(() => hub.claim(one!, 'second'), { code: 'BAD_OPTION' })
      hub.claim(two!, 'second')
      hub.claim(two!, 'second')
      assert.deepEqual(await posted.outcome, DELIVERED)
      assert.deepEqual(heard, ['to the first', 'to the second'])
      const foreign = (await dial()).knownPeers[0]!
      assert.throws(() => hub.claim(foreign, 'third'), { code: 'UNKNOWN_PEER' })
      two!.close()
      assert.throws(() => hub.claim(two!, 'third'), { code: 'PEER_GONE' })
      assert.throws(() => hub.claim(one!, ''), { code: 'BAD_OPTION' })
      await store.close()
    }))

  test('the last that takes it, while the one before waits for its connection', () =>
    shop(async ({ world, client, cuts, heard, server }) => {
      await client.connectTo('memory:shop', { name: 'shop' })
      const gate = signal()
      server.addHandler(
        'order',
        (text) => {
          heard.push(text)
          return gate.promise
        },
        { exclusive: true },
      )
      const posts = ['a', 'b'].map((text) => client.post('shop', 'order', text))
      await world.quiet()
      cuts.cut()
      await client.connectTo('memory:shop', { name: 'shop' })
      await world.sim.sleep(1000)
      gate.give()
      for (const { outcome } of posts) assert.deepEqual(await outcome, DELIVERED)
      assert.deepEqual(heard, ['a', 'b'])
    }))

  test('a dialed connection that is kept up gets its name each time', () =>
    shop(
      async ({ world, client, heard, server }) => {
        await client.start()
        assert.deepEqual(await client.post('shop', 'order', 'a').outcome, DELIVERED)
        server.closePeer(server.knownPeers[0]!)
        await world.sim.sleep(1000)
        assert.deepEqual(await client.post('shop', 'order', 'b').outcome, DELIVERED)
        assert.deepEqual(heard, ['a', 'b'])
      },
      { buying: { connect: 'memory:shop', nameOf: ({ address }) => address.slice('memory:'.length) } },
    ))

  test('nobody that cannot say what is done: an error with a code, and what was posted stays', () =>
    shop(async ({ world, store, client, cuts }) => {
      await world.open({ protocol, wire: 'plain', bind: 'memory:plain' })
      const { accepted } = client.post('plain', 'order', 'x')
      await accepted
      assert.equal(
        await client.connectTo('memory:plain', { name: 'plain' }).catch(codeOf),
        'PEER_NOT_SESSION',
      )
      const both = world.sock<RawCodec, P>(
        { protocol, wire: 'auto', store, bind: 'memory:both', autoWait: 10 },
        world.platform,
        world.transports,
      )
      await both.start()
      const plain = world.sock({ protocol, wire: 'plain' }, world.platform, [cuts.transport])
      await plain.connectTo('memory:both')
      await world.sim.sleep(100)
      assert.throws(() => both.claim(both.knownPeers[0] as Peer<RawCodec, P>, 'plain'), {
        code: 'OVER_PLAIN',
      })
      assert.equal(store.stats().pending, 1)
      const without = world.sock<RawCodec, P>({ protocol })
      assert.equal(await without.connectTo('memory:shop', { name: 'shop' }).catch(codeOf), 'BAD_OPTION')
      assert.throws(() => without.post('shop', 'order', 'x'), { code: 'BAD_OPTION' })
    }))
})

describe('the receiver', () => {
  const posts = (client: PipeSock<RawCodec, P>, type: 'order' | 'safe', texts: string[]) =>
    texts.map((text) => client.post('shop', type, text))

  test('with a store knows after a restart what it has handled', () =>
    shop(async ({ world, client, server, openStore, serve, heard }) => {
      await server.close()
      let store = await openStore('server')
      let own = await serve({ store })
      const peer = await client.connectTo('memory:shop', { name: 'shop' })
      for (const { outcome } of posts(client, 'safe', ['a', 'b'])) assert.deepEqual(await outcome, DELIVERED)
      // Restarted with nothing but its disk, it is sent what it has: the sender did not hear of it.
      const lost = new Promise<void>((resolve) => client.on('settled', () => resolve()))
      void lost
      await own.close()
      await store.close()
      peer.close()
      store = await openStore('server')
      own = await serve({ store })
      assert.equal(
        [...(store as unknown as { stats(): { cursors: number } }).stats().cursors.toString()].join(),
        '1',
      )
      await client.connectTo('memory:shop', { name: 'shop' })
      for (const { outcome } of posts(client, 'order', ['c'])) assert.deepEqual(await outcome, DELIVERED)
      assert.deepEqual(heard, ['a', 'b', 'c'])
      await world.quiet()
      await own.close()
      await store.close()
    }))

  test('with an inbox of its own: the cursor moves with what the handler writes, and nothing is handled twice', () =>
    shop(async ({ world, client, server, serve, cuts }) => {
      await server.close()
      /** A database: what a transaction writes is there, or not, all of it. */
      const database = { orders: [] as string[], cursors: new Map<string, number>() }
      const inbox: Inbox = {
        cursor: (store) => database.cursors.get(store) ?? 0,
        advance: () => undefined,
      }
      let crash = false
      const handlers = {
        order: (
          text: string,
          { durable, peer }: { durable: Durable | undefined; peer: { close(): unknown } },
        ) => {
          database.orders.push(text)
          database.cursors.set(durable!.store, durable!.n)
          // The process dies behind its transaction: nobody hears of it.
          if (crash) peer.close()
        },
      }
      let own = await serve({ inbox, handlers } as Options)
      await client.connectTo('memory:shop', { name: 'shop' })
      for (const { outcome } of posts(client, 'order', ['a'])) await outcome
      crash = true
      const more = posts(client, 'order', ['b', 'c'])
      await world.sim.sleep(10)
      await own.close()
      crash = false
      own = await serve({ inbox, handlers } as Options)
      await client.connectTo('memory:shop', { name: 'shop' })
      for (const { outcome } of more) assert.deepEqual(await outcome, DELIVERED)
      assert.deepEqual(database.orders, ['a', 'b', 'c'])
      assert.equal(own.stats().durable?.duplicates, 1)
      void cuts
    }))

  test('without either handles again what it forgot, and the message says that it may have come before', () =>
    shop(async ({ world, client, server, serve, heard, contexts }) => {
      server.addHandler(
        'order',
        (text, { durable, peer }) => {
          heard.push(text)
          contexts.push(durable)
          peer.close()
        },
        { exclusive: true },
      )
      await client.connectTo('memory:shop', { name: 'shop' })
      const [post] = posts(client, 'order', ['a'])
      await world.sim.sleep(10)
      await server.close()
      await serve()
      await client.connectTo('memory:shop', { name: 'shop' })
      assert.deepEqual(await post!.outcome, DELIVERED)
      assert.deepEqual(heard, ['a', 'a'])
      assert.deepEqual(
        contexts.map((one) => one?.redelivered),
        [false, true],
      )
    }))

  test('whose inbox fails confirms nothing: the connection ends, INBOX_FAILED, and all comes again', () =>
    shop(async ({ world, client, server, serve, store, heard }) => {
      await server.close()
      let broken = true
      const kept = new Map<string, number>()
      const own = await serve({
        inbox: {
          cursor: (stream) => kept.get(stream) ?? 0,
          advance: (stream, n) => {
            if (broken) return Promise.reject(new Error('the database is away'))
            kept.set(stream, n)
            return undefined
          },
        },
      })
      const faults = all(own, 'fault')
      const gone = next(own, 'gone')
      await client.connectTo('memory:shop', { name: 'shop' })
      const [post] = posts(client, 'safe', ['a'])
      assert.equal((await gone).error?.code, 'INBOX_FAILED')
      assert.match(faults[0]?.error.message ?? '', /inbox/)
      await world.sim.sleep(10)
      assert.equal(store.stats().pending, 1)
      broken = false
      await client.connectTo('memory:shop', { name: 'shop' })
      assert.deepEqual(await post!.outcome, DELIVERED)
      assert.deepEqual(heard, ['a'], 'in this process it is known')
      assert.deepEqual([...kept.values()], [1])
    }))
})

describe('where something is wrong', () => {
  test('what cannot be stored is not accepted', () =>
    shop(async ({ world, client, cuts, openStore }) => {
      const code = (post: { accepted: Promise<number> }): Promise<unknown> => post.accepted.catch(codeOf)
      const wrong = client as unknown as { post(...args: unknown[]): { accepted: Promise<number> } }
      assert.equal(await code(wrong.post('shop', 'nothing', 'x')), 'UNKNOWN_TYPE')
      assert.equal(await code(wrong.post('shop', 'ask', 1)), 'UNKNOWN_TYPE')
      assert.equal(await code(wrong.post('shop', 'place', 'x')), 'BAD_OPTION')
      assert.equal(await code(wrong.post('shop', 'blob', 'x')), 'CANNOT_ENCODE')
      assert.equal(await code(wrong.post('', 'order', 'x')), 'BAD_OPTION')
      assert.equal(await code(wrong.post('shop', 'order', 'x', { ack: 'received' })), 'BAD_OPTION')
      assert.equal(await code(wrong.post('shop', 'order', 'x', { headers: { '-done': 'x' } })), 'BAD_OPTION')
      assert.equal(
        await code(wrong.post('shop', 'order', 'x', { headers: { a: 'x'.repeat(8150) } })),
        'BAD_OPTION',
      )
      assert.equal(await code(wrong.post('shop', 'blob', new Uint8Array(17 * 1024 * 1024))), 'TOO_LARGE')
      const { outcome } = client.post('shop', 'nothing' as 'order', 'x')
      assert.deepEqual(await outcome, { status: 'not-delivered', reason: 'unsendable' })
      const small = await openStore('small', { maxBytes: 4096 })
      const full = world.sock<RawCodec, P>({ protocol, store: small }, world.platform, [cuts.transport])
      assert.equal(await code(full.post('shop', 'blob', new Uint8Array(3000))), 1)
      assert.equal(await code(full.post('shop', 'blob', new Uint8Array(3000))), 'OUTBOX_FULL')
      await small.close()
    }))

  test('what is too old is not sent, and its outcome says so', () =>
    shop(async ({ world, cuts, heard, openStore }) => {
      const store = await openStore('old', { maxAge: 1000 })
      const client = world.sock<RawCodec, P>({ protocol, store }, world.platform, [cuts.transport])
      const dropped = all(client, 'dropped')
      const old = client.post('shop', 'order', 'old')
      await old.accepted
      await world.sim.sleep(2000)
      assert.deepEqual(await old.outcome, { status: 'not-delivered', reason: 'expired' })
      await client.connectTo('memory:shop', { name: 'shop' })
      assert.deepEqual(await client.post('shop', 'order', 'new').outcome, DELIVERED)
      assert.deepEqual(heard, ['new'])
      assert.deepEqual(
        dropped.map(({ reason }) => reason),
        ['expired'],
      )
      await store.close()
    }))

  test('a disk that fails: nothing is accepted any more, and an event tells', () =>
    shop(async ({ world, client, store }) => {
      await client.post('shop', 'order', 'a').accepted
      const failed = next(client, 'storeFailed')
      ;(world.platform.disk as SimDisk).before = ({ kind }) => {
        if (kind === 'sync') throw new Error('EIO')
      }
      assert.equal(await client.post('shop', 'order', 'b').accepted.catch(codeOf), 'STORE_FAILED')
      assert.equal((await failed).error.code, 'STORE_FAILED')
      assert.equal(await client.post('shop', 'order', 'c').accepted.catch(codeOf), 'STORE_FAILED')
      assert.equal(store.stats().state, 'failed')
      ;(world.platform.disk as SimDisk).before = () => undefined
    }))

  for (const undeliverable of ['hold', 'drop'] as const) {
    test(`a type that the contract has no more, ${undeliverable}: told, never silent`, () =>
      shop(async ({ world, client, store, cuts, openStore, heard }) => {
        for (const [type, text] of [
          ['order', 'a'],
          ['say', 'b'],
          ['order', 'c'],
        ] as const)
          await client.post('shop', type, text).accepted
        await client.close()
        await store.close()
        const again = await openStore('client')
        const later = { order: protocol.order }
        const next = world.sock(
          { protocol: later, store: again, outbox: { undeliverable } },
          world.platform,
          [cuts.transport],
        )
        const [held, settled] = [all(next, 'held'), all(next, 'settled')]
        await next.connectTo('memory:shop', { name: 'shop' })
        await world.sim.sleep(100)
        const told = settled.map(({ n, outcome: { status } }) => `${n} ${status}`).sort()
        if (undeliverable === 'drop') {
          assert.deepEqual(heard, ['a', 'c'])
          assert.deepEqual(told, ['1 delivered', '2 not-delivered', '3 delivered'])
        } else {
          assert.deepEqual(heard, ['a'])
          assert.deepEqual(
            held.map(({ name, n, type, error: { code } }) => [name, n, type, code]),
            [['shop', 2, 'say', 'UNKNOWN_TYPE']],
          )
          assert.equal(again.stats().pending, 2)
          assert.equal(next.stats().durable?.held, 1)
        }
        await again.close()
      }))
  }

  test('options that do not go together', () =>
    shop(async ({ world, store }) => {
      const made = (options: object) => () => world.sock(options as Options)
      const wrong = { code: 'BAD_OPTION' }
      assert.throws(made({ store }), wrong)
      assert.throws(made({ protocol, store: {} }), wrong)
      assert.throws(made({ protocol, inbox: { cursor: () => 0 } }), wrong)
      assert.throws(made({ protocol, nameOf: () => 'x' }), wrong)
      assert.throws(made({ protocol, store, nameOf: 'x' }), wrong)
      assert.throws(made({ protocol, store, outbox: { maxBytes: 0 } }), wrong)
      assert.throws(made({ protocol, store, outbox: { maxWindow: 1 } }), wrong)
      assert.throws(made({ protocol, store, outbox: { undeliverable: 'lose' } }), wrong)
      assert.throws(made({ protocol, store, outbox: null }), wrong)
      assert.throws(() => msg(z.string(), { ack: 'seen' as 'received' }), wrong)
    }))
})

describe('a receipt of what is sent to a peer', () => {
  test('with the ack processed waits for the handler, and tells what came of it', () => {
    const gate = signal()
    return shop(
      async ({ world, client, server }) => {
        const faults = all(server, 'fault')
        const peer = await client.connectTo('memory:shop')
        const received = peer.send('say', 'hi')
        assert.deepEqual(await received.outcome, DELIVERED)
        const processed = peer.send('say', 'hi', { ack: 'processed' })
        const declared = peer.send('told', 'hi')
        await world.sim.sleep(1000)
        assert.equal(await world.stateOf(processed.outcome), 'waits')
        gate.give()
        assert.deepEqual(await processed.outcome, DELIVERED)
        assert.deepEqual(await declared.outcome, {
          status: 'not-delivered',
          reason: 'failed',
          code: 'HANDLER_FAILED',
        })
        const early = peer.send('told', 'hi', { ack: 'received' })
        assert.deepEqual(await early.outcome, DELIVERED)
        assert.equal(faults.length, 2)
      },
      {
        serving: {
          handlers: {
            say: () => gate.promise,
            told: () => {
              throw new Error('no')
            },
          },
        },
      },
    )
  })

  test('goes on over the next connection; without a DONE it is unknown when the session is lost', () => {
    const gate = signal()
    return shop(
      async ({ world, client, cuts }) => {
        const peer = await client.connectTo('memory:shop')
        const one = peer.send('told', 'a')
        await world.sim.sleep(100)
        cuts.cut()
        await world.sim.sleep(100)
        gate.give()
        assert.deepEqual(await one.outcome, DELIVERED)
        const two = peer.send('told', 'b')
        const three = peer.send('say', 'b')
        assert.deepEqual(await three.outcome, DELIVERED)
        peer.close()
        assert.deepEqual(await two.outcome, { status: 'unknown', reason: 'closed' })
      },
      {
        serving: {
          handlers: {
            told: (text: string) => (text === 'a' ? gate.promise : new Promise<void>(() => undefined)),
          },
          concurrency: 2,
        },
      },
    )
  })

  test('drain waits for it', () => {
    const gate = signal()
    return shop(
      async ({ world, client }) => {
        const peer = await client.connectTo('memory:shop')
        const { outcome } = peer.send('told', 'a')
        const draining = client.drain()
        await world.sim.sleep(1000)
        assert.equal(await world.stateOf(outcome), 'waits')
        gate.give()
        assert.deepEqual(await outcome, DELIVERED)
        await draining
      },
      { serving: { handlers: { told: () => gate.promise } } },
    )
  })

  test('what is asked wrong is refused', () =>
    shop(async ({ client }) => {
      const peer = await client.connectTo('memory:shop')
      const code = ({ accepted }: { accepted: Promise<unknown> }): Promise<unknown> => accepted.catch(codeOf)
      assert.equal(await code(peer.send('say', 'x', { ack: 'seen' as 'received' })), 'BAD_OPTION')
      assert.equal(await code(peer.send('place', 'x', { ack: 'processed' })), 'BAD_OPTION')
      assert.equal(await code(peer.send('say', 'x', { headers: { '-id': 'x' } })), 'BAD_OPTION')
      await assert.rejects(peer.sendMsg('say', 'x', { headers: { '-id': 'x' } }), { code: 'BAD_OPTION' })
    }))
})

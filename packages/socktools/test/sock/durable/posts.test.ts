/** Posting: what is posted on one sock is handled on another, however often the way between them breaks. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { msg, type Peer, type PipeSock, type RawCodec } from '../../../src/index.ts'
import { all, signal } from '../../support/events.ts'
import { noCrashes } from '../../support/crashes.ts'
import { codeOf, DELIVERED, type P, protocol, shop } from './shop.ts'

noCrashes()

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
      async ({ world, store, client: other, server, heard, cuts }) => {
        const faults = all(server, 'fault')
        await other.close()
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
    shop(async ({ world, store, client: other, cuts }) => {
      await other.close()
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
      await client.close()
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

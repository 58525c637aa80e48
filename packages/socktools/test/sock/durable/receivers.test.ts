/** What a receiver knows after a restart, by where it keeps its cursors. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Durable, Inbox, PipeSock, RawCodec } from '../../../src/index.ts'
import { all, next } from '../../support/events.ts'
import { noCrashes } from '../../support/crashes.ts'
import { DELIVERED, type P, shop } from './shop.ts'

noCrashes()

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
      await own.close()
      await store.close()
      peer.close()
      store = await openStore('server')
      own = await serve({ store })
      assert.equal(store.stats().cursors, 1)
      await client.connectTo('memory:shop', { name: 'shop' })
      for (const { outcome } of posts(client, 'order', ['c'])) assert.deepEqual(await outcome, DELIVERED)
      assert.deepEqual(heard, ['a', 'b', 'c'])
      await world.quiet()
      await own.close()
      await store.close()
    }))

  test('with an inbox of its own: the cursor moves with what the handler writes, and nothing is handled twice', () =>
    shop(async ({ world, client, server, serve }) => {
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
      let own = await serve({ inbox, handlers })
      await client.connectTo('memory:shop', { name: 'shop' })
      for (const { outcome } of posts(client, 'order', ['a'])) await outcome
      crash = true
      const more = posts(client, 'order', ['b', 'c'])
      await world.sim.sleep(10)
      await own.close()
      crash = false
      own = await serve({ inbox, handlers })
      await client.connectTo('memory:shop', { name: 'shop' })
      for (const { outcome } of more) assert.deepEqual(await outcome, DELIVERED)
      assert.deepEqual(database.orders, ['a', 'b', 'c'])
      assert.equal(own.stats().durable?.duplicates, 1)
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

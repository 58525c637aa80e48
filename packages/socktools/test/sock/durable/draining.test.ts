/** Ending in good order, on either side: nothing that was accepted is lost, and nothing is handled twice. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { noCrashes } from '../../support/crashes.ts'
import { shop } from './shop.ts'

noCrashes()

describe('drain, under load', () => {
  test('of who posts: what is underway is settled, the rest goes with the next process', () =>
    shop(async ({ world, client, store, heard, buy, openStore }) => {
      let [own, kept] = [client, store]
      let accepted = 0
      for (let life = 0; life < 10; life++) {
        await own.connectTo('memory:shop', { name: 'shop' })
        const posts = Array.from({ length: 1500 }, (_, i) => own.post('shop', 'order', `${accepted + i}`))
        await Promise.all(posts.map(async (post) => post.accepted))
        accepted += posts.length
        const outcomes = Promise.all(posts.map(async (post) => post.outcome))
        await own.drain()
        const told = (await outcomes).filter(({ status }) => status === 'delivered').length
        await kept.close()
        kept = await openStore('client')
        // What was told is what is off the disk, but for those of earlier lives.
        assert.ok(kept.stats().pending >= posts.length - told, `${kept.stats().pending} wait`)
        own = buy(kept)
      }
      await own.connectTo('memory:shop', { name: 'shop' })
      await world.sim.sleep(10_000)
      assert.deepEqual(
        heard,
        Array.from({ length: accepted }, (_, i) => `${i}`),
      )
      assert.equal(kept.stats().pending, 0)
      await kept.close()
    }))

  for (const slow of [false, true]) {
    test(`of who handles, ${slow ? 'slowly' : 'at once'}: what it has begun is told before it goes`, () =>
      shop(async ({ world, client, server, serve }) => {
        const heard: string[] = []
        const handlers = {
          order: (text: string): Promise<void> | undefined => {
            heard.push(text)
            return slow ? world.sim.sleep(1) : undefined
          },
        }
        await server.close()
        const posts = Array.from({ length: 3000 }, (_, i) => client.post('shop', 'order', `${i}`))
        for (let life = 0; life < 10; life++) {
          const own = await serve({ handlers })
          await client.connectTo('memory:shop', { name: 'shop' })
          for (let i = 0; i < 20 * life; i++) await Promise.resolve()
          await own.drain()
        }
        await serve({ handlers })
        await client.connectTo('memory:shop', { name: 'shop' })
        for (const { outcome } of posts) assert.deepEqual(await outcome, { status: 'delivered' })
        assert.deepEqual(
          heard,
          posts.map((_, i) => `${i}`),
        )
      }))
  }
})

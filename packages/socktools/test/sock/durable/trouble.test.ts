/** Posting where something is wrong: what cannot be stored, or sent, or is too old; options. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { msg, type RawCodec } from '../../../src/index.ts'
import { all, next } from '../../support/events.ts'
import { noCrashes } from '../../support/crashes.ts'
import { codeOf, DELIVERED, type P, protocol, shop } from './shop.ts'

noCrashes()

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

  test('a store has one sock at a time: of two, each would send what the other has posted', () =>
    shop(async ({ client, heard, store, buy }) => {
      await client.connectTo('memory:shop', { name: 'shop' })
      assert.throws(
        () => buy(store),
        (thrown) => codeOf(thrown) === 'BAD_OPTION' && /one sock at a time/.test((thrown as Error).message),
      )
      assert.deepEqual(await client.post('shop', 'order', 'a').outcome, DELIVERED)
      await client.drain()
      const later = buy(store)
      await later.connectTo('memory:shop', { name: 'shop' })
      assert.deepEqual(await later.post('shop', 'order', 'b').outcome, DELIVERED)
      assert.deepEqual(heard, ['a', 'b'])
    }))

  test('a disk that fails: nothing is accepted any more, and an event tells', () =>
    shop(async ({ world, client, store }) => {
      await client.post('shop', 'order', 'a').accepted
      const failed = next(client, 'storeFailed')
      world.sim.disk.before = ({ kind }) => {
        if (kind === 'sync') throw new Error('EIO')
      }
      assert.equal(await client.post('shop', 'order', 'b').accepted.catch(codeOf), 'STORE_FAILED')
      assert.equal((await failed).error.code, 'STORE_FAILED')
      assert.equal(await client.post('shop', 'order', 'c').accepted.catch(codeOf), 'STORE_FAILED')
      assert.equal(store.stats().state, 'failed')
      world.sim.disk.before = () => undefined
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
      const made = (options: object) => () => world.sock(options)
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

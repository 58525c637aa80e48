/** Receipts that wait for the handler. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { all, signal } from '../../support/events.ts'
import { noCrashes } from '../../support/crashes.ts'
import { codeOf, DELIVERED, shop } from './shop.ts'

noCrashes()

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

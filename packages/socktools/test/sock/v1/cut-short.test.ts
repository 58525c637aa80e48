/** What ends before it is whole says so. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { channel, feed, type Peer, type RawCodec, type SockError } from '../../../src/index.ts'
import { coded } from '../../support/coded.ts'
import { noCrashes } from '../../support/crashes.ts'
import { simulate } from '../../support/world.ts'
import { cutPair } from './cut-pair.ts'
import { pair } from './pair.ts'

noCrashes()

const protocol = { count: feed(z.number(), z.number()), echo: channel(z.string(), z.string()) }

async function* slowly(sleep: (ms: number) => Promise<void>, n: number): AsyncGenerator<number> {
  for (let i = 0; i < n; i++) {
    yield i
    await sleep(100)
  }
}

describe('our own drain', () => {
  for (const [who, how] of [
    ['of the sock', 'sock'],
    ['of the peer', 'peer'],
  ] as const) {
    test(`${who}: a feed that is not through, and a channel, reject with DRAINING after what had come`, () =>
      simulate(async (world) => {
        const { there, client } = await pair(world, protocol, {
          handlers: {
            count: (n) => slowly((ms) => world.sim.sleep(ms), n),
            async echo(items) {
              for await (const item of items) await items.send(item)
            },
          },
        })
        const items = there.stream('count', 20)
        const got: number[] = []
        const reading = (async () => {
          for await (const n of items) got.push(n)
        })()
        const ch = there.channel('echo')
        await ch.send('a')
        assert.deepEqual(await ch.next(), { value: 'a', done: false })
        const waiting = ch.next()
        await world.sim.sleep(250)
        void (how === 'sock' ? client : there).drain()
        await assert.rejects(reading, coded('DRAINING', /this side is ending/))
        await assert.rejects(waiting, coded('DRAINING', /this side is ending/))
        assert.deepEqual(got, [0, 1, 2])
        assert.deepEqual(await items.next(), { value: undefined, done: true })
      }))
  }

  test('the handler of a channel that is served hears the same, and has not failed', () =>
    simulate(async (world) => {
      const told: unknown[] = []
      const { there, server } = await pair(world, protocol, {
        handlers: {
          async echo(items) {
            try {
              for await (const item of items) await items.send(item)
              told.push('whole')
            } catch (thrown) {
              told.push((thrown as SockError).code)
              throw thrown
            }
          },
        },
      })
      const ch = there.channel('echo')
      await ch.send('a')
      assert.deepEqual(await ch.next(), { value: 'a', done: false })
      await server.drain()
      assert.deepEqual(told, ['DRAINING'])
      assert.equal(server.stats().faults, 0)
    }))
})

test('a dialer that goes on, and is cut off before the answer, knows that the far side speaks v1', () => {
  const failed: string[] = []
  return cutPair(protocol, async ({ world, cuts, client, there }) => {
    client.on('dialFailed', ({ error }) => failed.push(error.code))
    let dials = 0
    cuts.plan(() => (++dials < 3 ? 20 : Infinity))
    cuts.cut()
    await world.sim.sleep(1000)
    assert.deepEqual(failed, ['PEER_GONE', 'PEER_GONE'])
    assert.equal((there as Peer<RawCodec, typeof protocol>).state, 'open')
  })
})

/** A sock that drains: who had a session comes back for the rest, nobody new is taken, and when to dial again. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { call, msg, type SockError } from '../../../src/index.ts'
import { coded } from '../../support/coded.ts'
import { next, signal } from '../../support/events.ts'
import { simulate } from '../../support/world.ts'
import { type CutPair, cutPair } from './cut-pair.ts'

const protocol = { say: msg(z.number()), double: call(z.number(), z.number()) }

const mute = ({ cuts }: CutPair<typeof protocol>): void => {
  for (const pipe of cuts.pipes) pipe.mute = true
}

describe('a connection that breaks while the side that was dialed drains', () => {
  test('what both had sent arrives over the next one, is told, and both end in good order', () => {
    const [up, down]: number[][] = [[], []]
    return cutPair(
      protocol,
      async (pair) => {
        const { world, cuts, server, client, there, here } = pair
        const [left, gone] = [next(client, 'gone'), next(server, 'gone')]
        mute(pair)
        const sent = [there.send('say', 1), here.send('say', 2)]
        const drained = server.drain()
        await world.quiet()
        cuts.cut()
        assert.deepEqual(await drained, { unsent: 0, unhandled: 0 })
        assert.deepEqual([up, down], [[1], [2]])
        assert.deepEqual(await Promise.all(sent.map(({ outcome }) => outcome)), [
          { status: 'delivered' },
          { status: 'delivered' },
        ])
        assert.deepEqual([(await left).error, (await gone).error], [undefined, undefined])
      },
      {
        serving: { handlers: { say: (n) => void up?.push(n) } },
        asking: { handlers: { say: (n) => void down?.push(n) } },
      },
    )
  })

  test('a call that is underway is answered over the next one, and a new one is turned away', () => {
    const gate = signal()
    return cutPair(
      protocol,
      async ({ world, cuts, server, there }) => {
        const asked = there.request('double', 4)
        await world.quiet()
        const drained = server.drain()
        cuts.cut()
        await world.sim.sleep(100)
        await assert.rejects(there.request('double', 5), { code: 'DRAINING' })
        gate.give()
        assert.equal(await asked, 8)
        await drained
      },
      {
        serving: {
          handlers: {
            double: async (n) => {
              await gate.promise
              return 2 * n
            },
          },
        },
      },
    )
  })

  test('whose session it was not is told DRAINING', () =>
    cutPair(protocol, async ({ world, server, client, part, cuts }) => {
      const gone = next(client, 'gone')
      const refused = next(server, 'refused')
      await part()
      const drained = server.drain()
      const other = world.sock({ protocol })
      await assert.rejects(other.connectTo('memory:a'), coded('DRAINING', /not taken/))
      assert.equal((await refused).error.code, 'DRAINING')
      assert.equal(server.knownPeers.length, 1)
      cuts.refuse = false
      await drained
      assert.equal((await gone).error, undefined)
      await assert.rejects(other.connectTo('memory:a'), { code: 'CONNECT_FAILED' })
    }))
})

test('a sock whose peers have no sessions listens no more from the moment that it drains', () =>
  cutPair(
    protocol,
    async ({ world, server }) => {
      const drained = server.drain()
      await assert.rejects(world.sock({ protocol }).connectTo('memory:a'), { code: 'CONNECT_FAILED' })
      await drained
    },
    { serving: { sessions: false } },
  ))

describe('reconnectDelay', () => {
  const backIn = async (seed: number, reconnectDelay?: number): Promise<number> => {
    let took = 0
    await simulate(
      async (world) => {
        const first = await world.open({ protocol, bind: 'memory:a' })
        const client = await world.open({ protocol, connect: 'memory:a' })
        await world.sim.sleep(20_000)
        await first.drain(reconnectDelay === undefined ? {} : { reconnectDelay })
        await world.open({ protocol, bind: 'memory:a' })
        const from = world.platform.now()
        await next(client, 'peer')
        took = world.platform.now() - from
      },
      { seed },
    )
    return took
  }

  test('whoever keeps the sock up stays away for so long, and up to as long again', async () => {
    const all: number[] = []
    for (let seed = 1; seed <= 10; seed++) all.push(await backIn(seed, 10_000))
    for (const took of all) assert.ok(took >= 9_990 && took <= 20_010, `${took} ms`)
    assert.ok(Math.max(...all) - Math.min(...all) > 2_000, 'not all at once')
    assert.ok((await backIn(1)) < 1000)
  })

  test('of one peer alone', () =>
    cutPair(protocol, async ({ client, here }) => {
      const gone = next(client, 'gone')
      await here.drain({ reconnectDelay: 5000 })
      assert.equal((await gone).error, undefined)
    }))

  test('is a number of milliseconds, 10 minutes at the most', () =>
    cutPair(protocol, async ({ server, here }) => {
      for (const reconnectDelay of [-1, Number.NaN, 600_001, '5' as unknown as number]) {
        const codeOf = (error: SockError): void => assert.equal(error.code, 'BAD_OPTION')
        await server.drain({ reconnectDelay }).catch(codeOf)
        await here.drain({ reconnectDelay }).catch(codeOf)
        assert.equal(here.state, 'open')
      }
    }))
})

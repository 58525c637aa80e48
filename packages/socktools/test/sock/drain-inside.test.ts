/** A handler that drains its own peer, sock or meta, and even waits for that: it is not waited for in turn. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Handler, MetaSock, PipeSock } from '../../src/index.ts'
import { noCrashes } from '../support/crashes.ts'
import { all, Arrivals } from '../support/events.ts'
import { GUARD } from '../support/tcp.ts'
import { simulate } from '../support/world.ts'

noCrashes()

describe('drain in a handler', GUARD, () => {
  const ways: [string, Handler][] = [
    ['of the peer, not awaited', (_data, { peer }) => void peer.drain()],
    ['of the peer, returned', (_data, { peer }) => peer.drain()],
    [
      'of the peer, awaited',
      async (_data, { peer }) => {
        await peer.drain()
      },
    ],
    ['of the sock, not awaited', (_data, { sock }) => void sock.drain()],
    ['of the sock, returned', (_data, { sock }) => sock.drain()],
    [
      'of the sock, awaited',
      async (_data, { sock }) => {
        await sock.drain()
      },
    ],
  ]
  for (const [what, drain] of ways) {
    for (const where of ['in its sock', 'in a meta'] as const) {
      test(`${what}, ${where}: what came with it is handled, answers are written, and nobody waits for the timeout`, () =>
        simulate(async (world) => {
          const steps: string[] = []
          const got = new Arrivals()
          const handler: Handler = async (data, context) => {
            const text = Buffer.from(data).toString()
            steps.push(text)
            if (text === 'bye') {
              await drain(data, context)
              steps.push('drained')
            } else await context.peer.sendMsg(0, text)
          }
          const server = await world.open({ bind: 'memory:a' })
          const owner: PipeSock | MetaSock = where === 'in a meta' ? world.meta() : server
          if (owner !== server) (owner as MetaSock).add(server)
          owner.addHandler(0, handler)
          const gone = all(server, 'gone')
          const peer = await (await world.open({ handlers: { 0: got.push } })).connectTo('memory:a')
          for (const text of ['before', 'bye', 'behind it', 'and behind that']) void peer.sendMsg(0, text)
          await world.sim.sleep(1_000)
          assert.deepEqual(
            steps.filter((step) => step !== 'drained'),
            ['before', 'bye', 'behind it', 'and behind that'],
          )
          assert.ok(steps.includes('drained'))
          assert.deepEqual(got.list, ['before', 'behind it', 'and behind that'])
          assert.deepEqual(
            gone.map(({ error, lost }) => [error, lost]),
            [[undefined, { unsent: 0, unhandled: 0 }]],
          )
          assert.equal(server.stats().faults, 0)
        }))
    }
  }

  test('in a handler that has nothing to wait for', () =>
    simulate(async (world) => {
      const handlers: Handler[] = [
        (_data, { peer }) => void peer.drain(),
        (_data, { sock }) => void sock.drain(),
      ]
      for (const [i, handler] of handlers.entries()) {
        const server = await world.open({ bind: `memory:${i}`, handlers: { 0: handler } })
        await (await (await world.open()).connectTo(`memory:${i}`)).sendMsg(0, 'x')
        await world.quiet()
        assert.deepEqual([server.knownPeers, server.stats().failed], [[], {}])
      }
    }))

  test('what such a handler throws after it is a fault all the same', () =>
    simulate(async (world) => {
      const server = await world.open({
        bind: 'memory:a',
        handlers: {
          0: async (_data, { peer }) => {
            await peer.drain()
            throw new Error('after it')
          },
        },
      })
      const faults = all(server, 'fault')
      await (await (await world.open()).connectTo('memory:a')).sendMsg(0, 'x')
      await world.quiet()
      assert.equal(faults.length, 1)
    }))

  test('later in a handler it cannot be told from a call of anyone else, and its timeout ends it', () =>
    simulate(async (world) => {
      const times: number[] = []
      const server = await world.open({
        bind: 'memory:a',
        handlers: {
          0: async (_data, { peer }) => {
            await Promise.resolve()
            await peer.drain({ timeout: 300 })
            times.push(world.sim.now())
          },
        },
      })
      await (await (await world.open()).connectTo('memory:a')).sendMsg(0, 'x')
      await world.sim.sleep(1_000)
      assert.equal(times.length, 1)
      assert.ok(times[0]! >= 300, `at ${times[0]}`)
      assert.deepEqual(server.knownPeers, [])
    }))
})

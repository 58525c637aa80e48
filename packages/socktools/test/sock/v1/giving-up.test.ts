/** A handler that waits with the signal it was given, as Node's own functions take one, does nothing wrong by that. */
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { test } from 'node:test'
import { z } from 'zod'
import { feed, nothing, PipeSock, type SockError } from '../../../src/index.ts'
import { GUARD } from '../../support/tcp.ts'
import { simulate } from '../../support/world.ts'

const protocol = { ticks: feed(nothing(), z.number()) }

for (const [what, thrown, faults] of [
  ['the AbortError of what it waited for', undefined, 0],
  ['an error of its own', new TypeError('boom'), 1],
] as const) {
  test(`a feed whose reader left: ${what} makes ${faults} faults`, GUARD, () =>
    simulate(async (world) => {
      const never = new EventEmitter()
      let cleaned = 0
      const server = new PipeSock(
        {
          protocol,
          bind: 'memory:a',
          handlers: {
            async *ticks(_nothing, { signal }) {
              try {
                yield 1
                await once(never, 'tick', { signal })
              } catch (aborted) {
                throw thrown ?? aborted
              } finally {
                cleaned++
              }
            },
          },
        },
        world,
      )
      await server.start()
      const told: SockError[] = []
      server.on('fault', ({ error }) => told.push(error))
      const client = new PipeSock({ protocol }, world)
      const peer = await client.connectTo('memory:a')
      const ticks = peer.stream('ticks')
      assert.deepEqual(await ticks.next(), { value: 1, done: false })
      const second = ticks.next()
      await world.quiet()
      await ticks.return?.()
      assert.deepEqual(await second, { value: undefined, done: true })
      await world.quiet()
      assert.equal(cleaned, 1)
      assert.equal(told.length, faults)
      assert.equal(server.stats().faults, faults)
      await client.close()
      await server.close()
    }),
  )
}

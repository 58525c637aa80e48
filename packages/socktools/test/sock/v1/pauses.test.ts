/** How long the dialer of a session waits before it comes back. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { bytes, msg } from '../../../src/index.ts'
import { type CutPair, cutPair } from './cut-pair.ts'

const protocol = { up: msg(bytes()), down: msg(bytes()), n: msg(z.number()) }

const BACKOFF = { first: 100, max: 30_000, healthy: 10_000 }

interface Way extends CutPair<typeof protocol> {
  readonly say: (size: number) => Promise<void>
  readonly got: { messages: number }
  /** How long each connection was missed, in milliseconds. */
  readonly gaps: number[]
}

/** Over connections that are each cut after so many bytes at the latest. What is said goes up, or down: over the side that was dialed. */
const way = (up: boolean, bytesEach: number, scenario: (way: Way) => Promise<void>): Promise<void> => {
  const got = { messages: 0 }
  const taken = (): void => {
    got.messages++
  }
  return cutPair(
    protocol,
    async (pair) => {
      const { world, cuts, client, there, here } = pair
      const { now } = world.platform
      const gaps: number[] = []
      let since = 0
      client.on('detached', () => (since = now()))
      client.on('resumed', () => gaps.push(now() - since))
      cuts.plan(() => bytesEach)
      const say = (size: number): Promise<void> =>
        up ? there.sendMsg('up', new Uint8Array(size)) : here.sendMsg('down', new Uint8Array(size))
      cuts.cut()
      await scenario({ ...pair, say, got, gaps })
    },
    { serving: { handlers: { up: taken } }, asking: { handlers: { down: taken }, backoff: BACKOFF } },
  )
}

for (const up of [true, false])
  describe(`a session whose connections do not last, ${up ? 'sending' : 'receiving'}`, () => {
    test('and over each of which it moves on: its dialer comes back as after a first failure', () =>
      way(up, Infinity, async ({ world, cuts, say, got, gaps }) => {
        for (let n = 1; n <= 50; n++) {
          await say(1000)
          while (gaps.length < n) await world.sim.sleep(1)
          await world.sim.sleep(5)
          cuts.cut()
        }
        assert.equal(got.messages, 50)
        // What the first one took is known with the next.
        assert.ok(Math.max(...gaps.slice(2)) <= BACKOFF.first, `up to ${Math.max(...gaps)} ms`)
        // Full jitter.
        assert.ok(Math.min(...gaps) < 30 && Math.max(...gaps) > 70, `${Math.min(...gaps)} ms and more`)
      }))

    test('and that comes back without ever moving on: ever longer', () =>
      way(up, 2000, async ({ world, say, got, gaps }) => {
        // No connection takes as much as one message.
        void say(10_000).catch(() => undefined)
        await world.sim.sleep(600_000)
        assert.equal(got.messages, 0)
        assert.ok(gaps.length > 10 && gaps.length < 100, `${gaps.length} connections in ten minutes`)
      }))
  })

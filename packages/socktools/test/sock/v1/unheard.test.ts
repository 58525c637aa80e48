/** What the system took, and the far side never got, before the connection broke. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { msg } from '../../../src/index.ts'
import { Waiter } from '../../../src/sock/waiter.ts'
import { type CutPair, cutPair } from './cut-pair.ts'

const protocol = { say: msg(z.number()), long: msg(z.string()) }
type Pair = CutPair<typeof protocol>

const mute = ({ cuts }: Pair): void => {
  for (const pipe of cuts.pipes) pipe.mute = true
}

describe('what was unheard when a connection broke', () => {
  test('drain() waits until the far side has it, over another connection if need be', () => {
    const got: number[] = []
    return cutPair(
      protocol,
      async (pair) => {
        const { world, cuts, client, there } = pair
        mute(pair)
        await there.sendMsg('say', 1)
        const drained = client.drain()
        await world.quiet()
        cuts.cut()
        await drained
        assert.deepEqual(got, [1])
      },
      { serving: { handlers: { say: (n) => void got.push(n) } } },
    )
  })

  test('credit is told again: who waited for it goes on', () => {
    let got = 0
    const gate = new Waiter()
    return cutPair(
      protocol,
      async (pair) => {
        const { world, cuts, there } = pair
        // More than the far side lets in while it handles none.
        for (let i = 0; i < 30; i++) void there.sendMsg('long', 'x'.repeat(10_000))
        await world.quiet()
        assert.ok(there.stats().queued > 0)
        mute(pair)
        gate.resolve()
        await world.quiet()
        assert.ok(got < 30, 'what would let the rest in was not heard')
        cuts.cut()
        await world.sim.sleep(5000)
        assert.equal(got, 30)
      },
      {
        serving: {
          readMark: 65_536,
          handlers: {
            long: async () => {
              await gate.promise
              got++
            },
          },
        },
      },
    )
  })
})

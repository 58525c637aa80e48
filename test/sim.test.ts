/** Tier C: some hundred simulated networks, most of them with sessions. `npm run sim` tells what happened in them. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { simulate, SimulationError } from 'socktools/testing'
import { FOUND } from './sim/found.ts'
import { sim } from './sim/run.ts'
import { optionsOf } from './sim/v1-plan.ts'
import { v1Socks } from './sim/v1-socks.ts'

describe('socks on wire v1, simulated', () => {
  test('500 seeds, every fault and every ending among them', async () => {
    const { code, stdout } = await sim('--seeds', '500', '--from', '1')
    assert.match(stdout, /\n500 seeds, 0 failures\n$/)
    assert.equal(code, 0, stdout)
  })

  for (const [why, options] of FOUND)
    test(`seed ${options.seed} failed once. ${why}`, async () => {
      await simulate(options, v1Socks())
    })

  // The second with identities.
  for (const seed of [11, 15])
    test(`the same seed is the same run, in another process too: ${seed}`, async () => {
      const { hash, replay } = await simulate(optionsOf(seed), v1Socks())
      assert.equal((await simulate(optionsOf(seed), v1Socks())).hash, hash)
      const { stdout } = await sim('--replay', replay)
      assert.match(stdout, new RegExp(`1 seed, 0 failures, hash ${hash}\n$`))
    })

  test('without sessions messages are lost when a connection breaks: the stronger check sees it', async () => {
    const lossy = Array.from({ length: 10 }, (_, seed) => optionsOf(seed))
    const failed: SimulationError[] = []
    for (const options of lossy) {
      await simulate({ ...options, within: 60_000 }, v1Socks({ lossless: true, sessions: false })).catch(
        (error: unknown) => {
          assert.ok(error instanceof SimulationError, String(error))
          failed.push(error)
        },
      )
    }
    assert.ok(failed.length > 0)
    assert.deepEqual([...new Set(failed.map(({ check }) => check))], ['nothing is lost'])
  })
})

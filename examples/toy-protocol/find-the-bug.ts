/**
 * Looks for a bug of counter.ts in simulated networks, cuts the failing one down to what matters, and shows it.
 *
 *   npx tsx examples/toy-protocol/find-the-bug.ts
 */
import {
  type FaultKind,
  type Scenario,
  simulate,
  SimulationError,
  type SimulateOptions,
} from 'socktools/testing'
import { type Counter, counter } from './counter.ts'

/** Faults of the network alone: this counter lives in memory, and forgets when its process ends. */
const faults: readonly FaultKind[] = ['delay', 'oneWay', 'partition', 'reset', 'halfOpen', 'stall', 'freeze']

const scenario =
  (options: { readonly ids?: boolean }): Scenario =>
  async (sim) => {
    const [home] = sim.nodes
    const cluster = await sim.boot<Counter>((me) => counter(me, home!.address, options))
    const count = (): number => cluster.app(0)?.count ?? 0
    let added = 0
    let done = 0
    sim.always('nothing is counted twice', () => {
      if (count() > added) throw new Error(`${added} were added, and ${count()} counted`)
    })
    for (let i = 0; i < sim.size; i++) {
      const who = 1 + Math.floor(sim.random() * (sim.nodes.length - 1))
      added++
      sim.note(`n${who + 1} adds one`)
      void cluster
        .app(who)
        ?.add()
        .then(() => done++)
      await sim.sleep((sim.random() * 2 * sim.duration) / sim.size)
    }
    sim.eventually('everything is counted', () => done === added && count() === added)
  }

const world: SimulateOptions = { nodes: 3, duration: 300_000, size: 100, faults }

/** The first of these seeds that fails, cut down; undefined: none does. */
async function search(
  seeds: number,
  options: { readonly ids?: boolean },
): Promise<SimulationError | undefined> {
  for (let seed = 1; seed <= seeds; seed++) {
    try {
      await simulate({ ...world, seed, shrink: 60 }, scenario(options))
    } catch (error) {
      if (error instanceof SimulationError) return error
      throw error
    }
  }
  return undefined
}

const found = await search(50, {})
if (found === undefined) throw new Error('it was not found')
const { seed, faults: left, size } = JSON.parse(found.report.replay) as Required<SimulateOptions>
console.log(`without ids: ${found.check} fails with seed ${seed}`)
console.log(`what it takes: ${size} additions and ${JSON.stringify(left)}`)
console.log(found.lines.slice(-4).join('\n'))

const again = await simulate(JSON.parse(found.report.replay) as SimulateOptions, scenario({})).catch(
  (e: unknown) => e,
)
const same = again instanceof SimulationError && again.report.hash === found.report.hash
console.log(`played again it is ${same ? 'the same run' : 'another run'}`)

const fixed = await search(50, { ids: true })
console.log(`with ids: ${fixed === undefined ? '50 seeds, 0 failures' : fixed.message}`)

import { SockError, fail, needFunction, reasonOf } from '../errors.ts'
import type { KeyStore } from './key-disk.ts'
import { replaceOutside } from './outside.ts'
import { type Plan, planOf, replayOf, type SimulateOptions } from './plan.ts'
import { shrunk } from './shrink.ts'
import { type Failed, Sim } from './sim.ts'
import { EVENTS } from './trace.ts'

/** What is to happen: it boots the nodes, does the work, and says what must hold. */
export type Scenario<Disk = KeyStore> = (sim: Sim<Disk>) => Promise<void>

/** How a run went. */
export interface SimReport {
  readonly seed: number
  /** Of everything that happened. The same seed, options and code give the same hash, in any process. */
  readonly hash: string
  readonly events: number
  /** Milliseconds of virtual time. */
  readonly time: number
  /** How often what happened: `fault kill`, `gone IDLE_TIMEOUT`, `net segments` … */
  readonly counts: Readonly<Record<string, number>>
  /** The options of this run, faults included, as one line of JSON: `simulate(JSON.parse(line), scenario)`. */
  readonly replay: string
}

/** A run that failed: SIMULATION_FAILED. `cause` is what the check threw. */
export class SimulationError extends SockError {
  /** The name of the check that failed, or what was thrown beside any. */
  readonly check: string
  readonly report: SimReport
  /** The last lines of the trace. */
  readonly lines: readonly string[]

  constructor({ check, thrown }: Failed, report: SimReport, lines: readonly string[]) {
    const what = `seed ${report.seed}, at ${Math.round(report.time)} ms: ${check}: ${reasonOf(thrown)}`
    super('SIMULATION_FAILED', what, { cause: thrown })
    this.name = 'SimulationError'
    this.check = check
    this.report = report
    this.lines = lines
  }
}

let running = false

/**
 * Runs real socks on several simulated machines in virtual time, under faults that a seed draws, and checks what must
 * hold. Ten minutes of a network take some tens of milliseconds; whatever goes wrong goes wrong again with that seed.
 *
 * ```ts
 * await simulate({ seed: 7, nodes: 3, faults: ['partition', 'kill'] }, async (sim) => {
 *   const cluster = await sim.boot(async (me) => {
 *     const sock = me.sock({ protocol, bind: me.machine.address, handlers })
 *     await sock.start()
 *     return sock
 *   })
 *   sim.eventually('everybody has everything', () => …)
 * })
 * ```
 *
 * Meanwhile Date, timers, Math.random, performance.now, AbortSignal.timeout and the randomness of crypto are the
 * simulation's in this whole process, and real I/O throws SIMULATION_REAL_IO. Afterwards they are as before.
 *
 * Rejects with SIMULATION_FAILED (a {@link SimulationError}), BAD_OPTION, SIMULATION_RUNNING.
 */
export async function simulate<Disk = KeyStore>(
  options: SimulateOptions<Disk>,
  scenario: Scenario<Disk>,
): Promise<SimReport> {
  const plan = planOf(options)
  needFunction(scenario, 'the scenario')
  if (running) fail('SIMULATION_RUNNING', 'a second simulation was begun before the first had ended')
  running = true
  try {
    const first = await once(plan, scenario)
    if (first.error === undefined) return first.report
    throw await shrunk(plan, first.error, async (smaller) => (await once(smaller, scenario)).error)
  } finally {
    running = false
  }
}

async function once<Disk>(
  plan: Plan<Disk>,
  scenario: Scenario<Disk>,
): Promise<{ readonly report: SimReport; readonly error: SimulationError | undefined }> {
  const sim = new Sim<Disk>(plan)
  const { world } = sim
  const { platform } = world
  const restore = replaceOutside({
    now: () => world.current?.clock.now() ?? platform.now(),
    wall: () => (world.current?.clock ?? sim.clock).wall(),
    random: () => (world.current?.random ?? sim.random)(),
    setTimer: (fn, ms) => {
      const owner = world.current
      return platform.setTimer(() => {
        world.current = owner
        if (owner === undefined) fn()
        else owner.run(EVENTS.timer, fn)
      }, ms)
    },
    onUnhandled: (thrown) => {
      sim.fail('unhandled rejection', thrown)
    },
  })
  await sim.run(scenario).finally(restore)
  const { failed } = sim
  const { seed } = plan
  const { hash, events, time, counts } = sim
  const report = { seed, hash, events, time, counts, replay: replayOf(plan) }
  return { report, error: failed === undefined ? undefined : new SimulationError(failed, report, sim.lines) }
}

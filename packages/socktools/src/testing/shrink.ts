import type { Fault } from './faults.ts'
import type { Plan } from './plan.ts'
import type { SimulationError } from './simulate.ts'

/**
 * Looks for a smaller plan that fails the same check, in at most `plan.shrink` runs: fewer faults (delta debugging),
 * less to do, shorter faults. Gives the failure of the smallest.
 */
export async function shrunk<Disk>(
  plan: Plan<Disk>,
  error: SimulationError,
  run: (plan: Plan<Disk>) => Promise<SimulationError | undefined>,
): Promise<SimulationError> {
  let best = { plan: { ...plan, log: undefined } as Plan<Disk>, error }
  let left = plan.shrink
  const fails = async (change: Partial<Plan<Disk>>): Promise<boolean> => {
    if (left-- <= 0) return false
    const smaller = { ...best.plan, ...change }
    const again = await run(smaller)
    if (again?.check !== error.check) return false
    best = { plan: smaller, error: again }
    return true
  }

  await fewerFaults(
    () => best.plan.faults,
    (faults) => fails({ faults }),
  )
  while (best.plan.size > 1 && (await fails({ size: Math.floor(best.plan.size / 2) })));
  await fewerFaults(
    () => best.plan.faults,
    (faults) => fails({ faults }),
  )
  for (let i = 0; i < best.plan.faults.length && left > 0; i++) {
    for (let more = true; more && left > 0; ) {
      const { faults } = best.plan
      const lasts = faults[i]?.for
      more =
        lasts !== undefined &&
        lasts > 100 &&
        (await fails({ faults: faults.with(i, halved(faults[i] as Fault)) }))
    }
  }
  return best.error
}

const halved = (fault: Fault): Fault => ({ ...fault, for: Math.floor((fault.for ?? 0) / 2) })

/** Leaves out ever smaller parts of the schedule (Zeller's ddmin, without its complements of one). */
async function fewerFaults(
  now: () => readonly Fault[],
  fails: (faults: readonly Fault[]) => Promise<boolean>,
): Promise<void> {
  for (let size = Math.ceil(now().length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < now().length; ) {
      const without = [...now().slice(0, at), ...now().slice(at + size)]
      if (!(await fails(without))) at += size
    }
  }
}

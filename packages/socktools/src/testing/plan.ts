import { fail, needFunction, needKnown } from '../errors.ts'
import { checkFaults, drawFaults, type Fault, FAULT_KINDS, type FaultKind } from './faults.ts'
import { KeyDisk, type KeyStore, type NodeDisk } from './key-disk.ts'
import { xoshiro128 } from './sim-platform.ts'

/** Times are milliseconds of virtual time. */
export interface SimulateOptions<Disk = KeyStore> {
  /** A whole number: the same one, with the same options and scenario, gives the same run. Default 1. */
  readonly seed?: number
  /** How many machines: from 1 to 64. Default 3. */
  readonly nodes?: number
  /** How long faults happen; the run goes on after that until all is well. Default 600,000. */
  readonly duration?: number
  /** The kinds to draw faults from, or a schedule as it is. Default: every kind, and `none` for a fair world. */
  readonly faults?: 'all' | 'none' | readonly FaultKind[] | readonly Fault[]
  /** How many faults are drawn. Default: from 3 to 12, by the seed. */
  readonly faultCount?: number
  /** `sim.size`: how much the scenario is to do. Default 200. */
  readonly size?: number
  /**
   * `liveness`: at the end of `duration` everything is healed, every `sim.eventually` must come true in time, and all
   * socks are closed and must leave nothing behind. `safety`: it ends right there. Default `liveness`.
   */
  readonly mode?: 'liveness' | 'safety'
  /** How long after the heal every `sim.eventually` may take. Default 180,000. */
  readonly within?: number
  /** What a segment takes from node to node, at least and at most. Default [0.1, 20]. */
  readonly latency?: readonly [least: number, most: number]
  /** Makes the disk of each node. Default: a KeyDisk. */
  readonly disk?: () => NodeDisk<Disk>
  /** After a failure: how many runs may be spent on finding a smaller one. Default 0. */
  readonly shrink?: number
  /** More events than this are a run that never ends. Default 20 million. */
  readonly maxEvents?: number
  /** Every line of the trace as it is written. */
  readonly log?: (line: string) => void
}

/** Options as a run uses them: checked and complete, the faults drawn. */
export interface Plan<Disk = unknown>
  extends Required<Omit<SimulateOptions<Disk>, 'faultCount' | 'log' | 'faults'>> {
  readonly faults: readonly Fault[]
  readonly log: ((line: string) => void) | undefined
}

const KNOWN = [
  ...['seed', 'nodes', 'duration', 'faults', 'faultCount', 'size', 'mode', 'within', 'latency', 'disk'],
  ...['shrink', 'maxEvents', 'log'],
]

/** Throws BAD_OPTION. */
export function planOf<Disk>(options: SimulateOptions<Disk>): Plan<Disk> {
  if (typeof options !== 'object' || (options as unknown) === null)
    fail('BAD_OPTION', 'simulate takes its options first')
  needKnown(options, KNOWN, 'simulate')
  const { mode = 'liveness', latency = [0.1, 20], log, disk } = options
  const seed = whole(options.seed ?? 1, 'seed', -(2 ** 31), 2 ** 32)
  const nodes = whole(options.nodes ?? 3, 'nodes', 1, 64)
  const duration = whole(options.duration ?? 600_000, 'duration', 0, 2 ** 31 - 1)
  if ((mode as unknown) !== 'liveness' && (mode as unknown) !== 'safety')
    fail('BAD_OPTION', `mode is 'liveness' or 'safety', not ${JSON.stringify(mode)}`)
  const [least, most] = latency
  if (!(least >= 0 && most >= least && most < Infinity))
    fail('BAD_OPTION', 'latency is [least, most], in milliseconds')
  if (log !== undefined) needFunction(log, 'log')
  if (disk !== undefined) needFunction(disk, 'disk')
  return {
    seed,
    nodes,
    duration,
    faults: faultsOf(options, { seed, nodes, duration }),
    size: whole(options.size ?? 200, 'size', 0, 1e9),
    mode,
    within: whole(options.within ?? 180_000, 'within', 0, 2 ** 31 - 1),
    latency,
    disk: disk ?? ((() => new KeyDisk()) as unknown as () => NodeDisk<Disk>),
    shrink: whole(options.shrink ?? 0, 'shrink', 0, 1e6),
    maxEvents: whole(options.maxEvents ?? 20_000_000, 'maxEvents', 1, Number.MAX_SAFE_INTEGER),
    log,
  }
}

function faultsOf(
  { faults = 'all', faultCount }: Pick<SimulateOptions, 'faults' | 'faultCount'>,
  { seed, nodes, duration }: { seed: number; nodes: number; duration: number },
): readonly Fault[] {
  if (faults === 'none') return []
  const list: unknown = faults === 'all' ? FAULT_KINDS : faults
  if (!Array.isArray(list))
    return fail('BAD_OPTION', `faults is 'all', 'none', a list of kinds or a schedule`)
  if (list.length > 0 && typeof list[0] === 'object') return checkFaults(list, nodes)
  for (const kind of list)
    if (!FAULT_KINDS.includes(kind as FaultKind))
      fail('BAD_OPTION', `there is no fault ${JSON.stringify(kind)}: there are ${FAULT_KINDS.join(', ')}`)
  if (nodes < 2)
    return list.length === 0 || faults === 'all'
      ? []
      : fail('BAD_OPTION', 'faults are drawn for 2 nodes or more')
  const random = xoshiro128(seed + 4)
  const drawn = 3 + Math.floor(random() * 10)
  const count = whole(faultCount ?? drawn, 'faultCount', 0, 100_000)
  return drawFaults(random, { nodes, duration, kinds: list as FaultKind[], count })
}

function whole(value: unknown, name: string, least: number, most: number): number {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most)
    return value as number
  return fail('BAD_OPTION', `${name} is a whole number from ${least} to ${most}, not ${String(value)}`)
}

/** What of a plan tells the run: the rest are defaults. As one line. */
export function replayOf({
  seed,
  nodes,
  duration,
  faults,
  size,
  mode,
  within,
  latency,
}: Omit<Plan, 'disk'>): string {
  return JSON.stringify({ seed, nodes, duration, size, mode, within, latency, faults })
}

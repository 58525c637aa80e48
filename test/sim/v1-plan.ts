/** What the seed decides beside what is drawn while it runs: how many nodes, which faults and when, how fast they work. */
import {
  drawFaults,
  type Fault,
  FAULT_KINDS,
  type FaultKind,
  type SimulateOptions,
  SimPlatform,
} from 'socktools/testing'
import { breaksOf } from './v1-changes.ts'

/** Ten minutes of virtual time; jobs, nearly all of which send; faults, of which some find nothing to break. */
const DURATION = 600_000
const SIZE = 240
const FAULTS = [6, 13] as const
/** As by default. */
export const SESSION_TTL = 120_000
/** One seed in four has a minute in which connections break while much is underway, and nobody dies of it. */
const RESTLESS = { size: 400, faults: 40, lasts: 60_000 }
const RESTLESS_KINDS: readonly FaultKind[] = [
  ...(['reset', 'reset', 'halfOpen', 'oneWay', 'partition', 'jitter', 'split', 'stall', 'dial'] as const),
]

/** Until `until`, in milliseconds, `done` of all its jobs are done. */
export interface Phase {
  readonly until: number
  readonly done: number
}

const isRestless = (seed: number): boolean => seed % 4 === 3
const drawn = (seed: number): number => new SimPlatform(seed).random()
const restlessFrom = (seed: number): number => 30_000 + Math.floor(480_000 * drawn(seed + 5))

export function optionsOf(seed: number): SimulateOptions {
  const nodes = 2 + (seed % 6)
  // Some hundred times what a seed needs: one that goes on and on is told as such.
  // A session expires, and then what it has left waits for the next one.
  const within = policyOf(seed) === 'resend' ? { within: 2 * SESSION_TTL + 60_000 } : {}
  const all = { seed, nodes, duration: DURATION, maxEvents: 2_000_000, ...within }
  const { random } = new SimPlatform(seed + 6)
  const breaks = breaksOf(seed, nodes, DURATION)
  if (isRestless(seed)) {
    const { size, faults: count, lasts: duration } = RESTLESS
    const from = restlessFrom(seed)
    const faults = drawFaults(random, { nodes, duration, kinds: RESTLESS_KINDS, count })
    return {
      ...all,
      size,
      faults: [...faults.map((fault) => ({ ...fault, at: from + fault.at })), ...breaks],
    }
  }
  const [least, most] = FAULTS
  const count = least + Math.floor((most - least + 1) * random())
  const faults = drawFaults(random, { nodes, duration: DURATION, kinds: FAULT_KINDS, count })
  const long = seed % 4 < 2 ? [longFault(nodes, random)] : []
  return { ...all, size: SIZE, faults: [...faults, ...long, ...breaks] }
}

/** Longer than a session outlives its connection: it ends on both sides, or on one, and the other comes back. */
function longFault(nodes: number, random: () => number): Fault {
  const one = Math.floor(random() * nodes)
  const other = (one + 1 + Math.floor(random() * (nodes - 1))) % nodes
  const at = Math.round(0.6 * DURATION * random())
  const lasts = Math.round(SESSION_TTL + 60_000 * random())
  return random() < 0.3
    ? { at, kind: 'partition', nodes: [one, other], for: lasts }
    : { at, kind: 'freeze', nodes: [one], for: lasts }
}

/** What becomes of what a lost session leaves: the option of every sock of a run. */
export const policyOf = (seed: number): 'fail' | 'resend' | 'drop' =>
  (['resend', 'resend', 'drop', 'fail', 'fail', 'fail', 'resend'] as const)[seed % 7] ?? 'fail'

/** How the jobs of a run are spread over its time. */
export function phasesOf(seed: number, duration: number): readonly Phase[] {
  const last = { until: duration, done: 1 }
  if (!isRestless(seed)) return [last]
  const from = restlessFrom(seed)
  return [{ until: from, done: 0.05 }, { until: from + RESTLESS.lasts, done: 0.95 }, last]
}

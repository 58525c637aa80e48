import { fail } from '../errors.ts'

/**
 * What a simulated network and its machines may suffer: what TCP and the machines under it really do.
 *
 * | kind | nodes | `by` | what happens, for `for` milliseconds |
 * | --- | --- | --- | --- |
 * | `delay` | from, to | ms | segments on this way take longer |
 * | `jitter` | from, to | ms | the same, by chance, up to so long |
 * | `split` | from, to | bytes | segments on this way are no longer than this |
 * | `reset` | two | | every connection between the two is reset, at once |
 * | `halfOpen` | two | | what is written on the connections that they have is swallowed; after that it is answered by a reset |
 * | `oneWay` | from, to | | nothing passes on this way; it is sent again when that is over |
 * | `partition` | two | | the same both ways |
 * | `stall` | one | | it reads from none of its connections |
 * | `freeze` | one | | the whole process stands still (SIGSTOP); then everything that came due happens |
 * | `refuse` | one | | whoever dials it is refused |
 * | `kill` | one | | the process is killed and its system closes its connections; after that it starts again |
 * | `power` | one | | the machine is off: nobody is told, what its disk had not synced may be lost; then it starts again |
 * | `clock` | one | ms | its wall clock jumps, at once |
 * | `dial` | two | | both dial each other in the same instant (`sim.onDial`) |
 */
export const FAULT_KINDS = [
  ...(['delay', 'jitter', 'split', 'reset', 'halfOpen', 'oneWay', 'partition'] as const),
  ...(['stall', 'freeze', 'refuse', 'kill', 'power', 'clock', 'dial'] as const),
] as const

export type FaultKind = (typeof FAULT_KINDS)[number]

/** One fault, as plain data: a schedule of them can be stored, cut down and replayed. */
export interface Fault {
  /** Milliseconds of virtual time since the start. */
  readonly at: number
  readonly kind: FaultKind
  /** Whom it befalls, by index: one node, or two different ones. */
  readonly nodes: readonly number[]
  /** Milliseconds until it is over. Absent for what happens at once. */
  readonly for?: number
  readonly by?: number
}

const TWO = new Set<FaultKind>([
  ...(['delay', 'jitter', 'split', 'reset', 'halfOpen', 'oneWay', 'partition', 'dial'] as const),
])
const AT_ONCE = new Set<FaultKind>(['reset', 'clock', 'dial'])

export interface DrawOptions {
  readonly nodes: number
  readonly duration: number
  readonly kinds: readonly FaultKind[]
  /** How many. */
  readonly count: number
}

/** A schedule, drawn: at any time but the very end, from a blink to longer than any default deadline. */
export function drawFaults(random: () => number, options: DrawOptions): Fault[] {
  const { nodes, duration, kinds, count } = options
  const below = (n: number): number => Math.floor(random() * n)
  const faults = Array.from({ length: kinds.length === 0 ? 0 : count }, (): Fault => {
    const kind = kinds[below(kinds.length)] as FaultKind
    const one = below(nodes)
    const other = (one + 1 + below(nodes - 1)) % nodes
    const at = Math.round(duration * (0.02 + 0.9 * random()))
    const lasts = Math.round(10 ** (2 + 2.9 * random()))
    return {
      at,
      kind,
      nodes: TWO.has(kind) ? [one, other] : [one],
      ...(AT_ONCE.has(kind) ? {} : { for: lasts }),
      ...byOf(kind, random),
    }
  })
  return faults.sort((a, b) => a.at - b.at)
}

function byOf(kind: FaultKind, random: () => number): { by?: number } {
  const share = random()
  if (kind === 'delay' || kind === 'jitter') return { by: Math.round(10 ** (1 + 2.7 * share)) }
  if (kind === 'split') return { by: 1 + Math.floor(64 * share) }
  // An hour to a year, either way.
  if (kind === 'clock') return { by: Math.round(3_600_000 * 8760 ** share) * (random() < 0.5 ? -1 : 1) }
  return {}
}

/** Throws BAD_OPTION for what is no schedule for so many nodes. */
export function checkFaults(faults: readonly unknown[], nodes: number): readonly Fault[] {
  for (const fault of faults) {
    const { at, kind, nodes: whom, for: lasts, by } = (fault ?? {}) as Partial<Record<keyof Fault, unknown>>
    const bad = (what: string): never => fail('BAD_OPTION', `the fault ${JSON.stringify(fault)} ${what}`)
    if (!FAULT_KINDS.includes(kind as FaultKind)) bad(`is of no kind: there are ${FAULT_KINDS.join(', ')}`)
    if (!isTime(at)) bad('has no `at`: milliseconds since the start')
    if (lasts !== undefined && !isTime(lasts)) bad('has a `for` that is no number of milliseconds')
    if (by !== undefined && !Number.isFinite(by)) bad('has a `by` that is no number')
    const needs = TWO.has(kind as FaultKind) ? 2 : 1
    const known = Array.isArray(whom) && whom.every((one) => Number.isInteger(one) && one >= 0 && one < nodes)
    if (!known || whom.length !== needs || new Set(whom).size !== needs)
      bad(`befalls ${needs === 2 ? 'two different nodes' : 'one node'}, by index, from 0 to ${nodes - 1}`)
  }
  return faults as readonly Fault[]
}

const isTime = (value: unknown): boolean => typeof value === 'number' && value >= 0 && value < Infinity

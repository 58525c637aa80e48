/** Which runs have identities, and what becomes of those: drawn from the seed. */
import { type Fault, SimPlatform } from 'socktools/testing'

/** One seed in three, of each kind of run; none of found.ts, which are to go on as they went. */
const PROVEN = new Set([2, 6, 10, 13, 15, 16, 21, 23])
export const isProven = (seed: number): boolean => PROVEN.has(seed % 24)

export interface Change {
  readonly at: number
  /** `rotate`: another key, which everybody is told of; `swap`: another one for a while; `strange`: somebody who is to be refused. */
  readonly what: 'rotate' | 'swap' | 'strange'
  readonly node: number
  readonly far: number
  /** Milliseconds that a swap lasts, and that the key before a rotation counts. Of `strange`: which kind, from 0 to 1. */
  readonly more: number
}

/** Drawn on its own: runs without identities are as they were. */
export function changesOf(seed: number, nodes: number, duration: number): readonly Change[] {
  if (!isProven(seed)) return []
  const { random } = new SimPlatform(seed + 7)
  const draw = (what: Change['what'], scale: number): Change => {
    const node = Math.floor(nodes * random())
    const far = (node + 1 + Math.floor((nodes - 1) * random())) % nodes
    return { at: Math.round(0.9 * duration * random()), what, node, far, more: scale * random() }
  }
  const several = (count: number, what: Change['what'], scale = 1): Change[] =>
    Array.from({ length: Math.floor(count) }, () => draw(what, scale))
  const all = [
    ...several(1 + 3 * random(), 'rotate', 120_000),
    ...several(1, 'swap', 60_000),
    ...several(4, 'strange'),
  ]
  return all.sort((a, b) => a.at - b.at)
}

/** A key is changed for the sake of what comes after: connections break soon after that. */
export const breaksOf = (seed: number, nodes: number, duration: number): Fault[] =>
  changesOf(seed, nodes, duration)
    .filter(({ what }) => what !== 'strange')
    .map(({ at, node, far }) => ({ at: at + 2000, kind: 'reset', nodes: [node, far] }))

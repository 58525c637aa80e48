/** Runs that failed once, as their replay lines had them, and why. Each is run again with every `npm test`. */
import type { SimulateOptions } from 'socktools/testing'

const all = { duration: 600_000, mode: 'liveness', within: 180_000, latency: [0.1, 20] } as const

export const FOUND: readonly (readonly [why: string, options: SimulateOptions])[] = [
  [
    'the scenario: a job that a frozen process did later was put down to the sock that it had by then',
    {
      ...all,
      seed: 668,
      nodes: 4,
      size: 240,
      faults: [{ at: 192_752, kind: 'freeze', nodes: [3], for: 175_610 }],
    },
  ],
  [
    'the scenario: a pause before its busy minute could last until after it',
    { ...all, seed: 963, nodes: 5, size: 400, faults: [] },
  ],
  [
    'drain() of a peer that was ending already, and of which a stream never ended, went on after its time was over',
    {
      ...all,
      seed: 5016,
      nodes: 2,
      size: 240,
      faults: [{ at: 187_561, kind: 'freeze', nodes: [0], for: 159_649 }],
    },
  ],
]

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
  [
    'the higher of two that dial each other took a connection for a peer when its own dial had failed, unheard: the lower one ' +
      'believed in that, and gave up the other for it',
    {
      ...all,
      seed: 3631,
      nodes: 3,
      size: 400,
      faults: [
        { at: 56_109, kind: 'reset', nodes: [1, 0] },
        { at: 57_918, kind: 'reset', nodes: [0, 1] },
        { at: 59_164, kind: 'reset', nodes: [2, 1] },
        { at: 67_702, kind: 'oneWay', nodes: [1, 2], for: 24_238 },
        { at: 78_951, kind: 'reset', nodes: [1, 2] },
        { at: 87_871, kind: 'stall', nodes: [1], for: 6162 },
        { at: 88_396, kind: 'reset', nodes: [1, 2] },
        { at: 93_289, kind: 'halfOpen', nodes: [2, 1], for: 33_785 },
        { at: 94_610, kind: 'split', nodes: [1, 0], for: 117, by: 13 },
        { at: 95_989, kind: 'partition', nodes: [1, 2], for: 9298 },
      ],
    },
  ],
  [
    'the same, after a freeze',
    {
      ...all,
      seed: 7849,
      nodes: 3,
      size: 240,
      faults: [
        { at: 197_210, kind: 'freeze', nodes: [0], for: 22_249 },
        { at: 215_923, kind: 'halfOpen', nodes: [1, 0], for: 10_502 },
      ],
    },
  ],
  [
    'the same, where the dial of the higher one was answered, and over: the lower one had not heard of that',
    {
      ...all,
      seed: 505_507,
      nodes: 3,
      size: 400,
      faults: [
        { at: 332_207, kind: 'oneWay', nodes: [0, 1], for: 3543 },
        { at: 332_998, kind: 'split', nodes: [2, 1], for: 1386, by: 57 },
        { at: 333_565, kind: 'dial', nodes: [0, 1] },
        { at: 335_079, kind: 'dial', nodes: [2, 1] },
        { at: 335_733, kind: 'partition', nodes: [1, 0], for: 1580 },
      ],
    },
  ],
  [
    'of a message that may have come over a session that was lost, and waited for another one, it was told that it had not',
    {
      ...all,
      within: 300_000,
      seed: 500_324,
      nodes: 4,
      size: 240,
      faults: [
        { at: 44_966, kind: 'stall', nodes: [3], for: 40_358 },
        { at: 151_337, kind: 'power', nodes: [2], for: 56 },
        { at: 232_748, kind: 'freeze', nodes: [1], for: 17_238 },
        { at: 120_248, kind: 'freeze', nodes: [0], for: 88_077 },
      ],
    },
  ],
  [
    'a side that drained ended a channel with a RESET that the other side had never heard of, which breaks the rules',
    {
      ...all,
      seed: 1083,
      nodes: 5,
      size: 400,
      faults: [
        { at: 390_748, kind: 'dial', nodes: [3, 1] },
        { at: 392_852, kind: 'oneWay', nodes: [3, 1], for: 12_977 },
        { at: 397_507, kind: 'reset', nodes: [3, 1] },
      ],
    },
  ],
]

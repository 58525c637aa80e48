// What is measured, by whom, and in which order.

/**
 * What both sides of a trial are told.
 * @typedef {object} Job
 * @property {'stream' | 'awaited' | 'turn' | 'broadcast' | 'idle'} kind
 * @property {number} size  payload bytes
 * @property {number} fill  every payload byte
 * @property {number} peers
 * @property {number} perTurn  messages in one turn of the event loop
 * @property {number} warmMs  from the first message on, not counted
 * @property {number} measureMs  the window that is
 * @property {'sink' | 'source'} [listener]  which side listens; the other dials
 * @property {number} [broker]  port of nats-server
 */

/**
 * @typedef {object} Workload
 * @property {string} name
 * @property {Job['kind']} kind
 * @property {number} [size]
 * @property {number} [peers]
 * @property {number} [perTurn]
 * @property {string[]} contenders  in the order of a round
 * @property {Measure[]} measures  what a trial yields
 * @property {string[]} [quick]  contenders of a quick run; absent: not in it
 * @property {number} [rounds]  at most
 */

/**
 * @typedef {object} Measure
 * @property {string} name  as in the goals
 * @property {string} unit
 * @property {(result: any) => number} of
 */

/** Idle connections before the first weighing: these pay for code and pools that are made once. */
export const IDLE_FIRST = 1000

const KIB = 1024
const MIB = 1024 * KIB

/** @type {(name: string) => Measure} */
const messages = (name) => ({ name, unit: 'msg/s', of: (r) => (r.windowCount / r.windowMs) * 1000 })
/** @type {(name: string) => Measure} */
const gigabytes = (name) => ({ name, unit: 'GB/s', of: (r) => r.windowBytes / r.windowMs / 1e6 })

const STREAMERS = ['socktools', 'C', 'naive', 'ws', 'zeromq', 'nats']
const BROADCASTERS = ['socktools', 'C', 'naive', 'ws']
const QUICK = ['socktools', 'C', 'naive', 'ws']

/** @type {Workload[]} */
export const workloads = [
  { name: '64B', kind: 'stream', size: 64, contenders: STREAMERS, quick: QUICK, measures: [messages('64B')] },
  {
    name: '1KiB',
    kind: 'stream',
    size: KIB,
    contenders: STREAMERS,
    quick: QUICK,
    measures: [messages('1KiB')],
  },
  {
    name: '64KiB',
    kind: 'stream',
    size: 64 * KIB,
    contenders: STREAMERS,
    quick: QUICK,
    measures: [gigabytes('64KiB')],
  },
  { name: '1MiB', kind: 'stream', size: MIB, contenders: STREAMERS, measures: [gigabytes('1MiB')] },
  {
    name: 'awaited',
    kind: 'awaited',
    contenders: ['socktools', 'naive', 'ws', 'zeromq'],
    quick: ['socktools', 'naive', 'ws'],
    measures: [messages('awaited')],
  },
  {
    name: 'one-per-turn',
    kind: 'turn',
    contenders: ['socktools', 'net single write', 'C', 'naive', 'ws'],
    quick: ['socktools', 'net single write', 'C', 'naive', 'ws'],
    measures: [messages('one-per-turn')],
  },
  {
    name: 'broadcast-1',
    kind: 'broadcast',
    peers: 500,
    contenders: BROADCASTERS,
    measures: [messages('broadcast-1')],
  },
  {
    name: 'broadcast-16',
    kind: 'broadcast',
    peers: 500,
    perTurn: 16,
    contenders: BROADCASTERS,
    measures: [messages('broadcast-16')],
  },
  {
    name: 'idle',
    kind: 'idle',
    peers: 5000,
    rounds: 5,
    contenders: ['socktools', 'net', 'ws'],
    measures: [
      { name: 'idle-memory', unit: 'KB', of: (result) => result.bytesPerConnection / 1000 },
      { name: 'set-up', unit: 'conn/s', of: (result) => result.connectionsPerSecond },
    ],
  },
]

/**
 * @typedef {object} Plan
 * @property {number} rounds
 * @property {number} warmMs
 * @property {number} measureMs
 * @property {number} budgetMs  no round is begun that would end after it
 */

/** @type {Record<'quick' | 'full', Plan>} */
export const plans = {
  quick: { rounds: 5, warmMs: 200, measureMs: 400, budgetMs: 85_000 },
  full: { rounds: 9, warmMs: 500, measureMs: 1000, budgetMs: 840_000 },
}

/**
 * @param {Workload} workload
 * @param {Plan} plan
 * @returns {Job}
 */
export function jobOf({ kind, size = 64, peers = 1, perTurn = 1 }, { warmMs, measureMs }) {
  return { kind, size, fill: 0x5a, peers, perTurn, warmMs, measureMs }
}

/**
 * The interleaved order of one round: every workload once, and in it every contender once, so that a ratio's two
 * sides ran next to each other and a slow minute of the machine touches all alike.
 * @param {Workload[]} chosen
 * @param {number} round  from 0
 * @param {(contender: string) => boolean} takesPart
 */
export function scheduleRound(chosen, round, takesPart) {
  return chosen
    .filter((workload) => round < (workload.rounds ?? Infinity))
    .flatMap((workload) =>
      workload.contenders.filter(takesPart).map((contender) => ({ workload, contender })),
    )
}

// What is measured, by whom, and in which order.

/**
 * What both sides of a trial are told.
 * @typedef {object} Job
 * @property {'stream' | 'awaited' | 'turn' | 'broadcast' | 'idle' | 'call' | 'feed' | 'durable'} kind
 * @property {number} size  payload bytes
 * @property {number} fill  every payload byte
 * @property {number} peers
 * @property {number} perTurn  messages in one turn of the event loop
 * @property {number} inFlight  calls that are open at once
 * @property {'v1'} [wire]  what ours speaks; absent: the plain wire
 * @property {'msgpack' | 'json'} [codec]  ours carries typed data in it, checked on arrival; absent: bytes
 * @property {number} [maxCalls]  the option of ours, on both sides; absent: its default
 * @property {false} [sessions]  the same
 * @property {true} [secure]  ours goes over TLS 1.3, with an identity on both sides
 * @property {number} bytes  of the feed
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
 * @property {number} [inFlight]
 * @property {Job['wire']} [wire]
 * @property {Job['codec']} [codec]
 * @property {number} [maxCalls]
 * @property {false} [sessions]
 * @property {true} [secure]
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

/** @type {(name: string) => Measure[]} */
const latencies = (name) => [
  { name: `${name}-p50`, unit: 'µs', of: (r) => r.p50 },
  { name: `${name}-p99`, unit: 'µs', of: (r) => r.p99 },
]
/** @type {(name: string) => Measure[]} */
const calls = (name) => [{ name, unit: 'calls/s', of: (r) => r.callsPerSecond }]

const STREAMERS = ['socktools', 'C', 'naive', 'ws', 'zeromq', 'nats']
const BROADCASTERS = ['socktools', 'C', 'naive', 'ws']
const QUICK = ['socktools', 'C', 'ws']
const CALLERS = ['socktools', 'C', 'net', 'ws', 'zeromq', 'grpc-js', 'socket.io']
/** Those that encrypt and prove who is there, with keys and no authority. */
const SECURE = ['socktools', 'secret-stream', 'libp2p']
/** More than the 64 that a sock grants by default, so that all of them are on their way. */
const MANY = 128

/** Messages that wait for the disk at once. */
const WAITING = 1000

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
    quick: ['socktools', 'ws'],
    measures: [messages('awaited')],
  },
  {
    name: 'one-per-turn',
    kind: 'turn',
    contenders: ['socktools', 'net single write', 'C', 'naive', 'ws'],
    quick: ['socktools', 'net single write'],
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
  {
    name: 'idle-v1',
    kind: 'idle',
    wire: 'v1',
    peers: 3000,
    rounds: 3,
    contenders: ['socktools'],
    measures: [
      { name: 'idle-v1-memory', unit: 'KB', of: (result) => result.bytesPerConnection / 1000 },
      { name: 'set-up-v1', unit: 'conn/s', of: (result) => result.connectionsPerSecond },
    ],
  },
  // Over wire v1. In the typed ones ws carries 64 bytes as they are, all the same.
  {
    name: '64B-v1',
    kind: 'stream',
    wire: 'v1',
    contenders: ['socktools', 'ws'],
    measures: [messages('64B-v1')],
  },
  {
    name: '64B-typed',
    kind: 'stream',
    wire: 'v1',
    codec: 'msgpack',
    contenders: ['socktools', 'sessions off', 'ws'],
    quick: ['socktools', 'sessions off', 'ws'],
    measures: [messages('64B-typed')],
  },
  {
    name: 'call-1',
    kind: 'call',
    wire: 'v1',
    contenders: CALLERS,
    quick: QUICK,
    measures: latencies('call-1'),
  },
  {
    name: 'call-1-typed',
    kind: 'call',
    wire: 'v1',
    codec: 'msgpack',
    contenders: ['socktools'],
    measures: latencies('call-1-typed'),
  },
  {
    name: 'call-1-json',
    kind: 'call',
    wire: 'v1',
    codec: 'json',
    contenders: ['socktools'],
    measures: latencies('call-1-json'),
  },
  {
    name: 'call-128',
    kind: 'call',
    wire: 'v1',
    inFlight: MANY,
    maxCalls: MANY,
    sessions: false, // as with the others, a call is lost with its connection
    contenders: CALLERS,
    quick: QUICK,
    measures: calls('call-128'),
  },
  {
    name: 'call-128-sessions',
    kind: 'call',
    wire: 'v1',
    inFlight: MANY,
    maxCalls: MANY,
    contenders: ['socktools'],
    measures: calls('call-128-sessions'),
  },
  {
    name: 'call-128-default',
    kind: 'call',
    wire: 'v1',
    inFlight: MANY,
    contenders: ['socktools'],
    measures: calls('call-128-default'),
  },
  {
    name: 'call-128-typed',
    kind: 'call',
    wire: 'v1',
    inFlight: MANY,
    maxCalls: MANY,
    codec: 'msgpack',
    contenders: ['socktools', 'ws'],
    quick: ['socktools', 'ws'],
    measures: calls('call-128-typed'),
  },
  {
    name: 'call-128-json',
    kind: 'call',
    wire: 'v1',
    inFlight: MANY,
    maxCalls: MANY,
    codec: 'json',
    contenders: ['socktools', 'ws'],
    measures: calls('call-128-json'),
  },
  {
    name: 'feed',
    kind: 'feed',
    wire: 'v1',
    contenders: ['socktools'],
    quick: ['socktools'],
    measures: [
      { name: 'feed', unit: 'GB/s', of: (result) => result.gigabytesPerSecond },
      { name: 'beside-feed-p99', unit: 'µs', of: (result) => result.p99 },
      { name: 'beside-feed', unit: 'x idle', of: (result) => result.timesCalm },
      { name: 'feed-memory-out', unit: 'MB', of: (result) => result.answererGrewBy / 1e6 },
      { name: 'feed-memory-in', unit: 'MB', of: (result) => result.grewBy / 1e6 },
    ],
  },
  // Encrypted, between two that prove a key each.
  {
    name: '64B-tls',
    kind: 'stream',
    secure: true,
    contenders: SECURE,
    quick: ['socktools', 'secret-stream'],
    measures: [messages('64B-tls')],
  },
  {
    name: '64KiB-tls',
    kind: 'stream',
    size: 64 * KIB,
    secure: true,
    contenders: SECURE,
    measures: [gigabytes('64KiB-tls')],
  },
  {
    name: '64B-v1-tls',
    kind: 'stream',
    wire: 'v1',
    secure: true,
    contenders: ['socktools'],
    measures: [messages('64B-v1-tls')],
  },
  {
    name: '64KiB-v1-tls',
    kind: 'stream',
    size: 64 * KIB,
    wire: 'v1',
    secure: true,
    contenders: ['socktools'],
    measures: [gigabytes('64KiB-v1-tls')],
  },
  {
    name: 'call-1-tls',
    kind: 'call',
    wire: 'v1',
    secure: true,
    contenders: SECURE,
    measures: latencies('call-1-tls'),
  },
  {
    name: 'call-128-tls',
    kind: 'call',
    wire: 'v1',
    inFlight: MANY,
    maxCalls: MANY,
    sessions: false,
    secure: true,
    contenders: SECURE,
    measures: calls('call-128-tls'),
  },
  // One process and its disk.
  {
    name: 'durable',
    kind: 'durable',
    inFlight: WAITING,
    contenders: ['socktools', 'store', 'bare append'],
    quick: ['socktools', 'bare append'],
    measures: [{ name: 'durable', unit: 'msg/s', of: (result) => result.acceptedPerSecond }],
  },
]

/**
 * @typedef {object} Plan
 * @property {number} rounds
 * @property {number} warmMs
 * @property {number} measureMs
 * @property {number} feedBytes
 * @property {number} budgetMs  no round is begun that would end after it
 */

/** @type {Record<'quick' | 'full', Plan>} */
export const plans = {
  quick: { rounds: 5, warmMs: 200, measureMs: 400, feedBytes: 256 * MIB, budgetMs: 120_000 },
  full: { rounds: 9, warmMs: 500, measureMs: 1000, feedBytes: 1024 * MIB, budgetMs: 1_140_000 },
}

/**
 * @param {Workload} workload
 * @param {Plan} plan
 * @returns {Job}
 */
export function jobOf(workload, { warmMs, measureMs, feedBytes }) {
  const { kind, size = 64, peers = 1, perTurn = 1, inFlight = 1 } = workload
  const { wire, codec, maxCalls, sessions, secure } = workload
  const ours = { wire, codec, maxCalls, sessions, secure }
  return { kind, size, fill: 0x5a, peers, perTurn, inFlight, ...ours, bytes: feedBytes, warmMs, measureMs }
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

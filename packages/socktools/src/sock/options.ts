import { type Contract, compile, type Protocol } from '../contract/protocol.ts'
import { fail, needFunction } from '../errors.ts'
import { type Trust, type TrustOption, trustOf } from '../identity/trust.ts'
import type { Security } from '../net/security.ts'
import type { Codec, RawCodec } from '../wire/codec.ts'
import { json, raw } from '../wire/codec.ts'
import type { Framing } from '../wire/framing.ts'
import { lengthPrefixed } from '../wire/length-prefixed.ts'
import { MIN_WINDOW } from '../wire/v1/hello.ts'
import { type Backoff, DEFAULT_BACKOFF } from './backoff.ts'
import { addressesOf, checkLogger, checkNumber, checkPart, needAddress } from './option-checks.ts'
import type { Tick } from './ticker.ts'
import {
  DURABLE_OPTIONS,
  type DurableOptions,
  type DurableSettings,
  durableSettings,
} from './durable/options.ts'
import { contracted } from './payload.ts'
import type { Candidate, DrainOptions, Handlers, HandlersFor, Logger, Maybe } from './types.ts'

/** Times are in milliseconds, sizes in bytes. Every default is in DEFAULTS below. */
export interface SockOptions<C extends Codec = RawCodec, P extends Protocol | undefined = undefined>
  extends DurableOptions {
  /**
   * What this sock and its peers can say to each other: `{ say: msg(Line), history: call(Room, Lines) … }`. With it
   * the wire is v1, types are checked by the compiler, and what arrives by its schema. Without it the wire is plain.
   */
  readonly protocol?: P
  /**
   * What is spoken: `plain` (the seed's: a length and a payload), `v1`, or `auto`: v1 with whoever begins with it and
   * plain with all others, for those who dial in; what we dial is v1. Neither side ever falls back.
   * Default: v1 with a protocol, plain without.
   */
  readonly wire?: 'plain' | 'v1' | 'auto'
  /** The address to listen on, for startServer() and open(): `tcp://127.0.0.1:4000`; port 0 lets the system choose. */
  readonly bind?: string
  /** Connections to keep up from start() or open() on: dialed again, with backoff, whenever they end. */
  readonly connect?: string | readonly string[]
  /** Message type, a name or a number → handler. More can be added later with addHandler. */
  readonly handlers?: HandlersFor<NoInfer<C>, NoInfer<P>>
  /**
   * How payloads become messages, and data of a protocol bytes. Several, by preference, under wire v1: the first of
   * whoever dials that the other side has. Default raw() (type 0, the bytes), with a protocol json().
   */
  readonly codec?: C | readonly C[]
  /** How the stream becomes payloads. Default lengthPrefixed(): u32 big endian. Your own: docs/framings.md. */
  readonly framing?: Framing
  /** Handlers of one peer that may run at once; they start in order. Default 1: one after another. */
  readonly concurrency?: number
  readonly logger?: Logger

  /**
   * A peer from which nothing came for so long is closed (IDLE_TIMEOUT); 0: never. Default 45,000 under wire v1, which
   * asks for a sign in time; 0 with peers on the plain wire, which has no ping.
   */
  readonly timeout?: number
  /** Between ticks. Default 250. */
  readonly tickInterval?: number
  /** Called at a fixed rate from start() or open() on. */
  readonly tick?: (tick: Tick) => unknown

  /** Asked at accept, before anything else is done for a connection. */
  readonly goodAddress?: (who: { readonly host: string }) => boolean
  /** Asked once about every connection, dialed ones too, before anything it sent is read. */
  readonly goodPeer?: (who: Candidate) => Maybe<boolean>

  /**
   * What proves who is there and keeps what passes from all others, for every connection of this sock. TcpSock makes one of
   * its `identity`; caTls() is one of certificates that an authority signs; or one of your own.
   */
  readonly security?: Security
  /**
   * Whom this sock speaks with, of those who have proven who they are: a list of ids, a function, or what firstUse() or
   * known() gave. Asked before anything that they say is read. Default: whom we dial by id (`tcp://ID@host:port`), and
   * whoever dials in; goodPeer is told who that is.
   */
  readonly trust?: TrustOption
  /**
   * Wire v1 without security, where others than this machine can reach it. Default false: such an address throws
   * INSECURE. It shows in stats() and is logged once.
   */
  readonly insecure?: boolean

  /** For a dial, gate included. Default 10,000. */
  readonly connectTimeout?: number
  /** For goodPeer's answer. Default 10,000. */
  readonly gateTimeout?: number
  /** For the handshake of wire v1, the gate aside. Default 10,000. */
  readonly handshakeTimeout?: number
  /** Under `wire: 'auto'` one that says nothing for so long after it dialed in speaks plain. Default 1,000. */
  readonly autoWait?: number
  /** For the answer to a call, where neither the call nor its type says otherwise; 0: for ever. Default 30,000. */
  readonly callTimeout?: number
  /** Wire v1 asks a peer that was silent for so long for a sign; 0: never. Default 15,000. */
  readonly heartbeat?: number
  /**
   * Wire v1 closes a peer (WRITE_STALLED) if nothing of what waits to be sent to it leaves for so long; 0: never.
   * Peers of v1 read whatever their handlers do, so one that takes nothing is gone. Default 10,000.
   */
  readonly stallTimeout?: number

  /** A frame may take so long whatever its size … Default 10,000. */
  readonly frameGrace?: number
  /** … and beyond that must have come at this rate, in bytes per second. Default 1,024. 0: no such limit. */
  readonly frameRate?: number
  /**
   * Pauses before dialing again, random from 0 up to `first`, doubled with each failure up to `max`, until a connection has
   * held for `healthy`, or a session has moved on over it: something was acknowledged or received. Milliseconds. Default
   * 100, 30,000 and 10,000.
   */
  readonly backoff?: Partial<Backoff>

  /** The longest payload, sent or received. Costs memory only as bytes arrive. Default 16 MiB. */
  readonly maxFrame?: number
  /**
   * Peers, pending ones included. While it is idle a peer costs about 8 KB over the plain wire, and 20 KB over v1. Sessions that
   * wait for another connection count as well, but make room for who is new: the one that waited longest ends; and so does,
   * before these, whoever left 30 s ago and still has messages to be handled. Default 16,384.
   */
  readonly maxPeers?: number
  /** Connections that have not passed goodPeer. Default 128. */
  readonly maxPending?: number
  /** The same, for each remote host; local ones are exempt. Default 32. */
  readonly maxPendingPerHost?: number
  /** New connections per second and remote host, in bursts of maxPendingPerHost; local ones are exempt. Default 10. */
  readonly maxConnectRate?: number

  /** Bytes waiting to be sent to one peer above which a send's promise waits. Default 1 MiB. */
  readonly highWaterMark?: number
  /**
   * Bytes waiting to be sent to one peer above which slowPeer applies, and the most that highWaterMark can be.
   * Below highWaterMark one message of any length fits, so a peer holds at most highWaterMark + maxFrame, or
   * maxQueue where sends are not awaited. Default 16 MiB.
   */
  readonly maxQueue?: number
  /**
   * What becomes of a message for which a peer's queue has no room. `reject`: its send rejects with
   * SLOW_PEER. `drop`: its send resolves. `close`: the peer is closed. In each case the message is
   * counted and a `dropped` event raised. Default: reject for a send to one peer, drop for one to several.
   */
  readonly slowPeer?: 'reject' | 'drop' | 'close'
  /** Bytes received from one peer and waiting for its handlers above which we stop reading from it. Default 1 MiB. */
  readonly readMark?: number
  /** Wire v1: the longest message, sent or received, whatever frames it is cut into. Default 16 MiB. */
  readonly maxMessage?: number
  /** Wire v1: bytes that may come on a feed or channel, or of one call, before they are read. From 64 KiB. Default 256 KiB. */
  readonly streamWindow?: number
  /** Wire v1: calls of one peer that run at once; it holds more of them back. Default 64. */
  readonly maxCalls?: number
  /** Wire v1: feeds and channels that one peer may have open. Default 256. */
  readonly maxStreams?: number
  /**
   * Wire v1: calls, feeds and channels that one peer may give up a second, beyond as many as it may have open. One that
   * is faster is read no further until it is not: `stats().slowed`. Default 100.
   */
  readonly maxResetRate?: number
  /**
   * Wire v1: what is underway when a connection breaks goes on over the next one, without loss and in order. Default
   * true; both sides must want it.
   */
  readonly sessions?: boolean
  /**
   * Wire v1: what becomes of events without an acknowledgement when a session is lost; calls, feeds and channels fail in any
   * case, and types with a `delivery` of their own are given up. `fail`: they are given up, and the event `sessionLost` counts
   * them. `drop`: the same, and they are counted as dropped as well, also those that may have arrived (`lost`). `resend`: they
   * are kept, and sent again, in their order and before anything newer, over the next session with the same node, or
   * with whoever answers at the address that was dialed, if it comes within `sessionTtl`. What may come twice then has
   * `redelivered` in its context. Leave long bytes() unchanged until their outcome. Default `fail`.
   */
  readonly sessionLost?: 'fail' | 'resend' | 'drop'
  /** Wire v1: milliseconds that a session waits for another connection. Default 2 minutes. */
  readonly sessionTtl?: number
  /**
   * Wire v1: sessions that one far side may have here. One more ends the oldest that waits for another connection; where
   * none waits it is turned away: TOO_MANY_SESSIONS. Default 16: with 4, an honest node on a bad network lost one that it still wanted, in 5 of
   * 20,000 simulated networks.
   */
  readonly maxSessionsPerNode?: number
  /** Wire v1: bytes that are kept for a peer until it has acknowledged them; above it nothing new is written. Default 64 MiB. */
  readonly maxRetained?: number
}

export const DEFAULTS = {
  concurrency: 1,
  timeout: 0,
  tickInterval: 250,
  connectTimeout: 10_000,
  gateTimeout: 10_000,
  frameGrace: 10_000,
  frameRate: 1024,
  maxFrame: 16 * 1024 * 1024,
  maxPeers: 16_384,
  maxPending: 128,
  maxPendingPerHost: 32,
  maxConnectRate: 10,
  highWaterMark: 1024 * 1024,
  maxQueue: 16 * 1024 * 1024,
  readMark: 1024 * 1024,
  handshakeTimeout: 10_000,
  autoWait: 1_000,
  callTimeout: 30_000,
  heartbeat: 15_000,
  stallTimeout: 10_000,
  maxMessage: 16 * 1024 * 1024,
  streamWindow: 256 * 1024,
  maxCalls: 64,
  maxStreams: 256,
  maxResetRate: 100,
  sessionTtl: 120_000,
  maxSessionsPerNode: 16,
  maxRetained: 64 * 1024 * 1024,
} as const

/** `timeout` under wire v1, in milliseconds. */
const V1_TIMEOUT = 45_000

/** How long drain() may take where its caller does not say, in milliseconds. */
export const DRAIN_TIMEOUT = 5_000

/** The longest that a far side can ask us to stay away, in milliseconds. */
export const MAX_RECONNECT_DELAY = 10 * 60_000

/** Throws BAD_OPTION. */
export function checkDrain(options: DrainOptions): DrainOptions {
  const { reconnectDelay = 0 } = options
  if (typeof reconnectDelay !== 'number' || !(reconnectDelay >= 0 && reconnectDelay <= MAX_RECONNECT_DELAY))
    fail('BAD_OPTION', `reconnectDelay is 0 to ${MAX_RECONNECT_DELAY} ms, not ${reconnectDelay}`)
  return options
}

type Numbers = { readonly [K in keyof typeof DEFAULTS]: number }

/** Options as a sock uses them: checked once, at the door, and complete. */
export interface Settings<C extends Codec = RawCodec>
  extends Numbers,
    DurableSettings,
    Pick<SockOptions<C>, 'bind' | 'logger' | 'tick' | 'goodAddress' | 'goodPeer' | 'slowPeer'> {
  readonly handlers: Handlers<C> | undefined
  /** `timeout` with peers on the plain wire. */
  readonly plainTimeout: number
  readonly connect: readonly string[]
  readonly wire: 'plain' | 'v1' | 'auto'
  readonly protocol: Protocol | undefined
  /** The same, ready for use. */
  readonly contract: Contract | undefined
  /** Of payloads: the plain wire's, and datagrams'. */
  readonly codec: C
  /** By preference: those that wire v1 may choose from. */
  readonly codecs: readonly Codec[]
  readonly framing: Framing
  readonly backoff: Backoff
  readonly sessions: boolean
  readonly security: Security | undefined
  readonly trust: Trust | undefined
  readonly insecure: boolean
  readonly sessionLost: 'fail' | 'resend' | 'drop'
}

const FUNCTIONS = ['tick', 'goodAddress', 'goodPeer'] as const
const OTHERS = [
  'protocol',
  'wire',
  'bind',
  'connect',
  'handlers',
  'codec',
  'framing',
  'logger',
  'backoff',
  'slowPeer',
  'sessions',
  'security',
  'trust',
  'insecure',
  'sessionLost',
  ...DURABLE_OPTIONS,
] as const
/** Options that are objects, and the methods that make them the right ones. */
const PARTS = {
  framing: ['size', 'write', 'decoder'],
  logger: [],
  handlers: [],
  backoff: [],
  security: ['secure'],
} as const

/** Checks and completes. Throws BAD_OPTION; an option that does not exist is one of those errors. */
export function settle<C extends Codec, P extends Protocol | undefined>(
  options: SockOptions<C, P>,
): Settings<C> {
  const given = optionsOf(options)
  const known = new Set<string>([...Object.keys(DEFAULTS), ...FUNCTIONS, ...OTHERS])
  for (const name of Object.keys(given)) {
    if (!known.has(name)) fail('BAD_OPTION', `there is no option "${name}"`)
  }
  const contract = options.protocol === undefined ? undefined : compile(options.protocol)
  const wire = wireOf(options.wire, contract)
  const numbers: Record<string, number> = { ...DEFAULTS }
  if (wire !== 'plain') numbers['timeout'] = V1_TIMEOUT
  for (const name of Object.keys(DEFAULTS)) numbers[name] = checkNumber(name, given[name] ?? numbers[name])
  for (const name of FUNCTIONS) {
    if (given[name] !== undefined) needFunction(given[name], name)
  }
  for (const [name, methods] of Object.entries(PARTS)) checkPart(name, methods, given[name])
  checkLogger(given['logger'])
  if (given['bind'] !== undefined) needAddress(given['bind'], 'bind')
  const {
    slowPeer,
    connect = [],
    sessions = true,
    sessionLost = 'fail',
    security,
    insecure = false,
  } = options
  if (typeof sessions !== 'boolean') fail('BAD_OPTION', 'sessions is true or false')
  if (!['fail', 'resend', 'drop'].includes(sessionLost))
    fail('BAD_OPTION', `sessionLost is 'fail', 'resend' or 'drop', not ${JSON.stringify(sessionLost)}`)
  if (typeof insecure !== 'boolean') fail('BAD_OPTION', 'insecure is true or false')
  if (options.trust !== undefined && security === undefined)
    fail('BAD_OPTION', 'trust needs an `identity`: without one nobody proves who it is')
  const handlers = options.handlers as Settings<C>['handlers']
  if (slowPeer !== undefined && !['reject', 'drop', 'close'].includes(slowPeer)) {
    fail('BAD_OPTION', `slowPeer is 'reject', 'drop' or 'close', not ${JSON.stringify(slowPeer)}`)
  }
  for (const [type, handler] of Object.entries(handlers ?? {}) as [string, unknown][]) {
    if (typeof handler !== 'function')
      fail('BAD_OPTION', `the handler for ${JSON.stringify(type)} is no function`)
  }
  if (wire === 'v1' && options.framing !== undefined)
    fail('BAD_OPTION', 'framing is of the plain wire; wire v1 has its own')
  if ((numbers['streamWindow'] ?? 0) < MIN_WINDOW)
    fail('BAD_OPTION', `streamWindow is ${MIN_WINDOW} bytes at least`)
  const codecs = codecsOf(options.codec, contract, wire)
  const codec = codecs[0] as C
  const framing = options.framing ?? lengthPrefixed()
  if (options.maxFrame !== undefined && options.maxFrame > framing.max) {
    fail(
      'BAD_OPTION',
      `maxFrame is ${options.maxFrame}, and ${framing.name}() carries ${framing.max} bytes at the most`,
    )
  }
  return Object.freeze({
    ...options,
    ...(numbers as Numbers),
    maxFrame: Math.min(numbers['maxFrame'] ?? 0, framing.max),
    highWaterMark: Math.min(numbers['highWaterMark'] ?? 0, numbers['maxQueue'] ?? 0),
    connect: addressesOf(connect),
    handlers,
    plainTimeout: options.timeout ?? DEFAULTS.timeout,
    wire,
    protocol: options.protocol,
    contract,
    codec: contract === undefined ? codec : (contracted(codec, contract) as C),
    codecs,
    framing,
    backoff: backoffOf(options.backoff),
    sessions,
    security,
    trust: trustOf(options.trust),
    insecure,
    sessionLost,
    ...durableSettings(options, wire),
  })
}

function wireOf(wire: unknown, contract: Contract | undefined): Settings['wire'] {
  if (wire === undefined) return contract === undefined ? 'plain' : 'v1'
  if (wire !== 'plain' && wire !== 'v1' && wire !== 'auto')
    return fail('BAD_OPTION', `wire is 'plain', 'v1' or 'auto', not ${JSON.stringify(wire)}`)
  if (wire !== 'plain' && contract === undefined)
    fail('BAD_OPTION', `wire: '${wire}' needs a protocol: what the peers can say to each other`)
  return wire
}

function codecsOf(
  given: unknown,
  contract: Contract | undefined,
  wire: Settings['wire'],
): readonly [Codec, ...Codec[]] {
  const list: readonly unknown[] =
    given === undefined ? [contract === undefined ? raw() : json()] : Array.isArray(given) ? given : [given]
  for (const codec of list) {
    checkPart('codec', ['encode', 'decode'], codec)
    const { name, values } = codec as Codec
    if (wire !== 'plain' && values === undefined)
      fail('BAD_OPTION', `${name}() has no form for data alone (\`values\`), which wire v1 needs`)
  }
  const [first, ...more] = list as readonly Codec[]
  if (first === undefined) return fail('BAD_OPTION', 'codec is an empty list')
  if (more.length > 0 && wire === 'plain') fail('BAD_OPTION', 'the plain wire has one codec, not several')
  if (new Set([first, ...more].map(({ name }) => name)).size <= more.length)
    fail('BAD_OPTION', 'two of these codecs have the same name')
  return [first, ...more]
}

function backoffOf(backoff: Partial<Backoff> = {}): Backoff {
  const whole = { ...DEFAULT_BACKOFF, ...backoff }
  for (const [name, value] of Object.entries(whole)) {
    if (!(name in DEFAULT_BACKOFF)) fail('BAD_OPTION', `backoff has no "${name}"`)
    checkNumber(`backoff.${name}`, value)
  }
  return whole
}

/** Callers in JavaScript may pass anything. */
function optionsOf(options: unknown): Record<string, unknown> {
  if (typeof options === 'object' && options !== null) return { ...options }
  return fail('BAD_OPTION', 'the options must be an object')
}

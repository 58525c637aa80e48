import type { Protocol } from '../contract/protocol.ts'
import { fail } from '../errors.ts'
import type { Codec, RawCodec } from '../wire/codec.ts'
import { type Settings, type SockOptions, settle } from './options.ts'

const ONLY_MESSAGES = 'datagrams carry messages and nothing else'
const NO_DONE = 'nobody tells what became of a datagram'

/** What UDP has no use for, and why. */
const NOT_HERE = {
  framing: 'one datagram is one message',
  frameGrace: 'a datagram arrives whole or not at all',
  frameRate: 'a datagram arrives whole or not at all',
  callTimeout: ONLY_MESSAGES,
  maxCalls: ONLY_MESSAGES,
  maxStreams: ONLY_MESSAGES,
  streamWindow: ONLY_MESSAGES,
  handshakeTimeout: 'nobody connects',
  autoWait: 'nobody connects',
  heartbeat: 'nobody is asked for a sign',
  stallTimeout: 'the system has taken what was sent',
  maxMessage: 'one datagram is one message, see maxFrame',
  store: NO_DONE,
  inbox: NO_DONE,
  nameOf: NO_DONE,
  outbox: NO_DONE,
  sessionLost: NO_DONE,
} as const

/** The most that fits into a datagram over IPv4: 65,535 − 20 (IP) − 8 (UDP). */
const MAX_DATAGRAM = 65_507

export const DATAGRAM_DEFAULTS = {
  timeout: 30_000,
  /** 1,500 (Ethernet) − 20 (IP) − 8 (UDP): what most paths carry in one piece. */
  maxFrame: 1_472,
  maxPeers: 1_024,
} as const

/** Times are in milliseconds, sizes in bytes. What is not said here is as in SockOptions. */
export interface UdpSockOptions<C extends Codec = RawCodec, P extends Protocol | undefined = undefined>
  extends Omit<SockOptions<C, P>, keyof typeof NOT_HERE | 'slowPeer' | 'wire'> {
  /**
   * The types of the messages, checked by the compiler, and by their schemas as they arrive. Its calls, feeds and
   * channels are not for datagrams: OVER_PLAIN.
   */
  readonly protocol?: P
  readonly wire?: 'plain'
  /**
   * The address to receive at: `udp://127.0.0.1:4000`; port 0 lets the system choose. Without it, whatever
   * sends or dials first binds any free port, on every interface, of the family that it needs.
   */
  readonly bind?: string
  /** Peers to know from start() or open() on, for good: silence does not end them. */
  readonly connect?: string | readonly string[]
  /**
   * A peer from which nothing came for so long is gone, without an error. What is sent to it does not count.
   * Default 30,000. 0: never; then maxPeers forged addresses lock everyone else out for good.
   */
  readonly timeout?: number
  /**
   * The longest message, sent or received. Default 1,472: what an Ethernet path carries in one piece over
   * IPv4; over IPv6 that is 1,452. Longer ones are sent in fragments, and lost whole with any of them. At most
   * 65,507.
   */
  readonly maxFrame?: number
  /** Peers, pending ones included. A peer costs about 3.5 KB while it is idle. Default 1,024. */
  readonly maxPeers?: number
  /** Those heard who have not passed goodPeer. Of each, 16 messages and 64 KiB wait meanwhile. Default 128. */
  readonly maxPending?: number
  /** New peers per second and remote host, in bursts of maxPendingPerHost; loopback is exempt. Default 10. */
  readonly maxConnectRate?: number
  /**
   * Bytes that the system has not taken, for all peers together (they share its buffer), above which a send's
   * promise waits. Each datagram counts 1,024 more than it has: empty ones take memory too. Default 1 MiB.
   */
  readonly highWaterMark?: number
  /** The same, above which slowPeer applies. Default 16 MiB. */
  readonly maxQueue?: number
  /**
   * What becomes of a message for which the queue has no room. `reject`: its send rejects with SLOW_PEER.
   * `drop`: its send resolves. Either way it is counted and a `dropped` event raised. Default: reject for a
   * send to one, drop for one to several.
   */
  readonly slowPeer?: 'reject' | 'drop'
  /**
   * Bytes received from one peer and waiting for its handlers above which more of it is dropped (`behind`), since
   * UDP cannot be asked to wait. Over all peers: 16 times as much. Default 1 MiB.
   */
  readonly readMark?: number

  /**
   * Lets several sockets bind the port: for groups, whose messages each of them gets. All else goes to one of
   * them, and on most systems any user of the machine can be that one. Default false.
   */
  readonly reuseAddr?: boolean
  /** Allows sending to broadcast addresses: `{ to: 'udp://255.255.255.255:4000' }`. Default false. */
  readonly broadcast?: boolean
  readonly multicast?: MulticastOptions
}

export interface MulticastOptions {
  /** Groups to join once bound: `udp://239.1.2.3`. Messages to them at our port then arrive, as their senders'. */
  readonly groups?: readonly string[]
  /** The address of the interface to join on and to send by. Default: as the system has it. For IPv6 `::%eth1`. */
  readonly interface?: string
  /** How many networks a message may pass, 0 to 255. Default 1: it stays in this one. */
  readonly ttl?: number
  /** Whether this machine hears what it sends to groups that it is in. Default true. */
  readonly loopback?: boolean
}

export interface DatagramSettings<C extends Codec = RawCodec> extends Settings<C> {
  readonly reuseAddr: boolean
  readonly broadcast: boolean
  readonly multicast: MulticastOptions
}

/** Checks and completes. Throws BAD_OPTION. */
export function settleDatagrams<C extends Codec, P extends Protocol | undefined>(
  options: UdpSockOptions<C, P>,
): DatagramSettings<C> {
  if (!isObject(options)) fail('BAD_OPTION', 'the options must be an object')
  const { reuseAddr = false, broadcast = false, multicast = {}, ...rest } = options
  const given = Object.entries<unknown>(rest).filter(([, value]) => value !== undefined)
  for (const [name, value] of given) {
    if (Object.hasOwn(NOT_HERE, name))
      fail('BAD_OPTION', `UDP has no ${name}: ${NOT_HERE[name as keyof typeof NOT_HERE]}`)
    if (name === 'slowPeer' && value === 'close')
      fail('BAD_OPTION', "slowPeer is 'reject' or 'drop' over UDP: its queue is no one peer's")
  }
  // Callers in JavaScript may pass anything.
  const wire: unknown = rest.wire
  if (wire !== undefined && wire !== 'plain')
    fail('BAD_OPTION', `wire is 'plain' over UDP: ${ONLY_MESSAGES}, so there is no handshake`)
  checkFlag('reuseAddr', reuseAddr)
  checkFlag('broadcast', broadcast)
  checkMulticast(multicast)
  const settings = settle({
    ...DATAGRAM_DEFAULTS,
    ...(Object.fromEntries(given) as SockOptions<C, P>),
    wire: 'plain',
  })
  const { maxFrame } = settings
  if (maxFrame > MAX_DATAGRAM)
    fail('BAD_OPTION', `maxFrame is ${maxFrame}, and a datagram carries ${MAX_DATAGRAM} bytes at the most`)
  return Object.freeze({ ...settings, reuseAddr, broadcast, multicast: { ...multicast } })
}

/** Callers in JavaScript may pass anything. */
const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

const MULTICAST = ['groups', 'interface', 'ttl', 'loopback'] as const

function checkMulticast(multicast: unknown): void {
  if (!isObject(multicast)) return fail('BAD_OPTION', 'multicast must be an object')
  for (const name of Object.keys(multicast)) {
    if (!(MULTICAST as readonly string[]).includes(name)) fail('BAD_OPTION', `multicast has no "${name}"`)
  }
  const { groups, interface: on, ttl, loopback } = multicast as Record<(typeof MULTICAST)[number], unknown>
  if (groups !== undefined && !(Array.isArray(groups) && groups.every((one) => typeof one === 'string')))
    fail('BAD_OPTION', 'multicast.groups takes addresses as strings')
  if (on !== undefined && typeof on !== 'string')
    fail('BAD_OPTION', 'multicast.interface takes the address of an interface')
  if (ttl !== undefined && !(typeof ttl === 'number' && Number.isInteger(ttl) && ttl >= 0 && ttl <= 255))
    fail('BAD_OPTION', 'multicast.ttl is a whole number from 0 to 255')
  if (loopback !== undefined) checkFlag('multicast.loopback', loopback)
}

function checkFlag(name: string, value: unknown): void {
  if (typeof value !== 'boolean') fail('BAD_OPTION', `${name} is true or false, not ${String(value)}`)
}

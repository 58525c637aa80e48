import { familyOf, isMulticast, udpAddress } from '../address.ts'
import { SockError, fail } from '../errors.ts'
import type { Platform } from '../platform/platform.ts'
import type {
  DatagramNetwork,
  DatagramOptions,
  DatagramSink,
  Datagrams,
  DatagramAddress,
} from './datagrams.ts'

/** What a memory network does to datagrams. Every function is asked anew for each of them. */
export interface DatagramWeather {
  /** Milliseconds under way. They overtake each other as it falls. Absent: until after the next poll phase. */
  readonly latency?: () => number
  /** How many of it arrive, given its length: 0 for one that is lost, 2 for one that is doubled. Absent: 1. */
  readonly copies?: (bytes: number) => number
  /** Milliseconds until the system has room for it. Absent or 0: at once. */
  readonly hold?: () => number
  /** The longest datagram that the system takes. Absent: 65,507 bytes. */
  readonly limit?: number
}

const LIMIT = 65_507
const BROADCAST = '255.255.255.255'
/** The first of the ports that are given to those who ask for any. RFC 6335, section 6. */
const EPHEMERAL = 49_152

/**
 * Datagrams within one process. Any IP address can be bound; who binds every interface sends from loopback.
 * Every socket is a machine of its own: `loopback` decides whether it hears what it sends to its groups.
 */
export function memoryDatagrams(platform: Platform, weather: DatagramWeather = {}): DatagramNetwork {
  const network = new Network(platform, weather)
  return {
    scheme: 'udp',
    async resolve(name) {
      if (name === 'localhost') return ['127.0.0.1', '::1']
      return fail('CONNECT_FAILED', `no address is known for ${name}`)
    },
    open: async (at, options) => network.open(at, options),
  }
}

class Network {
  readonly platform: Platform
  readonly weather: DatagramWeather
  readonly #ports = new Map<number, Set<MemoryDatagrams>>()
  #lastPort = EPHEMERAL - 1

  constructor(platform: Platform, weather: DatagramWeather) {
    this.platform = platform
    this.weather = weather
  }

  open(at: DatagramAddress, options: DatagramOptions): MemoryDatagrams {
    const port = at.port === 0 ? this.#freePort() : at.port
    const there = this.#ports.get(port) ?? new Set()
    for (const other of there) {
      if (!other.hears(at.host) && !(isAny(at.host) && other.family === at.family)) continue
      if (options.reuseAddr === true && other.options.reuseAddr === true) continue
      return fail('ADDRESS_IN_USE', 'this port is taken', { address: udpAddress(at.host, port) })
    }
    const socket = new MemoryDatagrams(this, at.host, port, at.family, options)
    this.#ports.set(port, there.add(socket))
    return socket
  }

  #freePort(): number {
    for (;;) {
      this.#lastPort = this.#lastPort === 65_535 ? EPHEMERAL : this.#lastPort + 1
      if (!this.#ports.has(this.#lastPort)) return this.#lastPort
    }
  }

  closed(socket: MemoryDatagrams): void {
    const there = this.#ports.get(socket.port)
    if (there?.delete(socket) === true && there.size === 0) this.#ports.delete(socket.port)
  }

  /** Takes it on its way. */
  carry(bytes: Uint8Array, from: MemoryDatagrams, { host, port }: DatagramAddress): void {
    const { latency, copies } = this.weather
    // Copied, as a kernel would: the sender may use its memory again.
    const own = bytes.slice()
    const n = copies?.(bytes.length) ?? 1
    for (let i = 0; i < n; i++) {
      const arrive = (): void => {
        for (const one of this.#receivers(from, host, port)) one.arrive(own.slice(), from.source, from.port)
      }
      if (latency === undefined) this.platform.afterPoll(arrive)
      else this.platform.setTimer(arrive, latency())
    }
  }

  #receivers(from: MemoryDatagrams, host: string, port: number): MemoryDatagrams[] {
    const there = [...(this.#ports.get(port) ?? [])].filter(({ family }) => family === from.family)
    if (host === BROADCAST) return there
    if (isMulticast(host))
      return there.filter((one) => one.groups.has(host) && (one !== from || from.options.loopback !== false))
    // Where several share a port, the last to come has it.
    return there.filter((one) => one.hears(host)).slice(-1)
  }
}

class MemoryDatagrams implements Datagrams {
  readonly address: string
  readonly family: 4 | 6
  readonly port: number
  readonly options: DatagramOptions
  readonly groups = new Set<string>()
  readonly #network: Network
  readonly #host: string
  #sink: DatagramSink | undefined
  #closed = false
  /** When the system will have taken the last of those that it holds. */
  #heldUntil = 0
  readonly #held = new Set<() => void>()

  constructor(network: Network, host: string, port: number, family: 4 | 6, options: DatagramOptions) {
    this.address = udpAddress(host, port)
    this.family = family
    this.port = port
    this.options = options
    this.#network = network
    this.#host = host
  }

  /** What receivers see as the sender. */
  get source(): string {
    if (!isAny(this.#host)) return this.#host
    return this.family === 4 ? '127.0.0.1' : '::1'
  }

  hears(host: string): boolean {
    return this.#host === host || (isAny(this.#host) && familyOf(host) === this.family)
  }

  attach(sink: DatagramSink): void {
    this.#sink = sink
  }

  arrive(bytes: Uint8Array, host: string, port: number): void {
    if (!this.#closed) this.#sink?.message(bytes, host, port)
  }

  send(bytes: Uint8Array, to: DatagramAddress, done: (error?: Error) => void): boolean {
    const { platform, weather } = this.#network
    const error = this.#refusal(bytes.length, to)
    if (error !== undefined) {
      platform.defer(() => {
        done(error)
      })
      return true
    }
    const now = platform.now()
    this.#heldUntil = Math.max(this.#heldUntil, now) + (weather.hold?.() ?? 0)
    if (this.#heldUntil <= now) {
      this.#network.carry(bytes, this, to)
      platform.defer(() => {
        done()
      })
      return true
    }
    const timer = platform.setTimer(() => {
      this.#held.delete(cancel)
      this.#network.carry(bytes, this, to)
      done()
    }, this.#heldUntil - now)
    const cancel = (): void => {
      timer.cancel()
      done(new SockError('SEND_FAILED', 'the socket was closed', { address: to.address }))
    }
    this.#held.add(cancel)
    return false
  }

  #refusal(bytes: number, { host, port, address }: DatagramAddress): SockError | undefined {
    const { limit = LIMIT } = this.#network.weather
    if (this.#closed || port === 0)
      return new SockError('SEND_FAILED', 'the system refused a datagram', { address })
    if (bytes > limit)
      return new SockError('TOO_LARGE', `the system sends no datagram of ${bytes} bytes`, { address })
    if (host === BROADCAST && this.options.broadcast !== true)
      return new SockError('BROADCAST_OFF', 'this is a broadcast address', { address })
    return undefined
  }

  join(group: string): void {
    if (this.groups.has(group)) fail('GROUP_FAILED', `could not join ${group}: it is a member already`)
    this.groups.add(group)
  }

  leave(group: string): void {
    if (!this.groups.delete(group)) fail('GROUP_FAILED', `could not leave ${group}: it is no member`)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#network.closed(this)
    const held = [...this.#held]
    this.#held.clear()
    if (held.length > 0) this.#network.platform.defer(() => held.forEach((cancel) => cancel()))
  }
}

const isAny = (host: string): boolean => host === '0.0.0.0' || host === '::'

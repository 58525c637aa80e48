import assert from 'node:assert/strict'
import {
  type Codec,
  type DatagramNetwork,
  type DatagramSink,
  DatagramSock,
  type DatagramWeather,
  memoryDatagrams,
  type Protocol,
  type RawCodec,
  type SockStats,
  type UdpSockOptions,
} from '../../src/index.ts'
import { simulate, type World } from './world.ts'

export interface UdpWorldOptions {
  readonly seed?: number
  /** What the network does to datagrams, drawn from the world's own randomness. */
  readonly weather?: (random: () => number) => DatagramWeather
}

/** Socks on one network of datagrams, in virtual time. */
export class UdpWorld {
  readonly world: World
  /** What socks open and look up names with. A test may put another in its place. */
  network: DatagramNetwork
  readonly #sinks = new Map<string, DatagramSink>()
  readonly #socks: { close(): Promise<unknown> }[] = []

  constructor(world: World, weather: DatagramWeather) {
    this.world = world
    const inner = memoryDatagrams(world.sim, weather)
    this.network = {
      ...inner,
      open: async (at, options) => {
        const socket = await inner.open(at, options)
        const attach = socket.attach.bind(socket)
        socket.attach = (sink) => {
          this.#sinks.set(socket.address, sink)
          attach(sink)
        }
        return socket
      },
    }
  }

  sock<C extends Codec = RawCodec, P extends Protocol | undefined = undefined>(
    options: UdpSockOptions<C, P> = {},
  ): DatagramSock<C, P> {
    const sock = new DatagramSock<C, P>(options, { platform: this.world.platform, network: this.network })
    this.#socks.push(sock)
    return sock
  }

  /** A sock that is up. */
  async open<C extends Codec = RawCodec, P extends Protocol | undefined = undefined>(
    options: UdpSockOptions<C, P> = {},
  ): Promise<DatagramSock<C, P>> {
    const sock = this.sock(options)
    await sock.start()
    return sock
  }

  /** A datagram that arrives at `to` and says that it comes from `host` and `port`, as anybody can. */
  forge(to: string, host: string, port: number, text = 'forged'): void {
    this.#sinkOf(to).message(new Uint8Array(Buffer.from(text)), host, port)
  }

  /** The system could not receive something at `to`. */
  fail(to: string, error: Error): void {
    this.#sinkOf(to).error(error)
  }

  #sinkOf(to: string): DatagramSink {
    return this.#sinks.get(to) ?? assert.fail(`nothing is bound to ${to}`)
  }

  sleep(ms: number): Promise<void> {
    return this.world.sim.sleep(ms)
  }

  quiet(): Promise<void> {
    return this.world.quiet()
  }

  stateOf(promise: Promise<unknown>): Promise<string> {
    return this.world.stateOf(promise)
  }

  async end(): Promise<void> {
    for (const sock of this.#socks) await sock.close()
  }
}

/** As `simulate`, over datagrams. */
export function simulateUdp(
  scenario: (world: UdpWorld) => Promise<void>,
  { seed = 1, weather }: UdpWorldOptions = {},
): Promise<void> {
  return simulate(
    async (world) => {
      const udp = new UdpWorld(world, weather?.(world.sim.random) ?? {})
      await scenario(udp)
      await udp.end()
    },
    { seed },
  )
}

/** All messages that arrived and were dropped, by whatever reason. */
export const droppedBy = ({ dropped }: Pick<SockStats, 'dropped'>): number =>
  Object.values(dropped).reduce((sum, n) => sum + n, 0)

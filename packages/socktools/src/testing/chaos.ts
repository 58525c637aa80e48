import net from 'node:net'
import { hostPort, parseAddress, pathOf, tcpAddress, unknownScheme } from '../address.ts'
import { SockError, reasonOf } from '../errors.ts'
import { nodePlatform } from '../platform/node.ts'
import { xoshiro128 } from './sim-platform.ts'
import { ChaosLane } from './chaos-lane.ts'
import { type ChaosEvent, type ChaosOptions, chaosPlan, type ChaosPlan } from './chaos-options.ts'

type Direction = 'up' | 'down' | 'both'

/** A proxy that is running. */
export interface Chaos extends AsyncDisposable {
  /** The address that it listens on, with its real port. */
  readonly address: string
  /** How many connections it has open. */
  readonly connections: number
  /** Nothing passes, and nothing is read, until `release`: as of a far side that hangs. */
  freeze(direction?: Direction): void
  release(): void
  /**
   * What is sent from now on is swallowed, on connections that are open and on new ones, until `heal`. Then those that
   * lost something are reset: TCP never goes on after a gap.
   */
  blackHole(direction?: Direction): void
  heal(): void
  /** Resets every open connection. Returns how many. */
  cut(): number
  close(): Promise<void>
}

/**
 * A proxy between real sockets that breaks what passes through it: slow, in pieces, cut after so many bytes, swallowed,
 * frozen. All chance comes from its seed; the clock is real.
 *
 * ```ts
 * const proxy = await chaos({ listen: 'tcp://127.0.0.1:0', to: server.address, both: { latency: 50, slice: 10 } })
 * const peer = await client.connectTo(proxy.address)
 * ```
 *
 * Rejects with BAD_OPTION, BAD_ADDRESS, ADDRESS_IN_USE, LISTEN_FAILED.
 */
export async function chaos(options: ChaosOptions): Promise<Chaos> {
  const plan = chaosPlan(options)
  const to = endpoint(plan.to)
  const proxy = new Proxying(plan, to)
  await proxy.listen(endpoint(plan.listen))
  return proxy
}

/** What net.connect and listen take. Throws BAD_ADDRESS. */
function endpoint(
  address: string,
): { readonly host: string; readonly port: number } | { readonly path: string } {
  const url = parseAddress(address)
  if (url.protocol === 'unix:') return { path: pathOf(url) }
  if (url.protocol === 'tcp:') return hostPort(url)
  return unknownScheme(address, 'proxy that speaks it', ['tcp', 'unix'])
}

class Proxying implements Chaos {
  address = ''
  readonly #plan: ChaosPlan
  readonly #to: net.NetConnectOpts
  readonly #server: net.Server
  readonly #random: () => number
  readonly #began = nodePlatform.now()
  readonly #open = new Set<Connection>()
  #count = 0
  #frozen: Direction | undefined
  #hole: Direction | undefined

  constructor(plan: ChaosPlan, to: net.NetConnectOpts) {
    this.#plan = plan
    this.#to = to
    this.#random = xoshiro128(plan.seed)
    this.#server = net.createServer(
      { allowHalfOpen: true, pauseOnConnect: true, noDelay: true },
      (socket) => {
        this.#accept(socket)
      },
    )
  }

  listen(at: net.ListenOptions): Promise<void> {
    const { listen } = this.#plan
    return new Promise((resolve, reject) => {
      this.#server.once('error', (cause: Error & { readonly code?: string }) => {
        const code = cause.code === 'EADDRINUSE' ? 'ADDRESS_IN_USE' : 'LISTEN_FAILED'
        reject(new SockError(code, `could not listen: ${reasonOf(cause)}`, { address: listen, cause }))
      })
      this.#server.listen(at, () => {
        const bound = this.#server.address() as net.AddressInfo | string
        this.address = typeof bound === 'string' ? `unix:${bound}` : tcpAddress(bound.address, bound.port)
        this.log({ event: 'listening', address: this.address })
        resolve()
      })
    })
  }

  get connections(): number {
    return this.#open.size
  }

  log(event: Omit<ChaosEvent, 'at'>): void {
    this.#plan.log({ at: Math.round(nodePlatform.now() - this.#began), ...event })
  }

  #accept(socket: net.Socket): void {
    const number = ++this.#count
    // A stream of chance for each, so that they do not disturb each other.
    const random = xoshiro128(Math.floor(this.#random() * 2 ** 32))
    const far = net.connect({ ...this.#to, allowHalfOpen: true })
    far.setNoDelay(true)
    const connection = new Connection(number, socket, far, this.#plan, random, this, () =>
      this.#open.delete(connection),
    )
    this.#open.add(connection)
    if (this.#hole !== undefined) connection.each(this.#hole, (lane) => lane.blackHole(true))
    if (this.#frozen !== undefined) connection.each(this.#frozen, (lane) => lane.freeze())
  }

  freeze(direction: Direction = 'both'): void {
    this.#frozen = direction
    this.#all(direction, (lane) => lane.freeze())
    this.log({ event: 'freeze', direction })
  }

  release(): void {
    this.#frozen = undefined
    this.#all('both', (lane) => lane.release())
    this.log({ event: 'release' })
  }

  blackHole(direction: Direction = 'both'): void {
    this.#hole = direction
    this.#all(direction, (lane) => lane.blackHole(true))
    this.log({ event: 'blackHole', direction })
  }

  heal(): void {
    this.#hole = undefined
    this.#all('both', (lane) => lane.blackHole(false))
    this.log({ event: 'heal' })
  }

  #all(direction: Direction, fn: (lane: ChaosLane) => void): void {
    for (const connection of this.#open) connection.each(direction, fn)
  }

  cut(): number {
    const open = [...this.#open]
    for (const connection of open) connection.cut()
    return open.length
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return
    this.#server.close()
    this.cut()
    this.log({ event: 'stopped' })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

class Connection {
  readonly #number: number
  readonly #sockets: readonly net.Socket[]
  readonly #up: ChaosLane
  readonly #down: ChaosLane
  readonly #proxy: Proxying
  readonly #onOver: () => void
  #over = false

  constructor(
    number: number,
    near: net.Socket,
    far: net.Socket,
    { up, down, cutGrows }: ChaosPlan,
    random: () => number,
    proxy: Proxying,
    onOver: () => void,
  ) {
    this.#number = number
    this.#sockets = [near, far]
    this.#proxy = proxy
    this.#onOver = onOver
    const lane = (from: net.Socket, to: net.Socket, direction: 'up' | 'down'): ChaosLane => {
      const toxics = direction === 'up' ? up : down
      const { cutAfter: after = Infinity } = toxics
      const cutAfter = typeof after === 'function' ? after(number) : after * (cutGrows ? number : 1)
      return new ChaosLane(from, to, toxics, cutAfter, {
        platform: nodePlatform,
        random,
        cut: () => {
          this.cut(direction)
        },
        limit: () => {
          this.#log({ event: 'limit', direction })
        },
      })
    }
    this.#up = lane(near, far, 'up')
    this.#down = lane(far, near, 'down')
    let connected = false
    far.once('connect', () => {
      connected = true
      this.#log({ event: 'open' })
    })
    for (const socket of this.#sockets) {
      socket.on('error', () => {
        if (!connected) this.#log({ event: 'refused' })
        this.#end('close', true)
      })
      // One side is gone for good: what is on its way to it goes nowhere.
      socket.on('close', () => {
        if (this.#sockets.every(({ destroyed }) => destroyed)) this.#end('end', false)
      })
    }
  }

  each(direction: Direction, fn: (lane: ChaosLane) => void): void {
    if (direction !== 'down') fn(this.#up)
    if (direction !== 'up') fn(this.#down)
  }

  cut(direction?: 'up' | 'down'): void {
    if (!this.#over) this.#log({ event: 'cut', ...(direction === undefined ? {} : { direction }) })
    this.#end('close', true)
  }

  #end(event: 'end' | 'close', reset: boolean): void {
    if (this.#over) return
    this.#over = true
    for (const lane of [this.#up, this.#down]) lane.stop()
    for (const socket of this.#sockets) {
      if (reset) resetNow(socket)
      else socket.destroy()
    }
    this.#log({ event })
    this.#onOver()
  }

  #log(event: Omit<ChaosEvent, 'at' | 'connection' | 'up' | 'down'>): void {
    this.#proxy.log({ connection: this.#number, ...event, up: this.#up.passed, down: this.#down.passed })
  }
}

/**
 * A reset and nothing else, as of a connection that broke; Unix sockets know none. resetAndDestroy() sends a FIN first,
 * which the far side takes for an end in good order: this mark is what it leaves for destroy().
 */
function resetNow(socket: net.Socket): void {
  if (socket.remoteFamily !== undefined) Object.assign(socket, { resetAndClosing: true })
  socket.destroy()
}

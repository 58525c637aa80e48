import { SockError, fail } from '../errors.ts'
import { hostPort, tcpAddress } from '../address.ts'
import type { Endpoint, Pipe } from '../net/pipe.ts'
import type { DialOptions, Listener, Transport } from '../net/transport.ts'
import { SimPipe } from './sim-pipe.ts'
import type { SimPlatform } from './sim-platform.ts'
import { EVENTS, type Trace } from './trace.ts'

/** One process, as the network sees it. */
export interface SimHost {
  /** The index of its machine. */
  readonly node: number
  readonly alive: boolean
  /** Runs `fn` as an event of this process: later while it is frozen, never once it is gone. */
  run(kind: number, fn: () => void): void
}

/** What a pipe asks of the network. */
export interface PipeNetwork {
  readonly trace: Trace
  now(): number
  after(ms: number, fn: () => void): void
  /** Milliseconds that the next segment takes on this way. */
  latency(from: number, to: number): number
  /** Milliseconds until something lost is sent again. */
  retransmission(): number
  splitAt(from: number, to: number): number
  blocked(from: number, to: number): boolean
  /** Now, or when this way is open again and what was lost on it has been sent once more. */
  whenOpen(from: number, to: number, fn: () => void): void
  isOn(node: number): boolean
  stalled(node: number): boolean
  forget(pipe: SimPipe): void
  count(what: NetworkCount): void
}

/** What the network did: segments sent, ones that waited for a way to open, ones lost for good … */
export type NetworkCount = 'segments' | 'held' | 'swallowed' | 'resets' | 'dials' | 'refused' | 'unanswered'

interface Way {
  /** How many faults block it, and what they add. */
  blocks: number
  readonly delays: number[]
  readonly jitters: number[]
  readonly splits: number[]
  waiting: (() => void)[]
}

interface Machine {
  readonly name: string
  on: boolean
  stalls: number
  refusals: number
  process: SimHost | undefined
  listeners: Map<number, (pipe: Pipe) => void>
}

export interface NetworkOptions {
  readonly names: readonly string[]
  /** Milliseconds that a segment takes, drawn anew for each. */
  readonly latency: readonly [least: number, most: number]
}

/** Dials that the far side does not answer are repeated after so many milliseconds, then twice that … */
const FIRST_SYN = 1000
const [FIRST_PORT, LAST_PORT] = [49_152, 65_535]

/** The network between simulated machines: TCP as its users see it, faults included. All chance is its own. */
export class SimNetwork implements PipeNetwork {
  readonly trace: Trace
  readonly counts: Partial<Record<NetworkCount, number>> = {}
  readonly #platform: SimPlatform
  readonly #random: () => number
  readonly #options: NetworkOptions
  readonly #machines: Machine[]
  readonly #ways: Way[]
  readonly #pipes = new Set<SimPipe>()
  /** Those of whom the dialer has not heard yet: nothing that it could close. */
  readonly #unanswered = new Set<SimPipe>()
  #ports = FIRST_PORT

  constructor(platform: SimPlatform, random: () => number, trace: Trace, options: NetworkOptions) {
    this.#platform = platform
    this.#random = random
    this.trace = trace
    this.#options = options
    const newMachine = (name: string): Machine => {
      return { name, on: true, stalls: 0, refusals: 0, process: undefined, listeners: new Map() }
    }
    this.#machines = options.names.map(newMachine)
    const n = this.#machines.length
    const newWay = (): Way => ({ blocks: 0, delays: [], jitters: [], splits: [], waiting: [] })
    this.#ways = Array.from({ length: n * n }, newWay)
  }

  // What pipes ask

  now(): number {
    return this.#platform.now()
  }

  after(ms: number, fn: () => void): void {
    this.#platform.setTimer(() => {
      this.trace.event(EVENTS.pipe, 0, this.#platform.now())
      fn()
    }, ms)
  }

  latency(from: number, to: number): number {
    const [least, most] = this.#options.latency
    const { delays, jitters } = this.#way(from, to)
    let ms = least + this.#random() * (most - least)
    for (const delay of delays) ms += delay
    for (const jitter of jitters) ms += this.#random() * jitter
    return ms
  }

  retransmission(): number {
    return 200 + 800 * this.#random()
  }

  splitAt(from: number, to: number): number {
    const { splits } = this.#way(from, to)
    return splits.length === 0 ? Infinity : 1 + Math.floor(this.#random() * Math.min(...splits))
  }

  blocked(from: number, to: number): boolean {
    return this.#way(from, to).blocks > 0
  }

  whenOpen(from: number, to: number, fn: () => void): void {
    if (this.blocked(from, to)) this.#way(from, to).waiting.push(fn)
    else fn()
  }

  isOn(node: number): boolean {
    return this.#machine(node).on
  }

  stalled(node: number): boolean {
    return this.#machine(node).stalls > 0
  }

  forget(pipe: SimPipe): void {
    this.#pipes.delete(pipe)
  }

  count(what: NetworkCount): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1
  }

  // What faults do

  /** Each of these gives what undoes it. */
  block(from: number, to: number): () => void {
    const way = this.#way(from, to)
    way.blocks++
    return () => {
      if (--way.blocks > 0) return
      for (const fn of way.waiting.splice(0))
        this.after(this.retransmission(), () => this.whenOpen(from, to, fn))
    }
  }

  slow(from: number, to: number, how: 'delays' | 'jitters' | 'splits', by: number): () => void {
    const list = this.#way(from, to)[how]
    list.push(by)
    return () => void list.splice(list.indexOf(by), 1)
  }

  stall(node: number): () => void {
    const machine = this.#machine(node)
    machine.stalls++
    return () => {
      if (--machine.stalls > 0) return
      for (const pipe of this.#pipes) if (pipe.host.node === node) pipe.readSoon()
    }
  }

  refuse(node: number): () => void {
    const machine = this.#machine(node)
    machine.refusals++
    return () => {
      machine.refusals--
    }
  }

  /** Resets every connection between two. Says whether there was one. */
  reset(one: number, other: number): boolean {
    const pipes = this.#between(one, other)
    for (const pipe of pipes) pipe.resetSoon(this.latency(pipe.far?.host.node ?? one, pipe.host.node))
    return pipes.length > 0
  }

  /** Every connection that two have is forgotten on the way. Undefined: they had none. */
  swallow(one: number, other: number): (() => void) | undefined {
    const pipes = this.#between(one, other)
    if (pipes.length === 0) return undefined
    for (const pipe of pipes) pipe.forgotten('swallows')
    return () => {
      for (const pipe of pipes) pipe.forgotten('resets')
    }
  }

  // Machines and their processes

  start(process: SimHost): void {
    const machine = this.#machine(process.node)
    machine.process = process
    if (machine.on) return
    machine.on = true
    for (const pipe of this.#pipes) if (pipe.far?.host.node === process.node) pipe.farRestarted()
  }

  stop(node: number, how: 'kill' | 'power'): void {
    const machine = this.#machine(node)
    machine.process = undefined
    machine.listeners = new Map()
    machine.on = how === 'kill'
    for (const pipe of [...this.#pipes]) if (pipe.host.node === node) pipe.orphan(how)
  }

  /** Connections that a process has not closed. */
  openOf(process: SimHost): number {
    return [...this.#pipes].filter((pipe) => pipe.host === process && !this.#unanswered.has(pipe)).length
  }

  /** The way of this process onto the network. */
  transport(process: SimHost): Transport {
    return {
      scheme: 'tcp',
      dial: (to, options) => this.#dial(process, to, options),
      listen: async (at, _options, onPipe) => this.#listen(process, at, onPipe),
    }
  }

  #listen(process: SimHost, at: URL, onPipe: (pipe: Pipe) => void): Listener {
    const { host, port: asked } = hostPort(at)
    const machine = this.#machine(process.node)
    if (!OWN_NAMES.includes(host) && host !== machine.name)
      fail('LISTEN_FAILED', `${host} is no address of ${machine.name}`, { address: at.href })
    const port = asked === 0 ? this.#port() : asked
    const { listeners } = machine
    if (listeners.has(port)) fail('ADDRESS_IN_USE', 'this port is taken', { address: at.href })
    if (process.alive) listeners.set(port, onPipe)
    return {
      address: tcpAddress(machine.name, port),
      close: async () => {
        if (listeners.get(port) === onPipe) listeners.delete(port)
      },
    }
  }

  #dial(process: SimHost, to: URL, { signal }: DialOptions): Promise<Pipe> {
    const { host, port } = hostPort(to)
    const from = process.node
    const target = OWN_NAMES.includes(host) ? from : this.#machines.findIndex(({ name }) => name === host)
    this.count('dials')
    return new Promise((resolve, reject) => {
      let over = false
      const settle = (fn: () => void): void => {
        over = true
        signal?.removeEventListener('abort', onAbort)
        fn()
      }
      const failed = (why: string): void => {
        process.run(EVENTS.close, () =>
          settle(() => reject(new SockError('CONNECT_FAILED', why, { address: to.href }))),
        )
      }
      const onAbort = (): void => {
        const cause: unknown = signal?.reason
        settle(() => reject(new SockError('ABORTED', 'the dial was given up', { address: to.href, cause })))
      }
      const opened = (dialed: SimPipe, accepted: SimPipe): void => {
        this.#unanswered.delete(dialed)
        // Whoever dialed does not want it any more, or is gone: its system says so.
        if (over || !process.alive) {
          if (this.isOn(from)) accepted.resetSoon(this.latency(from, target))
          dialed.orphan('power')
        } else process.run(EVENTS.pipe, () => (over ? dialed.destroy() : settle(() => resolve(dialed))))
      }
      const knock = (patience: number): void => {
        if (over || !process.alive) return
        this.after(this.latency(from, target), () => {
          const machine = this.#machine(target)
          const again = (): void => this.after(patience, () => knock(2 * patience))
          if (!machine.on || this.blocked(from, target)) {
            this.count('unanswered')
            again()
            return
          }
          const onPipe = machine.refusals > 0 ? undefined : machine.listeners.get(port)
          if (onPipe === undefined || machine.process === undefined) {
            this.count('refused')
            this.after(this.latency(target, from), () => {
              if (this.blocked(target, from)) again()
              else failed('connection refused')
            })
            return
          }
          const [dialed, accepted] = this.#pair(process, to.href, machine)
          this.#unanswered.add(dialed)
          machine.process.run(EVENTS.pipe, () => onPipe(accepted))
          this.after(this.latency(target, from), () =>
            this.whenOpen(target, from, () => opened(dialed, accepted)),
          )
        })
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      if (signal?.aborted === true) onAbort()
      else if (target < 0) this.after(0, () => failed(`nobody knows ${host}`))
      else knock(FIRST_SYN)
    })
  }

  #pair(process: SimHost, address: string, machine: Machine): [dialed: SimPipe, accepted: SimPipe] {
    const { name } = this.#machine(process.node)
    const there: Endpoint = { address, host: machine.name, local: false }
    const here: Endpoint = { address: tcpAddress(name, this.#port()), host: name, local: false }
    const dialed = new SimPipe(this, process, there)
    const accepted = new SimPipe(this, machine.process as SimHost, here)
    dialed.join(accepted)
    this.#pipes.add(dialed).add(accepted)
    return [dialed, accepted]
  }

  #port(): number {
    const port = this.#ports
    this.#ports = port === LAST_PORT ? FIRST_PORT : port + 1
    return port
  }

  #between(one: number, other: number): SimPipe[] {
    return [...this.#pipes].filter((pipe) => {
      const [here, there] = [pipe.host.node, pipe.far?.host.node]
      return (here === one && there === other) || (here === other && there === one)
    })
  }

  #way(from: number, to: number): Way {
    return this.#ways[from * this.#machines.length + to] as Way
  }

  #machine(node: number): Machine {
    return this.#machines[node] as Machine
  }
}

const OWN_NAMES = ['localhost', '127.0.0.1', '0.0.0.0', '::1', '::']

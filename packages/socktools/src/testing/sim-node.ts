import type { Protocol } from '../contract/protocol.ts'
import type { Transport } from '../net/transport.ts'
import type { Disk as Files } from '../platform/disk.ts'
import type { Platform, Timer } from '../platform/platform.ts'
import type { SockOptions } from '../sock/options.ts'
import { PipeSock } from '../sock/pipe-sock.ts'
import type { SockStats } from '../sock/types.ts'
import type { Codec, RawCodec } from '../wire/codec.ts'
import type { KeyStore, NodeDisk } from './key-disk.ts'
import { SimDisk } from './sim-disk.ts'
import type { SimHost, SimNetwork } from './sim-network.ts'
import { type SimPlatform, xoshiro128 } from './sim-platform.ts'
import { EVENTS, type Trace } from './trace.ts'

/** What the nodes of one simulation share. */
export interface SimWorld<Disk> {
  readonly platform: SimPlatform
  readonly network: SimNetwork
  readonly trace: Trace
  readonly seed: number
  /** Whose event runs: its clock is the clock. */
  current: SimProcess<Disk> | undefined
  /** One more of these was seen; what is counted is shown at the end. */
  tally(what: string): void
  note(text: string, who?: string): void
  fail(check: string, thrown: unknown): void
}

export interface Clock {
  /** Milliseconds that never go back. Their zero means nothing, and is another after each start. */
  readonly now: () => number
  /** Milliseconds since 1970 on the wall clock of this node: it can jump. */
  readonly wall: () => number
}

/** Where the wall clocks of all simulations begin: 1 January 2026, UTC. */
export const EPOCH = 1_767_225_600_000

/** A machine: it has a name, a disk and a wall clock, and at most one process at a time. */
export class SimNode<Disk = KeyStore> {
  readonly index: number
  /** `n1`, `n2` … */
  readonly name: string
  /** Where a sock of it may listen: `tcp://n1:4000`. */
  readonly address: string
  readonly disk: NodeDisk<Disk>
  readonly random: () => number
  /** What `platform.disk` of its processes is: files, as a store has them. */
  readonly files: SimDisk
  readonly #world: SimWorld<Disk>
  #starts = 0
  #wallOffset = 0
  #freezes = 0
  #frozen: { readonly process: SimProcess<Disk>; readonly kind: number; readonly fn: () => void }[] = []
  /** The process that runs, unless the node is down. */
  process: SimProcess<Disk> | undefined

  constructor(world: SimWorld<Disk>, index: number, disk: NodeDisk<Disk>) {
    this.#world = world
    this.index = index
    this.name = nameOf(index)
    this.address = `tcp://${this.name}:4000`
    this.disk = disk
    this.random = xoshiro128(world.seed * 31 + 1000 + index)
    this.#wallOffset = Math.round(this.random() * 2000 - 1000)
    this.files = new SimDisk({ random: this.random, wallClock: () => this.wall() })
  }

  /** How often it was started. */
  get starts(): number {
    return this.#starts
  }

  get frozen(): boolean {
    return this.#freezes > 0
  }

  wall(): number {
    return EPOCH + Math.floor(this.#world.platform.now()) + this.#wallOffset
  }

  jump(ms: number): void {
    this.#wallOffset += ms
  }

  start(): SimProcess<Disk> {
    const process = new SimProcess<Disk>(this.#world, this, ++this.#starts)
    this.process = process
    this.#world.network.start(process)
    return process
  }

  /** Says whether there was a process to end. */
  crash(how: 'kill' | 'power'): boolean {
    const { process } = this
    if (process === undefined) return false
    this.process = undefined
    process.cut()
    this.#frozen = []
    this.#world.network.stop(this.index, how)
    this.disk.crash(how, this.random)
    if (how === 'kill') this.files.kill()
    else {
      const unsynced = CRASHES[Math.floor(this.random() * CRASHES.length)]
      this.#world.tally(`unsynced ${unsynced}`)
      this.files.crash(unsynced)
    }
    return true
  }

  /** Nothing of it happens until what this gives is called. */
  freeze(): () => void {
    this.#freezes++
    return () => {
      if (--this.#freezes > 0) return
      for (const { process, kind, fn } of this.#frozen.splice(0))
        this.#world.platform.afterPoll(() => process.run(kind, fn))
    }
  }

  later(process: SimProcess<Disk>, kind: number, fn: () => void): void {
    this.#frozen.push({ process, kind, fn })
  }
}

const CRASHES = ['lost', 'kept', 'torn'] as const

export const nameOf = (index: number): string => `n${index + 1}`

/**
 * One life of a node: from a start to the crash that ends it. Everything that it does, it does through here, and after
 * the crash nothing of that has any effect: timers do not fire, pipes and disk take nothing, promises stay as they are.
 */
export class SimProcess<Disk = KeyStore> implements SimHost {
  readonly machine: SimNode<Disk>
  /** 1 for the first process of its node. */
  readonly life: number
  readonly platform: Platform
  readonly transports: readonly Transport[]
  readonly disk: Disk
  readonly clock: Clock
  readonly random: () => number
  /** Errors that no listener and no logger took. */
  readonly reports: Error[] = []
  alive = true
  readonly #world: SimWorld<Disk>
  readonly #socks: { close(): Promise<unknown>; stats(): SockStats }[] = []
  readonly #timers = new Set<Timer>()

  constructor(world: SimWorld<Disk>, machine: SimNode<Disk>, life: number) {
    this.#world = world
    this.machine = machine
    this.life = life
    this.random = xoshiro128(world.seed * 8191 + machine.index * 131 + life)
    // No two processes have the same zero.
    const zero = Math.floor(this.random() * 1e6)
    const { platform } = world
    this.clock = { now: () => zero + platform.now(), wall: () => machine.wall() }
    this.platform = this.#platformOf(platform)
    this.transports = [world.network.transport(this)]
    this.disk = machine.disk.view({ platform: this.platform, alive: () => this.alive })
  }

  get node(): number {
    return this.machine.index
  }

  get name(): string {
    return this.machine.name
  }

  /** A sock of this process: a {@link PipeSock} with the simulated platform and network. It is closed at the end. */
  sock<C extends Codec = RawCodec, const P extends Protocol | undefined = undefined>(
    options: SockOptions<C, P> = {},
  ): PipeSock<C, P> {
    const sock = new PipeSock<C, P>(options, this)
    this.#socks.push(sock)
    sock.on('peer', () => this.#world.tally('peer'))
    sock.on('gone', ({ error }) => this.#world.tally(`gone ${error?.code ?? 'in good order'}`))
    sock.on('refused', ({ error }) => this.#world.tally(`refused ${error.code}`))
    sock.on('dialFailed', ({ error }) => this.#world.tally(`dialFailed ${error.code}`))
    sock.on('dropped', ({ reason }) => this.#world.tally(`dropped ${reason}`))
    return sock
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      // Not a timer of a sock: nobody has to take it back.
      this.#world.platform.setTimer(() => this.run(EVENTS.timer, resolve), ms)
    })
  }

  /** A line of the trace, in its name. */
  note(text: string): void {
    if (this.alive) this.#world.note(text, `${this.name}/${this.life}`)
  }

  run(kind: number, fn: () => void): void {
    if (!this.alive) return
    if (this.machine.frozen) {
      this.machine.later(this, kind, fn)
      return
    }
    const { trace, platform } = this.#world
    trace.event(kind, this.machine.index * 1024 + this.life, platform.now())
    this.#world.current = this
    fn()
  }

  cut(): void {
    this.alive = false
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
  }

  /** Ends it in good order. Throws what its socks leave behind: timers are those of the platform. */
  async stop(): Promise<void> {
    for (const sock of this.#socks) await sock.close()
    // The last events of pipes that were closed.
    await this.sleep(1)
    if (!this.alive) return
    for (const sock of this.#socks) {
      const { peers, pending } = sock.stats()
      if (peers + pending > 0)
        throw new Error(`${peers} peers and ${pending} pending ones are left of a closed sock`)
    }
    if (this.#timers.size > 0)
      throw new Error(`${this.#timers.size} timers are left of a process that has ended`)
    const open = this.#world.network.openOf(this)
    if (open > 0) throw new Error(`${open} connections are left of a process that has ended`)
    const [report] = this.reports
    if (report !== undefined) throw report
  }

  /** The same disk, which does nothing for the dead. */
  #cutOff(files: Files): Files {
    const alive =
      <A extends unknown[], R>(fn: (...args: A) => Promise<R>) =>
      (...args: A): Promise<R> =>
        this.alive ? fn.apply(files, args) : NEVER
    const { wallClock, crc32, makeDirectory, list, open, rename, remove, syncDirectory, lock } = files
    return {
      wallClock,
      crc32,
      makeDirectory: alive(makeDirectory),
      list: alive(list),
      open: alive(open),
      rename: alive(rename),
      remove: alive(remove),
      syncDirectory: alive(syncDirectory),
      lock: alive(lock),
    }
  }

  #platformOf(sim: SimPlatform): Platform {
    return {
      now: this.clock.now,
      setTimer: (fn, ms) => {
        if (!this.alive) return DEAD
        let due = true
        const timer: Timer = {
          cancel: () => {
            due = false
            set.cancel()
            this.#timers.delete(timer)
          },
        }
        // It may have been cancelled while the process was frozen, after it came due.
        const fire = (): void => {
          if (!due) return
          this.#timers.delete(timer)
          fn()
        }
        const set = sim.setTimer(() => this.run(EVENTS.timer, fire), ms)
        this.#timers.add(timer)
        return timer
      },
      defer: (fn) => {
        if (this.alive) sim.defer(() => this.run(EVENTS.defer, fn))
      },
      afterPoll: (fn) => {
        if (this.alive) sim.afterPoll(() => this.run(EVENTS.poll, fn))
      },
      random: this.random,
      randomBytes: (length) => Uint8Array.from({ length }, () => Math.floor(this.random() * 256)),
      hash: sim.hash,
      disk: this.#cutOff(this.machine.files),
      unlink: sim.unlink,
      report: (error) => {
        if (this.alive) this.reports.push(error)
      },
    }
  }
}

const NEVER = new Promise<never>(() => undefined)
const DEAD: Timer = { cancel: () => undefined }

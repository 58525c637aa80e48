import { reasonOf, SockError } from '../errors.ts'
import type { KeyStore } from './key-disk.ts'
import { Nemesis } from './nemesis.ts'
import type { Plan } from './plan.ts'
import { SimNetwork } from './sim-network.ts'
import { type Clock, EPOCH, nameOf, SimNode, type SimProcess, type SimWorld } from './sim-node.ts'
import { SimPlatform, xoshiro128 } from './sim-platform.ts'
import { EVENTS, Trace } from './trace.ts'

/** What a node runs, from each of its starts on. What it gives is the node's application, until the next crash. */
export type Program<App, Disk> = (process: SimProcess<Disk>) => App | Promise<App>

/** What went wrong first. */
export interface Failed {
  /** The name of the check, or the code of what was thrown. */
  readonly check: string
  readonly thrown: unknown
}

interface Condition {
  readonly name: string
  readonly holds: () => boolean
}

/** Lines of the trace that are kept for a failure. */
const LINES = 60

/** One run of a scenario, as the scenario sees it. */
export class Sim<Disk = KeyStore> {
  readonly seed: number
  /** How much the scenario is to do: what that means is for the scenario to say. */
  readonly size: number
  /** Milliseconds of virtual time in which faults happen. */
  readonly duration: number
  readonly nodes: readonly SimNode<Disk>[]
  /** Uniform in [0, 1), from the seed: for what the scenario draws. */
  readonly random: () => number
  readonly clock: Clock
  /** What the fault `dial` does: called for both of the two in the same instant. */
  onDial: ((from: SimNode<Disk>, to: SimNode<Disk>) => unknown) | undefined
  readonly #plan: Plan<Disk>
  readonly #platform: SimPlatform
  readonly #trace = new Trace()
  readonly #network: SimNetwork
  readonly #nemesis: Nemesis<Disk>
  readonly #world: SimWorld<Disk>
  readonly #checks: { readonly name: string; readonly check: () => void }[] = []
  readonly #conditions: Condition[] = []
  readonly #counts = new Map<string, number>()
  readonly #lines: string[] = []
  #program: Program<unknown, Disk> | undefined
  readonly #apps = new Map<SimProcess<Disk>, unknown>()
  #failed: Failed | undefined
  #onSettled: (() => void) | undefined

  constructor(plan: Plan<Disk>) {
    const { seed, size, duration, nodes, latency } = plan
    this.#plan = plan
    this.seed = seed
    this.size = size
    this.duration = duration
    this.random = xoshiro128(seed + 1)
    // Apart from what the scenario draws: with one fault less it goes on drawing the same.
    this.#platform = new SimPlatform(seed + 2)
    const platform = this.#platform
    const names = Array.from({ length: nodes }, (_, index) => nameOf(index))
    this.#network = new SimNetwork(platform, xoshiro128(seed + 3), this.#trace, { names, latency })
    this.clock = { now: platform.now, wall: () => EPOCH + Math.floor(platform.now()) }
    const world: SimWorld<Disk> = {
      platform,
      network: this.#network,
      trace: this.#trace,
      seed,
      current: undefined,
      tally: (what) => void this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1),
      note: (text, who) => this.#note(text, who),
      fail: (check, thrown) => this.fail(check, thrown),
    }
    this.#world = world
    const disk = plan.disk
    this.nodes = names.map((_, index) => new SimNode<Disk>(world, index, disk()))
    this.#nemesis = new Nemesis<Disk>(world, {
      nodes: this.nodes,
      start: (node) => void this.#start(node),
      dial: (one, other) => {
        if (this.onDial === undefined) return false
        const dial = (from: SimNode<Disk>, to: SimNode<Disk>): void =>
          platform.afterPoll(() => from.process?.run(EVENTS.fault, () => this.onDial?.(from, to)))
        dial(one, other)
        dial(other, one)
        return true
      },
    })
  }

  // For scenarios

  /**
   * Starts every node, and from then on each again after its crash. Faults begin now. Resolves when each program has
   * settled or is gone. A program that rejects fails the run.
   */
  async boot<App>(program: Program<App, Disk>): Promise<Cluster<App, Disk>> {
    this.#program = program
    this.#nemesis.begin(this.#plan.faults)
    // One that was down until the heal is not to be stopped while it starts.
    this.eventually('every program has settled', () =>
      this.nodes.every(({ process }) => process !== undefined && this.#apps.has(process)),
    )
    await Promise.race([Promise.all(this.nodes.map((node) => this.#start(node))), this.sleep(BOOT)])
    const { nodes } = this
    const apps = this.#apps
    const appOf = ({ process }: SimNode<Disk>): App | undefined =>
      process === undefined ? undefined : (apps.get(process) as App | undefined)
    return {
      app: (node) => appOf(typeof node === 'number' ? (nodes[node] as SimNode<Disk>) : node),
      get all() {
        return nodes.map(appOf)
      },
      get apps() {
        return nodes.map(appOf).filter((app) => app !== undefined)
      },
    }
  }

  /** Milliseconds of virtual time, on no node's behalf: no fault touches it. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#platform.setTimer(() => {
        this.#world.current = undefined
        resolve()
      }, ms)
    })
  }

  /** A check that holds after every event; it throws when it does not. */
  always(name: string, check: () => void): void {
    this.#checks.push({ name, check })
  }

  /** What must have come true within `within` milliseconds after everything is healed. */
  eventually(name: string, holds: () => boolean): void {
    this.#conditions.push({ name, holds })
  }

  /** Fails the run, from anywhere: in a handler what is thrown would be the sock's to report. */
  fail(check: string, thrown: unknown): void {
    this.#failed ??= { check, thrown }
  }

  /** A line of the trace: part of its hash, and shown with a failure. */
  note(text: string): void {
    this.#note(text)
  }

  /** One more of these: shown with the totals. */
  tally(what: string): void {
    this.#world.tally(what)
  }

  #note(text: string, who = 'sim'): void {
    const line = `${this.#platform.now().toFixed(1).padStart(10)} ms  ${who}  ${text}`
    this.#trace.event(EVENTS.note, 0, this.#platform.now())
    this.#trace.text(text)
    if (this.#lines.push(line) > 2 * LINES) this.#lines.splice(0, LINES)
    this.#plan.log?.(line)
  }

  // For simulate()

  get world(): SimWorld<Disk> {
    return this.#world
  }

  get failed(): Failed | undefined {
    return this.#failed
  }

  get hash(): string {
    return this.#trace.hash
  }

  get counts(): Readonly<Record<string, number>> {
    const net = Object.entries(this.#network.counts).map(([name, n]) => [`net ${name}`, n] as const)
    return Object.fromEntries([...this.#counts, ...net].sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  get events(): number {
    return this.#trace.events
  }

  get time(): number {
    return this.#platform.now()
  }

  get lines(): readonly string[] {
    return this.#lines.slice(-LINES)
  }

  /** Runs it to its end, in no real time. What went wrong is in `failed`. */
  async run(scenario: (sim: Sim<Disk>) => Promise<void>): Promise<void> {
    const { duration, within, maxEvents } = this.#plan
    const limit = 2 * duration + within + 3_600_000
    try {
      await this.#platform.run(() => this.#live(scenario), {
        limit,
        after: () => {
          this.#afterEvent()
          if (this.#failed !== undefined) throw this.#failed.thrown
          if (this.#trace.events > maxEvents) throw new Error(`no end after ${maxEvents} events`)
        },
      })
    } catch (thrown) {
      this.#failed ??= { check: checkOf(thrown), thrown }
    }
    // Whatever waits still must not go on in the world outside.
    for (const { process } of this.nodes) process?.cut()
  }

  async #live(scenario: (sim: Sim<Disk>) => Promise<void>): Promise<void> {
    await scenario(this)
    await this.sleep(this.duration - this.#platform.now())
    if (this.#plan.mode === 'safety') return
    this.#nemesis.heal()
    await this.#settle()
    for (const { process } of this.nodes) {
      this.#world.current = process
      await process?.stop()
    }
  }

  /** Waits until every condition holds. */
  async #settle(): Promise<void> {
    const { within } = this.#plan
    const late = this.sleep(within).then(() => {
      const open = this.#unmet()
      if (open.length > 0)
        this.fail(
          open[0] as string,
          new Error(`not so within ${within} ms after the heal: ${open.join(', ')}`),
        )
    })
    const settled = new Promise<void>((resolve) => (this.#onSettled = resolve))
    // A first look, with no event of anybody's.
    await this.sleep(0)
    await Promise.race([settled, late])
    this.#onSettled = undefined
  }

  #unmet(): string[] {
    return this.#conditions.filter(({ holds }) => !holds()).map(({ name }) => name)
  }

  #afterEvent(): void {
    for (const { name, check } of this.#checks) {
      try {
        check()
      } catch (thrown) {
        this.fail(name, thrown)
      }
    }
    if (
      this.#failed === undefined &&
      this.#onSettled !== undefined &&
      this.#conditions.every(({ holds }) => holds())
    )
      this.#onSettled()
  }

  async #start(node: SimNode<Disk>): Promise<void> {
    const process = node.start()
    this.#note('starts', `${node.name}/${process.life}`)
    if (process.life > 1) this.#world.tally('restart')
    await new Promise<void>((resolve) => {
      const program = async (): Promise<void> => {
        try {
          const app = await this.#program?.(process)
          if (process.alive) this.#apps.set(process, app)
        } catch (thrown) {
          if (process.alive) this.fail('program', thrown)
        }
        resolve()
      }
      // An event of its own: whatever the program awaits, it goes on as this process.
      this.#platform.afterPoll(() => process.run(EVENTS.fault, () => void program()))
    })
  }
}

/** Milliseconds after which boot() waits no longer: a node that is down, say, may take its time. */
const BOOT = 60_000

/** The applications of all nodes. */
export interface Cluster<App, Disk = KeyStore> {
  /** That of one node; undefined while it is down or its program has not settled. */
  app(node: SimNode<Disk> | number): App | undefined
  /** Of every node, in their order. */
  readonly all: readonly (App | undefined)[]
  /** Of those that are up. */
  readonly apps: readonly App[]
}

const checkOf = (thrown: unknown): string =>
  thrown instanceof SockError ? thrown.code : reasonOf(thrown).slice(0, 40)

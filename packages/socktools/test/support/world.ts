import assert from 'node:assert/strict'
import {
  type AnyCodec,
  PipeSock,
  type Codec,
  memory,
  MetaSock,
  type MetaSockOptions,
  type Platform,
  type Protocol,
  type RawCodec,
  SockError,
  type SockOptions,
  type Timer,
  type Transport,
} from '../../src/index.ts'
import type { Weather } from '../../src/index.ts'
import { SimPlatform } from '../../src/testing/index.ts'

export interface WorldOptions {
  readonly seed?: number
  /** What the memory network does to bytes, drawn from the world's own randomness. */
  readonly weather?: (random: () => number) => Weather
  /** More ways to connect. */
  readonly transports?: (platform: Platform) => readonly Transport[]
}

/** Socks on one memory network, in virtual time. */
export class World {
  readonly sim: SimPlatform
  /** The simulated platform, with a count of what is asked of it. */
  readonly platform: Platform
  readonly transports: readonly Transport[]
  /** Calls of setTimer, defer and afterPoll: none of them means that nobody does anything. */
  activity = 0
  /** Timers that are set and have neither fired nor been cancelled. */
  readonly #timers = new Set<WorldTimer>()
  #lost = 0
  readonly #socks: { close(): Promise<unknown> }[] = []

  constructor({ seed = 1, weather, transports }: WorldOptions) {
    const sim = new SimPlatform(seed)
    this.sim = sim
    this.platform = {
      random: sim.random,
      randomBytes: sim.randomBytes,
      hash: sim.hash,
      disk: sim.disk,
      unlink: sim.unlink,
      report: sim.report,
      now: () => sim.now() + this.#lost,
      setTimer: (fn, ms) => {
        assert.ok(ms <= 2 ** 31 - 1, `a timer of ${ms} ms would fire at once on Node`)
        this.activity++
        return this.#timer(fn, ms)
      },
      defer: (fn) => {
        this.activity++
        sim.defer(fn)
      },
      afterPoll: (fn) => {
        this.activity++
        sim.afterPoll(fn)
      },
    }
    this.transports = [memory(sim, weather?.(sim.random)), ...(transports?.(this.platform) ?? [])]
  }

  sock<C extends Codec = RawCodec, P extends Protocol | undefined = undefined>(
    options: SockOptions<C, P> = {},
    platform = this.platform,
    transports = this.transports,
  ): PipeSock<C, P> {
    const sock = new PipeSock<C, P>(options, { platform, transports })
    this.#socks.push(sock)
    return sock
  }

  meta<C extends Codec = AnyCodec, P extends Protocol | undefined = undefined>(
    options: MetaSockOptions<C, P> = {},
  ): MetaSock<C, P> {
    const meta = new MetaSock<C, P>(options, { platform: this.platform })
    this.#socks.push(meta)
    return meta
  }

  /** A sock that is up. */
  async open<C extends Codec = RawCodec, P extends Protocol | undefined = undefined>(
    options: SockOptions<C, P> = {},
  ): Promise<PipeSock<C, P>> {
    const sock = this.sock(options)
    await sock.start()
    return sock
  }

  /** Keeps the loop for `ms`, as heavy work would: the clock goes on, and timers that come due have to wait. */
  block(ms: number): void {
    this.#lost += ms
    for (const timer of this.#timers) timer.arm()
  }

  /** Lets everything happen that needs no time to pass. */
  async quiet(): Promise<void> {
    await this.sim.sleep(0.001)
  }

  /** What has become of a promise by now: `waits`, `resolved`, or the code of its error. */
  async stateOf(promise: Promise<unknown>): Promise<string> {
    let state = 'waits'
    promise.then(
      () => (state = 'resolved'),
      (error: unknown) => (state = error instanceof SockError ? error.code : 'rejected'),
    )
    await this.quiet()
    return state
  }

  /** Ends the world. Whatever a sock leaves behind is a leak. */
  async end(): Promise<void> {
    for (const sock of this.#socks) await sock.close()
    assert.equal(this.#timers.size, 0, 'a closed sock leaves no timer behind')
    assert.deepEqual(this.sim.reports, [], 'no error went unheard')
  }

  #timer(fn: () => void, ms: number): Timer {
    const due = this.platform.now() + ms
    let armed: Timer | undefined
    const timer: WorldTimer = {
      arm: () => {
        armed?.cancel()
        armed = this.sim.setTimer(() => {
          this.#timers.delete(timer)
          fn()
        }, due - this.platform.now())
      },
      cancel: () => {
        this.#timers.delete(timer)
        armed?.cancel()
      },
    }
    this.#timers.add(timer)
    timer.arm()
    return timer
  }
}

interface WorldTimer extends Timer {
  arm(): void
}

/**
 * Runs a scenario in virtual time; throws when it waits for something that never happens, and when its
 * socks, closed at its end, leave anything behind.
 */
export async function simulate(
  scenario: (world: World) => Promise<void>,
  options: WorldOptions = {},
): Promise<void> {
  const world = new World(options)
  await world.sim.run(async () => {
    await scenario(world)
    await world.end()
  })
}

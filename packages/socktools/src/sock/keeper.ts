import { SockError } from '../errors.ts'
import type { Platform, Timer } from '../platform/platform.ts'
import { type Backoff, Failures } from './backoff.ts'

export interface KeeperHost {
  /**
   * Dials once. `onOver` is called when the connection that came up is over, with when to dial again at the earliest, and
   * whether a session that goes on moved over it.
   */
  dial(address: string, onOver: OnOver): Promise<void>
  onFailed(address: string, error: SockError, retryIn: number): void
}

type OnOver = (notBefore?: number, moved?: boolean) => void

/** Keeps one connection up: dials, waits, dials again, until stopped. */
export class Keeper {
  readonly #address: string
  readonly #failures: Failures
  readonly #platform: Platform
  readonly #host: KeeperHost
  #timer: Timer | undefined
  #stopped = false

  constructor(address: string, backoff: Backoff, platform: Platform, host: KeeperHost) {
    this.#address = address
    this.#failures = new Failures(backoff, platform)
    this.#platform = platform
    this.#host = host
  }

  /** Resolves when the first attempt has settled, either way. Rejects with BAD_ADDRESS. */
  start(): Promise<void> {
    return this.#attempt()
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  async #attempt(): Promise<void> {
    this.#timer = undefined
    const held = { over: false }
    try {
      await this.#host.dial(this.#address, (notBefore, moved = false) => {
        held.over = true
        this.#failures.over(moved)
        this.#retry(notBefore)
      })
      // Or over before the dial was: it never held.
      if (!held.over) this.#failures.up()
    } catch (error) {
      // What is no address now will never be one.
      if (error instanceof SockError && error.code === 'BAD_ADDRESS') throw error
      const delay = this.#retry()
      if (delay !== undefined) this.#host.onFailed(this.#address, error as SockError, delay)
    }
  }

  #retry(notBefore = 0): number | undefined {
    if (this.#stopped) return undefined
    const delay = Math.max(this.#failures.next(), notBefore - this.#platform.now())
    this.#timer = this.#platform.setTimer(() => void this.#attempt(), delay)
    return delay
  }
}

export interface KeepersHost<P> {
  dial(address: string): Promise<P>
  /** It is over already, or not up: a listener of "peer" may have closed it. */
  isOver(peer: P): boolean
  onFailed(address: string, error: SockError, retryIn: number): void
}

/** All that a sock keeps up. */
export class Keepers<P> {
  readonly #backoff: Backoff
  readonly #platform: Platform
  readonly #host: KeepersHost<P>
  readonly #keepers: Keeper[] = []
  /** Two addresses may lead to one peer. */
  readonly #onOver = new Map<P, OnOver[]>()

  constructor(backoff: Backoff, platform: Platform, host: KeepersHost<P>) {
    this.#backoff = backoff
    this.#platform = platform
    this.#host = host
  }

  /** Dials `address` now, and again whenever the connection is over. Resolves when the first dial has settled. */
  keep(address: string): Promise<void> {
    const keeper = new Keeper(address, this.#backoff, this.#platform, {
      dial: async (to, onOver) => {
        const peer = await this.#host.dial(to)
        if (this.#host.isOver(peer)) onOver()
        else this.#onOver.set(peer, [...(this.#onOver.get(peer) ?? []), onOver])
      },
      onFailed: (to, error, retryIn) => {
        this.#host.onFailed(to, error, retryIn)
      },
    })
    this.#keepers.push(keeper)
    return keeper.start()
  }

  /** Whoever keeps this one up is told that it is over, or not up. */
  over(peer: P, notBefore = 0, moved = false): void {
    const onOver = this.#onOver.get(peer) ?? []
    this.#onOver.delete(peer)
    for (const tell of onOver) tell(notBefore, moved)
  }

  stop(): void {
    for (const keeper of this.#keepers) keeper.stop()
  }
}

import { SockError } from '../errors.ts'
import type { Platform, Timer } from '../platform/platform.ts'
import { type Backoff, backoffDelay } from './backoff.ts'

export interface KeeperHost {
  /** Dials once. `onOver` is called when the connection that came up is over, with when to dial again at the earliest. */
  dial(address: string, onOver: OnOver): Promise<void>
  onFailed(address: string, error: SockError, retryIn: number): void
}

type OnOver = (notBefore?: number) => void

/** Keeps one connection up: dials, waits, dials again, until stopped. */
export class Keeper {
  readonly #address: string
  readonly #backoff: Backoff
  readonly #platform: Platform
  readonly #host: KeeperHost
  #failures = 0
  #timer: Timer | undefined
  #stopped = false

  constructor(address: string, backoff: Backoff, platform: Platform, host: KeeperHost) {
    this.#address = address
    this.#backoff = backoff
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
    // Over before the dial was: it never held.
    let upSince = Infinity
    try {
      await this.#host.dial(this.#address, (notBefore) => {
        // One that broke at once is a failure like one that never came up.
        if (this.#platform.now() - upSince >= this.#backoff.healthy) this.#failures = 0
        this.#retry(notBefore)
      })
      upSince = this.#platform.now()
    } catch (error) {
      // What is no address now will never be one.
      if (error instanceof SockError && error.code === 'BAD_ADDRESS') throw error
      const delay = this.#retry()
      if (delay !== undefined) this.#host.onFailed(this.#address, error as SockError, delay)
    }
  }

  #retry(notBefore = 0): number | undefined {
    if (this.#stopped) return undefined
    const { random, now } = this.#platform
    const delay = Math.max(backoffDelay(++this.#failures, this.#backoff, random()), notBefore - now())
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
  over(peer: P, notBefore = 0): void {
    const onOver = this.#onOver.get(peer) ?? []
    this.#onOver.delete(peer)
    for (const tell of onOver) tell(notBefore)
  }

  stop(): void {
    for (const keeper of this.#keepers) keeper.stop()
  }
}

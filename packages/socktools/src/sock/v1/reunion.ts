import { asSockError, type SockError } from '../../errors.ts'
import type { Platform, Timer } from '../../platform/platform.ts'
import { SessionLost } from '../../wire/v1/resumption.ts'
import { type Backoff, Failures } from '../backoff.ts'
import type { PeerSession } from './peer-session.ts'

interface ReunionHost {
  /** Dials once and goes on with the session. Rejects with SESSION_LOST when that can never be. */
  dial(): Promise<void>
  /** It cannot be: nothing is tried any more. */
  lost(error: SessionLost): void
  onFailed(error: SockError, retryIn: number): void
}

/** A dialer whose connection broke: dials until the session goes on, is lost, or nobody wants it any more. */
class Reunion {
  readonly #failures: Failures
  readonly #platform: Platform
  readonly #host: ReunionHost
  #timer: Timer | undefined
  #dialing = false
  #wanted = false

  constructor(backoff: Backoff, platform: Platform, host: ReunionHost) {
    this.#failures = new Failures(backoff, platform)
    this.#platform = platform
    this.#host = host
  }

  /**
   * The connection broke. The first attempt waits a little, too: all who lost the same server come at once otherwise.
   * `moved`: the session went on over it.
   */
  start(moved: boolean): void {
    this.#failures.over(moved)
    this.#wanted = true
    if (!this.#dialing && this.#timer === undefined) this.#wait()
  }

  /** The far side is there: no more waiting. */
  hurry(): void {
    if (this.#timer === undefined) return
    this.#timer.cancel()
    void this.#attempt()
  }

  stop(): void {
    this.#wanted = false
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #wait(): number {
    const delay = this.#failures.next()
    this.#timer = this.#platform.setTimer(() => void this.#attempt(), delay)
    return delay
  }

  async #attempt(): Promise<void> {
    this.#timer = undefined
    this.#dialing = true
    try {
      await this.#host.dial()
      this.#failures.up()
      this.#dialing = false
    } catch (thrown) {
      this.#dialing = false
      // Ended while it dialed.
      if (!this.#wanted) return
      const error = asSockError(thrown, 'CONNECT_FAILED', 'could not connect')
      if (error instanceof SessionLost) this.#host.lost(error)
      else this.#host.onFailed(error, this.#wait())
    }
  }
}

export interface ReunionsHost {
  /** Dials once and goes on with the session. Rejects with SESSION_LOST when that can never be. */
  dial(address: string, session: PeerSession): Promise<void>
  onFailed(address: string, error: SockError, retryIn: number): void
}

/** Of each peer whose connection broke once, who dials again. */
export class Reunions<P> {
  readonly #backoff: Backoff
  readonly #platform: Platform
  readonly #host: ReunionsHost
  readonly #all = new Map<P, Reunion>()

  constructor(backoff: Backoff, platform: Platform, host: ReunionsHost) {
    this.#backoff = backoff
    this.#platform = platform
    this.#host = host
  }

  /** The connection of this peer broke. `moved`: the session went on over it. */
  start(peer: P, session: PeerSession, address: string, moved: boolean): void {
    let reunion = this.#all.get(peer)
    if (reunion === undefined) {
      reunion = new Reunion(this.#backoff, this.#platform, {
        dial: () => this.#host.dial(address, session),
        lost: (why) => {
          session.lose(why)
        },
        onFailed: (error, retryIn) => {
          this.#host.onFailed(address, error, retryIn)
        },
      })
      this.#all.set(peer, reunion)
    }
    reunion.start(moved)
  }

  hurry(peer: P): void {
    this.#all.get(peer)?.hurry()
  }

  /** It is gone. */
  stop(peer: P): void {
    this.#all.get(peer)?.stop()
    this.#all.delete(peer)
  }
}

import { SockError } from '../../errors.ts'
import type { Deadlines } from '../deadlines.ts'
import { Waiter } from '../waiter.ts'

/** Who was heard of so many milliseconds ago lives. */
const FRESH = 2_000
/** One that dialed us and was never heard of is given so long before silence counts. */
const YOUNG = 10_000
/** How long a sign may take that was asked for, */
const SIGN = 2_000
/** and how long another connection that is dialed for the session. */
const GO_ON = 5_000

export interface SignedPeer {
  readonly dialed: boolean
  readonly address: string
  readonly state: 'open' | 'detached' | 'ending' | 'gone'
  readonly isAttached: boolean
  /** Milliseconds since something came over the pipe that there is, or since that came up. */
  readonly silentFor: number
  ping(): void
  /** That pipe is dead. */
  judgedDead(error: SockError): void
  /** A dialer whose connection broke dials at once. */
  hurry(): void
}

/**
 * Whether a connection that the far side seems to have forgotten, since it makes another one, is worth anything: a far
 * side that lost one without a word is refused for the sake of it otherwise, until our own timeout.
 */
export class Signs {
  readonly #peer: SignedPeer
  readonly #deadlines: Deadlines
  #heard = false
  #news: Waiter | undefined

  constructor(peer: SignedPeer, deadlines: Deadlines) {
    this.#peer = peer
    this.#deadlines = deadlines
  }

  /** Something came over the pipe that there is. */
  heard(): void {
    this.#heard = true
    if (this.#news !== undefined) this.changed()
  }

  /** There is another pipe, or none, or it is over. */
  changed(): void {
    const news = this.#news
    this.#news = undefined
    news?.resolve()
  }

  /** There is no pipe, or another one. */
  fresh(): void {
    this.#heard = false
    this.changed()
  }

  async #newsWithin(ms: number): Promise<void> {
    const news = (this.#news ??= new Waiter())
    const late = this.#deadlines.set(ms, () => {
      this.changed()
    })
    await news.promise
    late.cancel()
  }

  /** Whether the connection that there is lives. One that gives no sign is judged dead. */
  async lives(): Promise<boolean> {
    const peer = this.#peer
    const isOver = (): boolean => !peer.isAttached || peer.state === 'gone'
    if (isOver()) return false
    const { silentFor } = peer
    // Who dialed has heard WELCOME at least.
    const known = this.#heard || peer.dialed
    if (known && silentFor < FRESH) return true
    peer.ping()
    await this.#newsWithin(SIGN)
    if (isOver()) return false
    // It may still be at its gate.
    if (!known && silentFor < YOUNG) return true
    if (peer.silentFor < silentFor) return true
    const { address } = peer
    const what = `no sign within ${SIGN} ms, and its node has dialed us again`
    peer.judgedDead(new SockError('IDLE_TIMEOUT', what, { address }))
    return false
  }

  /** Of one that we dialed: whether its session goes on, over this connection or another one. */
  async stands(): Promise<boolean> {
    const peer = this.#peer
    if (await this.lives()) return true
    const isGone = (): boolean => peer.state === 'gone'
    // Its sock may be closed: no deadline is set any more.
    if (isGone()) return false
    const waited = { enough: false }
    const late = this.#deadlines.set(GO_ON, () => {
      waited.enough = true
      this.changed()
    })
    if (peer.state === 'detached') peer.hurry()
    while (!waited.enough && !isGone() && !peer.isAttached) await this.#newsWithin(GO_ON)
    late.cancel()
    return !isGone()
  }
}

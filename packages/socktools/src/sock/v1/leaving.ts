import type { SockError } from '../../errors.ts'
import type { Platform } from '../../platform/platform.ts'
import { encodeGoaway } from '../../wire/v1/bodies.ts'
import { GOAWAY } from '../../wire/v1/frame.ts'
import { MAX_RECONNECT_DELAY } from '../options.ts'
import type { Outbox } from '../outbox.ts'
import { Waiter } from '../waiter.ts'
import type { Mux } from './mux.ts'

/** The code of a GOODBYE where one side is closed at once, and nothing is wrong. */
const CLOSED = 'CLOSED'

/** The peer that leaves, or is left. */
export interface LeavingPeer {
  readonly isAttached: boolean
  readonly outbox: Outbox
  /** As the far side is told, in milliseconds. */
  readonly reconnectDelay: number
}

/**
 * What the sides tell each other of their ends, and what that makes of a connection that breaks.
 *
 *   drain   GOAWAY, over each pipe anew ─▶ all is settled ─▶ GOODBYE ''
 *   close   GOODBYE with a code, as far as the system takes it at once
 */
export class Leaving {
  /** By the clock of the platform: when the far side wants to be dialed again, at the earliest. */
  notBefore = 0
  readonly #peer: LeavingPeer
  readonly #mux: Mux
  #saidGoaway = false
  /** Waits for another pipe. */
  #back: Waiter | undefined

  constructor(peer: LeavingPeer, mux: Mux) {
    this.#peer = peer
    this.#mux = mux
  }

  /** The far side is about to leave. */
  onGoaway(delay: number, platform: Platform): void {
    // All who are told the same would come at once otherwise.
    this.notBefore = platform.now() + Math.min(delay, MAX_RECONNECT_DELAY) * (1 + platform.random())
  }

  goaway(): void {
    this.#saidGoaway = true
    const delay = Math.floor(this.#peer.reconnectDelay)
    this.#mux.out.frames.control(GOAWAY, encodeGoaway({ delay, code: '' }))
  }

  /** There is another pipe, over which the far side has not heard it. */
  attached(): void {
    if (this.#saidGoaway) this.goaway()
    this.#back?.resolve()
    this.#back = undefined
  }

  /** Says the last word, when the far side has all that was sent. Resolves when that is with the system. */
  async goodbye(): Promise<void> {
    const { out } = this.#mux
    await out.settled()
    // Nobody would hear the last word now.
    while (!this.#peer.isAttached) {
      await (this.#back ??= new Waiter()).promise
      await out.settled()
    }
    out.frames.goodbye('')
    await this.#peer.outbox.emptied()
  }

  /** Says it at once. */
  close(error: SockError | undefined): void {
    this.#mux.out.frames.goodbye(error?.code ?? CLOSED)
    this.#peer.outbox.flush()
  }

  /** The peer is gone. */
  end(why: SockError): void {
    this.#back?.reject(why)
  }

  /** One side has said its last word, which ends the session with the connection. */
  get isFinal(): boolean {
    return this.#mux.in.farewell !== undefined || this.#mux.out.frames.saidGoodbye
  }

  /** What is wrong with it that the far side has ended, if anything. */
  get cutShort(): SockError | undefined {
    const { farewell } = this.#mux.in
    if (farewell === undefined) return this.#mux.error('PIPE_FAILED', 'the connection ended without GOODBYE')
    if (farewell === '' || farewell === CLOSED) return undefined
    return this.#mux.error('PIPE_FAILED', `the far side ended the connection: ${farewell}`)
  }

  /** Behind the far side's GOODBYE a write may well fail: that alone is nothing wrong. */
  get mayFail(): boolean {
    const { farewell } = this.#mux.in
    // Drained, it was to take all that we still had for it; closed, it takes nothing any more.
    const missed = farewell === '' && !this.#mux.out.confirmed
    return farewell !== undefined && !missed
  }
}

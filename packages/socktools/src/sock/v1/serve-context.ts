import { SockError } from '../../errors.ts'
import type { HeaderSlot } from '../../wire/v1/bodies.ts'
import type { Codec } from '../../wire/codec.ts'
import type { Deadline, Deadlines } from '../deadlines.ts'
import type { Context, Peer, Sock } from '../types.ts'

export interface Clock {
  readonly deadlines: Deadlines
  now(): number
}

/** What the handler of a call, feed or channel is told beside its data. Its signal costs nothing unless it is looked at. */
export class ServeContext<C extends Codec> implements Context<C> {
  readonly sock: Sock<C>
  readonly peer: Peer<C>
  readonly type: string
  readonly headers: HeaderSlot
  readonly #clock: Clock
  /** When the far side gives up, by our clock. */
  readonly #until: number | undefined
  #aborter: AbortController | undefined
  #reason: SockError | undefined
  #timer: Deadline | undefined
  #over = false

  constructor(
    sock: Sock<C>,
    peer: Peer<C>,
    type: string,
    headers: HeaderSlot,
    until: number | undefined,
    clock: Clock,
  ) {
    this.sock = sock
    this.peer = peer
    this.type = type
    this.headers = headers
    this.#until = until
    this.#clock = clock
  }

  get durable(): undefined {
    return undefined
  }

  get redelivered(): false {
    return false
  }

  /** Milliseconds that are left, at least 0; undefined: there is no deadline. */
  get timeLeft(): number | undefined {
    return this.#until === undefined ? undefined : Math.max(0, this.#until - this.#clock.now())
  }

  get signal(): AbortSignal {
    if (this.#aborter === undefined) {
      this.#aborter = new AbortController()
      const { timeLeft } = this
      if (this.#reason !== undefined) this.#aborter.abort(this.#reason)
      else if (timeLeft !== undefined && !this.#over) {
        this.#timer = this.#clock.deadlines.set(timeLeft, () => {
          const what = `whoever called ${this.type} waits no longer`
          this.abort(new SockError('CALL_TIMEOUT', what, { address: this.peer.address }))
        })
      }
    }
    return this.#aborter.signal
  }

  /** Whoever asked wants no answer any more. */
  abort(reason: SockError): void {
    if (this.#over || this.#reason !== undefined) return
    this.#reason = reason
    this.#timer?.cancel()
    this.#aborter?.abort(reason)
  }

  get reason(): SockError | undefined {
    return this.#reason
  }

  /** It was answered: nothing aborts it any more. */
  end(): void {
    this.#over = true
    this.#timer?.cancel()
  }
}

import type { SockError } from '../../errors.ts'
import type { HeaderSlot } from '../../wire/v1/bodies.ts'
import type { Codec } from '../../wire/codec.ts'
import type { Deadline, Deadlines } from '../deadlines.ts'
import type { Context, Peer, Sock } from '../types.ts'

/** What the handler of a call, feed or channel is told beside its data. Its signal costs nothing unless it is looked at. */
export class ServeContext<C extends Codec> implements Context<C> {
  readonly sock: Sock<C>
  readonly peer: Peer<C>
  readonly type: string
  readonly headers: HeaderSlot
  readonly #deadlines: Deadlines
  /** When the far side gives up, by our clock. */
  readonly #until: number | undefined
  readonly #now: () => number
  readonly #late: () => SockError
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
    { deadlines, now, late }: { deadlines: Deadlines; now: () => number; late: () => SockError },
  ) {
    this.sock = sock
    this.peer = peer
    this.type = type
    this.headers = headers
    this.#until = until
    this.#deadlines = deadlines
    this.#now = now
    this.#late = late
  }

  /** Milliseconds that are left, at least 0; undefined: there is no deadline. */
  get timeLeft(): number | undefined {
    return this.#until === undefined ? undefined : Math.max(0, this.#until - this.#now())
  }

  get signal(): AbortSignal {
    if (this.#aborter === undefined) {
      this.#aborter = new AbortController()
      const { timeLeft } = this
      if (this.#reason !== undefined) this.#aborter.abort(this.#reason)
      else if (timeLeft !== undefined && !this.#over) {
        this.#timer = this.#deadlines.set(timeLeft, () => {
          this.abort(this.#late())
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

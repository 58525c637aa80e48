import { isSockError, type SockError } from '../../errors.ts'
import type { Outbox, Stored } from '../../store/types.ts'
import type { MessageId } from '../../wire/v1/marks.ts'
import type { Outcome } from '../types.ts'

/** What a session takes on its way to a peer. */
export interface Route {
  /**
   * Puts a message in line; `settle` hears what becomes of it, later. The error: this peer cannot be sent it: its type or
   * its length is not what both sides have; PEER_GONE or DRAINING: nothing can be any more.
   */
  carry(
    message: Pick<Stored, 'type' | 'payload'>,
    id: MessageId,
    settle: (outcome: Outcome) => void,
  ): Carriage | SockError
}

export interface Carriage {
  /** Takes it back. False: some of it has left. */
  revoke(): boolean
}

export interface CourierHost {
  readonly store: Outbox
  /** What is posted to a name has an id of its own: two names may be one receiver, and their n are not one count. */
  streamOf(name: string): string
  /** What is handed to a session and not settled: at most so many bytes, and one message, and so many messages. */
  readonly maxBytes: number
  readonly maxCount: number
  /** What becomes of a message that the peer cannot be sent. */
  readonly undeliverable: 'hold' | 'drop'
  onSettled(name: string, n: number, outcome: Outcome): void
  /** Nothing goes to this name from here on, until another peer takes its place. */
  onHeld(name: string, n: number, type: string, error: SockError): void
  onStoreFailed(error: unknown): void
}

interface Underway {
  readonly bytes: number
  readonly carriage: Carriage
  /** The store has taken it out meanwhile. */
  expired: boolean
}

type Message = Omit<Stored, 'at'>

/**
 * Brings what is posted to one name to the peer that has it. Above sessions: what one of them has not settled when it is
 * over goes over the next one, first of all, under the same ids.
 *
 * ```
 *   store ─▶ read, in the order of n ─▶ underway: maxBytes, maxCount ─▶ a session ─▶ DONE: settled in the store
 *            #fresh: just accepted, not read again          └── session over: read again, from the first
 * ```
 */
export class Courier {
  readonly name: string
  readonly #stream: string
  /** Bytes of `underway`. */
  bytes = 0
  /** The message that the peer cannot be sent. */
  held: number | undefined
  readonly underway = new Map<number, Underway>()
  readonly #host: CourierHost
  readonly #receipts = new Map<number, (outcome: Outcome) => void>()
  #route: Route | undefined
  /** One more with each route: what the ones before said is of another time. */
  #turn = 0
  /** The highest n that went over this route, and over any. */
  #handed = 0
  #most = 0
  /** All above `handed` that is accepted is in `fresh`. */
  #caughtUp = false
  #fresh: Message[] = []
  #freshBytes = 0
  #reading = false
  #wake: (() => void) | undefined
  #stopped = false

  constructor(name: string, host: CourierHost) {
    this.name = name
    this.#stream = host.streamOf(name)
    this.#host = host
  }

  get route(): Route | undefined {
    return this.#route
  }

  /** A message is durable. */
  accepted(
    n: number,
    type: string,
    payload: Uint8Array,
    settle: ((outcome: Outcome) => void) | undefined,
  ): void {
    if (settle !== undefined) this.#receipts.set(n, settle)
    if (this.#route === undefined || this.#stopped) return
    const next = this.#fresh.at(-1)?.n ?? 0
    if (n <= next || (this.#freshBytes > 0 && this.#freshBytes + payload.length > this.#host.maxBytes)) {
      // Later: from the disk.
      this.#forget()
    } else {
      this.#fresh.push({ n, type, payload, redelivered: false })
      this.#freshBytes += payload.length
    }
    this.#pump()
  }

  /** The store took it out, unsent or not. */
  expired(n: number): void {
    const at = this.#fresh.findIndex((message) => message.n === n)
    if (at >= 0) this.#freshBytes -= this.#fresh.splice(at, 1)[0]?.payload.length ?? 0
    const underway = this.underway.get(n)
    if (underway !== undefined && !underway.carriage.revoke()) {
      underway.expired = true
      return
    }
    this.#over(n)
    this.#tell(n, { status: 'not-delivered', reason: 'expired' })
    this.#pump()
  }

  /** From now on this peer has the name; undefined: nobody has. */
  take(route: Route | undefined): void {
    this.#turn++
    for (const [n, { carriage, expired }] of this.underway) {
      carriage.revoke()
      if (expired) this.#tell(n, { status: 'unknown', reason: 'lost' })
    }
    this.underway.clear()
    this.bytes = this.#handed = 0
    this.held = undefined
    this.#forget()
    this.#route = route
    this.#goOn()
    this.#pump()
  }

  /** Hands over no more. */
  stop(): void {
    this.#stopped = true
    this.#goOn()
  }

  /** The sock is closed: what is kept goes on in the next process. */
  end(): void {
    this.stop()
    this.take(undefined)
    for (const settle of this.#receipts.values()) settle({ status: 'unknown', reason: 'closed' })
    this.#receipts.clear()
  }

  #forget(): void {
    this.#caughtUp = false
    this.#fresh = []
    this.#freshBytes = 0
  }

  #hasRoom(): boolean {
    const { maxBytes, maxCount } = this.#host
    return this.underway.size < maxCount && this.bytes < maxBytes
  }

  #isIdle(): boolean {
    return this.#route === undefined || this.#stopped || this.held !== undefined
  }

  #pump(): void {
    if (this.#hasRoom()) this.#goOn()
    if (this.#reading || this.#isIdle()) return
    while (this.#caughtUp && this.#hasRoom() && !this.#isIdle()) {
      const message = this.#fresh.shift()
      if (message === undefined) return
      this.#freshBytes -= message.payload.length
      if (message.n > this.#handed) this.#hand(message)
    }
    if (!this.#caughtUp && this.#hasRoom() && !this.#isIdle()) void this.#read()
  }

  #goOn(): void {
    this.#wake?.()
    this.#wake = undefined
  }

  /** What is on the disk, as far as there is room, until nothing is left but what was accepted meanwhile. */
  async #read(): Promise<void> {
    const turn = this.#turn
    const isOver = (): boolean => turn !== this.#turn || this.#isIdle()
    this.#reading = true
    // What is accepted from here on is fresh; where that gets too much, it is not, and is read again.
    this.#caughtUp = true
    try {
      for await (const message of this.#host.store.pending(this.name, { after: this.#handed })) {
        while (!isOver() && !this.#hasRoom())
          await new Promise<void>((resolve) => {
            this.#wake = resolve
          })
        if (isOver()) break
        this.#hand(message)
      }
    } catch (thrown) {
      this.stop()
      this.#host.onStoreFailed(thrown)
    } finally {
      if (turn === this.#turn && this.#isIdle()) this.#forget()
      this.#reading = false
    }
    this.#pump()
  }

  #hand(message: Message): void {
    const { n, type, payload } = message
    const turn = this.#turn
    const redelivered = message.redelivered || n <= this.#most
    const id = { store: this.#stream, n, redelivered }
    let early: Outcome | undefined
    let begun = false
    const carried = this.#route?.carry(message, id, (outcome) => {
      if (begun) this.#onOutcome(n, turn, outcome)
      else early = outcome
    })
    if (carried === undefined) return
    if (isSockError(carried)) {
      this.#onRefused(n, type, carried)
      return
    }
    this.#handed = n
    this.#most = Math.max(this.#most, n)
    this.underway.set(n, { bytes: payload.length, carriage: carried, expired: false })
    this.bytes += payload.length
    begun = true
    if (early !== undefined) this.#onOutcome(n, turn, early)
  }

  #onRefused(n: number, type: string, error: SockError): void {
    if (error.code === 'PEER_GONE' || error.code === 'DRAINING') {
      // Told by who took the peer away, in a moment.
      this.#route = undefined
      this.#turn++
      return
    }
    if (this.#host.undeliverable === 'hold') {
      this.held = n
      this.#host.onHeld(this.name, n, type, error)
      return
    }
    this.#handed = n
    this.#settle(n, { status: 'not-delivered', reason: 'failed', code: error.code })
  }

  #onOutcome(n: number, turn: number, outcome: Outcome): void {
    const isDone =
      outcome.status === 'delivered' || (outcome.status === 'not-delivered' && outcome.reason === 'failed')
    // The session is over, or is about to be: what it did not settle goes over the next one.
    if (!isDone) return
    if (turn === this.#turn) this.#over(n)
    this.#settle(n, outcome)
    this.#pump()
  }

  #over(n: number): void {
    const underway = this.underway.get(n)
    if (underway === undefined) return
    this.underway.delete(n)
    this.bytes -= underway.bytes
  }

  #settle(n: number, outcome: Outcome): void {
    this.#host.store.settle(this.name, n, outcome.status).catch(nothing)
    this.#tell(n, outcome)
  }

  #tell(n: number, outcome: Outcome): void {
    const settle = this.#receipts.get(n)
    this.#receipts.delete(n)
    this.#host.onSettled(this.name, n, outcome)
    settle?.(outcome)
  }
}

/** The store tells of its failure by itself. */
const nothing = (): void => undefined

import type { Ack } from '../../contract/delivery.ts'
import type { SockError } from '../../errors.ts'
import type { Headers, Outcome } from '../types.ts'

export interface PostOptions {
  readonly headers?: Headers
  /**
   * What the outcome waits for, and with it the message on our disk: that its handlers have returned (`processed`), or that
   * the cursor of the far side's inbox is on disk as well (`durable`). Default: that of its type, else `processed`.
   */
  readonly ack?: Exclude<Ack, 'received'>
}

/** What is known of a message that was posted. */
export interface Posted {
  /**
   * Resolves when the message is on disk, to its n: it will be sent until it is done, whatever happens to this process.
   * Rejects with OUTBOX_FULL, TOO_LARGE, STORE_FAILED, STORE_CORRUPT, CANNOT_ENCODE, UNKNOWN_TYPE, BAD_OPTION, DRAINING,
   * CLOSED; then nothing was stored.
   */
  readonly accepted: Promise<number>
  /**
   * What became of it. Never rejects; pending until the far side has said so, over however many connections. `unknown`,
   * `closed`: this sock was closed meanwhile, and the message is on disk still.
   */
  readonly outcome: Promise<Outcome>
}

/** Where a message comes from that its sender keeps until it is done. */
export interface Durable {
  /** The id of the sending store, 32 hex digits, and the message's number there: (store, n) names it for good. */
  readonly store: string
  readonly n: number
  /** It may have come before, and have been handled. Without it, it surely has not. */
  readonly redelivered: boolean
}

/** What a sock has posted and taken since it was made; `underway`, `names` and `held` as they are. */
export interface DurableStats {
  /** Messages that this sock accepted, settled or not. How many wait is told by the `stats()` of the store. */
  readonly posted: number
  /** Those posted by earlier processes count as well. */
  readonly settled: Readonly<Record<Outcome['status'], number>>
  /** With a session, and not done: messages, and their bytes. */
  readonly underway: number
  readonly underwayBytes: number
  /** Names that a peer has now, and those of which the first message cannot be sent to it. */
  readonly names: number
  readonly held: number
  /** Messages that came again, and were not handled again. */
  readonly duplicates: number
}

export interface DurableEvents {
  /** A message that was posted, by this process or an earlier one, needs nothing more. */
  settled: { readonly name: string; readonly n: number; readonly outcome: Outcome }
  /**
   * A message cannot be sent to the peer that has this name: its type is not in the contract of both, or it is too long, or
   * kept in a codec that is gone. It and all behind it wait until another peer has the name: see `outbox.undeliverable`.
   */
  held: { readonly name: string; readonly n: number; readonly type: string; readonly error: SockError }
  /** The store takes nothing more, and hands nothing out: STORE_FAILED, STORE_CORRUPT or CLOSED. */
  storeFailed: { readonly error: SockError }
}

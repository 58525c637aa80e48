import type { SockError } from '../errors.ts'
import type { Off } from '../events.ts'

/** A message that was accepted and is not settled. */
export interface Stored {
  /** Its number: from 1, without gaps, for each peer. With the id of the store it names the message for good. */
  readonly n: number
  readonly type: string
  readonly payload: Uint8Array
  /** When it was made: milliseconds since 1970, by the clock on the wall. */
  readonly at: number
  /** It was there when the store was opened: it may have been sent before. */
  readonly redelivered: boolean
}

/**
 * What became of a message, in the end: the far side has it, or has not and never will, or nobody can tell; or it was
 * taken out unsent, at its age or to make room.
 */
export type StoredOutcome = 'delivered' | 'not-delivered' | 'unknown' | 'expired'

export interface AppendOptions {
  /** When it was made, in milliseconds since 1970, for its age. Default: now, by the clock on the wall. */
  readonly at?: number
}

export interface Expired {
  readonly peer: string
  readonly n: number
  readonly at: number
  /** Why: it was older than `maxAge`, or made room (`whenFull: 'expire'`). */
  readonly reason: 'age' | 'room'
}

export interface StoreEvents {
  /** A message was taken out unsent. */
  expired: Expired
  /** The disk failed, or what it holds is damaged: the store takes nothing more. STORE_FAILED or STORE_CORRUPT. */
  failed: SockError
}

/**
 * A durable outbox, and the cursor of an inbox: what a sock needs of a store. `Store` of `socktools/store` is one.
 *
 * A message is handed on when `append` has resolved. Its id is (`id`, n): after a restart those pending go first, in
 * their order, under the same ids. Who receives them keeps, for each sending store, the highest n that it took, with
 * `advance`, and drops what is not above `cursor`.
 */
export interface Outbox {
  /** 32 hex digits, made with the store. */
  readonly id: string
  /**
   * Takes a message. Resolves to its n when it is durable. `payload` is lent until then: do not change it. Messages to
   * one peer have their n in the order of the calls.
   *
   * Rejects with OUTBOX_FULL (nothing was stored), TOO_LARGE, STORE_FAILED, STORE_CORRUPT, CLOSED or BAD_OPTION.
   */
  append(peer: string, type: string, payload: Uint8Array, options?: AppendOptions): Promise<number>
  /**
   * What is durable and not settled, in the order of n, read from the disk as it is asked for: what is settled meanwhile
   * is left out, and what is appended meanwhile too. Each payload is its own. Throws STORE_CORRUPT rather than give a
   * message that was damaged.
   */
  pending(peer: string, options?: { readonly after?: number }): AsyncIterableIterator<Stored>
  /**
   * The message needs nothing more. It is out of `pending` at once; resolves when that is durable. Until then a crash
   * brings it back, so nobody has to wait for it: a rejection that nobody looks at is no unhandled one. Settling what
   * is settled does nothing.
   *
   * Rejects with BAD_OPTION for an n that was never given out, with OUTBOX_FULL when not even the space held back for
   * it was enough (it is tried again with the next write), with STORE_FAILED, STORE_CORRUPT or CLOSED.
   */
  settle(peer: string, n: number, outcome: StoredOutcome): Promise<void>
  /** The highest n taken from the store with this id, as told to `advance`: 0 at first. */
  cursor(storeId: string): number
  /**
   * All up to n was taken from that store. Resolves when that is durable: then the far side may forget it. An n that is
   * not above the cursor changes nothing. Rejects as `settle` does.
   */
  advance(storeId: string, n: number): Promise<void>
  on<K extends keyof StoreEvents>(name: K, listener: (event: StoreEvents[K]) => unknown): Off
}

export interface StoreStats {
  readonly id: string
  readonly state: 'open' | 'failed' | 'closed'
  /** Messages that are durable and not settled, and the bytes of their records. */
  readonly pending: number
  readonly pendingBytes: number
  /** Messages whose `append` has not settled. */
  readonly queued: number
  /** Bytes of all segments, with what no longer counts in them, and their number. */
  readonly diskBytes: number
  readonly segments: number
  /** Peers that were ever sent to, and stores that were ever received from. */
  readonly peers: number
  readonly cursors: number
  /** Since it was opened. */
  readonly accepted: number
  readonly settled: Readonly<Record<StoredOutcome, number>>
  /** Writes that one sync each made durable. */
  readonly commits: number
  /** The disk is full, as of the last write: `append` rejects until there is room. */
  readonly diskFull: boolean
}

/** What waits for one peer. */
export interface PeerStats {
  readonly peer: string
  readonly pending: number
  readonly pendingBytes: number
  /** The highest n. */
  readonly last: number
}

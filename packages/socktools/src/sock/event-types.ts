import type { Protocol } from '../contract/protocol.ts'
import type { SockError } from '../errors.ts'
import type { Codec, Got, RawCodec } from '../wire/codec.ts'
import type { SessionReason } from '../wire/v1/resumption.ts'
import type { DurableEvents } from './durable/types.ts'
import type { DropReason, Lost, Peer } from './peer-types.ts'
import type { Candidate } from './types.ts'

export interface SockEvents<C extends Codec = RawCodec, P extends Protocol | undefined = undefined>
  extends DurableEvents {
  listening: { readonly address: string }
  /** A peer passed the gate. */
  peer: { readonly peer: Peer<C, P> }
  /** A peer has finished sending: what it sent is handled and answered, then our side ends as well. */
  ended: { readonly peer: Peer<C, P> }
  /** The connection broke, and the session waits for another one: what is sent is kept, nothing is lost. Wire v1. */
  detached: { readonly peer: Peer<C, P>; readonly error: SockError | undefined }
  /** The session goes on over another connection, without loss and in order. */
  resumed: { readonly peer: Peer<C, P> }
  /**
   * The session cannot go on; `gone` follows. `unknown`: messages that were written and never acknowledged, which may
   * have arrived. `neverSent`: those that surely did not. `resent`: how many of both are sent again over the next session, as the
   * option `sessionLost` says. `deliveredThrough`: the seq up to which the far side is known to have what was sent; 0: nothing.
   */
  sessionLost: {
    readonly peer: Peer<C, P>
    readonly reason: SessionReason
    readonly deliveredThrough: number
    readonly unknown: number
    readonly neverSent: number
    readonly resent: number
  }
  /** A peer is over, for good; with `error` it did not end in good order. */
  gone: { readonly peer: Peer<C, P>; readonly error: SockError | undefined; readonly lost: Lost }
  /** A connection was turned away. */
  refused: Candidate & { readonly error: SockError }
  /** A dial failed; a kept connection (`connect`) is tried again in `retryIn` milliseconds. */
  dialFailed: { readonly address: string; readonly error: SockError; readonly retryIn: number | undefined }
  /** Messages were dropped; one event for all of a turn. Without a peer: one for everyone that cannot be sent. */
  dropped: {
    readonly peer: Peer<C, P> | undefined
    readonly reason: DropReason
    readonly messages: number
    readonly bytes: number
  }
  /**
   * The codec could not read a message, or what was asked, or an item of a channel that is served here; or it is not what
   * its schema takes.
   */
  invalid: {
    readonly peer: Peer<C, P>
    /** undefined where that cannot be read either. */
    readonly type: string | number | undefined
    readonly payload: Uint8Array
    readonly error: SockError
  }
  /** Nothing takes messages of this type. */
  unhandled: {
    readonly peer: Peer<C, P>
    readonly type: string | number
    readonly data: P extends Protocol ? unknown : Got<C>
  }
  /** One of your own functions threw: a handler, middleware, listener, gate or tick. */
  fault: { readonly error: SockError; readonly in: string; readonly peer: Peer<C, P> | undefined }
  /** The sock is closed, for good. */
  closed: { readonly lost: Lost }
}

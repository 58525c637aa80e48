import type { Ack } from '../contract/delivery.ts'
import type { Protocol } from '../contract/protocol.ts'
import type {
  CallTypes,
  ChannelTypes,
  DataArgs,
  DeclarationOf,
  FeedTypes,
  Input,
  MsgTypes,
  OpenedChannel,
  ReplyOutput,
} from '../contract/types.ts'
import type { Proof } from '../net/pipe.ts'
import type { Codec, RawCodec, Sent } from '../wire/codec.ts'

/** What sendMsg takes as the data of a type. */
export type DataOf<C extends Codec, P extends Protocol | undefined, T> = P extends Protocol
  ? Input<DeclarationOf<P, T>>
  : Sent<C>

/** Texts that travel with a message: keys of a-z, 0-9 and -, 8 KiB in all. For trace context and the like. */
export type Headers = Readonly<Record<string, string>>

export interface MessageOptions {
  /** Under wire v1 only. */
  readonly headers?: Headers
}

/**
 * What is known of a message that was sent.
 *
 * - `delivered`: the far side acknowledged all of it. It is with that process, in line for its handlers, not handled; with
 *   the `ack` `processed` its handlers have returned, too.
 * - `not-delivered`: it did not arrive and never will. `reason` as in the event `dropped`. Or, with that `ack`, `failed`: it
 *   arrived, and the far side tells by `code` why nothing comes of it: HANDLER_FAILED, UNHANDLED, BAD_MESSAGE …
 * - `unknown`: it may have arrived. `gone`: the connection ended before the acknowledgement came, and no session went on;
 *   `lost`: the session was lost, and the far side does not know any more; `closed`: we closed it meanwhile;
 *   `volatile`: it left, and messages of its type are not acknowledged.
 */
export type Outcome =
  | { readonly status: 'delivered' }
  | { readonly status: 'not-delivered'; readonly reason: DropReason }
  | { readonly status: 'not-delivered'; readonly reason: 'failed'; readonly code: string }
  | { readonly status: 'unknown'; readonly reason: 'gone' | 'lost' | 'closed' | 'volatile' }

export interface ReceiptOptions extends MessageOptions {
  /** What the outcome waits for. Default: that of its type, else `received`. */
  readonly ack?: Exclude<Ack, 'durable'>
}

export interface Receipt {
  /** As the promise of sendMsg: the backpressure, and why the message was not taken. */
  readonly accepted: Promise<void>
  /** What became of it. Never rejects; pending for as long as it can still arrive. */
  readonly outcome: Promise<Outcome>
}

export interface RequestOptions extends MessageOptions {
  /** Milliseconds until the answer must be there, 0: for ever. Default: the type's `deadline`, else callTimeout. */
  readonly timeout?: number
  /** Gives the call up: it rejects with ABORTED, and the far side's handler is told by its signal. */
  readonly signal?: AbortSignal
}

export interface StreamOptions extends MessageOptions {
  /** Ends it on both sides; the reader, who may not know, is told with ABORTED. */
  readonly signal?: AbortSignal
}

/** One remote process, as this sock sees it. */
export interface Peer<C extends Codec = RawCodec, P extends Protocol | undefined = undefined> {
  /** Unlike that of every other peer that its sock ever has: `p1`, `p2` … Two socks may each have a `p1`. */
  readonly id: string
  /** Where it is: `tcp://127.0.0.1:50123`. The side that was dialed sees the dialer's own port. */
  readonly address: string
  readonly host: string
  /** We dialed it; else it dialed us. */
  readonly dialed: boolean
  /** Its public key, as an id (`sock1…`): proven. Undefined without an `identity`, and under a Security that has no ids. */
  readonly identity?: string | undefined
  /** What the option `identity` or `security` proved of it. */
  readonly proof?: Proof | undefined
  /** What is spoken with it. */
  readonly wire: 'plain' | 'v1'
  /**
   * `detached`: the connection broke; what is sent waits until the session goes on over another one (wire v1). It ends with
   * one of the events `resumed`, `sessionLost` (then `gone`), or `gone` alone: we closed it. `ending`: no more is sent to it,
   * with a connection or, for a while, without; the events `detached` and `resumed` tell. `gone`: it is over; a peer never
   * comes back from that.
   */
  readonly state: 'open' | 'detached' | 'ending' | 'gone'
  /** Aborted, with the reason, when the peer is gone. */
  readonly signal: AbortSignal
  /**
   * Sends one message. `await` is the backpressure: resolved at once while less than `highWaterMark` waits.
   *
   * It tells that the message was accepted, not that it arrived: the plain wire has no acknowledgements.
   * Bytes above 16 KiB are not copied: leave them unchanged until `flushed()`.
   *
   * Rejects with CANNOT_ENCODE, CANNOT_FRAME, TOO_LARGE, SLOW_PEER, DRAINING, PEER_GONE, UNKNOWN_TYPE.
   */
  sendMsg<T extends MsgTypes<P>>(type: T, data: DataOf<C, P, T>, options?: MessageOptions): Promise<void>
  /**
   * The same with a receipt, which tells what became of the message: see Outcome. Under wire v1 only, else `accepted`
   * rejects with OVER_PLAIN. It costs some hundred bytes until the far side has acknowledged the message.
   */
  send<T extends MsgTypes<P>>(type: T, data: DataOf<C, P, T>, options?: ReceiptOptions): Receipt
  /**
   * Asks, and resolves to the answer. At most `maxCalls` of the far side (64) are open at once, others wait their turn.
   *
   * Rejects with a CallError that the contract declares, REMOTE_ERROR, CALL_TIMEOUT, ABORTED, BAD_MESSAGE (the answer
   * is not what the schema takes), CANNOT_ENCODE, TOO_LARGE, UNKNOWN_TYPE, DRAINING, PEER_GONE, OVER_PLAIN; and when
   * the connection ends meanwhile with NOT_SENT, or OUTCOME_UNKNOWN: it may have been done; ASK_AGAIN, if its type is
   * declared idempotent, so that this does not matter.
   */
  request<T extends CallTypes<P>>(
    type: T,
    ...args: DataArgs<DeclarationOf<P, T>, RequestOptions>
  ): Promise<ReplyOutput<DeclarationOf<P, T>>>
  /**
   * Asks for a feed, and iterates over what comes. It is opened by the first `next()`; leaving the loop ends it on the
   * far side, too. What is not read there waits here, up to `streamWindow` bytes, and then the far side waits.
   *
   * `next()` rejects as `request` does, and with TOO_MANY_STREAMS; when the connection ends, with PEER_GONE.
   */
  stream<T extends FeedTypes<P>>(
    type: T,
    ...args: DataArgs<DeclarationOf<P, T>, StreamOptions>
  ): AsyncIterableIterator<ReplyOutput<DeclarationOf<P, T>>>
  /** Opens a channel: iterate it for what comes, `send` into it, `end` our direction. Throws as `stream` rejects. */
  channel<T extends ChannelTypes<P>>(type: T, options?: StreamOptions): OpenedChannel<DeclarationOf<P, T>>
  /** Sends one payload as it is, past the codec; it is still framed. Rejects as sendMsg does. */
  sendRaw(payload: Uint8Array): Promise<void>
  /** Resolves when everything sent so far is with the operating system. Rejects with PEER_GONE. */
  flushed(): Promise<void>
  /**
   * Finishes what has arrived, writes what was sent, then ends the connection. See Sock.drain.
   *
   * A handler may await it if it calls it before its first `await`, and nothing that ran before it for the same
   * message (middleware, the handlers of a sock in a meta) was asynchronous: that handler is then not waited for,
   * and what came after its message is handled meanwhile. Elsewhere in a handler, call it and return: awaited
   * there, it waits for that very handler, until its timeout.
   */
  drain(options?: DrainOptions): Promise<void>
  /** Ends the connection at once. Returns what was lost by that. */
  close(): Lost
  stats(): PeerStats
}

export interface DrainOptions {
  /** Milliseconds after which the connection is cut though the far side has not finished. Default 5,000. */
  readonly timeout?: number
  /**
   * Wire v1: milliseconds that the far side is to wait before it dials again what it keeps up (`connect`), up to 10
   * minutes. It waits for so long, and at random up to as long again, so that not all come at once. Default 0.
   */
  readonly reconnectDelay?: number
}

/** What was accepted or received and will not be delivered. */
export interface Lost {
  /** Messages accepted for sending that the operating system had not taken. */
  readonly unsent: number
  /** Messages received whose handler had not started. */
  readonly unhandled: number
}

export interface PeerStats {
  /** Messages and bytes received; bytes as on the wire. */
  readonly messagesIn: number
  readonly bytesIn: number
  /** Messages and bytes accepted for sending. */
  readonly messagesOut: number
  readonly bytesOut: number
  /** Bytes accepted and not yet taken by the operating system. */
  readonly queued: number
  /** Messages that wait for a handler. */
  readonly waiting: number
  /** Messages dropped, by reason. */
  readonly dropped: Readonly<Partial<Record<DropReason, number>>>
  /** Milliseconds since something was received, or since the start. */
  readonly silent: number
}

/**
 * Why messages were dropped: `slow`: the peer's queue was full (`maxQueue`); `gone`: its connection ended
 * before they were sent or handled; `closed`: we closed it; `ending`: sent after our side had ended;
 * `unsendable`: the codec or the framing cannot carry it, it is too large, or the system refused it.
 *
 * By the `delivery` of their type: `away`: volatile, and the peer was detached; `replaced`: a newer one for the same key
 * was sent; `expired`: it waited for longer than its ttl. A volatile one over the mark is `slow`.
 *
 * `lost`: it may have arrived; its session was lost, and the option `sessionLost` gave it up: `drop`, or `resend` in vain.
 *
 * Of datagrams that arrive, which no sock can ask to wait: `behind`: too much waits for our handlers or at the
 * gate already; `refused`: whoever sent it was turned away.
 */
export type DropReason =
  | 'slow'
  | 'gone'
  | 'closed'
  | 'ending'
  | 'unsendable'
  | 'away'
  | 'replaced'
  | 'expired'
  | 'lost'
  | 'behind'
  | 'refused'

import type { Protocol } from '../contract/protocol.ts'
import type {
  CallTypes,
  ChannelTypes,
  DataArgs,
  DeclarationOf,
  FeedTypes,
  Handlers as ContractHandlers,
  Input,
  Maybe,
  MsgTypes,
  OpenedChannel,
  Output,
  ReplyOutput,
} from '../contract/types.ts'
import type { SockError } from '../errors.ts'
import type { Off } from '../events.ts'
import type { Codec, Got, Message, RawCodec, Sent } from '../wire/codec.ts'
import type { SessionReason } from '../wire/v1/resumption.ts'
import type { SubscribeOptions } from './subscription.ts'

export type { Maybe } from '../contract/types.ts'

/** What sendMsg takes as the data of a type. */
export type DataOf<C extends Codec, P extends Protocol | undefined, T> = P extends Protocol
  ? Input<DeclarationOf<P, T>>
  : Sent<C>
/** What arrives as the data of a type, or of any. */
export type GotOf<C extends Codec, P extends Protocol | undefined, T> = P extends Protocol
  ? Output<DeclarationOf<P, T>>
  : Got<C>

/** Texts that travel with a message: keys of a-z, 0-9 and -, 8 KiB in all. For trace context and the like. */
export type Headers = Readonly<Record<string, string>>

export interface MessageOptions {
  /** Under wire v1 only. */
  readonly headers?: Headers
}

/**
 * What is known of a message that was sent.
 *
 * - `delivered`: the far side acknowledged all of it. It is with that process, in line for its handlers, not handled.
 * - `not-delivered`: it did not arrive and never will. `reason` as in the event `dropped`.
 * - `unknown`: it may have arrived. `gone`: the connection ended before the acknowledgement came, and no session went on;
 *   `lost`: the session was lost, and the far side does not know any more; `closed`: we closed it meanwhile;
 *   `volatile`: it left, and messages of its type are not acknowledged.
 */
export type Outcome =
  | { readonly status: 'delivered' }
  | { readonly status: 'not-delivered'; readonly reason: DropReason }
  | { readonly status: 'unknown'; readonly reason: 'gone' | 'lost' | 'closed' | 'volatile' }

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
  /** What is spoken with it. */
  readonly wire: 'plain' | 'v1'
  /**
   * `detached`: the connection broke; what is sent waits until the session goes on over another one (wire v1).
   * `ending`: no more is sent to it. `gone`: it is over; a peer never comes back from that.
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
  send<T extends MsgTypes<P>>(type: T, data: DataOf<C, P, T>, options?: MessageOptions): Receipt
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

/** `peers`, `pending` and the queues as they are; everything else since the sock was made. */
export interface SockStats extends Omit<PeerStats, 'silent'> {
  readonly peers: number
  /** Connections that have not passed the gate. */
  readonly pending: number
  readonly accepted: number
  readonly dialed: number
  /** Connections turned away, by error code. */
  readonly refused: Readonly<Record<string, number>>
  /** Connections that ended with an error, by its code. */
  readonly failed: Readonly<Record<string, number>>
  /** Errors thrown by your own functions. */
  readonly faults: number
  /** Messages that the codec could not read or the schema did not take, and those of a type without a handler. */
  readonly invalid: number
  readonly unhandled: number
  /** Answers of calls that came when nobody waited for them any more. */
  readonly late: number
}

/**
 * Why messages were dropped: `slow`: the peer's queue was full (`maxQueue`); `gone`: its connection ended
 * before they were sent or handled; `closed`: we closed it; `ending`: sent after our side had ended;
 * `unsendable`: the codec or the framing cannot carry it, it is too large, or the system refused it.
 *
 * By the `delivery` of their type: `away`: volatile, and the peer was detached; `replaced`: a newer one for the same key
 * was sent; `expired`: it waited for longer than its ttl. A volatile one over the mark is `slow`.
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
  | 'behind'
  | 'refused'

/** A node of the network: it listens, dials, and holds its peers. TcpSock and PipeSock are classes of it. */
export interface Sock<C extends Codec = RawCodec, P extends Protocol | undefined = undefined>
  extends AsyncDisposable {
  /** What this sock and its peers can say to each other, as its options have it. */
  readonly protocol: P
  /** The address that this sock listens on, once it does. */
  readonly address: string | undefined
  /** Every peer, in the order in which they came. */
  readonly knownPeers: readonly Peer<C, P>[]
  /** Listens. Returns the address as bound. Throws NOT_BOUND, BIND_TWICE, ALREADY_STARTED, ADDRESS_IN_USE … */
  startServer(options?: StartServerOptions): Promise<string>
  /** Dials once. Rejects with BAD_ADDRESS, CONNECT_FAILED, CONNECT_TIMEOUT, ABORTED, REFUSED, CLOSED … */
  connectTo(address: string, options?: ConnectOptions): Promise<Peer<C, P>>
  /**
   * Sends one message to every peer, or to some. To one peer (`to`) it does as `peer.sendMsg`. To several it
   * encodes once; a peer whose queue is full misses the message (a `dropped` event), and no slow peer
   * holds the others up: the promise waits only while all of them are over their mark.
   */
  sendMsg<T extends MsgTypes<P>>(
    type: T,
    data: DataOf<C, P, T>,
    options?: SendOptions<C, P> & MessageOptions,
  ): Promise<void>
  /** Sends one payload as it is, past the codec; it is still framed. Otherwise as sendMsg. */
  sendRaw(payload: Uint8Array, options?: SendOptions<C, P>): Promise<void>
  /** Adds a handler; `exclusive` takes the place of those that the type had. Of types: see Handlers. */
  addHandler<T extends TypesIn<P>>(
    type: T,
    handler: HandlerFor<C, P, T>,
    options?: { readonly exclusive?: boolean },
  ): Off
  /** Adds middleware around every message, inside those added before. */
  use(middleware: Middleware<C, P>): Off
  on<K extends keyof SockEvents<C, P>>(name: K, listener: (event: SockEvents<C, P>[K]) => unknown): Off
  /** Payloads as they arrive, after framing and before the codec. */
  readRaw(options?: SubscribeOptions): AsyncIterableIterator<[payload: Uint8Array, peer: Peer<C, P>]>
  /** Messages as they arrive, of one type or of all. Of types: see Handlers. Throws UNKNOWN_TYPE. */
  messages<T extends MsgTypes<P>>(
    type?: T,
    options?: SubscribeOptions,
  ): AsyncIterableIterator<[data: GotOf<C, P, T>, context: Context<C, P>]>
  /** Ends one connection at once. Throws UNKNOWN_PEER. */
  closePeer(peer: Peer<C, P> | string): Lost
  stats(): SockStats
  /**
   * Ends in good order: accepts and dials no more, handles what arrived, writes what was sent, ends each
   * connection and goes on handling what comes until the far side has ended too. Then as close. Returns what
   * was lost after all, because a peer did not end in time or broke meanwhile. In a handler: see Peer.drain.
   */
  drain(options?: DrainOptions): Promise<Lost>
  /** Ends at once, for good. Returns what was lost by that. */
  close(): Promise<Lost>
}

export interface StartServerOptions {
  readonly bind?: string
  /** Connections that the system keeps waiting for us. Default 511; the system may cap it. */
  readonly backlog?: number
}

export interface ConnectOptions {
  readonly signal?: AbortSignal
  /** Milliseconds for the connection to come up, gate included. Default: the option connectTimeout. */
  readonly timeout?: number
}

/** What a handler is told about a message, beside its data. */
export interface Context<C extends Codec = RawCodec, P extends Protocol | undefined = undefined> {
  readonly sock: Sock<C, P>
  readonly peer: Peer<C, P>
  /** As handlers have it: `1` where `'1'` arrived. */
  readonly type: string | number
  /** Aborted when the peer is gone; that of a call, feed or channel also when whoever asked wants no more. */
  readonly signal: AbortSignal
  /** What travelled with it; empty where nothing did. */
  readonly headers: Headers
  /** Milliseconds for which whoever called still waits; undefined: it set no deadline. */
  readonly timeLeft: number | undefined
}

/** Called once per message. While a returned promise is pending, the next message of this peer waits. */
export type Handler<C extends Codec = RawCodec, P extends Protocol | undefined = undefined> = (
  data: Got<C>,
  context: Context<C, P>,
) => Maybe<unknown>

/**
 * Types are names or numbers, both at once, in one table: `{ 1: onOne, say: onSay }`. Text that reads as a safe
 * integer is that number, since keys of an object are text: `1` and `'1'` are one type, here, in addHandler, in
 * messages() and as it arrives. What is sent keeps the form in which it was given, as the codec has it.
 */
export interface Handlers<C extends Codec = RawCodec> {
  readonly [type: string | number]: Handler<C>
}

/** What the option `handlers` takes: of a contract, for each of its types what that type needs. */
export type HandlersFor<C extends Codec, P extends Protocol | undefined> = P extends Protocol
  ? ContractHandlers<P, Context<C, P>>
  : Handlers<C>

/**
 * The handlers of a contract, in a module of their own: `export const handlers = { … } satisfies HandlersOf<typeof protocol>`.
 * The codec that a sock has by itself is left unsaid here, and in the three below.
 */
export type HandlersOf<P extends Protocol> = HandlersFor<RawCodec, P>
/** A peer under a contract: `const members = new Set<PeerOf<typeof protocol>>()`. */
export type PeerOf<P extends Protocol> = Peer<RawCodec, P>
/** A sock under a contract. */
export type SockOf<P extends Protocol> = Sock<RawCodec, P>
/** What `use` takes under a contract. */
export type MiddlewareOf<P extends Protocol> = Middleware<RawCodec, P>

/** What can have a handler. */
export type TypesIn<P extends Protocol | undefined> = P extends Protocol ? keyof P & string : string | number

export type HandlerFor<C extends Codec, P extends Protocol | undefined, T> = P extends Protocol
  ? T extends keyof P
    ? NonNullable<ContractHandlers<P, Context<C, P>>[T]>
    : never
  : Handler<C>

/** What middleware sees: under a contract it tells the kinds apart by `type`, and what the data are by itself. */
export type MessageOf<C extends Codec, P extends Protocol | undefined> = P extends Protocol
  ? Message
  : Message<Got<C>>

/**
 * Runs around every message, call, feed and channel. May change `message.type` and `.data`; without `next()` a message
 * stops here, and who called is answered REFUSED. Await or return `next()` to hear what the handlers threw; it is a
 * `fault` of its own in any case. For a call `next()` gives the answer, which what is returned here does not change;
 * what is thrown here is the answer instead.
 */
export type Middleware<C extends Codec = RawCodec, P extends Protocol | undefined = undefined> = (
  message: MessageOf<C, P>,
  context: MiddlewareContext<C, P>,
  next: () => Maybe<unknown>,
) => Maybe<unknown>

export interface MiddlewareContext<C extends Codec = RawCodec, P extends Protocol | undefined = undefined> {
  readonly sock: Sock<C, P>
  readonly peer: Peer<C, P>
  readonly headers: Headers
  readonly signal: AbortSignal
}

export interface SendOptions<C extends Codec = RawCodec, P extends Protocol | undefined = undefined> {
  /** One peer or several, themselves or their addresses. Absent: every peer. */
  readonly to?: To<C, P>
  /**
   * Everyone but these. A Peer that has left or is another sock's changes nothing: it would not have been sent to
   * anyway. Text that names nobody is UNKNOWN_PEER: a typo must not widen a broadcast.
   */
  readonly except?: To<C, P>
}

export type To<C extends Codec = RawCodec, P extends Protocol | undefined = undefined> =
  | Peer<C, P>
  | string
  | Iterable<Peer<C, P> | string>

/** Who knocks, for goodPeer. */
export interface Candidate {
  readonly host: string
  readonly address: string
  readonly dialed: boolean
  /** Under wire v1: who it says it is, in hex. Nothing proves it. */
  readonly id?: string | undefined
}

/** Takes lines for a log. Missing levels are not logged. */
export interface Logger {
  debug?(text: string, facts?: object): void
  info?(text: string, facts?: object): void
  warn?(text: string, facts?: object): void
  error?(text: string, facts?: object): void
}

export interface SockEvents<C extends Codec = RawCodec, P extends Protocol | undefined = undefined> {
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
   * have arrived. `neverSent`: those that surely did not.
   */
  sessionLost: {
    readonly peer: Peer<C, P>
    readonly reason: SessionReason
    readonly unknown: number
    readonly neverSent: number
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

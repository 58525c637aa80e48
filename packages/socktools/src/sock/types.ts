import type { SockError } from '../errors.ts'
import type { Off } from '../events.ts'
import type { Codec, Got, Message, RawCodec, Sent } from '../wire/codec.ts'
import type { SubscribeOptions } from './subscription.ts'

export type Maybe<T> = T | Promise<T>

/** One remote process, as this sock sees it. */
export interface Peer<C extends Codec = RawCodec> {
  /** Unlike that of every other peer that its sock ever has: `p1`, `p2` … Two socks may each have a `p1`. */
  readonly id: string
  /** Where it is: `tcp://127.0.0.1:50123`. The side that was dialed sees the dialer's own port. */
  readonly address: string
  readonly host: string
  /** We dialed it; else it dialed us. */
  readonly dialed: boolean
  /** `ending`: no more is sent to it. `gone`: the connection is over; a peer never comes back from that. */
  readonly state: 'open' | 'ending' | 'gone'
  /** Aborted, with the reason, when the peer is gone. */
  readonly signal: AbortSignal
  /**
   * Sends one message. `await` is the backpressure: resolved at once while less than `highWaterMark` waits.
   *
   * It tells that the message was accepted, not that it arrived: the plain wire has no acknowledgements.
   * Payloads above 16 KiB are not copied: leave them unchanged until `flushed()`.
   *
   * Rejects with CANNOT_ENCODE, CANNOT_FRAME, TOO_LARGE, SLOW_PEER, DRAINING, PEER_GONE.
   */
  sendMsg(type: string | number, data: Sent<C>): Promise<void>
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
  /** Messages that the codec could not read, and those of a type without a handler. */
  readonly invalid: number
  readonly unhandled: number
}

/**
 * Why messages were dropped: `slow`: the peer's queue was full (`maxQueue`); `gone`: its connection ended
 * before they were sent or handled; `closed`: we closed it; `ending`: sent after our side had ended;
 * `unsendable`: the codec or the framing cannot carry it, it is too large, or the system refused it.
 *
 * Of datagrams that arrive, which no sock can ask to wait: `behind`: too much waits for our handlers or at the
 * gate already; `refused`: whoever sent it was turned away.
 */
export type DropReason = 'slow' | 'gone' | 'closed' | 'ending' | 'unsendable' | 'behind' | 'refused'

/** A node of the network: it listens, dials, and holds its peers. TcpSock and PipeSock are classes of it. */
export interface Sock<C extends Codec = RawCodec> extends AsyncDisposable {
  /** The address that this sock listens on, once it does. */
  readonly address: string | undefined
  /** Every peer, in the order in which they came. */
  readonly knownPeers: readonly Peer<C>[]
  /** Listens. Returns the address as bound. Throws NOT_BOUND, BIND_TWICE, ALREADY_STARTED, ADDRESS_IN_USE … */
  startServer(options?: StartServerOptions): Promise<string>
  /** Dials once. Rejects with BAD_ADDRESS, CONNECT_FAILED, CONNECT_TIMEOUT, ABORTED, REFUSED, CLOSED … */
  connectTo(address: string, options?: ConnectOptions): Promise<Peer<C>>
  /**
   * Sends one message to every peer, or to some. To one peer (`to`) it does as `peer.sendMsg`. To several it
   * encodes once; a peer whose queue is full misses the message (a `dropped` event), and no slow peer
   * holds the others up: the promise waits only while all of them are over their mark.
   */
  sendMsg(type: string | number, data: Sent<C>, options?: SendOptions<C>): Promise<void>
  /** Sends one payload as it is, past the codec; it is still framed. Otherwise as sendMsg. */
  sendRaw(payload: Uint8Array, options?: SendOptions<C>): Promise<void>
  /** Adds a handler; `exclusive` takes the place of those that the type had. Of types: see Handlers. */
  addHandler(type: string | number, handler: Handler<C>, options?: { readonly exclusive?: boolean }): Off
  /** Adds middleware around every message, inside those added before. */
  use(middleware: Middleware<C>): Off
  on<K extends keyof SockEvents<C>>(name: K, listener: (event: SockEvents<C>[K]) => unknown): Off
  /** Payloads as they arrive, after framing and before the codec. */
  readRaw(options?: SubscribeOptions): AsyncIterableIterator<[payload: Uint8Array, peer: Peer<C>]>
  /** Messages as they arrive, of one type or of all. Of types: see Handlers. */
  messages(
    type?: string | number,
    options?: SubscribeOptions,
  ): AsyncIterableIterator<[data: Got<C>, context: Context<C>]>
  /** Ends one connection at once. Throws UNKNOWN_PEER. */
  closePeer(peer: Peer<C> | string): Lost
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
export interface Context<C extends Codec = RawCodec> {
  readonly sock: Sock<C>
  readonly peer: Peer<C>
  /** As handlers have it: `1` where `'1'` arrived. */
  readonly type: string | number
  /** Aborted when the peer is gone. */
  readonly signal: AbortSignal
}

/** Called once per message. While a returned promise is pending, the next message of this peer waits. */
export type Handler<C extends Codec = RawCodec> = (data: Got<C>, context: Context<C>) => Maybe<unknown>

/**
 * Types are names or numbers, both at once, in one table: `{ 1: onOne, say: onSay }`. Text that reads as a safe
 * integer is that number, since keys of an object are text: `1` and `'1'` are one type, here, in addHandler, in
 * messages() and as it arrives. What is sent keeps the form in which it was given, as the codec has it.
 */
export interface Handlers<C extends Codec = RawCodec> {
  readonly [type: string | number]: Handler<C>
}

/**
 * Runs around every message. May change `message.type` and `.data`; without `next()` the message stops here. Await or
 * return `next()` to hear what the handlers threw; it is a `fault` of its own in any case.
 */
export type Middleware<C extends Codec = RawCodec> = (
  message: Message<Got<C>>,
  context: { readonly sock: Sock<C>; readonly peer: Peer<C> },
  next: () => Maybe<unknown>,
) => Maybe<unknown>

export interface SendOptions<C extends Codec = RawCodec> {
  /** One peer or several, themselves or their addresses. Absent: every peer. */
  readonly to?: To<C>
  /**
   * Everyone but these. A Peer that has left or is another sock's changes nothing: it would not have been sent to
   * anyway. Text that names nobody is UNKNOWN_PEER: a typo must not widen a broadcast.
   */
  readonly except?: To<C>
}

export type To<C extends Codec = RawCodec> = Peer<C> | string | Iterable<Peer<C> | string>

/** Who knocks, for goodPeer. */
export interface Candidate {
  readonly host: string
  readonly address: string
  readonly dialed: boolean
}

/** Takes lines for a log. Missing levels are not logged. */
export interface Logger {
  debug?(text: string, facts?: object): void
  info?(text: string, facts?: object): void
  warn?(text: string, facts?: object): void
  error?(text: string, facts?: object): void
}

export interface SockEvents<C extends Codec = RawCodec> {
  listening: { readonly address: string }
  /** A peer passed the gate. */
  peer: { readonly peer: Peer<C> }
  /** A peer has finished sending: what it sent is handled and answered, then our side ends as well. */
  ended: { readonly peer: Peer<C> }
  /** A peer's connection is over; with `error` it did not end in good order. */
  gone: { readonly peer: Peer<C>; readonly error: SockError | undefined; readonly lost: Lost }
  /** A connection was turned away. */
  refused: Candidate & { readonly error: SockError }
  /** A dial failed; a kept connection (`connect`) is tried again in `retryIn` milliseconds. */
  dialFailed: { readonly address: string; readonly error: SockError; readonly retryIn: number | undefined }
  /** Messages were dropped; one event for all of a turn. Without a peer: one for everyone that cannot be sent. */
  dropped: {
    readonly peer: Peer<C> | undefined
    readonly reason: DropReason
    readonly messages: number
    readonly bytes: number
  }
  /** The codec could not read a message. */
  invalid: { readonly peer: Peer<C>; readonly payload: Uint8Array; readonly error: SockError }
  /** Nothing takes messages of this type. */
  unhandled: { readonly peer: Peer<C>; readonly type: string | number; readonly data: Got<C> }
  /** One of your own functions threw: a handler, middleware, listener, gate or tick. */
  fault: { readonly error: SockError; readonly in: string; readonly peer: Peer<C> | undefined }
  /** The sock is closed, for good. */
  closed: { readonly lost: Lost }
}

import type { Protocol } from '../contract/protocol.ts'
import type { MsgTypes } from '../contract/types.ts'
import type { Off } from '../events.ts'
import type { Proof } from '../net/pipe.ts'
import type { Codec, RawCodec } from '../wire/codec.ts'
import type { DurableStats } from './durable/types.ts'
import type { SockEvents } from './event-types.ts'
import type { Context, GotOf, HandlerFor, HandlersFor, Middleware, TypesIn } from './handler-types.ts'
import type { DataOf, DrainOptions, Lost, MessageOptions, Peer, PeerStats } from './peer-types.ts'
import type { SubscribeOptions } from './subscription.ts'

export type { Maybe } from '../contract/types.ts'
export type * from './event-types.ts'
export type * from './handler-types.ts'
export type * from './peer-types.ts'

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
  /** How often a peer that gave up calls, feeds and channels faster than `maxResetRate` was read no further for a time. */
  readonly slowed: number
  /** It speaks wire v1 where others can reach it, with nothing proven: `insecure: true`. */
  readonly insecure?: true
  /** Messages that were sent again over a later session, and had come before: they were dropped. */
  readonly repeated: number
  /** Of a sock on wire v1. */
  readonly durable?: DurableStats
}

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
  /** Connections that the system keeps waiting for us. Default 4,096 over TCP, else 511; the system may cap it. */
  readonly backlog?: number
}

export interface PipeConnectOptions extends ConnectOptions {
  /** The name that the peer has from then on: what is posted to it goes there. See `post`. */
  readonly name?: string
}

export interface ConnectOptions {
  readonly signal?: AbortSignal
  /** Milliseconds for the connection to come up, gate included. Default: the option connectTimeout. */
  readonly timeout?: number
}

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
  /** Its public key, as an id (`sock1…`): proven. Undefined without an `identity`, and under a Security that has no ids. */
  readonly identity?: string | undefined
  /** What the option `identity` or `security` proved of it. */
  readonly proof?: Proof | undefined
}

/** Takes lines for a log. Missing levels are not logged. */
export interface Logger {
  debug?(text: string, facts?: object): void
  info?(text: string, facts?: object): void
  warn?(text: string, facts?: object): void
  error?(text: string, facts?: object): void
}

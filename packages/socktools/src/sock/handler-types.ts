import type { Protocol } from '../contract/protocol.ts'
import type { DeclarationOf, Handlers as ContractHandlers, Maybe, Output } from '../contract/types.ts'
import type { Codec, Got, Message, RawCodec } from '../wire/codec.ts'
import type { Durable } from './durable/types.ts'
import type { Headers, Peer } from './peer-types.ts'
import type { Sock } from './types.ts'

/** What arrives as the data of a type, or of any. */
export type GotOf<C extends Codec, P extends Protocol | undefined, T> = P extends Protocol
  ? Output<DeclarationOf<P, T>>
  : Got<C>

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
  /** Where it was posted: its sender keeps it until it is done. undefined: it was not. See docs/durable.md. */
  readonly durable: Durable | undefined
  /** It may have come before, and have been handled: it was sent again over a later session. Without it, it surely has not. */
  readonly redelivered: boolean
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

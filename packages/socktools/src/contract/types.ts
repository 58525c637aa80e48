/**
 * What the compiler knows of a protocol. `undefined` in the place of a protocol stands for none: then types are
 * any text or number, and there are no calls, feeds and channels.
 */
import type { InferInput, InferOutput, Schema } from '../schema.ts'
import type { Call, Channel, Feed, Kind, Msg } from './declare.ts'
import type { Protocol } from './protocol.ts'

export type Maybe<T> = T | Promise<T>

/** The names of `P` that are of a kind. */
export type TypesOf<P, K extends Kind = Kind> = P extends Protocol
  ? { [T in keyof P]: Extract<P[T], { readonly kind: K }> extends never ? never : T }[keyof P] & string
  : never

/** What sendMsg takes as a type. */
export type MsgTypes<P extends Protocol | undefined> = P extends Protocol
  ? TypesOf<P, 'msg'>
  : string | number
/** What request takes. */
export type CallTypes<P extends Protocol | undefined> = TypesOf<P, 'call'>
/** What stream takes. */
export type FeedTypes<P extends Protocol | undefined> = TypesOf<P, 'feed'>
/** What open takes. */
export type ChannelTypes<P extends Protocol | undefined> = TypesOf<P, 'channel'>

/** The declaration of a type; `never` where there is no protocol, or no such type in it. */
export type DeclarationOf<P, T> = P extends Protocol ? (T extends keyof P ? P[T] : never) : never

type InputSchema<D> =
  D extends Msg<infer S>
    ? S
    : D extends Call<infer I>
      ? I
      : D extends Feed<infer I>
        ? I
        : D extends Channel<infer I>
          ? I
          : never
type OutputSchema<D> =
  D extends Call<Schema, infer O>
    ? O
    : D extends Feed<Schema, infer T>
      ? T
      : D extends Channel<Schema, infer Out>
        ? Out
        : never

/** What is passed to send a message, to ask, or into a channel by who opened it. */
export type Input<D> = InferInput<InputSchema<D>>
/** What the other side's handler gets of that. */
export type Output<D> = InferOutput<InputSchema<D>>

/** What a handler returns, yields, or sends into its channel. */
export type ReplyInput<D> = InferInput<OutputSchema<D>>
/** What who asked gets of that. */
export type ReplyOutput<D> = InferOutput<OutputSchema<D>>

/** The codes of the declared errors. */
export type ErrorCodes<D> = D extends { readonly errors: infer E } ? keyof E & string : never
/** The data with which a handler raises one, undefined where it has none. */
export type ErrorInput<D, Code extends string> =
  ErrorSchema<D, Code> extends infer S extends Schema ? InferInput<S> : undefined
/** The data with which it arrives. */
export type ErrorOutput<D, Code extends string> =
  ErrorSchema<D, Code> extends infer S extends Schema ? InferOutput<S> : undefined
type ErrorSchema<D, Code extends string> = D extends { readonly errors: { readonly [C in Code]: infer S } }
  ? S
  : never

/** The arguments after the type: the data may be left out where the schema takes undefined, as nothing() does. */
export type DataArgs<D, Options = never> =
  undefined extends Input<D>
    ? [data?: Input<D>, ...OptionsArg<Options>]
    : [data: Input<D>, ...OptionsArg<Options>]
type OptionsArg<Options> = [Options] extends [never] ? [] : [options?: Options]

/**
 * One end of a channel: iterate it for what arrives. Leaving the loop closes it; in a handler nothing more is read then,
 * and it is closed when the handler is through, or has thrown.
 */
export interface Duplex<Received, Sent> extends AsyncIterable<Received> {
  /** `await` is the backpressure. */
  send(item: Sent): Promise<void>
  /** No more will be sent from here; what comes from there still does. */
  end(): Promise<void>
}

/** The end that a handler has. */
export type ServedChannel<D> = Duplex<Output<D>, ReplyInput<D>>
/** The end that who opened it has. */
export type OpenedChannel<D> = Duplex<ReplyOutput<D>, Input<D>>

/** What handles one type. `Ctx` is what it is told beside the data. */
export type Handler<D, Ctx> = D extends Msg
  ? (data: Output<D>, context: Ctx) => Maybe<unknown>
  : D extends Call
    ? (data: Output<D>, context: Ctx) => Maybe<ReplyInput<D>>
    : D extends Feed
      ? (data: Output<D>, context: Ctx) => AsyncIterable<ReplyInput<D>> | Iterable<ReplyInput<D>>
      : D extends Channel
        ? (channel: ServedChannel<D>, context: Ctx) => Maybe<unknown>
        : never

/** Handlers by type. Not every type needs one here: a side may serve some and call others. */
export type Handlers<P extends Protocol, Ctx> = {
  readonly [T in keyof P]?: Handler<P[T], Ctx>
}

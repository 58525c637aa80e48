import { compile, type Protocol } from './contract/protocol.ts'
import { fingerprint as fingerprintOf } from './contract/fingerprint.ts'
import { nodePlatform } from './platform/node.ts'

export { type Compat, compat, type Finding, type Verdict } from './contract/compat.ts'
export {
  call,
  type Call,
  type CallOptions,
  channel,
  type Channel,
  type Declaration,
  type Errors,
  feed,
  type Feed,
  type FeedOptions,
  type Kind,
  msg,
  type Msg,
  type MsgOptions,
  type NoErrors,
  type Priority,
} from './contract/declare.ts'
export { type Ack, type Delivery, type Latest, latest, type Ttl, ttl } from './contract/delivery.ts'
export { isCallError } from './contract/failed.ts'
export type { Protocol } from './contract/protocol.ts'
export type {
  DeclarationOf,
  Duplex,
  ErrorCodes,
  ErrorInput,
  ErrorOutput,
  Input,
  OpenedChannel,
  Output,
  ReplyInput,
  ReplyOutput,
  ServedChannel,
  TypesOf,
} from './contract/types.ts'
export { CallError, RemoteError, SockError, errorCodes, printable, type ErrorCode } from './errors.ts'
export type { Off } from './events.ts'
export { caTls, type CaTlsOptions } from './identity/ca.ts'
export { idOf, isId } from './identity/id.ts'
export { Identity, type LoadOptions } from './identity/identity.ts'
export { identityTls } from './identity/secure.ts'
export {
  firstUse,
  type FirstUse,
  type FirstUseOptions,
  isJoinProof,
  type Joined,
  joinProof,
  known,
  type KnownOptions,
  revocation,
  rotation,
} from './identity/policies.ts'
export type { IdentityRecord, Revocation, Rotation } from './identity/records.ts'
export type { Roster } from './identity/roster.ts'
export type { Proven, Trust, TrustOption } from './identity/trust.ts'
export type {
  DatagramNetwork,
  DatagramOptions,
  Datagrams,
  DatagramSink,
  DatagramAddress,
} from './net/datagrams.ts'
export { memoryDatagrams, type DatagramWeather } from './net/memory-datagrams.ts'
export { memory, memorySecurity, type Weather } from './net/memory.ts'
export type { Endpoint, Pipe, PipeSink, Proof } from './net/pipe.ts'
export type { SecureOptions, Security } from './net/security.ts'
export { tcp } from './net/tcp.ts'
export type { DialOptions, ListenOptions, Listener, Transport } from './net/transport.ts'
export { udp } from './net/udp.ts'
export { unix } from './net/unix.ts'
export { nodePlatform } from './platform/node.ts'
export type { Platform, Timer } from './platform/platform.ts'
export {
  bytes,
  type BytesSchema,
  type InferInput,
  type InferOutput,
  nothing,
  type NothingSchema,
  type Schema,
} from './schema.ts'
export type { Backoff } from './sock/backoff.ts'
export type { MulticastOptions, UdpSockOptions } from './sock/datagram-options.ts'
export { DatagramSock, type DatagramParts } from './sock/datagram-sock.ts'
export { type AddOptions, type AnyCodec, MetaSock, type MetaSockOptions } from './sock/meta-sock.ts'
export type { Inbox } from './sock/durable/intake.ts'
export type { DurableOptions, OutboxOptions } from './sock/durable/options.ts'
export type { Durable, DurableStats, Posted, PostOptions } from './sock/durable/types.ts'
export type { SockOptions } from './sock/options.ts'
export { PipeSock, type SockParts } from './sock/pipe-sock.ts'
export type { SubscribeOptions } from './sock/subscription.ts'
export { TcpSock, type TcpSockOptions } from './sock/tcp-sock.ts'
export type { Tick } from './sock/ticker.ts'
export { UdpSock } from './sock/udp-sock.ts'
export type {
  Candidate,
  ConnectOptions,
  Context,
  DataOf,
  DrainOptions,
  DropReason,
  GotOf,
  Handler,
  HandlerFor,
  Handlers,
  HandlersFor,
  HandlersOf,
  Headers,
  Logger,
  Lost,
  Maybe,
  MessageOptions,
  Middleware,
  MiddlewareContext,
  Outcome,
  MiddlewareOf,
  Peer,
  PeerOf,
  PeerStats,
  PipeConnectOptions,
  Receipt,
  ReceiptOptions,
  RequestOptions,
  SendOptions,
  Sock,
  SockEvents,
  SockOf,
  SockStats,
  StartServerOptions,
  StreamOptions,
  To,
} from './sock/types.ts'
export {
  json,
  raw,
  type Codec,
  type Got,
  type JsonOptions,
  type Message,
  type RawCodec,
  type Sent,
  type Values,
} from './wire/codec.ts'
export type { Around, Decoder, Framing } from './wire/framing.ts'
export { Held } from './wire/held.ts'
export type { LengthOptions } from './wire/length-header.ts'
export { lengthPrefixed, type LengthPrefixedOptions } from './wire/length-prefixed.ts'
export { lines, type LinesOptions } from './wire/lines.ts'

/** 32 hex digits that two peers have alike when their protocols have the same types, of the same structure. */
export const fingerprint = (protocol: Protocol): string =>
  Array.from(fingerprintOf(compile(protocol), nodePlatform.hash), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('')

import type { TypeInfo } from '../../contract/protocol.ts'
import type { SockError } from '../../errors.ts'
import type { Codec } from '../../wire/codec.ts'
import type { Mine } from '../../wire/v1/hello.ts'
import type { Place } from '../../wire/v1/resent.ts'
import type { SessionLost } from '../../wire/v1/resumption.ts'
import type { Blocks } from '../../wire/v1/retained.ts'
import type { PeerWire } from '../connection.ts'
import type { Facts } from '../context.ts'
import type { PeerOwner } from '../peer-hooks.ts'
import type { DataCodec } from './data.ts'
import type { Kept } from './kept.ts'
import type { Asked } from './link.ts'
import type { Application, MuxShared } from './mux.ts'
import type { V1Peer } from './peer.ts'
import type { Served } from './served-calls.ts'
import { ChannelEnd } from './stream-ends.ts'

/** What the peers of a sock need of it. The framing of its outboxes is the writer. */
export interface V1Host<C extends Codec>
  extends PeerOwner<C, V1Peer<C>>,
    Omit<MuxShared, 'settings' | 'platform' | 'deadlines'> {
  readonly offer: Mine
  /** Of each connection. */
  readonly wire: PeerWire
  codecNamed(name: string): DataCodec
  /** An event; `read` gives its data, checked, and may take its time. Never throws or rejects. */
  event(
    peer: V1Peer<C>,
    type: TypeInfo,
    body: Uint8Array,
    read: () => unknown,
    facts: Facts,
  ): Promise<void> | undefined
  /** See Events. */
  answer(peer: V1Peer<C>, ...args: Parameters<Application['answer']>): Promise<void> | undefined
  /** What the handler of a call, feed or channel gives. */
  serve(peer: V1Peer<C>, asked: Asked, channel: ChannelEnd | undefined): { answer: unknown; served: Served }
  /** A handler threw, or there was none. */
  failed(peer: V1Peer<C>, thrown: unknown, type: TypeInfo): void
  /** What was asked, or an item of a channel that is served here, is not what the schema takes. */
  invalid(peer: V1Peer<C>, type: TypeInfo, body: Uint8Array, error: SockError): void
  /** A message of a type that this side has not. */
  unhandled(peer: V1Peer<C>, type: string | number, body: Uint8Array): void
  /** Resolves when all that was handled is told, or never will be. */
  told(): Promise<void>
  /** Where the cursors are kept, it failed. */
  inboxFailed(peer: V1Peer<C>, thrown: unknown): void
  /** An answer came that nobody waits for any more. */
  late(): void
  /** A peer gave up faster than maxResetRate, and is read no further for a time. */
  slowed(): void
  /** What sessions keep is kept in these. */
  readonly blocks: Blocks
  randomBytes(n: number): Uint8Array
  /** The connection broke, and the session waits for another one. */
  onDetached(peer: V1Peer<C>, error: SockError | undefined): void
  onResumed(peer: V1Peer<C>): void
  /** Where its session is being dialed for another connection, that need not wait. */
  hurry(peer: V1Peer<C>): void
  /** What is known of a message that may have come before, to that peer's far side's other sessions. See Events. */
  judge(peer: V1Peer<C>, places: readonly Place[]): 'taken' | 'new' | 'unknown'
  /** A session is lost, which has left these. Returns how many of them are to be sent again. See Resends. */
  hold(peer: V1Peer<C>, messages: readonly Kept[]): number
  onSessionLost(peer: V1Peer<C>, why: SessionLost, facts: LostFacts): void
}

/** How a session stood when it was lost. */
export interface LostFacts {
  /** The seq up to which the far side is known to have what was sent; 0: nothing. */
  readonly deliveredThrough: number
  readonly unknown: number
  readonly neverSent: number
  readonly resent: number
}

export function applicationOf<C extends Codec>(peer: V1Peer<C>, host: V1Host<C>): Application {
  return {
    event: (type, body, read, facts) => host.event(peer, type, body, read, facts),
    answer: (...args) => host.answer(peer, ...args),
    judge: (places) => host.judge(peer, places),
    serve: (asked, stream) => {
      const isChannel = stream !== undefined && asked.type.kind === 'channel'
      return host.serve(peer, asked, isChannel ? new ChannelEnd(stream, true) : undefined)
    },
    failed: (thrown, type) => {
      host.failed(peer, thrown, type)
    },
    invalid: (type, body, error) => {
      host.invalid(peer, type, body, error)
    },
    unhandled: (type, body) => {
      host.unhandled(peer, type, body)
    },
    late: () => {
      host.late()
    },
  }
}

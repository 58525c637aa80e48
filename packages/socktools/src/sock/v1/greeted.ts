/** What a handshake begins with, and what comes of it. */
import type { SockError } from '../../errors.ts'
import type { Contract } from '../../contract/protocol.ts'
import type { Hello, Mine, Offer, Resume, Session } from '../../wire/v1/hello.ts'
import type { FarTypes } from './far-types.ts'
import type { Dial, Twins } from './twins.ts'

/** What a sock says of itself. */
export interface Terms {
  readonly wire: 'v1' | 'auto'
  readonly offer: Mine
  readonly contract: Contract
  /** The body of its TABLE. */
  readonly table: Uint8Array
  /** For the whole handshake without the gate, in milliseconds. */
  readonly handshakeTimeout: number
  /** A peer that is silent for so long after it dialed speaks the plain wire, if `wire` is auto. */
  readonly autoWait: number
  /** A new session for somebody with this proven id, or else at this host; undefined: none is offered. Throws TOO_MANY_SESSIONS. */
  newSession(who: Offer, from: string): Session | undefined
  /** Who goes on with the session that this HELLO names; `proven`: by this id. Rejects with SESSION_LOST. */
  resume(hello: Hello, proven: string | undefined): Promise<Resumable>
  /**
   * A session whose peer is held back: `release` is called when its dialer comes back, and resolves when there is a peer, or
   * will be none. Until the returned function is called.
   */
  held(session: Session, release: () => Promise<void>): () => void
  readonly twins: Twins
}

/** What came of it. */
export type Greeted = GreetedV1 | { readonly wire: 'plain'; readonly early: Uint8Array }

/** What comes of a HELLO that asks to go on with a session. */
export interface Resumable {
  /** Stops what is left of the old connection, and says where to go on. Throws SESSION_LOST. */
  takeOver(hello: Hello): Session
}

export interface Resumed {
  readonly connGen: number
  readonly lastRecv: number
}

/** A dialer asks to go on. */
export interface Again {
  readonly resume: Resume
  readonly codec: string
  /** Of the far side's process. */
  readonly incarnation: Uint8Array
}

export interface GreetedV1 {
  readonly wire: 'v1'
  /** Both sides can go on after the connection broke: under this id, which may have been one before. */
  readonly session: Session | undefined
  /** With that session: this peer goes on, and up to where the far side had received. */
  readonly resumed: Resumed | undefined
  /** Who the far side says it is, in hex. */
  readonly nodeId: string
  /** What it grants, and who it is. */
  readonly theirs: Offer
  readonly codec: string
  readonly types: FarTypes
  /** As of Dial. */
  readonly joined: Dial['joined'] | undefined
  /** What it sent behind its handshake. */
  readonly early: Uint8Array
  /** The connection broke after both sides had agreed: its session waits for another one. */
  readonly broken: SockError | undefined
}

/** Who knocks, once it has said so. */
export interface Met {
  /** In hex. What it says of itself: nothing proves it. */
  readonly id: string | undefined
  /** It goes on with a session, and was let in before. */
  readonly again: boolean
}

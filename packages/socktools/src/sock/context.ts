import type { Codec } from '../wire/codec.ts'
import type { Durable } from './durable/types.ts'
import type { Context, Headers, MiddlewareContext, Peer, Sock } from './types.ts'

export const NO_HEADERS: Headers = Object.freeze(Object.create(null) as Headers)

/** What became of a message of which somebody has to be told. */
export interface Verdict {
  /** '': all is well, so far. */
  code: string
}

/** What is known of a message that arrived, beside what it is. */
export interface Facts {
  readonly headers: Headers
  readonly durable?: Durable | undefined
  /** It may have come before, over a session that is lost. */
  readonly redelivered?: boolean
  readonly verdict?: Verdict
}

export const NO_FACTS: Facts = Object.freeze({ headers: NO_HEADERS })

/** Immutable, so one serves a run of messages of one type from one peer. */
export class MessageContext<C extends Codec> implements Context<C> {
  readonly sock: Sock<C>
  readonly peer: Peer<C>
  readonly type: string | number
  readonly facts: Facts

  constructor(sock: Sock<C>, peer: Peer<C>, type: string | number, facts: Facts) {
    this.sock = sock
    this.peer = peer
    this.type = type
    this.facts = facts
  }

  get headers(): Headers {
    return this.facts.headers
  }

  get durable(): Durable | undefined {
    return this.facts.durable
  }

  get redelivered(): boolean {
    const { redelivered = false, durable } = this.facts
    return redelivered || durable?.redelivered === true
  }

  get signal(): AbortSignal {
    return this.peer.signal
  }

  get timeLeft(): undefined {
    return undefined
  }
}

/** What middleware is told of an event. */
export class AroundContext<C extends Codec> implements MiddlewareContext<C> {
  readonly sock: Sock<C>
  readonly peer: Peer<C>
  readonly headers: Headers

  constructor(sock: Sock<C>, peer: Peer<C>, headers: Headers) {
    this.sock = sock
    this.peer = peer
    this.headers = headers
  }

  get signal(): AbortSignal {
    return this.peer.signal
  }
}

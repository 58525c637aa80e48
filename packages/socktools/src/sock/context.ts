import type { Codec } from '../wire/codec.ts'
import type { Context, Headers, MiddlewareContext, Peer, Sock } from './types.ts'

export const NO_HEADERS: Headers = Object.freeze(Object.create(null) as Headers)

/** Immutable, so one serves a run of messages of one type from one peer. */
export class MessageContext<C extends Codec> implements Context<C> {
  readonly sock: Sock<C>
  readonly peer: Peer<C>
  readonly type: string | number
  readonly headers: Headers

  constructor(sock: Sock<C>, peer: Peer<C>, type: string | number, headers: Headers) {
    this.sock = sock
    this.peer = peer
    this.type = type
    this.headers = headers
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

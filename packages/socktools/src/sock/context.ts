import type { Codec } from '../wire/codec.ts'
import type { Context, Peer, Sock } from './types.ts'

/** Immutable, so one serves a run of messages of one type from one peer. */
export class MessageContext<C extends Codec> implements Context<C> {
  readonly sock: Sock<C>
  readonly peer: Peer<C>
  readonly type: string | number

  constructor(sock: Sock<C>, peer: Peer<C>, type: string | number) {
    this.sock = sock
    this.peer = peer
    this.type = type
  }

  get signal(): AbortSignal {
    return this.peer.signal
  }
}

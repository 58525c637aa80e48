import { SockError } from '../../errors.ts'
import type { Pipe } from '../../net/pipe.ts'
import type { Hello, Resume, Session } from '../../wire/v1/hello.ts'
import { type Resumption, SessionLost } from '../../wire/v1/resumption.ts'
import type { Sequence } from '../../wire/v1/session.ts'
import type { Deadline, Deadlines } from '../deadlines.ts'
import type { Again, GreetedV1, Resumable } from './greeted.ts'
import type { Mux } from './mux.ts'
import type { Outbound } from './outbound.ts'

/** The peer whose session it is. */
export interface SessionPeer {
  readonly address: string
  /** Who it is, proven. */
  readonly identity: string | undefined
  readonly dialed: boolean
  readonly state: string
  /** There is a pipe. */
  readonly isAttached: boolean
  /** Lets go of the pipe that there still is. */
  leave(error: SockError): void
  /** Reads and writes this pipe from now on. */
  goOn(pipe: Pipe, early: Uint8Array): void
  lost(why: SessionLost): void
}

interface SessionLimits {
  readonly deadlines: Deadlines
  randomBytes(n: number): Uint8Array
  readonly settings: { readonly sessionTtl: number }
}

/** What of a peer outlives its pipe: who may go on with it, from where, and how long that is waited for. */
export class PeerSession implements Resumable {
  /** The session is over, and the far side told up to where it had what we sent. */
  proved = false
  /** Over the connection that there was last something was acknowledged or received: coming back alone is not that. */
  moved = false
  /** Where it was when the connection before that was no more. */
  #was = { acked: 0, received: 0 }
  readonly resumption: Resumption
  readonly #peer: SessionPeer
  readonly #limits: SessionLimits
  readonly #sequence: Sequence
  readonly #out: Outbound
  readonly #codec: string
  /** Ends the session that waits for another pipe. */
  #expiry: Deadline | undefined
  /** Nothing has come over this pipe yet. */
  #unconfirmed = true

  constructor(
    resumption: Resumption,
    peer: SessionPeer,
    limits: SessionLimits,
    { sequence, out, codec }: Pick<Mux, 'sequence' | 'out' | 'codec'>,
  ) {
    this.resumption = resumption
    this.#peer = peer
    this.#limits = limits
    this.#sequence = sequence
    this.#out = out
    this.#codec = codec.name
  }

  get key(): string {
    return this.resumption.key
  }

  /** Whose it is, proven; undefined: that of whoever has its token. */
  get identity(): string | undefined {
    return this.#peer.identity
  }

  /** Up to where we have what the far side sent. */
  get received(): number {
    return this.#sequence.received
  }

  /** A frame came. */
  heard(): void {
    if (this.#unconfirmed) this.resumption.confirm()
    this.#unconfirmed = false
  }

  /** The pipe is no more. */
  detached(): void {
    const { deadlines, settings } = this.#limits
    const { acked, received } = this.#sequence
    this.moved = acked > this.#was.acked || received > this.#was.received
    this.#was = { acked, received }
    this.#expiry = deadlines.set(settings.sessionTtl, () => {
      this.lose(new SessionLost('expired', undefined, this.#peer.address))
    })
  }

  /** A dialer: what HELLO asks for now. */
  again(): Again {
    const { resumption } = this
    const { incarnation } = resumption
    return { resume: resumption.request(this.#sequence.received), codec: this.#codec, incarnation }
  }

  /** An acceptor: this HELLO goes on with our session. */
  takeOver(hello: Hello): Session {
    const { resumption } = this
    const peer = this.#peer
    const refusal = peer.state === 'gone' ? 'unknown-session' : resumption.refusal(hello)
    if (refusal !== undefined) throw new SessionLost(refusal, undefined, peer.address)
    const resume = hello.resume as Resume
    if (!this.#canGoOnFrom(resume.lastRecv)) {
      // What we received is for the far side to know; it says nothing about what that has of ours.
      this.lose(new SessionLost('position-gone', undefined, peer.address))
      throw new SessionLost('position-gone', this.#sequence.received, peer.address)
    }
    // First of all: what the old connection still held must not be counted as received, since it is sent again.
    if (peer.isAttached) {
      const { address } = peer
      const what = 'the far side has come back over another connection'
      peer.leave(new SockError('PIPE_FAILED', what, { address }))
    }
    const token = this.#limits.randomBytes(16)
    resumption.grant(resume, token)
    return { sessionId: resumption.id, token, lastRecv: this.#sequence.received }
  }

  /** Goes on over another pipe. `lastRecv`: up to where the far side has what we sent. */
  resume(pipe: Pipe, { early, session, resumed }: GreetedV1): void {
    const { lastRecv = 0, connGen } = resumed ?? {}
    const peer = this.#peer
    if (peer.isAttached || peer.state === 'gone' || connGen !== this.resumption.connGen) {
      // Overtaken by a later connection, or ended meanwhile.
      pipe.destroy()
      return
    }
    if (!this.#canGoOnFrom(lastRecv)) {
      pipe.destroy()
      this.lose(new SessionLost('position-gone', undefined, peer.address))
      return
    }
    this.#expiry?.cancel()
    if (peer.dialed && session !== undefined) this.resumption.granted(session)
    this.#sequence.ack(lastRecv)
    this.#out.acked()
    this.#unconfirmed = true
    peer.goOn(pipe, early)
  }

  #canGoOnFrom(lastRecv: number): boolean {
    return lastRecv >= this.#sequence.acked && lastRecv <= this.#sequence.sent
  }

  /** It cannot go on. What the far side had received is told if it is known. */
  lose(why: SessionLost): void {
    const { lastRecv } = why
    if (lastRecv !== undefined && this.#canGoOnFrom(lastRecv)) {
      this.#sequence.ack(lastRecv)
      this.#out.acked()
      this.proved = true
    }
    this.#peer.lost(why)
  }

  /** The peer is gone. */
  end(): void {
    this.#expiry?.cancel()
  }
}

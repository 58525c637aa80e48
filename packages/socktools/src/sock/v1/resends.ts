import type { SockError } from '../../errors.ts'
import { MOST_PLACES } from '../../wire/v1/resent.ts'
import type { Deadline, Deadlines } from '../deadlines.ts'
import type { DropReason } from '../types.ts'
import type { DataCodec } from './data.ts'
import type { Kept } from './kept.ts'

/** Whom messages are sent to, over one session. */
export interface ResendPeer {
  readonly nodeId: string
  /** Who it is, proven; what was for one key is for no other. */
  readonly identity: string | undefined
  readonly dialedAt: string | undefined
  readonly state: 'open' | 'detached' | 'ending' | 'gone'
  readonly codec: DataCodec
  /** See Messages. */
  again(kept: Kept): SockError | undefined
  /** A message is not sent, which counts. */
  dropped(reason: DropReason, bytes: number): void
}

export interface ResendHost {
  readonly deadlines: Deadlines
  /** Milliseconds that a next session is waited for. */
  readonly sessionTtl: number
  /** Bytes of messages that wait for one, of all far sides together. */
  readonly maxRetained: number
  codecNamed(name: string): DataCodec
  /** Whether both are proven to be the same, or the second has taken the place of the first. */
  isSameKey(before: string | undefined, now: string | undefined): boolean
}

/** What one session has left. */
interface Left<P> {
  readonly peer: P
  readonly messages: readonly Kept[]
  readonly bytes: number
  expiry: Deadline | undefined
}

/**
 * What is sent again where a session is lost: it waits for the next session with the same far side, which is the same node,
 * or whoever is at the address that was dialed.
 *
 * ```
 *   session lost ─▶ hold ─▶ joined, reached: sent, in its order, before anything else
 *                    └── no session within sessionTtl, too much waits, the sock ends: given up
 * ```
 */
export class Resends<P extends ResendPeer> {
  readonly #host: ResendHost
  /** The oldest first. */
  readonly #left = new Set<Left<P>>()
  /** All that have a session. */
  readonly #peers = new Set<P>()
  #bytes = 0
  #ended = false

  constructor(host: ResendHost) {
    this.#host = host
  }

  /** The session of this peer is lost, and has left these, in their order. Returns how many of them are to be sent again. */
  hold(peer: P, messages: readonly Kept[]): number {
    this.#peers.delete(peer)
    if (this.#ended) {
      for (const kept of messages) this.#giveUp(peer, kept, 'closed')
      return 0
    }
    const next = [...this.#peers].find((one) => this.#follows(peer, one, one.dialedAt))
    if (next !== undefined) return this.#send(peer, messages, next)
    const held: Kept[] = []
    let bytes = 0
    for (const kept of messages) {
      const fits = this.#bytes + bytes + kept.body.length <= this.#host.maxRetained
      if (!fits || kept.places.length > MOST_PLACES) this.#giveUp(peer, kept, 'lost')
      else {
        held.push(kept)
        bytes += kept.body.length
      }
    }
    if (held.length === 0) return 0
    const left: Left<P> = { peer, messages: held, bytes, expiry: undefined }
    left.expiry = this.#host.deadlines.set(this.#host.sessionTtl, () => {
      this.#take(left)
      for (const kept of held) this.#giveUp(peer, kept, 'lost')
    })
    this.#left.add(left)
    this.#bytes += bytes
    return held.length
  }

  /** A new session: what waits for it goes first. */
  joined(peer: P): void {
    this.#peers.add(peer)
    this.reached(peer, peer.dialedAt)
  }

  /** Who was dialed at this address, and is connected already. */
  reached(peer: P, address: string | undefined): void {
    for (const left of [...this.#left]) {
      if (!this.#follows(left.peer, peer, address)) continue
      this.#take(left)
      this.#send(left.peer, left.messages, peer)
    }
  }

  /** Its session is over. */
  gone(peer: P): void {
    this.#peers.delete(peer)
  }

  /** No session follows any more. */
  end(): void {
    this.#ended = true
    for (const left of [...this.#left]) {
      this.#take(left)
      for (const kept of left.messages) this.#giveUp(left.peer, kept, 'closed')
    }
  }

  #follows(before: P, now: P, address: string | undefined): boolean {
    return isOpen(now) && isSame(before, now, address) && this.#host.isSameKey(before.identity, now.identity)
  }

  #take(left: Left<P>): void {
    left.expiry?.cancel()
    this.#left.delete(left)
    this.#bytes -= left.bytes
  }

  #send(from: P, messages: readonly Kept[], to: P): number {
    let sent = 0
    for (const kept of messages) {
      if (kept.places.length > MOST_PLACES || !this.#sendOne(kept, to)) this.#giveUp(from, kept, 'refused')
      else sent++
    }
    return sent
  }

  #sendOne(kept: Kept, to: P): boolean {
    try {
      return to.again(this.#recoded(kept, to.codec)) === undefined
    } catch {
      // A codec of the application's own.
      return false
    }
  }

  /** In the codec of this session. */
  #recoded(kept: Kept, codec: DataCodec): Kept {
    if (kept.codec === codec.name) return kept
    if (kept.type.inputBytes) return { ...kept, codec: codec.name }
    const body = codec.encode(this.#host.codecNamed(kept.codec).decode(kept.body))
    return { ...kept, codec: codec.name, body }
  }

  /** Says what is true of it by now. */
  #giveUp(peer: P, { places, settle, body }: Kept, why: 'lost' | 'closed' | 'refused'): void {
    const mayHaveCome = places.length > 0
    const reason = NOT_DELIVERED[why]
    if (mayHaveCome) settle?.({ status: 'unknown', reason: why === 'closed' ? 'closed' : 'lost' })
    else settle?.({ status: 'not-delivered', reason })
    peer.dropped(mayHaveCome ? 'lost' : reason, body.length)
  }
}

const NOT_DELIVERED = { lost: 'gone', closed: 'closed', refused: 'unsendable' } as const

const isOpen = ({ state }: ResendPeer): boolean => state === 'open' || state === 'detached'

/** Whether they are two sessions with one far side; `address`: where the second was dialed, if it was. */
const isSame = (one: ResendPeer, other: ResendPeer, address: string | undefined): boolean =>
  one.nodeId === other.nodeId || (address !== undefined && one.dialedAt === address)

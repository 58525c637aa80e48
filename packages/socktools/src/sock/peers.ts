import type { Codec } from '../wire/codec.ts'
import { SessionLost } from '../wire/v1/resumption.ts'
import { unlessAborted } from './attempts.ts'
import type { AnyPeer } from './sends.ts'

/** Whose far side has left has so long, in milliseconds, until what it sent is handled; then its place can be another's. */
const LEFT = 30_000

/** The peers of a sock that have a say: connected, waiting for another connection, or with something left to handle. */
export class Peers<C extends Codec> {
  readonly #now: () => number
  readonly #all = new Set<AnyPeer<C>>()
  /** Those that have no connection now, in the order in which they lost it. */
  readonly #detached = new Set<AnyPeer<C>>()
  /** Those that have only something left to handle, in the order in which they left, and when that was. */
  readonly #left = new Map<AnyPeer<C>, number>()
  /** The same of those whose session ended while they were detached: they had their time. */
  readonly #late = new Set<AnyPeer<C>>()
  /** Told of each that dialed us, while somebody waits for one of them. */
  readonly #onCame = new Set<(peer: AnyPeer<C>) => void>()

  constructor(now: () => number) {
    this.#now = now
  }

  add(peer: AnyPeer<C>): void {
    this.#all.add(peer)
  }

  delete(peer: AnyPeer<C>): void {
    for (const peers of [this.#all, this.#detached, this.#left, this.#late]) peers.delete(peer)
  }

  /** Its connection broke, and another one may come. */
  detached(peer: AnyPeer<C>): void {
    this.#left.delete(peer)
    this.#detached.add(peer)
  }

  /** It has a connection again. */
  resumed(peer: AnyPeer<C>): void {
    this.#detached.delete(peer)
  }

  /** Nothing more comes of its far side. */
  left(peer: AnyPeer<C>): void {
    if (this.#detached.delete(peer)) this.#late.add(peer)
    else if (this.#all.has(peer) && !this.#late.has(peer) && !this.#left.has(peer))
      this.#left.set(peer, this.#now())
  }

  has(peer: AnyPeer<C>): boolean {
    return this.#all.has(peer)
  }

  /** Those in whose place nobody can come. */
  get fixed(): number {
    return this.#all.size - this.#detached.size - [...this.#overdue()].length
  }

  /** Those that there are now, whatever becomes of them meanwhile. */
  get all(): AnyPeer<C>[] {
    return [...this.#all]
  }

  /**
   * For one more where `most` may be. A handler that never ends keeps no place for ever: who has had time enough is closed. If there is
   * nobody, whoever dialed us and has waited longest for another connection loses the session.
   */
  makeRoom(most: number): void {
    if (this.#all.size < most) return
    for (const peer of this.#overdue()) {
      peer.close()
      if (this.#all.size < most) return
    }
    for (const peer of this.#detached) {
      if (peer.wire !== 'v1' || peer.dialed) continue
      peer.session?.lose(new SessionLost('expired', undefined, peer.address))
      return
    }
  }

  *#overdue(): Generator<AnyPeer<C>> {
    yield* this.#late
    for (const [peer, since] of this.#left) {
      if (since + LEFT > this.#now()) return
      yield peer
    }
  }

  /** One that dialed us is read. */
  came(peer: AnyPeer<C>): void {
    for (const tell of this.#onCame) tell(peer)
  }

  /** The peer that dialed us from this node; it may be about to come. `isOne`: whether this proven id is its. */
  twin(nodeId: string, isOne: (id: string | undefined) => boolean, signal: AbortSignal): Promise<AnyPeer<C>> {
    const isIt = (peer: AnyPeer<C>): boolean =>
      peer.wire === 'v1' && peer.nodeId === nodeId && isOne(peer.identity) && peer.state !== 'gone'
    const all = this.all.filter(isIt)
    const found = all.find(({ state }) => state === 'open') ?? all[0]
    if (found !== undefined) return Promise.resolve(found)
    const coming = new Promise<AnyPeer<C>>((resolve) => {
      const tell = (peer: AnyPeer<C>): void => {
        if (!isIt(peer)) return
        this.#onCame.delete(tell)
        resolve(peer)
      }
      this.#onCame.add(tell)
      signal.addEventListener('abort', () => this.#onCame.delete(tell), { once: true })
    })
    return unlessAborted(coming, signal)
  }
}

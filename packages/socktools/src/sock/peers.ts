import type { Codec } from '../wire/codec.ts'
import { SessionLost } from '../wire/v1/resumption.ts'
import { unlessAborted } from './attempts.ts'
import type { AnyPeer } from './sends.ts'

/** The peers of a sock that have a say: connected, waiting for another connection, or with something left to handle. */
export class Peers<C extends Codec> {
  readonly #all = new Set<AnyPeer<C>>()
  /** Those that have no connection now, in the order in which they lost it. */
  readonly detached = new Set<AnyPeer<C>>()
  /** Told of each that dialed us, while somebody waits for one of them. */
  readonly #onCame = new Set<(peer: AnyPeer<C>) => void>()

  add(peer: AnyPeer<C>): void {
    this.#all.add(peer)
  }

  delete(peer: AnyPeer<C>): void {
    this.#all.delete(peer)
    this.detached.delete(peer)
  }

  has(peer: AnyPeer<C>): boolean {
    return this.#all.has(peer)
  }

  get size(): number {
    return this.#all.size
  }

  /** Those that there are now, whatever becomes of them meanwhile. */
  get all(): AnyPeer<C>[] {
    return [...this.#all]
  }

  /** Ends the session of whoever dialed us and has waited longest for another connection, if anybody does. */
  makeRoom(): void {
    for (const peer of this.detached) {
      if (peer.wire !== 'v1' || peer.dialed) continue
      peer.session?.lose(new SessionLost('expired', undefined, peer.address))
      return
    }
  }

  /** One that dialed us is read. */
  came(peer: AnyPeer<C>): void {
    for (const tell of this.#onCame) tell(peer)
  }

  /** The peer that dialed us from this node; it may be about to come. */
  twin(nodeId: string, proven: string | undefined, signal: AbortSignal): Promise<AnyPeer<C>> {
    const isIt = (peer: AnyPeer<C>): boolean =>
      peer.wire === 'v1' && peer.nodeId === nodeId && peer.identity === proven && peer.state !== 'gone'
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

import { SockError } from '../../errors.ts'
import { SessionLost } from '../../wire/v1/resumption.ts'

/** A peer with a session that its far side may come back to. */
export interface Resident {
  readonly address: string
  readonly isAttached: boolean
  readonly session?: { lose(why: SessionLost): void } | undefined
}

/**
 * How many sessions each far side has. One more ends the oldest of those that wait for a connection: who begins anew has
 * no use for it. One that has a connection is never ended for the sake of another.
 */
export class NodeSessions<P extends Resident> {
  readonly #most: number
  readonly #byNode = new Map<string, Set<P>>()
  readonly #nodeOf = new Map<P, string>()

  constructor(most: number) {
    this.#most = most
  }

  /** Throws TOO_MANY_SESSIONS: this far side may have no more. */
  check(node: string): void {
    const all = this.#byNode.get(node)
    if (all === undefined || all.size < this.#most || oldestWaiting(all) !== undefined) return
    throw new SockError('TOO_MANY_SESSIONS', `${all.size} connections of this far side are up`)
  }

  add(node: string, peer: P): void {
    let all = this.#byNode.get(node)
    if (all === undefined) this.#byNode.set(node, (all = new Set()))
    const oldest = all.size < this.#most ? undefined : oldestWaiting(all)
    oldest?.session?.lose(new SessionLost('expired', undefined, oldest.address))
    // Ending that one may have emptied the set, and let go of it.
    all.add(peer)
    this.#byNode.set(node, all)
    this.#nodeOf.set(peer, node)
  }

  delete(peer: P): void {
    const node = this.#nodeOf.get(peer)
    if (node === undefined) return
    this.#nodeOf.delete(peer)
    const all = this.#byNode.get(node)
    if (all?.delete(peer) === true && all.size === 0) this.#byNode.delete(node)
  }
}

function oldestWaiting<P extends Resident>(all: ReadonlySet<P>): P | undefined {
  for (const peer of all) if (!peer.isAttached) return peer
  return undefined
}

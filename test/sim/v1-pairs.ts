/** The connections that pairs of nodes have with each other: after the heal no more than they are to have. */
import type { Cluster, SimNode } from 'socktools/testing'
import { type Node, nodeAt, type V1Peer } from './v1-node.ts'

export class Pairs {
  readonly #cluster: Cluster<Node>
  /** What the application dials beside `connect`, by who dials whom: each may be a connection of its own. */
  readonly #dials = new Map<string, number>()

  readonly #addressOf: (node: SimNode) => string

  /** `addressOf`: as a node is dialed. */
  constructor(cluster: Cluster<Node>, addressOf: (node: SimNode) => string) {
    this.#cluster = cluster
    this.#addressOf = addressOf
  }

  /** The fault `dial`. */
  dial(from: SimNode, to: SimNode): Promise<unknown> | undefined {
    const node = this.#cluster.app(from)
    if (node === undefined) return undefined
    const name = `${node.tag} ${to.name}`
    this.#dials.set(name, (this.#dials.get(name) ?? 0) + 1)
    return node.sock.connectTo(this.#addressOf(to))
  }

  /** Whether this pair is as it should be: both know the same connections, all dialed by one of them. */
  isRight(one: SimNode, other: SimNode): boolean {
    const [ours, theirs] = [this.#of(one, other), this.#of(other, one)]
    const byUs = ours.filter(({ dialed }) => dialed).length
    const byThem = theirs.filter(({ dialed }) => dialed).length
    if (ours.length !== byUs + byThem || theirs.length !== ours.length) return false
    return (byUs === 0 || byThem === 0) && byUs <= this.#most(one, other) && byThem <= this.#most(other, one)
  }

  /** One that is kept up, and those that were dialed beside. */
  #most(from: SimNode, to: SimNode): number {
    const tag = this.#cluster.app(from)?.tag ?? ''
    return 1 + (this.#dials.get(`${tag} ${to.name}`) ?? 0)
  }

  #of(node: SimNode, far: SimNode): V1Peer[] {
    return (this.#cluster.app(node)?.sock.knownPeers ?? []).filter(
      ({ address }) => nodeAt(address) === far.name,
    )
  }
}

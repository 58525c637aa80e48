/**
 * A run with identities: whose key is whose, when keys are changed, and whom nobody lets in.
 *
 * Each node dials the others by the ids that they had first. Their keys are rotated, with a record that everybody has by then:
 * no session ends of that. Now and then one uses another key for a while, which is known as well, and takes the place of none: it
 * is let in, and goes on with nothing of what was the first one's. Strangers, those whose key is revoked, and who dials somebody
 * and reaches another one, get nowhere.
 */
import { Identity, known, type Roster, rotation, SockError, type SockOptions } from 'socktools'
import type { Cluster, Sim, SimNode, SimProcess } from 'socktools/testing'
import { type Change, changesOf } from './v1-changes.ts'
import { type Node, nodeAt, protocol, type V1Peer, type V1Sock } from './v1-node.ts'
import { simSecurity } from './v1-security.ts'
import type { Sessions } from './v1-sessions.ts'

/** PKCS #8 of a key of Ed25519, but for its 32 bytes. */
const HEAD = '302e020100300506032b657004220420'
const made = new Map<string, Identity>()

/** Always the same one: what is drawn by Node is not the simulation's. */
function identityOf(node: number, n: number): Identity {
  const name = `${node} ${n}`
  let identity = made.get(name)
  if (identity === undefined) {
    const der = Buffer.concat([Buffer.from(HEAD, 'hex'), Buffer.alloc(30, 7), Buffer.of(node, n)])
    identity = Identity.fromPem(
      `-----BEGIN PRIVATE KEY-----\n${der.toString('base64')}\n-----END PRIVATE KEY-----\n`,
    )
    made.set(name, identity)
  }
  return identity
}

/** The key beside, of each node; those of others: of nobody, and of somebody whose key is revoked. */
const SPARE = 255
const STRANGER = 254
const REVOKED = 253

/** What the machine of a node keeps. */
interface Key {
  /** How often it was rotated. */
  generation: number
  swapped: boolean
}

interface Owner {
  readonly node: number
  readonly spare: boolean
}

export class Ids {
  readonly #sim: Sim
  readonly #keys: readonly Key[]
  /** What everybody has: as a file on each machine, and nobody is late with it. */
  readonly #roster: Roster
  /** Of every id that anybody may have by now. */
  readonly #owners = new Map<string, Owner>()
  /** Who a peer was when its session began, or went on. */
  readonly #was = new WeakMap<V1Peer, string>()

  constructor(sim: Sim) {
    this.#sim = sim
    for (const { index: node } of sim.nodes) {
      this.#owners.set(identityOf(node, 0).id, { node, spare: false })
      this.#owners.set(identityOf(node, SPARE).id, { node, spare: true })
    }
    const revoked = identityOf(0, REVOKED).id
    this.#roster = known({ ids: [...this.#owners.keys(), revoked] })
    this.#roster.revoke(revoked)
    this.#keys = sim.nodes.map(() => ({ generation: 0, swapped: false }))
  }

  optionsOf(me: SimProcess): Pick<SockOptions, 'security' | 'trust'> {
    return { security: simSecurity(me, () => this.#idOf(me.node)), trust: this.#roster }
  }

  #idOf(node: number): string {
    const { generation, swapped } = this.#keys[node] as Key
    return identityOf(node, swapped ? SPARE : generation).id
  }

  // What holds

  watch(sock: V1Sock): void {
    sock.on('peer', ({ peer }) => {
      this.#isRight(peer)
      this.#was.set(peer, peer.identity ?? '')
    })
    sock.on('resumed', ({ peer }) => {
      const now = this.#isRight(peer)
      const was = this.#owners.get(this.#was.get(peer) ?? '')
      if (this.#was.get(peer) === peer.identity) return
      this.#was.set(peer, peer.identity ?? '')
      this.#sim.tally('resumed by another key')
      if (now === undefined || now.node !== was?.node || now.spare || was.spare)
        this.#sim.fail('a session is of one key, and of those that took its place', new Error(peer.address))
    })
  }

  /** The node that is there has this id, or had it, and nobody else. */
  #isRight({ identity = 'nobody', address }: V1Peer): Owner | undefined {
    const owner = this.#owners.get(identity)
    if (this.#sim.nodes[owner?.node ?? -1]?.name !== nodeAt(address))
      this.#sim.fail('everybody is who it is', new Error(`${identity} at ${address}`))
    return owner
  }

  /** A handler has something of it. */
  heard({ identity = 'nobody' }: { readonly identity?: string | undefined }): void {
    if (!this.#owners.has(identity)) this.#sim.fail('nothing of those who are not known', new Error(identity))
  }

  // What happens

  begin(cluster: Cluster<Node>, sessions: Sessions | undefined): void {
    const { seed, nodes, duration, clock } = this.#sim
    for (const change of changesOf(seed, nodes.length, duration))
      void this.#sim.sleep(change.at - clock.now()).then(() => this.#change(change, cluster, sessions))
  }

  async #change(
    { what, node, far, more }: Change,
    cluster: Cluster<Node>,
    sessions: Sessions | undefined,
  ): Promise<void> {
    if (what === 'rotate') this.#rotate(node, more)
    else if (what === 'swap') await this.#swap(node, more, cluster, sessions)
    else {
      const app = cluster.app(node)
      app?.me.run(0, () => void this.#intrude(app.me, this.#sim.nodes[far] as SimNode, more))
    }
  }

  async #swap(
    node: number,
    lasts: number,
    cluster: Cluster<Node>,
    sessions: Sessions | undefined,
  ): Promise<void> {
    const sim = this.#sim
    const key = this.#keys[node] as Key
    sim.tally('key swapped')
    sim.note(`n${node + 1} has another key`)
    const name = `n${node + 1}`
    sessions?.swapping(name, true)
    key.swapped = true
    await sim.sleep(lasts)
    key.swapped = false
    sim.note(`n${node + 1} has its key again`)
    // Others know it by that one, and by no two at once. One that is down, or about to come up, may have begun as the other.
    for (;;) {
      const app = cluster.app(node)
      if (app !== undefined && !app.renewing) {
        app.me.run(0, () => void app.renew('close'))
        break
      }
      await sim.sleep(500)
    }
    sessions?.swapping(name, false)
  }

  #rotate(node: number, more: number): void {
    const key = this.#keys[node] as Key
    const [old, next] = [identityOf(node, key.generation), identityOf(node, ++key.generation)]
    this.#owners.set(next.id, { node, spare: false })
    this.#roster.add(rotation(old, next, this.#sim.clock.wall() + Math.round(more)))
    this.#sim.tally('key rotated')
    this.#sim.note(`n${node + 1} rotates its key`)
  }

  /** Somebody at this machine, of whom nothing comes. */
  async #intrude(me: SimProcess, to: SimNode, kind: number): Promise<void> {
    const id = kind < 0.7 ? identityOf(0, kind < 0.35 ? STRANGER : REVOKED).id : this.#idOf(me.node)
    const whom = identityOf(kind < 0.7 ? to.index : 0, kind < 0.7 ? 0 : STRANGER).id
    const sock = me.sock({ protocol, security: simSecurity(me, () => id), trust: () => true })
    try {
      await sock.connectTo(addressWith(whom, to))
      this.#sim.fail('who is refused gets nowhere', new Error(`${id} at ${to.name}`))
    } catch (thrown) {
      this.#sim.tally(`stranger ${thrown instanceof SockError ? thrown.code : String(thrown)}`)
    }
    await sock.close()
  }
}

/** As a node is dialed: by the id that it had first. */
export const addressOf = (node: SimNode): string => addressWith(identityOf(node.index, 0).id, node)

const addressWith = (id: string, { address }: SimNode): string => address.replace('//', `//${id}@`)

/** The sessions of a run: which there were, why each ended, and what that excuses. */
import type { Ledger, Sim, SimProcess } from 'socktools/testing'
import { nodeAt, type V1Peer, type V1Sock } from './v1-node.ts'
import { Left } from './v1-left.ts'
import { SESSION_TTL } from './v1-plan.ts'

/** One side of a session: a peer of a process. */
interface Side {
  /** `TAG/PEER`, as in the names of its lanes. */
  readonly name: string
  readonly me: SimProcess
  /** The node that it is with, by its name. */
  readonly far: string
  /** When it was announced. */
  readonly since: number
  /** Since when it has no connection, by the time of the simulation. */
  detachedAt: number | undefined
  gone: boolean
  /** Its application has closed it, or the sock of it. */
  closed: boolean
  /** It waited for another connection for as long as it waits, in vain. */
  expired: boolean
  /** Its node came anew more often than one may: it was the oldest of those that waited. */
  displaced: boolean
  /** Messages that had arrived, and were dropped when it was closed. */
  unhandled: number
}

type Session = Side[]

/** How long one may take, in milliseconds. */
const HANDSHAKE = 10_000

/** Sessions that one far side may have: the default of `maxSessionsPerNode`. */
const MOST = 16

/** What every peer of wire v1 has beside what its type says. */
interface Inside {
  readonly nodeId: string
  readonly session?: { readonly key: string }
}
const inside = (peer: V1Peer): Inside => peer as unknown as Inside
const keyOf = (peer: V1Peer): string | undefined => inside(peer).session?.key

const isOver = ({ me, gone }: Side): boolean => gone || !me.alive
/** What ends a session for good: anything else that does is a bug. */
const isCause = ({ me, closed, expired }: Side): boolean => !me.alive || closed || expired

/** Only the side that was dialed ever had it, and its node had too many of the kind: that may go for the sake of a later one. */
const isGhost = (session: Session): boolean => session.length === 1 && session[0]?.displaced === true

export class Sessions {
  readonly #sim: Sim
  readonly #byKey = new Map<string, Session>()
  readonly #byName = new Map<string, Session>()
  /** What those that are lost leave. */
  readonly left: Left
  #lookAt = 0
  #kept = false
  readonly #mustBeOver = new Set<string>()
  /** Nodes whose key is another one for a while, by their names. */
  readonly #swapping = new Set<string>()
  readonly #endings: { readonly node: string; readonly at: number }[] = []

  constructor(sim: Sim) {
    this.#sim = sim
    this.left = new Left(sim, this)
  }

  /** Follows the peers of a sock. */
  watch(sock: V1Sock, me: SimProcess, tag: string): void {
    const sim = this.#sim
    const close = sock.close.bind(sock)
    this.left.watch(sock, tag)
    this.#ended(tag)
    // Whoever closes it, the end of the run as well.
    sock.close = () => {
      this.closing(tag)
      return close()
    }
    const sideOf = (peer: V1Peer): Side | undefined => this.#side(`${tag}/${peer.id}`)
    sock.on('peer', ({ peer }) => {
      const key = keyOf(peer)
      if (key === undefined) return
      const name = `${tag}/${peer.id}`
      let session = this.#byKey.get(key)
      if (session === undefined) this.#byKey.set(key, (session = []))
      if (session.length === 2) sim.fail('a session is of two', new Error(`${name} is the third`))
      const far = nodeAt(peer.address)
      const closed = this.#swapping.has(me.name) || this.#swapping.has(far)
      session.push({
        ...{ name, me, far, since: sim.clock.now(), detachedAt: undefined, gone: false },
        ...{ closed, expired: false, displaced: false, unhandled: 0 },
      })
      this.#byName.set(name, session)
    })
    sock.on('detached', ({ peer }) => {
      sim.tally('detached')
      const side = sideOf(peer)
      if (side !== undefined) side.detachedAt = sim.clock.now()
    })
    sock.on('resumed', ({ peer }) => {
      sim.tally('resumed')
      const side = sideOf(peer)
      if (side !== undefined) side.detachedAt = undefined
    })
    sock.on('sessionLost', ({ peer, reason }) => {
      sim.tally(`session lost ${reason}`)
      const side = sideOf(peer)
      const since = side?.detachedAt
      // A timer may be a rounding early.
      if (side !== undefined && since !== undefined && sim.clock.now() - since >= SESSION_TTL - 1)
        side.expired = true
      const { nodeId } = inside(peer)
      const others = sock.knownPeers.filter(
        (one) => one.id !== peer.id && !one.dialed && inside(one).nodeId === nodeId,
      )
      if (side?.expired === false && reason === 'expired' && others.length >= MOST - 1) {
        sim.tally('displaced')
        side.displaced = true
      }
    })
    sock.on('gone', ({ peer, error, lost }) => {
      const name = `${tag}/${peer.id}`
      const side = this.#side(name)
      if (side === undefined) return
      side.gone = true
      // None of these nodes is a stranger, and TCP does not change bytes.
      if (error?.code === 'PROTOCOL_ERROR') sim.fail('nobody breaks the rules of the wire', error)
      side.unhandled = lost.unhandled
      const session = this.#byName.get(name) ?? []
      // Of two that dial each other only the connection that is kept is ever a peer.
      if (!session.some(isCause) && !isGhost(session) && !this.#neverAnnounced(session))
        sim.fail('a session ends for a reason', error ?? new Error(`${name} ended in good order`))
    })
  }

  /** The far side was closed, or died, in its handshake, when it had said WELCOME already. */
  #neverAnnounced([side, other]: Session): boolean {
    if (side === undefined || other !== undefined) return false
    return this.#endings.some(({ node, at }) => node !== side.me.name && at >= side.since - HANDSHAKE)
  }

  /** A sock of this node is closed, or the one before this has died. */
  #ended(tag: string): void {
    this.#endings.push({ node: tag.slice(0, tag.indexOf('.')), at: this.#sim.clock.now() })
  }

  #side(name: string): Side | undefined {
    return this.#byName.get(name)?.find((side) => side.name === name)
  }

  /** The application ends all of these, sides whose name begins so. */
  closing(begin: string): void {
    if (!begin.includes('/')) this.#ended(begin)
    for (const session of this.#byName.values())
      for (const side of session) if (`${side.name}/`.startsWith(`${begin}/`)) side.closed = true
  }

  /**
   * A node begins, or ceases, to use a key that takes the place of none: sessions of it end as soon as their connection does, and of two
   * connections the far side may take each for another node's.
   */
  swapping(node: string, begins: boolean): void {
    if (begins) this.#swapping.add(node)
    for (const session of this.#byName.values())
      for (const side of session) if (side.me.name === node || side.far === node) this.closing(side.name)
    if (!begins) this.#swapping.delete(node)
  }

  /** What this side sent ended as it does only where its session is over, or about to be. */
  mustBeOver(name: string): void {
    this.#mustBeOver.add(name)
  }

  /** Whether two peers, one of each, are the two sides of one session that has a connection. */
  linked(ours: V1Peer, theirs: V1Peer): boolean {
    const key = keyOf(ours)
    return key !== undefined && key === keyOf(theirs) && ours.state === 'open' && theirs.state === 'open'
  }

  /** Whether this side of a session, by its name, has nothing to hope for. */
  isOver(name: string): boolean {
    return this.#byName.get(name)?.some(isOver) ?? true
  }

  /** For the end of a run: all that was promised is kept. It looks twice a second, as that takes its time. */
  kept(ledger: Ledger): boolean {
    const now = this.#sim.clock.now()
    if (now >= this.#lookAt) {
      this.#lookAt = now + 500
      this.#kept = this.broken(ledger).length === 0
    }
    return this.#kept
  }

  /** What was promised and not kept. */
  broken(ledger: Ledger): string[] {
    const alive = (lane: string): boolean => !this.isOver(sideOf(lane))
    // Over a session that goes on there is nothing that may be lost, with a receipt or without.
    const lives = (lane: string): boolean => this.#side(sideOf(lane))?.me.alive === true
    const lost = [...ledger.missing(alive), ...ledger.untold(lives), ...this.left.broken(ledger)]
    for (const name of this.#mustBeOver)
      if (!this.isOver(name)) lost.push(`a call or stream over ${name}, whose session goes on`)
    // What was told as delivered may have waited for its handler when the far side was closed, or has died.
    const dropped = new Map<Side, number>()
    const died = (lane: string): boolean => this.far(sideOf(lane))?.me.alive === false
    const canTell = (lane: string): boolean => this.#byName.has(sideOf(lane)) && !died(lane)
    for (const what of ledger.delivered((lane) => canTell(lane) && !this.left.isScattered(sideOf(lane)))) {
      const far = this.far(sideOf(what))
      if (far !== undefined) dropped.set(far, (dropped.get(far) ?? 0) + 1)
      if (far === undefined || (dropped.get(far) ?? 0) > far.unhandled) lost.push(what)
    }
    return lost
  }

  /** Those between two socks, by their tags. */
  between(one: string, other: string): Session[] {
    const isOf = (side: Side | undefined, tag: string): boolean => side?.name.startsWith(`${tag}/`) === true
    return [...this.#byKey.values()].filter(
      ([a, b]) => (isOf(a, one) && isOf(b, other)) || (isOf(a, other) && isOf(b, one)),
    )
  }

  /** The other side of the session of this one. */
  far(name: string): Side | undefined {
    return this.#byName.get(name)?.find((side) => side.name !== name)
  }
}

/** The sender of a lane: `TAG/PEER TYPE`. */
const sideOf = (lane: string): string => lane.slice(0, lane.indexOf(' '))

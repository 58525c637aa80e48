/**
 * Socks on wire v1 among 2 to 7 nodes, ten minutes of virtual time, faults of every kind.
 *
 * What holds: messages come whole, in order, at most once; an outcome that is told is true; a call settles once, with a
 * truthful code; a feed or channel that ends is whole; nothing is handled on a sock that is closed; after the heal what is
 * kept up is up; and what is closed leaves nothing behind. With sessions besides: one ends when a side closes it, dies, or has
 * waited for sessionTtl, and for no other reason; over one that has not ended everything arrives; every receipt tells its
 * outcome; and what is told as delivered has come. Where what a lost session leaves is sent again, it comes, or is told as
 * given up; and what comes twice is said to. In one seed of three every node has an identity: see v1-ids.ts.
 */
import { Ledger, type Scenario, type Sim, type SimNode } from 'socktools/testing'
import { isProven } from './v1-changes.ts'
import { addressOf, Ids } from './v1-ids.ts'
import { type Node, node } from './v1-node.ts'
import { Pairs } from './v1-pairs.ts'
import { phasesOf } from './v1-plan.ts'
import { Sessions } from './v1-sessions.ts'
import { doSomething, type Work } from './v1-work.ts'

/** Sends of every run that was not cut down. */
const SENDS = 200

/** What a run over many seeds must have seen, beside every fault: else it proves nothing of them. */
export const NEEDED: readonly string[] = [
  ...['restart', 'close', 'drain', 'peer', 'call answered', 'feed whole', 'channel whole'],
  ...['call CALL_TIMEOUT', 'call ABORTED', 'call NOT_SENT', 'call OUTCOME_UNKNOWN', 'feed PEER_GONE'],
  ...['gone in good order', 'gone IDLE_TIMEOUT', 'gone PIPE_FAILED', 'gone WRITE_STALLED'],
  ...['dialFailed CONNECT_FAILED', 'dialFailed CONNECT_TIMEOUT', 'refused HANDSHAKE_TIMEOUT'],
  ...['send of say', 'send of urgent', 'send of cursor', 'send of place', 'send of alarm', 'drain of a peer'],
  ...['dropped away', 'dropped replaced', 'dropped expired', 'dropped gone', 'dropped closed'],
  ...['outcome not-delivered away', 'outcome not-delivered replaced', 'outcome not-delivered expired'],
  ...['outcome not-delivered closed', 'outcome not-delivered ending', 'outcome unknown volatile'],
  ...['state new → open', 'state open → detached', 'state detached → open', 'state open → ending'],
  ...['state open → gone', 'state detached → gone', 'state ending → gone', 'state detached → ending'],
  ...['reject unknown-session', 'reject ended', 'reject expired', 'refused PEER_GONE', 'refused CLOSED'],
  ...['refused CONNECT_TIMEOUT', 'refused PEER_NOT_SESSION', 'refused SESSION_LOST', 'dialFailed PEER_GONE'],
  ...['unsynced lost', 'unsynced kept', 'unsynced torn'],
  ...['detached', 'resumed', 'session lost expired', 'session lost unknown-session', 'session lost ended'],
  ...['outcome delivered', 'outcome not-delivered gone', 'outcome unknown gone', 'outcome unknown lost'],
  ...['outcome unknown closed', 'gone SESSION_LOST'],
  ...['resent', 'resent, both alive', 'redelivered', 'repeated', 'dropped lost'],
  ...['key rotated', 'key swapped', 'resumed by another key', 'reject not-yours', 'stranger REFUSED'],
  ...['refused UNKNOWN_ID', 'refused REVOKED_ID', 'refused WRONG_ID'],
  ...['net held', 'net resets', 'net swallowed', 'net unanswered'],
]

export interface ScenarioOptions {
  /** As they are by default; without, every connection stands for itself. Absent: with, but for one seed in six. */
  readonly sessions?: boolean | undefined
  /** Everything that was sent arrives, whatever becomes of the connections: more than is promised. */
  readonly lossless?: boolean
}

/** What is not so yet is looked at again a quarter of a second later: each look takes its time, and events are many. */
const seldom = (sim: Sim, holds: () => boolean): (() => boolean) => {
  let lookAt = 0
  return () => {
    const now = sim.clock.now()
    if (now < lookAt) return false
    const so = holds()
    if (!so) lookAt = now + 250
    return so
  }
}

export const v1Socks =
  ({ lossless = false, sessions: wanted }: ScenarioOptions = {}): Scenario =>
  async (sim) => {
    const ledger = new Ledger()
    const sessions = (wanted ?? sim.seed % 6 !== 5) ? new Sessions(sim) : undefined
    sim.always('messages are whole', () => ledger.whole())
    sim.always('at most once', () => ledger.atMostOnce())
    sim.always('in order', () => ledger.inOrder())
    sim.always('what is told is true', () => ledger.truthful())

    const ids = isProven(sim.seed) ? new Ids(sim) : undefined
    const dialable = ids === undefined ? (one: SimNode): string => one.address : addressOf
    // A chain, so that nobody is alone, and any others; some pairs keep each other up.
    const kept = sim.nodes.map((from) =>
      sim.nodes
        .filter((to) => to.index === from.index + 1 || (to.index !== from.index && sim.random() < 0.25))
        .map(dialable),
    )
    const cluster = await sim.boot((me) => node(sim, me, ledger, kept[me.node] ?? [], sessions, ids))
    ids?.begin(cluster, sessions)
    const pairs = new Pairs(cluster, dialable)
    sim.onDial = (from, to) => {
      pairs.dial(from, to)?.catch(() => sim.tally('dial failed'))
    }

    const work: Work = { sim, ledger, sessions, calls: 0, sends: 0 }
    let done = 0
    for (const phase of phasesOf(sim.seed, sim.duration)) {
      const due = Math.round(phase.done * sim.size)
      const until = Math.max(phase.until, sim.clock.now() + 1000)
      while (done < due) {
        const left = until - sim.clock.now()
        // Now and then many at once.
        const burst = sim.random() < 0.05 ? 12 : 1
        let did = 0
        for (let i = 0; i < burst; i++) if (doSomething(work, cluster.apps)) did++
        done += did
        // Where nobody has a peer the end would come ever nearer, and never be there.
        const pause = Math.min(left, (2 * sim.random() * left) / Math.max(1, due - done))
        await sim.sleep(left > 1 ? Math.max(1, pause) : did > 0 ? 50 : 1000)
        if (left < -120_000) break
      }
    }

    const gone = (id: string): boolean =>
      !cluster.apps.some(({ me }) => id.startsWith(`${me.name}.${me.life}.`))
    sim.eventually('every node is up', () => cluster.apps.length === sim.nodes.length)
    // Of two that dial each other one connection is left, which one of them dialed.
    const dialed = (from: Node | undefined, to: string): boolean =>
      from?.sock.knownPeers.some(
        ({ dialed, address, state }) => dialed && address === to && state === 'open',
      ) ?? false
    const linked = (one: SimNode, other: SimNode): boolean => {
      const [ours, theirs] = [cluster.app(one), cluster.app(other)]
      if (sessions === undefined) return dialed(ours, dialable(other)) || dialed(theirs, dialable(one))
      const far = theirs?.sock.knownPeers ?? []
      return ours?.sock.knownPeers.some((peer) => far.some((its) => sessions.linked(peer, its))) ?? false
    }
    sim.eventually(
      'every link is up again',
      seldom(sim, () =>
        sim.nodes.every((one) =>
          sim.nodes.every(
            (other) => kept[one.index]?.includes(dialable(other)) !== true || linked(one, other),
          ),
        ),
      ),
    )
    sim.eventually(
      'two that dial each other keep one connection',
      seldom(sim, () =>
        sim.nodes.every((one) =>
          sim.nodes.every((other) => other.index <= one.index || pairs.isRight(one, other)),
        ),
      ),
    )
    sim.eventually(
      'every call has settled',
      seldom(sim, () => ledger.unsettled(gone).length === 0),
    )
    sim.eventually('what was promised is kept', () => sessions === undefined || sessions.kept(ledger))
    if (lossless) sim.eventually('nothing is lost', () => ledger.missing((lane) => !gone(lane)).length === 0)
    if (work.sends < 200 && sim.size >= SENDS) sim.fail('200 sends', new Error(`only ${work.sends}`))
  }

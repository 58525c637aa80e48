/** What the nodes of the scenario do: sends of every kind, drawn from the seed. */
import { RemoteError, SockError } from 'socktools'
import type { Ledger, Sim } from 'socktools/testing'
import { answerTo, digestOf, type Node, type V1Peer } from './v1-node.ts'
import type { Sessions } from './v1-sessions.ts'

export interface Work {
  readonly sim: Sim
  readonly ledger: Ledger
  /** Undefined: every connection stands for itself. */
  readonly sessions: Sessions | undefined
  calls: number
  /** Messages, calls, feeds and channels. */
  sends: number
}

type Job = (work: Work, from: Node, peer: V1Peer) => void

/** Codes with which a stream may end in a broken world. */
const ENDINGS = new Set(['PEER_GONE', 'CLOSED', 'DRAINING', 'ABORTED', 'NOT_SENT', 'OUTCOME_UNKNOWN'])

const codeOf = (thrown: unknown): string => (thrown instanceof SockError ? thrown.code : String(thrown))

/** Mostly short, sometimes cut into several frames, rarely larger than every window. */
function padOf({ sim }: Work): string {
  const size = sim.random()
  const length = size < 0.9 ? 60 * sim.random() : size < 0.985 ? 4000 * sim.random() : 150_000 * sim.random()
  return String.fromCharCode(97 + Math.floor(26 * sim.random())).repeat(Math.floor(length))
}

/** Types that share the lane of their priority, and those of them that may be dropped while they wait. */
const LANES = { say: 'say', cursor: 'say', place: 'say', alarm: 'say', urgent: 'urgent' } as const
const KEPT = new Set<keyof typeof LANES>(['say', 'urgent'])

const say =
  (type: keyof typeof LANES, padded = padOf): Job =>
  (work, from, peer) => {
    const pad = padded(work)
    work.sends++
    const { sim, ledger } = work
    sim.tally(`send of ${type}`)
    const lane = `${from.tag}/${peer.id} ${LANES[type]}`
    const refused = (thrown: unknown): void => sim.tally(`send ${codeOf(thrown)}`)
    if (sim.random() < 0.2) {
      // Without a receipt they go another way.
      const n = ledger.send(lane, digestOf({ pad }))
      if (!KEPT.has(type)) ledger.excuse(lane, n)
      peer.sendMsg(type, { lane, n, pad }).catch(refused)
      return
    }
    const n = ledger.sendWithReceipt(lane, digestOf({ pad }))
    // Lost with a connection it is without a word.
    if (type === 'cursor') ledger.excuse(lane, n)
    const { accepted, outcome } = peer.send(type, { lane, n, pad })
    accepted.catch(refused)
    void outcome.then((told) => {
      ledger.told(lane, n, told.status)
      const reason = told.status === 'delivered' ? '' : told.reason
      sim.tally(`outcome ${told.status} ${reason}`.trim())
      if (reason === AS_ITS_CLASS[type]) ledger.excuse(lane, n)
      if (!KEPT.has(type) && told.status !== 'delivered') work.sessions?.left.notKept(lane, n)
    })
  }

/** With which reason the sender is told that one which waited was dropped. */
const AS_ITS_CLASS: Partial<Record<string, string>> = { place: 'replaced', alarm: 'expired' }

/** Enough at once that some wait. */
const burst =
  (type: keyof typeof LANES): Job =>
  (work, from, peer) => {
    for (let i = 0; i < 6; i++) say(type)(work, from, peer)
  }

/** Codes with which what was sent ends only where its connection, or its session, is over. */
const OVER = new Set(['PEER_GONE', 'CLOSED', 'DRAINING', 'NOT_SENT', 'OUTCOME_UNKNOWN'])

/** More than a connection holds: where nobody reads, it stands still. */
const flood: Job = (work, from, peer) => {
  for (let i = 0; i < 12; i++) say('say', () => 'x'.repeat(12_000))(work, from, peer)
  say('cursor')(work, from, peer)
  say('place')(work, from, peer)
  say('alarm')(work, from, peer)
}

const broadcast: Job = (work, from) => {
  work.sends++
  work.sim.tally('send to all')
  const pad = padOf(work)
  const lane = `${from.tag}/all`
  const n = work.ledger.send(lane, digestOf({ pad }))
  from.sock.sendMsg('say', { lane, n, pad }).catch((thrown: unknown) => {
    work.sim.tally(`broadcast ${codeOf(thrown)}`)
  })
}

const ask: Job = (work, from, peer) => {
  const { sim } = work
  const takes = sim.random() < 0.5 ? 0 : 10 ** (4.2 * sim.random())
  askFor(work, from, peer, takes, Math.ceil(10 ** (2 + 2.5 * sim.random())))
}

/** More than some answer at once: the others wait here, and have not left when the connection breaks. */
const askMuch: Job = (work, from, peer) => {
  for (let i = 0; i < 6; i++) askFor(work, from, peer, 15_000, 30_000)
}

function askFor(work: Work, from: Node, peer: V1Peer, takes: number, timeout: number): void {
  const { sim, ledger } = work
  const id = `${from.tag} call ${++work.calls}`
  const x = work.calls
  const signal = sim.random() < 0.1 ? AbortSignal.timeout(5000 * sim.random()) : undefined
  ledger.ask(id)
  work.sends++
  peer.request('ask', { id, takes, x }, { timeout, ...(signal === undefined ? {} : { signal }) }).then(
    (answer) => {
      ledger.settled(id, 'answered')
      if (answer !== answerTo(x)) sim.fail('right answers', new Error(`${id}: ${answer}`))
      sim.tally('call answered')
    },
    (thrown: unknown) => {
      ledger.settled(id, codeOf(thrown))
      if (OVER.has(codeOf(thrown))) work.sessions?.mustBeOver(`${from.tag}/${peer.id}`)
      sim.tally(`call ${codeOf(thrown)}`)
    },
  )
}

const ended = ({ sim, sessions }: Work, side: string, what: string, thrown: unknown): void => {
  const code = codeOf(thrown)
  if (OVER.has(code)) sessions?.mustBeOver(side)
  sim.tally(`${what} ${code}`)
  // Also what the far side says of it while it ends.
  const said = thrown instanceof RemoteError ? thrown.remote.code : code
  if (!ENDINGS.has(said)) sim.fail(`${what}s end truthfully`, thrown)
}

const follow: Job = (work, from, peer) => {
  const { sim } = work
  const id = `${from.tag} feed ${++work.calls}`
  work.sends++
  const to = Math.floor(30 * sim.random())
  const gap = sim.random() < 0.5 ? 0 : 500 * sim.random()
  const run = async (): Promise<void> => {
    let next = 0
    for await (const i of peer.stream('count', { id, to, gap })) {
      if (i !== next++) sim.fail('feeds in order', new Error(`${id}: ${i} where ${next - 1} should be`))
    }
    if (next !== to) sim.fail('feeds whole', new Error(`${id}: ${next} of ${to}`))
    sim.tally('feed whole')
  }
  run().catch((thrown: unknown) => ended(work, `${from.tag}/${peer.id}`, 'feed', thrown))
}

const talk: Job = (work, from, peer) => {
  const { sim } = work
  work.sends++
  const lane = `${from.tag} channel ${++work.calls}`
  const items = Array.from({ length: 1 + Math.floor(8 * sim.random()) }, (_, i) => ({
    lane,
    n: i,
    pad: padOf(work),
  }))
  const run = async (): Promise<void> => {
    const channel = peer.channel('echo')
    const sending = (async () => {
      for (const item of items) await channel.send(item)
      await channel.end()
    })()
    // It ends as the reading does.
    sending.catch(() => undefined)
    let next = 0
    for await (const { n, pad } of channel) {
      if (n !== next || pad !== items[n]?.pad)
        sim.fail('channels in order', new Error(`${lane}: ${n} for ${next}`))
      next++
    }
    if (next !== items.length) sim.fail('channels whole', new Error(`${lane}: ${next} of ${items.length}`))
    sim.tally('channel whole')
  }
  run().catch((thrown: unknown) => ended(work, `${from.tag}/${peer.id}`, 'channel', thrown))
}

const close: Job = ({ sessions }, { tag }, peer) => {
  sessions?.closing(`${tag}/${peer.id}`)
  peer.close()
}

/** It says nothing more, and ends once the far side has everything. */
const drain: Job = ({ sim, sessions }, { tag }, peer) => {
  sessions?.closing(`${tag}/${peer.id}`)
  sim.tally('drain of a peer')
  peer.drain({ timeout: 20_000 * sim.random() }).catch((thrown: unknown) => {
    sim.tally(`drain of a peer ${codeOf(thrown)}`)
  })
}

const JOBS: readonly (readonly [weight: number, job: Job])[] = [
  [30, say('say')],
  [10, say('urgent')],
  [4, say('cursor')],
  [4, say('place')],
  [4, say('alarm')],
  [0.5, burst('cursor')],
  [1, burst('place')],
  [1, burst('alarm')],
  [12, broadcast],
  [2, flood],
  [28, ask],
  [1, askMuch],
  [7, follow],
  [5, talk],
  [1, close],
  [1, drain],
  [0.4, (_work, from) => void from.renew('close')],
  [0.4, (_work, from) => void from.renew('drain')],
]
const WEIGHT = JOBS.reduce((sum, [weight]) => sum + weight, 0)

/** One job, from a node that is up to one of its peers; false: nobody has one. */
export function doSomething(work: Work, nodes: readonly Node[]): boolean {
  const { sim } = work
  const from = nodes[Math.floor(sim.random() * nodes.length)]
  const peers = from?.sock.knownPeers ?? []
  const peer = peers[Math.floor(sim.random() * peers.length)]
  if (from === undefined || peer === undefined) return false
  let at = sim.random() * WEIGHT
  const [, job] = JOBS.find(([weight]) => (at -= weight) < 0) ?? JOBS[0]!
  // As it is now: a process that is frozen does it later, and may have another sock by then, of which this peer is none.
  const { me, sock, tag } = from
  const now: Node = { me, sock, tag, renewing: from.renewing, renew: (how) => from.renew(how) }
  // It acts as that process: what it sets in motion ends with it.
  me.run(0, () => job(work, now, peer))
  return true
}

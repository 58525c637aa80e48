/**
 * What every node of the scenario runs: a sock that serves the contract and writes down what its handlers get.
 */
import {
  call,
  channel,
  feed,
  latest,
  msg,
  type Peer,
  type PipeSock,
  type RawCodec,
  type Schema,
  ttl,
} from 'socktools'
import type { Ledger, Sim, SimProcess } from 'socktools/testing'
import type { Ids } from './v1-ids.ts'
import { policyOf } from './v1-plan.ts'
import type { Sessions } from './v1-sessions.ts'
import { tallyStates } from './v1-states.ts'

/** A schema that costs nothing: what arrives wrong, the ledger tells. */
const any = <T>(): Schema<T, T> => ({
  '~standard': { version: 1, vendor: 'socktools-sim', validate: (value) => ({ value: value as T }) },
})

interface Said {
  readonly lane: string
  readonly n: number
  readonly pad: string
}

/** What a handler of messages is told beside that. */
interface Told {
  readonly peer: { readonly id: string; readonly identity?: string | undefined }
  readonly redelivered: boolean
}

interface Asked {
  readonly id: string
  /** Milliseconds that the answer takes. */
  readonly takes: number
  readonly x: number
}

export const protocol = {
  say: msg(any<Said>()),
  urgent: msg(any<Said>(), { priority: 'high' }),
  // One lane with `say`, and not for keeps.
  cursor: msg(any<Said>(), { delivery: 'volatile' }),
  place: msg(any<Said>(), { delivery: latest(({ pad }) => pad.length % 2) }),
  alarm: msg(any<Said>(), { delivery: ttl(500) }),
  ask: call(any<Asked>(), any<number>()),
  count: feed(any<{ readonly id: string; readonly to: number; readonly gap: number }>(), any<number>()),
  echo: channel(any<Said>(), any<Said>()),
}

export type V1Sock = PipeSock<RawCodec, typeof protocol>
export type V1Peer = Peer<RawCodec, typeof protocol>

/** One process of the scenario. It may end its sock and open another. */
export interface Node {
  readonly me: SimProcess
  readonly sock: V1Sock
  /** Of this sock in its process: part of the names of lanes. */
  readonly tag: string
  /** It is about to have another sock. */
  readonly renewing: boolean
  /** Ends the sock and opens the next. Asked meanwhile, it does nothing. */
  renew(how: 'close' | 'drain'): Promise<void>
}

/** The name of the node at an address of this simulation, with an id or without. */
export const nodeAt = (address: string): string => /^tcp:\/\/(?:[^@]*@)?(n\d+):/.exec(address)?.[1] ?? ''

/** Whatever tells one content from another. */
export const digestOf = ({ pad }: { readonly pad: string }): number => {
  let digest = pad.length
  for (let i = 0; i < pad.length; i += 97) digest = (Math.imul(digest, 31) + pad.charCodeAt(i)) >>> 0
  return digest
}

export const answerTo = (x: number): number => x * 2 + 1

export async function node(
  sim: Sim,
  me: SimProcess,
  ledger: Ledger,
  kept: readonly string[],
  sessions: Sessions | undefined,
  ids?: Ids,
): Promise<Node> {
  let generation = 0
  let renewing = false
  const open = async (): Promise<[V1Sock, string]> => {
    const tag = `${me.name}.${me.life}.${++generation}`
    const sock = socketOf(sim, me, ledger, kept, tag, sessions, ids)
    await sock.start()
    return [sock, tag]
  }
  let [sock, tag] = await open()
  return {
    me,
    get sock() {
      return sock
    },
    get tag() {
      return tag
    },
    get renewing() {
      return renewing
    },
    async renew(how) {
      if (renewing) return
      renewing = true
      sim.tally(how)
      me.note(`${how} ${tag}`)
      sessions?.closing(tag)
      await sock[how]()
      ;[sock, tag] = await open()
      renewing = false
    },
  }
}

function socketOf(
  sim: Sim,
  me: SimProcess,
  ledger: Ledger,
  connect: readonly string[],
  tag: string,
  sessions: Sessions | undefined,
  ids: Ids | undefined,
): V1Sock {
  let closed = false
  let got = 0
  const alive = (what: string): void => {
    if (closed) sim.fail('no handler after close', new Error(`${what} on ${tag}`))
  }
  const said = ({ lane, n, pad }: Said, { peer, redelivered }: Told): void => {
    alive(`message ${lane} #${n}`)
    if (redelivered) sim.tally('redelivered')
    ids?.heard(peer)
    sessions?.left.came(me.node, lane, n, redelivered)
    // What was sent to all may come over another session with this node, too, behind what was sent to that one.
    const at =
      lane.endsWith('/all') && policyOf(sim.seed) === 'resend' ? `${tag} ${++got}` : `${tag}/${peer.id}`
    ledger.deliver(lane, n, digestOf({ pad }), at, redelivered)
  }
  const sock = me.sock({
    protocol,
    bind: me.machine.address,
    connect,
    sessions: sessions !== undefined,
    ...ids?.optionsOf(me),
    sessionLost: policyOf(sim.seed),
    // With some, calls have to wait for each other: those that never leave are NOT_SENT.
    maxCalls: me.node % 2 === 0 ? 3 : 64,
    handlers: {
      say: (data, context) => {
        said(data, context)
        // Some are slow: what comes meanwhile waits, and keeps its order.
        if (data.n % 7 === 0) return me.sleep(data.pad.length % 50)
        return undefined
      },
      urgent: said,
      cursor: said,
      place: said,
      alarm: said,
      ask: async ({ id, takes, x }) => {
        alive(`call ${id}`)
        ledger.handled(id)
        if (takes > 0) await me.sleep(takes)
        return answerTo(x)
      },
      async *count({ id, to, gap }, { signal }) {
        alive(`feed ${id}`)
        for (let i = 0; i < to && !signal.aborted; i++) {
          if (gap > 0) await me.sleep(gap)
          yield i
        }
      },
      async echo(items) {
        for await (const item of items) await items.send(item)
      },
    },
  })
  sessions?.watch(sock, me, tag)
  ids?.watch(sock)
  tallyStates(sim, sock)
  sock.on('closed', () => {
    closed = true
    for (let i = sock.stats().repeated; i > 0; i--) sim.tally('repeated')
  })
  sock.on('fault', ({ error }) => sim.fail('no fault', error))
  sock.on('invalid', ({ error }) => sim.fail('nothing invalid', error))
  return sock
}

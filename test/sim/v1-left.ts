/** What is promised of what a lost session leaves, and whether that is kept: see the option `sessionLost`. */
import type { Ledger, Sim, SimProcess } from 'socktools/testing'
import type { V1Sock } from './v1-node.ts'
import { policyOf } from './v1-plan.ts'

/** A side of a session, as far as it matters here. */
interface Side {
  readonly name: string
  readonly me: SimProcess
  readonly since: number
  readonly closed: boolean
}

/** The sessions of the run. */
export interface Known {
  far(name: string): Side | undefined
  /** Those between two socks, by their tags. */
  between(one: string, other: string): readonly (readonly Side[])[]
}

interface Lost {
  readonly at: number
  readonly resent: number
  /** Messages that were reported as dropped since. */
  gaveUp: number
}

export class Left {
  readonly #sim: Sim
  readonly #known: Known
  readonly #resends: boolean
  /** By the name of their side. */
  readonly #lost = new Map<string, Lost>()
  readonly #came = new Set<string>()
  /** Messages of types that are given up in any case. */
  readonly #others = new Set<string>()
  readonly #seen = new Set<string>()

  constructor(sim: Sim, known: Known) {
    this.#sim = sim
    this.#known = known
    this.#resends = policyOf(sim.seed) === 'resend'
  }

  watch(sock: V1Sock, tag: string): void {
    const sim = this.#sim
    sock.on('sessionLost', ({ peer, resent }) => {
      this.#lost.set(`${tag}/${peer.id}`, { at: sim.clock.now(), resent, gaveUp: 0 })
      if (resent > 0) sim.tally('resent')
      if (resent > 0 && !this.#resends) sim.fail('resent where that is wanted', new Error(peer.id))
    })
    sock.on('dropped', ({ peer, reason, messages }) => {
      const name = `${tag}/${peer?.id}`
      const lost = this.#lost.get(name)
      if (lost === undefined || !this.#resends) return
      lost.gaveUp += messages
      if (reason === 'unsendable') sim.fail('what is kept can be sent', new Error(name))
      // At once: of types that are not kept.
      if (sim.clock.now() > lost.at && this.#isJoined(name, tag, lost.at))
        sim.fail('kept until the next session', new Error(`${messages} of ${name}: ${reason}`))
    })
  }

  /** A later session with the same far side has begun. */
  #isJoined(name: string, tag: string, at: number): boolean {
    const far = this.#known.far(name)
    if (far === undefined) return false
    const since = this.#known.between(tag, tagOf(far.name)).flat()
    return since.some((side) => tagOf(side.name) === tag && side.since > at && !side.closed)
  }

  /** A handler of this node got it. */
  came(node: number, lane: string, n: number, redelivered: boolean): void {
    // Two sessions with one node are two receivers of what is sent to all.
    if (lane.endsWith('/all')) return
    const what = `${lane} #${n} at node ${node}`
    if (this.#came.has(what) && !redelivered) this.#sim.fail('twice only where that is said', new Error(what))
    this.#came.add(what)
  }

  /** It is of a type that is not kept, and was told as lost. */
  notKept(lane: string, n: number): void {
    this.#others.add(`${lane} #${n}`)
  }

  /** This side has lost its session, and what that left may have gone anywhere. */
  isScattered(name: string): boolean {
    return this.#lost.has(name) && this.#resends && !this.#isWhole(name)
  }

  /** Both socks are what they were, and have closed none of their connections. */
  #isWhole(name: string): boolean {
    const far = this.#known.far(name)
    if (far === undefined) return false
    const sides = this.#known.between(tagOf(name), tagOf(far.name)).flat()
    return sides.every((side) => side.me.alive && !side.closed)
  }

  /** What was left by a session that was lost, has not come since, and was not given up either. */
  broken(ledger: Ledger): string[] {
    if (!this.#resends) return []
    const groups = new Map<string, { readonly names: string[]; gaveUp: number }>()
    for (const [name, { gaveUp, resent }] of this.#lost) {
      const far = this.#known.far(name)
      if (far === undefined || !this.#isWhole(name)) continue
      const key = `${tagOf(name)} ${tagOf(far.name)}`
      const group = groups.get(key) ?? { names: [], gaveUp: 0 }
      group.names.push(name)
      group.gaveUp += gaveUp
      groups.set(key, group)
      if (resent === 0 || this.#seen.has(name)) continue
      this.#seen.add(name)
      this.#sim.tally('resent, both alive')
    }
    return [...groups.values()].flatMap(({ names, gaveUp }) => {
      const missing = ledger
        .missing((lane) => names.some((name) => lane.startsWith(`${name} `)))
        .filter((what) => !this.#others.has(what.replace(/ was lost$/, '')))
      return missing.length > gaveUp ? missing.map((what) => `${what}, with its session`) : []
    })
  }
}

/** Of the sock: `TAG/PEER`. */
const tagOf = (name: string): string => name.slice(0, name.indexOf('/'))

import { SockError } from '../../errors.ts'
import type { Offer } from '../../wire/v1/hello.ts'
import { keyOf } from '../../wire/v1/resumption.ts'
import { Waiter } from '../waiter.ts'

/** How long a node may believe in a dial of ours that has failed, or whose peer is gone: see Signs. */
const BELIEVED = 60_000

/** DUPLICATE: there is a connection with this node already, or about to be. */
export class Duplicate extends SockError {
  /** In hex. */
  readonly nodeId: string

  constructor(nodeId: string, address?: string) {
    super('DUPLICATE', 'there is a connection with this node already', { address })
    this.nodeId = nodeId
  }
}

/** The peer that one of them became. */
export interface TwinPeer {
  /** Who it is now, proven: a session may go on with a key that took the place of the one before. */
  readonly identity: string | undefined
  /** See Signs. */
  readonly signs: { lives(): Promise<boolean>; stands(): Promise<boolean> }
}

/** One dial of ours, from its HELLO on until its peer is gone. */
export interface Dial {
  /** WELCOME has come from this node. Rejects with DUPLICATE: another connection is to be kept. */
  met(who: Offer, address: string): Promise<void>
  /** The far side does not take it. */
  rejected(): void
  /** It is a peer. To be called when that is gone: what is returned. */
  joined(peer: TwinPeer): () => void
  /** It has failed. */
  over(): void
}

/** One that dialed us, from the moment that its HELLO may be answered on until its peer is gone. */
export interface Visit {
  /** Throws DUPLICATE: a dial of ours has met this node meanwhile. */
  check(): void
  /** To be called when WELCOME has been said. Whether dials of ours still wait for an answer that decides which is kept. */
  decided(): () => boolean
  /**
   * A dial of ours to that host failed without an answer, or a peer that we dialed is gone: the far side may not know,
   * and give this one up for it.
   */
  doubted(): boolean
  /** It is about to be a peer. */
  settled(): void
  /** As of Dial. */
  joined(peer: TwinPeer): () => void
  /** It was refused. */
  over(): void
}

/** One connection with a node; without a peer: not yet. */
interface Met {
  peer: TwinPeer | undefined
  /** The id that was proven in its handshake. */
  readonly proven: string | undefined
  /** It dialed us, is no peer yet, and may be refused. */
  coming: boolean
}

export interface TwinsHost {
  readonly nodeId: Uint8Array
  now(): number
  /** Whether two proven ids are of one node: it may change its key. */
  isOne(one: string | undefined, other: string | undefined): boolean
}

/**
 * Two nodes that dial each other keep one connection. Which of two that are underway at once, the lower nodeId decides:
 * what it meets first, an answer to its own dial or the HELLO of the other. It says so in its answer to that HELLO.
 *
 *   acceptor  1. a node that we dialed and have met is refused (DUPLICATE)
 *             2. the lower one first waits what becomes of its own dials to that host, then 1
 *             3. the higher one answers, and then waits what becomes of its own dials to that host: where one of
 *                them was answered with WELCOME, this one is given up before it is a peer; where one got no answer
 *                this one is a peer only when the far side has said something: it may give it up by 4; and so
 *                where one that it dialed is gone, which the far side may not know
 *   dialer    4. the lower one gives up a dial that met a node which has dialed us
 *
 * Who is refused so goes on with the connection that there is. A node is told by its nodeId and its incarnation,
 * and by its id where that is proven: nobody else is taken for it, whatever he says of himself.
 * A connection for whose sake another is refused or given up has to live: where nothing was heard of it lately it is
 * asked for a sign. Of one that is dead 1 has its session go on first, and 4 thinks nothing.
 */
export class Twins {
  readonly #own: string
  /** Of dials that wait for WELCOME: the host that each was to. */
  readonly #waiting = new Map<Dial, string>()
  /** Nodes that we dialed and met. */
  readonly #met = new Map<string, Set<Met>>()
  /** Nodes that dialed us. */
  readonly #came = new Map<string, Set<Met>>()
  #changed = new Waiter()
  /** By host: when a dial to it failed last that had got no answer. By node: when one that we had met was over. */
  readonly #doubts = new Map<string, number>()
  readonly #host: TwinsHost
  /** Called when a dial was answered, or failed. */
  readonly #onAnswered = new Set<() => void>()

  constructor(host: TwinsHost) {
    this.#own = keyOf(host.nodeId)
    this.#host = host
  }

  /** Those of this node, that there are when each is looked at. */
  *#of(all: Map<string, Set<Met>>, name: string, proven: string | undefined): Generator<Met> {
    for (const met of all.get(name) ?? [])
      if (this.#host.isOne(met.peer?.identity ?? met.proven, proven)) yield met
  }

  /** We have said HELLO to somebody at this host. */
  dialing(host: string, proven?: string): Dial {
    let key: string | undefined
    const met: Met = { peer: undefined, proven, coming: false }
    const dial: Dial = {
      met: async (who, address) => {
        const theirs = nameOf(who)
        const came = (): Generator<Met> => this.#of(this.#came, theirs, proven)
        if (this.#isLower(who)) {
          while (this.#waiting.has(dial) && [...came()].some(({ coming }) => coming))
            await this.#changed.promise
          for (const { peer } of came())
            if (peer === undefined || (await peer.signs.lives()))
              throw new Duplicate(keyOf(who.nodeId), address)
        }
        // Given up meanwhile.
        if (!this.#waiting.has(dial)) return
        put(this.#met, (key = theirs), met)
        this.#answered(dial)
      },
      rejected: () => {
        this.#answered(dial)
      },
      joined: (peer) => {
        met.peer = peer
        return () => {
          dial.over()
        }
      },
      over: () => {
        if (this.#waiting.has(dial)) this.#doubt(host)
        if (key !== undefined) this.#doubt(key)
        if (key !== undefined) take(this.#met, key, met)
        key = undefined
        this.#answered(dial)
      },
    }
    this.#waiting.set(dial, host)
    return dial
  }

  #answered(dial: Dial): void {
    if (!this.#waiting.delete(dial)) return
    this.#change()
    for (const tell of this.#onAnswered) tell()
  }

  #doubt(whom: string): void {
    const now = this.#host.now()
    // The oldest first.
    for (const [one, at] of this.#doubts) {
      if (now - at < BELIEVED) break
      this.#doubts.delete(one)
    }
    this.#doubts.delete(whom)
    this.#doubts.set(whom, now)
  }

  #isDoubted(whom: string): boolean {
    return this.#host.now() - (this.#doubts.get(whom) ?? -Infinity) < BELIEVED
  }

  #change(): void {
    const changed = this.#changed
    this.#changed = new Waiter()
    changed.resolve()
  }

  /** Somebody at this host has said HELLO. Resolves when it may be answered. Rejects with DUPLICATE. */
  async admit(who: Offer, host: string, proven?: string): Promise<Visit> {
    const key = nameOf(who)
    const metHere = (): Met | undefined => (isSelf ? [] : [...this.#of(this.#met, key, proven)])[0]
    // One that dials itself has two ends of one connection.
    const isSelf = keyOf(who.nodeId) === this.#own
    for (;;) {
      if (this.#isLower(who)) while ([...this.#waiting.values()].includes(host)) await this.#changed.promise
      const met = metHere()
      if (met === undefined) break
      if (met.peer === undefined || (await met.peer.signs.stands())) throw new Duplicate(this.#own)
      // It is gone, though it may still handle what had come.
      take(this.#met, key, met)
    }
    const came: Met = { peer: undefined, proven, coming: true }
    put(this.#came, key, came)
    const settled = (): void => {
      if (!came.coming) return
      came.coming = false
      this.#change()
    }
    return {
      check: () => {
        if (metHere() !== undefined) throw new Duplicate(this.#own)
      },
      decided: () => this.#decided(who, host),
      doubted: () => this.#own > keyOf(who.nodeId) && (this.#isDoubted(host) || this.#isDoubted(key)),
      settled,
      joined: (peer) => {
        came.peer = peer
        return this.#leaver(key, came)
      },
      over: () => {
        settled()
        take(this.#came, key, came)
      },
    }
  }

  /** By itself: what a peer keeps of its handshake. */
  #leaver(key: string, came: Met): () => void {
    return () => {
      take(this.#came, key, came)
    }
  }

  /** Of the dials that are underway now: those that begin later find that we have this one. */
  #decided(who: Offer, host: string): () => boolean {
    if (this.#own <= keyOf(who.nodeId)) return () => true
    const dials = [...this.#waiting].filter(([, to]) => to === host).map(([dial]) => dial)
    return () => !dials.some((dial) => this.#waiting.has(dial))
  }

  /** `fn` is called whenever a dial of ours was answered or has failed, until the returned function is called. */
  onAnswered(fn: () => void): () => void {
    this.#onAnswered.add(fn)
    return () => this.#onAnswered.delete(fn)
  }

  #isLower({ nodeId }: Offer): boolean {
    return this.#own < keyOf(nodeId)
  }
}

const nameOf = ({ nodeId, incarnation }: Offer): string => `${keyOf(nodeId)} ${keyOf(incarnation)}`

function put(all: Map<string, Set<Met>>, key: string, one: Met): void {
  const some = all.get(key)
  if (some === undefined) all.set(key, new Set([one]))
  else some.add(one)
}

function take(all: Map<string, Set<Met>>, key: string, one: Met): void {
  const some = all.get(key)
  if (some?.delete(one) === true && some.size === 0) all.delete(key)
}

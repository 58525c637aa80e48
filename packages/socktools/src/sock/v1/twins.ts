import { SockError } from '../../errors.ts'
import type { Offer } from '../../wire/v1/hello.ts'
import { keyOf } from '../../wire/v1/resumption.ts'
import { Waiter } from '../waiter.ts'

/** DUPLICATE: there is a connection with this node already, or about to be. */
export class Duplicate extends SockError {
  /** In hex. */
  readonly nodeId: string

  constructor(nodeId: string, address?: string) {
    super('DUPLICATE', 'there is a connection with this node already', { address })
    this.nodeId = nodeId
  }
}

/** One dial of ours, from its HELLO on until its peer is gone. */
export interface Dial {
  /** WELCOME has come from this node. Throws DUPLICATE: another connection is to be kept. */
  met(who: Offer, address: string): void
  /** It has failed, or its peer is gone. */
  over(): void
}

/**
 * Two nodes that dial each other keep one connection. Which of two that are underway at once, both sides decide alike:
 * the one that was dialed by the lower nodeId.
 *
 *   acceptor  1. a node that we dialed and have met is refused (DUPLICATE)
 *             2. the lower one first waits what becomes of its own dials to that host, then 1
 *   dialer    3. the lower one gives up a dial that met a node which has dialed us
 *
 * Who is refused so goes on with the connection that there is. A node is told by its nodeId and its incarnation.
 */
export class Twins {
  readonly #own: string
  /** Of dials that wait for WELCOME: the host that each was to. */
  readonly #waiting = new Map<Dial, string>()
  /** How often we dialed and met each node. */
  readonly #met = new Map<string, number>()
  /** How often each node dialed us. */
  readonly #came = new Map<string, number>()
  #changed = new Waiter()

  constructor({ nodeId }: { readonly nodeId: Uint8Array }) {
    this.#own = keyOf(nodeId)
  }

  /** We have said HELLO to somebody at this host. */
  dialing(host: string): Dial {
    let key: string | undefined
    const dial: Dial = {
      met: (who, address) => {
        const theirs = nameOf(who)
        this.#answered(dial)
        if (this.#came.has(theirs) && this.#isLower(who)) throw new Duplicate(keyOf(who.nodeId), address)
        add(this.#met, (key = theirs), 1)
      },
      over: () => {
        if (key !== undefined) add(this.#met, key, -1)
        key = undefined
        this.#answered(dial)
      },
    }
    this.#waiting.set(dial, host)
    return dial
  }

  #answered(dial: Dial): void {
    if (!this.#waiting.delete(dial)) return
    const changed = this.#changed
    this.#changed = new Waiter()
    changed.resolve()
  }

  /** Somebody at this host has said HELLO. Resolves when it may be answered. Rejects with DUPLICATE. */
  async admit(who: Offer, host: string): Promise<void> {
    if (this.#isLower(who)) while ([...this.#waiting.values()].includes(host)) await this.#changed.promise
    if (this.#met.has(nameOf(who))) throw new Duplicate(this.#own)
  }

  /** A node that dialed us is a peer from now on, until the returned function is called. */
  came(who: Offer): () => void {
    const key = nameOf(who)
    add(this.#came, key, 1)
    return () => {
      add(this.#came, key, -1)
    }
  }

  #isLower({ nodeId }: Offer): boolean {
    return this.#own < keyOf(nodeId)
  }
}

const nameOf = ({ nodeId, incarnation }: Offer): string => `${keyOf(nodeId)} ${keyOf(incarnation)}`

function add(counts: Map<string, number>, key: string, n: number): void {
  const count = (counts.get(key) ?? 0) + n
  if (count > 0) counts.set(key, count)
  else counts.delete(key)
}

import { fail, SockError } from '../errors.ts'
import type { Proof } from '../net/pipe.ts'
import { type IdentityRecord, readRecord, type Rotation, type Verify } from './records.ts'
import { needId, type Proven, type Trust } from './trust.ts'

/** Outside of a roster: keys and the clock. */
export interface RosterParts {
  readonly verify: Verify
  /** Milliseconds since 1970. */
  now(): number
}

/** How many keys may have followed each other. */
const MAX_CHAIN = 32

/**
 * Whom to speak with: known ids, what took their place, and what is revoked. It can be changed at any time, and counts from the next
 * connection on.
 */
export class Roster implements Trust {
  readonly #parts: RosterParts
  /** Undefined: everybody who is not revoked. */
  readonly #ids: Set<string> | undefined
  readonly #revoked = new Set<string>()
  /** By the old id. */
  readonly #next = new Map<string, { readonly next: string; readonly until: number }>()

  constructor(ids: readonly string[] | undefined, parts: RosterParts) {
    this.#parts = parts
    this.#ids = ids && new Set(ids.map(needId))
  }

  /** One more is known. Throws BAD_ID. */
  allow(id: string): void {
    this.#ids?.add(needId(id))
  }

  /** Nothing more with this id, from the next connection on; close the peers that have it. Throws BAD_ID. */
  revoke(id: string): void {
    this.#revoked.add(needId(id))
  }

  /**
   * Takes in a rotation or a revocation. Throws BAD_RECORD unless those whose keys they are have signed it, and for a rotation of a key
   * whose place another one has taken already.
   */
  add(record: unknown): IdentityRecord {
    const read = readRecord(record, this.#parts.verify)
    if (read.record === 'revocation') this.#revoked.add(read.id)
    else this.#rotate(read)
    return read
  }

  /**
   * The first that came stands: what a key signed later, when it may be in other hands, brings it back neither by another heir nor
   * by more time. Less time counts.
   */
  #rotate({ old, next, until }: Rotation): void {
    const before = this.#next.get(old)
    if (before !== undefined && before.next !== next)
      fail('BAD_RECORD', `${before.next} has taken the place of ${old} already`)
    this.#next.set(old, { next, until: Math.min(until, before?.until ?? Infinity) })
  }

  judge({ id, proof, dialed, named }: Proven): SockError | undefined {
    if (id === undefined) return withoutId(this.#ids, proof)
    const refused = this.#refusal(id)
    if (refused !== undefined) return refused
    if (this.#ids === undefined) {
      if (named || !dialed) return undefined
      return new SockError('UNKNOWN_ID', 'whom we dial has to be known')
    }
    for (const one of this.#ids) if (one === id || this.follows(one, id)) return undefined
    // An address that names it makes it known, where nothing else does.
    return named ? undefined : new SockError('UNKNOWN_ID', 'its id is not known')
  }

  #refusal(id: string): SockError | undefined {
    if (this.#revoked.has(id)) return new SockError('REVOKED_ID', `${id} is revoked`)
    const after = this.#next.get(id)
    if (after === undefined || this.#parts.now() <= after.until) return undefined
    return new SockError('REVOKED_ID', `${after.next} has taken the place of ${id}`)
  }

  follows(before: string, now: string): boolean {
    let id = before
    for (let i = 0; i < MAX_CHAIN; i++) {
      // A key that was revoked vouches for nobody.
      const after = this.#revoked.has(id) ? undefined : this.#next.get(id)
      if (after === undefined) return false
      if (after.next === now) return !this.#revoked.has(now)
      id = after.next
    }
    return false
  }
}

const withoutId = (ids: ReadonlySet<string> | undefined, { by }: Proof): SockError | undefined =>
  ids === undefined ? undefined : new SockError('UNKNOWN_ID', `${by} proves no id`)

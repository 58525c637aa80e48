/** A message that is not settled, and where it lies. */
export interface Entry {
  readonly n: number
  /** Wall clock, in milliseconds since 1970. */
  readonly at: number
  /** Bytes of its record. */
  readonly bytes: number
  /** When it expires, by the clock of the platform that nobody can set. Undefined, and no memory of it, for never. */
  due: number | undefined
  segment: number
  offset: number
}

/** What is known of one peer. */
export interface Account {
  readonly name: string
  /** The highest n that was given out. */
  last: number
  /** The same when the store was opened. */
  recovered: number
  /** In the order of n. */
  readonly pending: Map<number, Entry>
}

export type Ranges = (readonly [from: number, to: number])[]

/** What a store knows, in memory: who waits for what, and how far each inbox is. Pure. */
export class Ledger {
  readonly peers = new Map<string, Account>()
  /** By the id of the sending store. */
  readonly cursors = new Map<string, number>()
  /** Records, and their bytes, that are not settled. */
  pending = 0
  pendingBytes = 0

  account(peer: string): Account {
    let account = this.peers.get(peer)
    if (account === undefined)
      this.peers.set(peer, (account = { name: peer, last: 0, recovered: 0, pending: new Map() }))
    return account
  }

  add(account: Account, entry: Entry): void {
    account.last = Math.max(account.last, entry.n)
    account.pending.set(entry.n, entry)
    this.pending++
    this.pendingBytes += entry.bytes
  }

  /** Gives the entry, or undefined where it is settled already. */
  settle(account: Account, n: number): Entry | undefined {
    const entry = account.pending.get(n)
    if (entry === undefined) return undefined
    account.pending.delete(n)
    this.pending--
    this.pendingBytes -= entry.bytes
    return entry
  }

  /** A cursor never goes back. */
  advance(id: string, n: number): void {
    if (n > (this.cursors.get(id) ?? 0)) this.cursors.set(id, n)
  }
}

/** Those numbers, which ascend, as ranges. */
export function rangesOf(numbers: Iterable<number>): Ranges {
  const ranges: [number, number][] = []
  for (const n of numbers) {
    const last = ranges.at(-1)
    if (last?.[1] === n - 1) last[1] = n
    else ranges.push([n, n])
  }
  return ranges
}

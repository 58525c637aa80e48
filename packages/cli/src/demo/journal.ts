import { appendFileSync, existsSync, readFileSync, truncateSync } from 'node:fs'
import type { Inbox } from 'socktools'

/** One order that was handled: a line of JSON. */
export interface Entry {
  readonly order: number
  /** The stream that it came in, and its number there: with it the cursor moves. */
  readonly store: string
  readonly n: number
  readonly redelivered: boolean
}

/**
 * What the warehouse has handled, and so how far it has got: one append is both, as one transaction would be in a database.
 * It outlives the process, and not the machine: nothing is synced.
 */
export class Journal implements Inbox {
  readonly #file: string
  readonly #cursors = new Map<string, number>()
  /** Lines. */
  length = 0

  constructor(file: string) {
    this.#file = file
    const { entries, bytes } = readJournal(file)
    // A line that was cut short was not written: what it tells comes again.
    if (existsSync(file)) truncateSync(file, bytes)
    for (const { store, n } of entries) this.#cursors.set(store, n)
    this.length = entries.length
  }

  cursor(store: string): number {
    return this.#cursors.get(store) ?? 0
  }

  /** It has: the handler wrote it. */
  advance(): void {
    return undefined
  }

  write(entry: Entry): void {
    appendFileSync(this.#file, `${JSON.stringify(entry)}\n`)
    this.#cursors.set(entry.store, entry.n)
    this.length++
  }
}

/** The whole lines of a journal, and their length. */
export function readJournal(file: string): { entries: Entry[]; bytes: number } {
  if (!existsSync(file)) return { entries: [], bytes: 0 }
  const text = readFileSync(file, 'utf8')
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  const lines = whole.split('\n').slice(0, -1)
  return { entries: lines.map((line) => JSON.parse(line) as Entry), bytes: Buffer.byteLength(whole) }
}

import type { Deadline, Deadlines } from '../deadlines.ts'

/** What can expire: a link of the list that it waits in. */
export abstract class Expiring {
  /** When it expires, and milliseconds from its beginning until then; 0: never. */
  until = 0
  timeout = 0
  before: this | undefined
  after: this | undefined
}

/** Those with the same timeout: first in, first to expire. */
interface Line<T> {
  first: T | undefined
  last: T | undefined
  /** Set for the one that was first then, and left as it is when that is taken out. */
  deadline: Deadline | undefined
}

/** So many timeouts are told apart for good: each line without anybody in it is forgotten beyond that. */
const LINES = 16

/**
 * Timeouts of many things that nearly all are done in time. Nothing is allocated for one but its place in a list, and a
 * deadline is set for the first of each list alone.
 */
export class Expiry<T extends Expiring> {
  readonly #clock: { readonly deadlines: Deadlines; readonly now: () => number }
  readonly #expired: (one: T) => void
  readonly #lines = new Map<number, Line<T>>()

  constructor(
    clock: { readonly deadlines: Deadlines; readonly now: () => number },
    expired: (one: T) => void,
  ) {
    this.#clock = clock
    this.#expired = expired
  }

  /** `timeout`: milliseconds, above 0. */
  add(one: T, timeout: number): void {
    let line = this.#lines.get(timeout)
    if (line === undefined) {
      line = { first: undefined, last: undefined, deadline: undefined }
      this.#lines.set(timeout, line)
    }
    one.timeout = timeout
    one.until = this.#clock.now() + timeout
    one.before = line.last
    if (line.last === undefined) line.first = one
    else line.last.after = one
    line.last = one
    if (line.deadline === undefined) this.#arm(line, timeout)
  }

  /** Harmless if it is not waiting. */
  remove(one: T): void {
    const line = this.#lines.get(one.timeout)
    const { before, after } = one
    if (line === undefined || (before === undefined && line.first !== one)) return
    if (before === undefined) line.first = after
    else before.after = after
    if (after === undefined) line.last = before
    else after.before = before
    one.before = one.after = undefined
    if (line.first === undefined && this.#lines.size > LINES) {
      line.deadline?.cancel()
      this.#lines.delete(one.timeout)
    }
  }

  #arm(line: Line<T>, ms: number): void {
    line.deadline = this.#clock.deadlines.set(ms, () => {
      line.deadline = undefined
      this.#look(line)
    })
  }

  #look(line: Line<T>): void {
    const now = this.#clock.now()
    for (let one = line.first; one !== undefined && one.until <= now; one = line.first) {
      this.remove(one)
      this.#expired(one)
    }
    if (line.first !== undefined && line.deadline === undefined) this.#arm(line, line.first.until - now)
  }

  /** Nothing expires any more. */
  end(): void {
    for (const { deadline } of this.#lines.values()) deadline?.cancel()
    this.#lines.clear()
  }
}

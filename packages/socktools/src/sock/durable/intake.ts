import type { DoneLevel, MessageId } from '../../wire/v1/marks.ts'
import type { Maybe } from '../types.ts'

/** Where a receiver keeps how far it has got with each sending store. A store is one; so is a table of your own. */
export interface Inbox {
  /** The highest n that was taken from this store; 0: none. Asked once for each store and connection. */
  cursor(store: string): Maybe<number>
  /**
   * All up to n was taken. Resolves when that is durable. Called with ascending n, one call at a time for each store, not
   * for every n; and with one that it has already, when a message came again.
   */
  advance(store: string, n: number): Maybe<void>
}

/** Whom a message came from. */
export interface Origin {
  /** The inbox failed: nothing that came over this connection may be confirmed any more. */
  inboxFailed(thrown: unknown): void
}

/** How many sending stores are kept in mind, beside those that have something underway. */
const MOST = 4096

interface Source {
  /** The highest n whose handlers have returned, as far as is known here. */
  reached: number
  /** The highest that the inbox has. */
  noted: number
  noting: Promise<void> | undefined
  /** The number of whose message made us ask the inbox for its cursor last: a source outlives the peers that it came from. */
  asked: number
  /** Ends when all that came is handled. Never rejects. */
  tail: Promise<void>
  underway: number
}

/**
 * Messages that are kept by their senders until they are done. Those of one store are handled one after another, over
 * however many connections they come, since the cursor says that all up to n is done. What is not above it came before.
 */
export class Intake {
  /** Messages that had come before. */
  duplicates = 0
  readonly #inbox: Inbox | undefined
  /** The least recent first. */
  readonly #sources = new Map<string, Source>()
  readonly #numbers = new WeakMap<Origin, number>()
  #origins = 0
  readonly #telling = new Set<Promise<void>>()

  /** Without an inbox what came before is known only as long as this lives. */
  constructor(inbox: Inbox | undefined) {
    this.#inbox = inbox
  }

  /**
   * Handles a message unless it was handled before, and then `tell`s the code for its DONE, '' if all is well, at once or
   * when the cursor is durable, as was asked. Resolves when it is handled. `handle` gives the code, or undefined if it did
   * not handle it after all; it never rejects.
   */
  take(
    from: Origin,
    { store, n }: MessageId,
    done: DoneLevel,
    handle: () => Maybe<string | undefined>,
    tell: (code: string) => void,
  ): Promise<void> {
    const source = this.#sourceOf(store)
    source.underway++
    const taken = source.tail
      .then(async () => {
        const again = await this.#isOld(source, from, store, n)
        if (again) this.duplicates++
        const code = again ? '' : await handle()
        if (code === undefined) return
        source.reached = Math.max(source.reached, n)
        this.#confirm(source, from, store, n, done, () => {
          tell(code)
        })
      })
      .catch((thrown: unknown) => {
        from.inboxFailed(thrown)
      })
    source.tail = taken.then(() => {
      source.underway--
    })
    return taken
  }

  /** Resolves when all that was handled is told, or never will be. */
  async settled(): Promise<void> {
    await Promise.all(this.#telling)
  }

  #sourceOf(store: string): Source {
    const source = this.#sources.get(store) ?? {
      ...{ reached: 0, noted: 0, noting: undefined, asked: 0 },
      ...{ tail: Promise.resolve(), underway: 0 },
    }
    this.#sources.delete(store)
    this.#sources.set(store, source)
    if (this.#sources.size > MOST) this.#forgetOne()
    return source
  }

  #forgetOne(): void {
    for (const [store, { underway, noting }] of this.#sources) {
      if (underway > 0 || noting !== undefined) continue
      this.#sources.delete(store)
      return
    }
  }

  #numberOf(from: Origin): number {
    const number = this.#numbers.get(from) ?? ++this.#origins
    this.#numbers.set(from, number)
    return number
  }

  async #isOld(source: Source, from: Origin, store: string, n: number): Promise<boolean> {
    const asking = this.#numberOf(from)
    if (this.#inbox !== undefined && source.asked !== asking) {
      const cursor = await this.#inbox.cursor(store)
      source.reached = Math.max(source.reached, cursor)
      source.asked = asking
    }
    return n <= source.reached
  }

  /** Messages that come meanwhile are handled meanwhile: one write of the inbox stands for all of them. */
  #confirm(source: Source, from: Origin, store: string, n: number, done: DoneLevel, tell: () => void): void {
    const noted = this.#note(source, store, n)
    if (done === 'processed') tell()
    if (noted === undefined) {
      if (done === 'durable') tell()
      return
    }
    const telling = noted.then(done === 'durable' ? tell : undefined).catch((thrown: unknown) => {
      from.inboxFailed(thrown)
    })
    this.#telling.add(telling)
    void telling.then(() => this.#telling.delete(telling))
  }

  /** Resolves when the inbox has all up to n. Undefined: it has, or there is none. */
  #note(source: Source, store: string, n: number): Promise<void> | undefined {
    const inbox = this.#inbox
    if (inbox === undefined || n <= source.noted) return undefined
    const covers = async (): Promise<void> => {
      while (source.noted < n) {
        source.noting ??= this.#advance(source, inbox, store).finally(() => {
          source.noting = undefined
        })
        await source.noting
      }
    }
    return covers()
  }

  async #advance(source: Source, inbox: Inbox, store: string): Promise<void> {
    const { reached } = source
    await inbox.advance(store, reached)
    source.noted = reached
  }
}

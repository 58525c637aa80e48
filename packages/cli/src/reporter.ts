import { type Peer, SockError } from 'socktools'
import { type Fixes, explain, isAnswer } from './errors.ts'
import { forTerminal, jsonLine } from './escape.ts'
import { shown } from './notation.ts'

export interface ReporterOptions {
  readonly json?: boolean
  readonly quiet?: boolean
}

/** What is not a message goes to stderr; each as one line, of text or of JSON. */
export class Reporter {
  protected readonly json: boolean
  readonly #quiet: boolean
  readonly #fixes: Fixes | undefined
  readonly #ids = new WeakMap<object, string>()
  #lastId = 0

  constructor({ json = false, quiet = false }: ReporterOptions, fixes?: Fixes) {
    this.json = json
    this.#quiet = quiet
    this.#fixes = fixes
  }

  /** `p1`, `p2` … as they come: each sock of a node counts for itself, so peers of two have the same `id`. */
  idOf(peer: Pick<Peer, 'address'>): string {
    const known = this.#ids.get(peer)
    if (known !== undefined) return known
    const id = `p${++this.#lastId}`
    this.#ids.set(peer, id)
    return id
  }

  /** Tells what happens beside the messages. */
  status(event: string, facts: object, text: string): void {
    if (this.#quiet) return
    process.stderr.write(this.json ? `${jsonLine({ event, ...facts })}\n` : `${forTerminal(text)}\n`)
  }

  /** What went wrong and what to do about it. */
  explain(error: unknown): string {
    return explain(error, this.#fixes)
  }

  /** What makes the exit code one of failure: told even if --quiet. */
  error(error: unknown, where?: string): void {
    const text = this.explain(error)
    const message = where === undefined ? text : `${where}: ${text}`
    const code = error instanceof SockError || isAnswer(error) ? error.code : undefined
    const data = isAnswer(error) ? shown(error.data) : undefined
    process.stderr.write(
      this.json
        ? `${jsonLine({ event: 'error', code, message, data })}\n`
        : `socktools: ${forTerminal(message)}\n`,
    )
  }
}

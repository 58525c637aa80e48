import { setImmediate as turn } from 'node:timers/promises'
import { type Codec, type Message, type Peer, SockError } from 'socktools'
import { explain } from './errors.ts'
import { forTerminal, jsonLine, jsonPieces } from './escape.ts'
import type { Notation } from './notation.ts'

/** Text collected before it is written: one system call for a burst of short messages. */
const CHUNK = 64 * 1024

export interface PrinterOptions {
  readonly json?: boolean
  readonly quiet?: boolean
}

/** Messages go to stdout, everything else to stderr; each as one line, of text or of JSON. */
export class Printer {
  readonly #json: boolean
  readonly #quiet: boolean
  readonly #notation: Notation
  readonly #ids = new WeakMap<object, string>()
  #lastId = 0
  #text = ''
  #room: Promise<void> | undefined

  constructor({ json = false, quiet = false }: PrinterOptions, notation: Notation) {
    this.#notation = notation
    this.#json = json
    this.#quiet = quiet
  }

  /** `p1`, `p2` … as they come: each sock of a node counts for itself, so peers of two have the same `id`. */
  idOf(peer: Pick<Peer, 'address'>): string {
    const known = this.#ids.get(peer)
    if (known !== undefined) return known
    const id = `p${++this.#lastId}`
    this.#ids.set(peer, id)
    return id
  }

  /** Prints one message. The promise is there while stdout is full: who awaits it is held up as it should be. */
  message(message: Message, peer: Peer<Codec<unknown>>): Promise<void> | undefined {
    const { address } = peer
    const head = this.#json ? '' : `[${forTerminal(address)}] `
    const pieces = this.#json
      ? jsonPieces({ event: 'message', peer: this.idOf(peer), address, ...this.#notation.facts(message) })
      : this.#notation.text(message)
    const left = pieces[Symbol.iterator]()
    const [first, second] = [left.next(), left.next()]
    if (second.done === true) return this.#add(`${head}${first.done === true ? '' : first.value}\n`)
    return this.#addLong(`${head}${String(first.value)}${second.value}`, left)
  }

  /** Escaping a long message takes its time: others are served in between, and it is still one line. */
  async #addLong(start: string, left: Iterator<string>): Promise<void> {
    const line = [start]
    for (let next = left.next(); next.done !== true; next = left.next()) {
      line.push(next.value)
      await turn()
    }
    await this.#add(`${line.join('')}\n`)
  }

  #add(text: string): Promise<void> | undefined {
    if (this.#text === '') process.nextTick(() => this.#write())
    this.#text += text
    if (this.#text.length >= CHUNK) this.#write()
    return this.#room
  }

  /** Tells what happens beside the messages. */
  status(event: string, facts: object, text: string): void {
    if (this.#quiet) return
    process.stderr.write(this.#json ? `${jsonLine({ event, ...facts })}\n` : `${forTerminal(text)}\n`)
  }

  /** What makes the exit code one of failure: told even if --quiet. */
  error(error: unknown, where?: string): void {
    const message = where === undefined ? explain(error) : `${where}: ${explain(error)}`
    const code = error instanceof SockError ? error.code : undefined
    process.stderr.write(
      this.#json
        ? `${jsonLine({ event: 'error', code, message })}\n`
        : `socktools: ${forTerminal(message)}\n`,
    )
  }

  #write(): void {
    const text = this.#text
    this.#text = ''
    if (text === '' || process.stdout.write(text) || this.#room !== undefined) return
    this.#room = new Promise((resolve) => {
      process.stdout.once('drain', () => {
        this.#room = undefined
        resolve()
      })
    })
  }
}

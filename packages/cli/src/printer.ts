import type { Codec, Message, Peer } from 'socktools'
import { forTerminal, jsonPieces } from './escape.ts'
import type { Notation } from './notation.ts'
import { Reporter, type ReporterOptions } from './reporter.ts'
import { Stdout } from './stdout.ts'

/** Messages go to stdout, everything else to stderr. */
export class Printer extends Reporter {
  readonly #notation: Notation
  readonly #stdout = new Stdout()

  constructor(options: ReporterOptions, notation: Notation) {
    super(options)
    this.#notation = notation
  }

  /** Prints one message. The promise is there while stdout is full. */
  message(message: Message, peer: Peer<Codec<unknown>>): Promise<void> | undefined {
    const { address } = peer
    if (!this.json) return this.#stdout.line(this.#notation.text(message), `[${forTerminal(address)}] `)
    const facts = { event: 'message', peer: this.idOf(peer), address, ...this.#notation.facts(message) }
    return this.#stdout.line(jsonPieces(facts))
  }
}

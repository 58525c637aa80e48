import { type Peer, SockError } from 'socktools'
import { explain } from './errors.ts'
import { forTerminal, jsonLine, payloadForTerminal, textOf } from './escape.ts'

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
  #text = ''
  #room: Promise<void> | undefined

  constructor({ json = false, quiet = false }: PrinterOptions) {
    this.#json = json
    this.#quiet = quiet
  }

  /** Prints one message. The promise is there while stdout is full: who awaits it is held up as it should be. */
  message(payload: Uint8Array, { id, address }: Peer): Promise<void> | undefined {
    if (this.#text === '') process.nextTick(() => this.#write())
    this.#text += this.#json
      ? `${jsonLine({ event: 'message', peer: id, address, ...contentOf(payload) })}\n`
      : `[${forTerminal(address)}] ${payloadForTerminal(payload)}\n`
    if (this.#text.length >= CHUNK) this.#write()
    return this.#room
  }

  /** Tells what happens beside the messages. */
  status(event: string, facts: object, text: string): void {
    if (this.#quiet) return
    process.stderr.write(this.#json ? `${jsonLine({ event, ...facts })}\n` : `${forTerminal(text)}\n`)
  }

  /** What makes the exit code one of failure: told even if --quiet. */
  error(error: unknown): void {
    const message = explain(error)
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

function contentOf(payload: Uint8Array): { text: string } | { base64: string } {
  const text = textOf(payload)
  return text === undefined ? { base64: Buffer.from(payload).toString('base64') } : { text }
}

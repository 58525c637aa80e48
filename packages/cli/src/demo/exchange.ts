import type { Peer } from 'socktools'
import type { Plan, Result } from './plan.ts'
import { Digest, numberedText, spoil } from './script.ts'

const utf8 = new TextEncoder()
const textOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')

/** One party's side of the exchange with one peer. */
export class Exchange {
  readonly #peer: Peer
  readonly #plan: Plan
  readonly #rest: readonly Uint8Array[]
  readonly #onDone: (result: Result) => void
  readonly #sent = new Digest()
  readonly #received = new Digest()
  #you = ''
  #beganAt = 0
  #count = 0
  #bytes = 0
  #why: string | null = null
  #allSent = false
  #allCame = false
  #done = false

  /** @param rest what is sent after the numbered messages. */
  constructor(peer: Peer, plan: Plan, rest: readonly Uint8Array[], onDone: (result: Result) => void) {
    this.#peer = peer
    this.#plan = plan
    this.#rest = rest
    this.#onDone = onDone
    void peer.sendMsg(0, plan.name)
  }

  /** Takes the next message. */
  take(payload: Uint8Array): void {
    const { numbered, name } = this.#plan
    if (this.#you === '') this.#begin(textOf(payload))
    else if (this.#count < numbered + this.#rest.length) {
      if (this.#count < numbered && textOf(payload) !== numberedText(this.#you, name, this.#count)) {
        this.#blame(`number ${this.#count} was due and something else came`)
      }
      this.#received.add(payload)
      this.#count++
      this.#bytes += payload.length
    } else {
      if (textOf(payload) !== this.#received.hex) this.#blame('the SHA-256 differs')
      this.#allCame = true
      this.#doneIf()
    }
  }

  /** The connection is over. */
  ended(): void {
    this.#blame(`it ended after ${this.#count} messages`)
    this.#allCame = this.#allSent = true
    this.#doneIf()
  }

  #begin(you: string): void {
    this.#you = you
    this.#beganAt = performance.now()
    this.#send().then(
      () => {
        this.#allSent = true
        this.#doneIf()
      },
      () => this.ended(),
    )
  }

  async #send(): Promise<void> {
    const { fault, numbered } = this.#plan
    const messages = this.#messages()
    // A swap among the numbered messages is told by their numbers, what comes after them by the SHA-256 alone.
    const at = fault === 'swap' ? numbered >> 1 : numbered
    const spoiled = fault === undefined ? messages : spoil(messages, fault, at)
    for (const payload of spoiled) await this.#peer.sendMsg(0, payload)
    if (fault === 'crash') process.exit(3)
    if (fault === 'hang') await new Promise(() => undefined)
    await this.#peer.sendMsg(0, this.#sent.hex)
    await this.#peer.flushed()
  }

  /** All that is sent, counted in as it is meant to be. */
  *#messages(): Generator<Uint8Array, void> {
    for (let i = 0; i < this.#plan.numbered; i++) {
      const payload = utf8.encode(numberedText(this.#plan.name, this.#you, i))
      this.#sent.add(payload)
      yield payload
    }
    for (const payload of this.#rest) {
      this.#sent.add(payload)
      yield payload
    }
  }

  #blame(why: string): void {
    this.#why ??= why
  }

  #doneIf(): void {
    if (!this.#allSent || !this.#allCame || this.#done) return
    this.#done = true
    this.#onDone({
      peer: this.#you,
      messages: this.#count,
      bytes: this.#bytes,
      sent: this.#sent.hex,
      received: this.#received.hex,
      why: this.#why,
      seconds: (performance.now() - this.#beganAt) / 1000,
    })
  }
}

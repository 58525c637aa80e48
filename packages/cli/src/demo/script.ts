import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Fault, Plan } from './plan.ts'

const LF = 0x0a

/** The text of message number `i` from one party to another. */
export const numberedText = (from: string, to: string, i: number): string => `${from}>${to} ${i}`

/** What a party sends to everyone after the numbered messages. Held once, however many it is sent to. */
export function restOf({ text, sizes, name }: Plan): Uint8Array[] {
  const most = Math.max(1, ...sizes)
  const noise = createHash('shake128', { outputLength: 2 * most })
    .update(name)
    .digest()
  const cut = (size: number, i: number): Uint8Array => noise.subarray((i * 65537) % most).subarray(0, size)
  return [...splitLines(readFileSync(text)), ...sizes.map(cut)]
}

export function splitLines(bytes: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = []
  let from = 0
  for (let lf = bytes.indexOf(LF); lf >= 0; lf = bytes.indexOf(LF, from)) {
    lines.push(bytes.subarray(from, lf))
    from = lf + 1
  }
  return from < bytes.length ? [...lines, bytes.subarray(from)] : lines
}

/** SHA-256 of messages as they are on the wire. Short ones are gathered: a call into OpenSSL costs about 1 µs. */
export class Digest {
  readonly #hash = createHash('sha256')
  readonly #gathered = new Uint8Array(16 * 1024)
  readonly #view = new DataView(this.#gathered.buffer)
  #length = 0
  #hex: string | undefined

  add(payload: Uint8Array): void {
    if (this.#length + 4 + payload.length > this.#gathered.length) this.#flush()
    this.#view.setUint32(this.#length, payload.length)
    this.#length += 4
    if (this.#length + payload.length <= this.#gathered.length) {
      this.#gathered.set(payload, this.#length)
      this.#length += payload.length
    } else {
      this.#flush()
      this.#hash.update(payload)
    }
  }

  /** Nothing can be added after this. */
  get hex(): string {
    if (this.#hex === undefined) {
      this.#flush()
      this.#hex = this.#hash.digest('hex')
    }
    return this.#hex
  }

  #flush(): void {
    this.#hash.update(this.#gathered.subarray(0, this.#length))
    this.#length = 0
  }
}

/**
 * `messages` with one of them wrong: the first from `at` on that is not empty, since two empty ones could be
 * swapped without a difference.
 */
export function* spoil(
  messages: Iterable<Uint8Array>,
  fault: Fault,
  at: number,
): Generator<Uint8Array, void> {
  let i = 0
  let spoiled = false
  let held: Uint8Array | undefined
  for (const message of messages) {
    if (spoiled || i++ < at || message.length === 0) yield message
    else {
      spoiled = true
      if (fault === 'flip') yield message.map((byte, place) => (place === 0 ? byte ^ 1 : byte))
      if (fault === 'swap') {
        held = message
        continue
      }
    }
    if (held !== undefined) yield held
    held = undefined
  }
}

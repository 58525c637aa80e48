/** What waits on one connection may keep alive so much more than twice its own bytes. */
const SPARE = 1024 * 1024

/** Of one connection: bytes of memory that what waits keeps alive, beyond twice its own. */
export class Spare {
  debt = 0
}

/**
 * Messages that wait are views of what was read. A short one may be all that is wanted of 64 KiB: where that becomes
 * too much, it is copied. Of one queue, first in, first out.
 */
export class Keep {
  readonly #spare: Spare
  /** What the last view is one of. */
  #buffer: ArrayBufferLike | undefined
  #debt = 0

  constructor(spare: Spare) {
    this.#spare = spare
  }

  /** The message as it is to be kept. */
  keep(message: Uint8Array): Uint8Array {
    const { buffer, length } = message
    const more = (buffer === this.#buffer ? 0 : buffer.byteLength) - 2 * length
    if (more > 0 && this.#spare.debt + more > SPARE) return message.slice()
    this.#buffer = buffer
    this.#owe(Math.max(0, this.#debt + more))
    return message
  }

  /** Nothing waits. */
  clear(): void {
    this.#buffer = undefined
    this.#owe(0)
  }

  #owe(debt: number): void {
    this.#spare.debt += debt - this.#debt
    this.#debt = debt
  }
}

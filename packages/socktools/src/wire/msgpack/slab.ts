/** How much is taken from the system at once. What is kept of a short message keeps no more than this. */
const SLAB = 16 * 1024
/** No message is longer: engines differ in what they can hold, and one beyond this was shared parts, written over and over. */
const MOST = 0x7fd0_0000

/** Memory that one message after another is written into, each behind the one before. */
export class Slab {
  /** The message is `bytes[start, at)`. Both move when there is no room. */
  bytes: Uint8Array<ArrayBuffer> = NOTHING
  start = 0
  at = 0
  #slab: Uint8Array<ArrayBuffer> = NOTHING
  #free = 0

  begin(): void {
    this.bytes = this.#slab
    this.start = this.at = this.#free
  }

  /** `bytes`, with room for `n` more at `at`. */
  room(n: number): Uint8Array<ArrayBuffer> {
    if (n > this.bytes.length - this.at) this.#grow(n)
    return this.bytes
  }

  /** The message. Nobody writes there any more. */
  take(): Uint8Array {
    const { bytes, start, at } = this
    const length = at - start
    if (bytes === this.#slab) this.#free = at
    // Memory of its own that the message does not nearly fill is not kept with it.
    return bytes === this.#slab || length > bytes.length * 0.75
      ? new Uint8Array(bytes.buffer, start, length)
      : bytes.slice(0, length)
  }

  /** Lets go of the message, taken or not. */
  end(): void {
    this.bytes = NOTHING
  }

  #grow(n: number): void {
    const written = this.bytes.subarray(this.start, this.at)
    const least = written.length + n
    if (least > MOST) throw new RangeError('it would be longer than 2 GiB')
    const fits = least <= SLAB / 2
    const fresh = new Uint8Array(fits ? SLAB : Math.min(MOST, Math.max(2 * written.length, least) + 64))
    fresh.set(written)
    if (fits) this.#slab = fresh
    this.bytes = fresh
    this.start = 0
    this.at = written.length
  }
}

const NOTHING = new Uint8Array(0)

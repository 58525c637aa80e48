/** Pieces of this length are kept as they came; shorter ones are gathered in a slab. */
const KEEP = 16 * 1024
/** So are these, where the memory that they keep is no more than twice as long. */
const KEEP_OF_SHORT = 4 * 1024
const FIRST_SLAB = 1024
const LAST_SLAB = 64 * 1024

/**
 * The bytes of one frame that has not arrived whole, for decoders. What it takes follows what was received,
 * never what was declared: at most twice that, and 64 KiB; many tiny pieces cost no more than few large ones.
 */
export class Held {
  /** Bytes held. */
  length = 0
  #pieces: Uint8Array[] = []
  /** The last piece, while it is a slab with room from `#end` on. */
  #slab: Uint8Array | undefined
  #end = 0
  /** How long the last slab was: each is twice as long as the one before. */
  #next = FIRST_SLAB / 2

  /** Adds `bytes[from, to)`, long ones uncopied; `room` is how many bytes the frame may still take, these included. */
  add(bytes: Uint8Array, from: number, to: number, room: number): void {
    const n = to - from
    if (n >= KEEP || (n >= KEEP_OF_SHORT && 2 * n >= bytes.buffer.byteLength)) {
      this.#closeSlab(true)
      this.#pieces.push(new Uint8Array(bytes.buffer, bytes.byteOffset + from, n))
      this.length += n
      return
    }
    let at = from
    while (at < to) {
      if (this.#slab === undefined || this.#end === this.#slab.length) {
        this.#closeSlab(true)
        const left = room - (at - from)
        this.#next = Math.min(Math.max(2 * this.#next, to - at), LAST_SLAB)
        this.#slab = new Uint8Array(Math.min(this.#next, left))
        this.#end = 0
      }
      const part = Math.min(to - at, this.#slab.length - this.#end)
      this.#slab.set(new Uint8Array(bytes.buffer, bytes.byteOffset + at, part), this.#end)
      this.#end += part
      at += part
      this.length += part
    }
  }

  /** All that is held followed by `bytes[from, to)`, in one piece; nothing is held afterwards. */
  take(bytes: Uint8Array, from: number, to: number): Uint8Array {
    const whole = new Uint8Array(this.length + to - from)
    this.#closeSlab(false)
    let at = 0
    for (const piece of this.#pieces) {
      whole.set(piece, at)
      at += piece.length
    }
    if (to > from) whole.set(new Uint8Array(bytes.buffer, bytes.byteOffset + from, to - from), at)
    this.#pieces = []
    this.length = 0
    this.#next = FIRST_SLAB / 2
    return whole
  }

  /** `trim`: cut to size, since room that nothing will fill must not be held. */
  #closeSlab(trim: boolean): void {
    if (this.#slab === undefined) return
    const full = this.#end === this.#slab.length
    const part = trim && !full ? this.#slab.slice(0, this.#end) : this.#slab.subarray(0, this.#end)
    this.#pieces.push(part)
    if (!full) this.#next = FIRST_SLAB / 2
    this.#slab = undefined
  }
}

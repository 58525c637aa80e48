/**
 * How a stream of bytes becomes whole messages and back. Pure: no I/O, no clock.
 *
 * A framing allocates nothing per message on its way out (`write` puts the frame into memory that the
 * caller owns) and one view per message on its way in.
 */
export interface Framing {
  readonly name: string
  /** The longest payload in bytes that this format can carry. */
  readonly max: number
  /** The most bytes that a payload of `n` bytes takes on the wire. */
  size(n: number): number
  /**
   * Writes the frame of `payload` into `into` from `at`, and returns where it ends. There is room for
   * `size(payload.length)` bytes, and no payload is longer than `max`. Throws CANNOT_FRAME, and then what was
   * written does not count.
   */
  write(into: Uint8Array, at: number, payload: Uint8Array): number
  /** What stands around a payload that is carried unchanged, so that a long one need not be copied. */
  readonly around?: Around
  /** A decoder for one stream. Payloads over `max`, or over its own, are refused as soon as they can be recognised. */
  decoder(onFrame: (payload: Uint8Array) => void, max: number): Decoder
}

export interface Around {
  /** Both write into `into` from `at` for a payload of `n` bytes, and return where they end: `size(n) - n` bytes at most. */
  before(into: Uint8Array, at: number, n: number): number
  after(into: Uint8Array, at: number, n: number): number
  /** Throws CANNOT_FRAME if this payload cannot be carried as it is. */
  check?(payload: Uint8Array): void
}

/**
 * The read side of one stream. Payloads handed to `onFrame` are views into the chunks that were pushed, or
 * fresh memory: they are the receiver's to keep, so a chunk must not be reused after it was pushed.
 */
export interface Decoder {
  /**
   * Takes the next chunk, of any size. Calls `onFrame` for each payload that is whole with it, in order, before it
   * returns. Throws FRAME_TOO_LARGE, BAD_FRAME or FOREIGN_PROTOCOL; the decoder is then spent.
   */
  push(chunk: Uint8Array): void
  /** No frame is handed out after this, not even from the chunk being pushed. May be called from `onFrame`. */
  stop(): void
  /** The sender finished in good order. Hands out what is held, if this framing takes that for a whole frame. */
  finish?(): void
  /** Bytes held of a frame that is not whole yet. Above 0 when the stream ends, the stream was cut. */
  readonly partial: number
}

import type { Around, Decoder, Framing } from '../../wire/framing.ts'
import { writeU32 } from '../../wire/length-header.ts'
import { lengthPrefixed } from '../../wire/length-prefixed.ts'
import { HEADER, MAX_CHUNK, writeHeader } from '../../wire/v1/frame.ts'

/** The longest payload of a frame after the handshake, in bytes. */
export const MAX_FRAME = HEADER + MAX_CHUNK

const plain = lengthPrefixed()

/**
 * The framing of v1 as outboxes know framings: the body of each payload goes behind the header that was set last.
 * One serves all peers of a sock, so a header is set and its body put in one go.
 */
export class FrameWriter implements Framing {
  readonly name = 'v1'
  readonly max = MAX_CHUNK
  readonly around: Around = {
    before: (into, at, n) => this.#header(into, at, n),
    after: (_into, at) => at,
  }
  #kind = 0
  #flags = 0
  #type = 0
  #lane = 0
  #seq = 0
  #ack = 0
  #deadline = -1

  /** `deadline`: milliseconds that stand before the body, which is all the prefix there is then; -1: none do. */
  set(
    kind: number,
    flags: number,
    type: number,
    lane: number,
    seq: number,
    ack: number,
    deadline = -1,
  ): void {
    this.#kind = kind
    this.#flags = flags
    this.#type = type
    this.#lane = lane
    this.#seq = seq
    this.#ack = ack
    this.#deadline = deadline
  }

  size(n: number): number {
    return 4 + HEADER + (this.#deadline < 0 ? 0 : 4) + n
  }

  write(into: Uint8Array, at: number, body: Uint8Array): number {
    const start = this.#header(into, at, body.length)
    into.set(body, start)
    return start + body.length
  }

  decoder(onFrame: (payload: Uint8Array) => void, max: number): Decoder {
    return plain.decoder(onFrame, max)
  }

  #header(into: Uint8Array, at: number, n: number): number {
    const deadline = this.#deadline
    const start = writeU32(into, at, HEADER + (deadline < 0 ? 0 : 4) + n)
    const end = writeHeader(
      into,
      start,
      this.#kind,
      this.#flags,
      this.#type,
      this.#lane,
      this.#seq,
      this.#ack,
    )
    return deadline < 0 ? end : writeU32(into, end, deadline)
  }
}

import { fail } from '../../errors.ts'
import { MAX_CHUNK } from './frame.ts'

/** An ack leaves by itself when so many sequenced frames came since the last, */
export const ACK_FRAMES = 64
/** or so many bytes of bulk, */
export const ACK_BULK = MAX_CHUNK
/** or when the first of them came so many milliseconds ago. */
export const ACK_DELAY = 25

/**
 * The numbers of one session: what was sent, what came, what each side knows of it.
 *
 * A frame that came is either the next one or an old one; whatever else it says is a PROTOCOL_ERROR. Every frame that
 * leaves carries `received` as its ack, so that the owner needs a frame for the ack alone only when `due`, or when
 * `pending` has been true for ACK_DELAY.
 */
export class Sequence {
  /** The seq that was given out last. */
  sent = 0
  /** Up to where the far side has what we sent. */
  acked = 0
  /** Up to where we have what the far side sent: the ack of every frame that leaves. */
  received = 0
  /** Frames that had come before. */
  repeated = 0
  /** What came since a frame left. */
  #frames = 0
  #bulk = 0

  /** The seq of the frame that is written now. */
  next(): number {
    return ++this.sent
  }

  /**
   * Takes the numbers of a frame that came. `'again'`: it came before and is dropped. Throws PROTOCOL_ERROR, and then
   * nothing has changed.
   */
  take(seq: number, ack: number): 'new' | 'again' {
    const { received } = this
    if (seq > received + 1)
      fail('PROTOCOL_ERROR', `a frame with seq ${seq}, and ${received + 1} is the next to come`)
    this.ack(ack)
    this.#frames++
    if (seq <= received) {
      this.repeated++
      return 'again'
    }
    this.received = seq
    return 'new'
  }

  /** So many bytes of payload came that are of an ITEM or of a message that was cut. */
  bulk(bytes: number): void {
    this.#bulk += bytes
  }

  /** Takes the ack of a frame that came without a seq. Throws PROTOCOL_ERROR. */
  ack(ack: number): void {
    if (ack < this.acked) fail('PROTOCOL_ERROR', `an ack of ${ack}, and ${this.acked} was acked before`)
    if (ack > this.sent)
      fail('PROTOCOL_ERROR', `an ack of ${ack}, and ${this.sent} is the last that was sent`)
    this.acked = ack
  }

  /** A frame left, any frame: it told the far side what we have. */
  left(): void {
    this.#frames = 0
    this.#bulk = 0
  }

  /** Something came that the far side does not know to be here. */
  get pending(): boolean {
    return this.#frames > 0
  }

  /** An ack has to leave now. */
  get due(): boolean {
    return this.#frames >= ACK_FRAMES || this.#bulk >= ACK_BULK
  }

  /** Another one in the same state. */
  clone(): Sequence {
    const other = new Sequence()
    other.sent = this.sent
    other.acked = this.acked
    other.received = this.received
    other.repeated = this.repeated
    other.#frames = this.#frames
    other.#bulk = this.#bulk
    return other
  }

  /** Two with the same key behave alike from here on. */
  key(): string {
    return `${this.sent} ${this.acked} ${this.received} ${this.#frames} ${this.#bulk}`
  }
}

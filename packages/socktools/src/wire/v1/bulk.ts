/** Bytes of bulk in flight, at first and at least. */
export const BULK_MIN = 256 * 1024
/** And at most. */
export const BULK_MAX = 16 * 1024 * 1024
/** Frames are told apart no finer than this many bytes: what is kept of a full window stays small whatever it is full of. */
const GROUP = 8 * 1024
/** A round trip in milliseconds that no clock need tell from a shorter one. */
const SHORTEST = 0.05

/**
 * How much bulk one pipe may have in flight: sent and not acknowledged.
 *
 * Whatever is written waits in the buffers of the system behind all that was written before, whatever its priority.
 * So the window grows only as long as that wait does not show:
 *
 * ```
 *   a round: as much was acked as the window holds, and the window was what held bulk back
 *     smallest RTT of the round <  2x the smallest ever: twice the window, to BULK_MAX
 *     smallest RTT of the round >= 2x the smallest ever: half of it, to BULK_MIN
 *   a round in which there was less to send tells nothing: its acks waited for more
 * ```
 *
 * One frame at a time is timed: nothing is allocated for a frame.
 */
export class BulkWindow {
  /** The bound, in bytes. */
  size = BULK_MIN
  /** Bytes sent and not acknowledged; never above `size`, but for what was in flight when it was halved. */
  inFlight = 0
  /** The smallest round trip of this pipe in milliseconds. Infinity: none yet. */
  floor = Infinity

  readonly #groups = new Groups()
  #timed = 0
  #timedAt = 0
  /** Of this round: what was acked, the smallest round trip, whether bulk was held back. */
  #acked = 0
  #fastest = Infinity
  #held = false

  /** Whether a frame of `bytes` may be sent. If not, the window is what holds it back. */
  fits(bytes: number): boolean {
    if (this.inFlight + bytes <= this.size) return true
    this.#held = true
    return false
  }

  /** A frame of bulk was written. */
  sent(seq: number, bytes: number, now: number): void {
    this.inFlight += bytes
    this.#groups.add(seq, bytes)
    if (this.#timed !== 0) return
    this.#timed = seq
    this.#timedAt = now
  }

  /** The far side has everything up to `seq`. */
  acked(seq: number, now: number): void {
    const freed = this.#groups.free(seq)
    this.inFlight -= freed
    this.#acked += freed
    if (this.#timed !== 0 && seq >= this.#timed) {
      const rtt = Math.max(now - this.#timedAt, SHORTEST)
      this.#timed = 0
      if (rtt < this.#fastest) this.#fastest = rtt
      if (rtt < this.floor) this.floor = rtt
    }
    if (this.#acked >= this.size && this.#fastest !== Infinity) this.#endRound()
  }

  #endRound(): void {
    if (this.#held) {
      const near = this.#fastest < 2 * this.floor
      this.size = near ? Math.min(2 * this.size, BULK_MAX) : Math.max(this.size / 2, BULK_MIN)
    }
    this.#acked = 0
    this.#fastest = Infinity
    this.#held = false
  }

  /** Another pipe carries on: what it is like is not known. What is in flight stays so until it is acked. */
  restart(): void {
    this.size = BULK_MIN
    this.floor = this.#fastest = Infinity
    this.#timed = this.#acked = 0
    this.#held = false
  }
}

/** Bytes by seq, first in first out, in a ring of numbers. Neighbours of few bytes are one, and free when the last is. */
class Groups {
  #seqs: number[] = new Array<number>(8).fill(0)
  #bytes: number[] = new Array<number>(8).fill(0)
  #first = 0
  #count = 0

  add(seq: number, bytes: number): void {
    const mask = this.#seqs.length - 1
    const last = (this.#first + this.#count - 1) & mask
    const merged = (this.#bytes[last] ?? 0) + bytes
    if (this.#count > 0 && merged <= GROUP) {
      this.#seqs[last] = seq
      this.#bytes[last] = merged
      return
    }
    if (this.#count > mask) this.#grow()
    const at = (this.#first + this.#count) & (this.#seqs.length - 1)
    this.#seqs[at] = seq
    this.#bytes[at] = bytes
    this.#count++
  }

  /** The bytes of all groups that end at `seq` or before. */
  free(seq: number): number {
    const mask = this.#seqs.length - 1
    let freed = 0
    while (this.#count > 0 && (this.#seqs[this.#first] ?? 0) <= seq) {
      freed += this.#bytes[this.#first] ?? 0
      this.#first = (this.#first + 1) & mask
      this.#count--
    }
    return freed
  }

  #grow(): void {
    const turned = (ring: number[]): number[] => [
      ...ring.slice(this.#first),
      ...ring.slice(0, this.#first),
      ...new Array<number>(ring.length).fill(0),
    ]
    this.#seqs = turned(this.#seqs)
    this.#bytes = turned(this.#bytes)
    this.#first = 0
  }
}

import { SockError } from '../errors.ts'
import type { Deadline, Deadlines } from './deadlines.ts'

export interface ReadLimits {
  /** Milliseconds without a byte; 0 for no limit. */
  readonly timeout: number
  /** Milliseconds that any frame may take. */
  readonly frameGrace: number
  /** Bytes per second from then on; 0 for no limit. */
  readonly frameRate: number
}

/** What else goes on with a peer that is silent, and who hears that it was for too long. */
export interface Work {
  /** Its silence is in order: we are the ones who are working, or it has finished sending. */
  excuses(): boolean
  /** Milliseconds since it last took anything of what waits to be sent to it; 0 if nothing waits. */
  stuckFor(): number
  late(error: SockError): void
}

/**
 * Watches the read side of one connection: silence, and frames that never get finished. Both clocks stand
 * still while we do not read, since the far side cannot help that.
 *
 * Nothing is set or cancelled per message: a deadline that comes due looks whether it still holds. One that
 * comes due while we do not read is set anew when we read again.
 */
export class ReadWatch {
  readonly #limits: ReadLimits
  readonly #deadlines: Deadlines
  readonly #now: () => number
  readonly #work: Work
  #heardAt: number
  /** When we stopped reading; -1 while we read. */
  #pausedAt = -1
  #frameStart = 0
  #frame = -1
  #partial = 0
  #frameDeadline: Deadline | undefined
  #idleDeadline: Deadline | undefined
  /** Came due while we did not read. */
  #frameDue = false

  constructor(limits: ReadLimits, deadlines: Deadlines, now: () => number, work: Work) {
    this.#limits = limits
    this.#deadlines = deadlines
    this.#now = now
    this.#work = work
    this.#heardAt = now()
  }

  start(): void {
    this.#heardAt = this.#now()
    if (this.#limits.timeout > 0) this.#watchIdle(this.#limits.timeout)
  }

  stop(): void {
    this.#frameDeadline?.cancel()
    this.#idleDeadline?.cancel()
  }

  get silent(): number {
    return this.#now() - this.#heardAt
  }

  /** Something came. `partial` bytes are held of frame number `frame`, which is not whole. */
  heard(partial: number, frame: number): void {
    this.#heardAt = this.#now()
    this.#partial = partial
    if (partial === 0 || this.#limits.frameRate === 0) return
    if (frame !== this.#frame) {
      this.#frame = frame
      this.#frameStart = this.#heardAt
    }
    if (this.#frameDeadline === undefined) this.#watchFrame(this.#limits.frameGrace)
  }

  pause(): void {
    if (this.#pausedAt < 0) this.#pausedAt = this.#now()
  }

  resume(): void {
    if (this.#pausedAt < 0) return
    const stood = this.#now() - this.#pausedAt
    this.#heardAt += stood
    this.#frameStart += stood
    this.#pausedAt = -1
    if (this.#frameDue) this.#watchFrame(this.#frameLeft())
    this.#frameDue = false
    if (this.#limits.timeout === 0) return
    this.#idleDeadline?.cancel()
    this.#watchIdle(this.#idleLeft())
  }

  #watchFrame(ms: number): void {
    this.#frameDeadline = this.#deadlines.set(ms, () => {
      if (this.#pausedAt >= 0) {
        this.#frameDue = true
        return
      }
      this.#frameDeadline = undefined
      if (this.#partial === 0) return
      const left = this.#frameLeft()
      if (left > 0) this.#watchFrame(left)
      else
        this.#work.late(new SockError('FRAME_STALLED', `a frame stopped coming after ${this.#partial} bytes`))
    })
  }

  #watchIdle(ms: number): void {
    this.#idleDeadline = this.#deadlines.set(ms, () => {
      const { timeout } = this.#limits
      const left = this.#idleLeft()
      if (this.#work.stuckFor() >= timeout) {
        this.#work.late(
          new SockError('IDLE_TIMEOUT', `it took nothing of what waits for it for ${timeout} ms`),
        )
      } else if (this.#pausedAt >= 0) {
        // With nothing to look at, resume() sets it anew.
        if (this.#work.stuckFor() > 0) this.#watchIdle(timeout)
      } else if (left > 0) this.#watchIdle(left)
      else if (this.#work.excuses()) this.#watchIdle(timeout)
      else this.#work.late(new SockError('IDLE_TIMEOUT', `nothing came for ${timeout} ms`))
    })
  }

  #frameLeft(): number {
    return this.#frameStart + frameDueAfter(this.#partial, this.#limits) - this.#now()
  }

  #idleLeft(): number {
    return this.#heardAt + this.#limits.timeout - this.#now()
  }
}

/**
 * When a frame of which `bytes` have come is too slow, in milliseconds after its first byte: the grace, or
 * what those bytes may take at the least rate, whichever is longer.
 */
export function frameDueAfter(bytes: number, { frameGrace, frameRate }: Omit<ReadLimits, 'timeout'>): number {
  return frameRate === 0 ? Infinity : Math.max(frameGrace, (bytes / frameRate) * 1000)
}

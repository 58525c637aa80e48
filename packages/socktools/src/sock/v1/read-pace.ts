import type { Platform } from '../../platform/platform.ts'
import { type Bucket, refill } from '../admission.ts'
import type { Deadline, Deadlines } from '../deadlines.ts'
import { Share } from '../share.ts'
import type { Turn } from '../turn.ts'

/** More than this waits to be written only where frames of our own making answer frames that nothing else bounds. */
const MOST_QUEUED = 512 * 1024

/** The pipe that is read. */
export interface Reading {
  /** What waits to be written to it, in bytes. */
  readonly unwritten: number
  pauseReading(): void
  /** Unless there is no pipe any more. */
  resumeReading(): void
  /** One that was put off. Never throws. */
  takeFrame(payload: Uint8Array): void
  /** So many as there was time for were taken. */
  onFrames(): void
}

export interface PaceLimits {
  readonly turn: Turn
  readonly platform: Platform
  readonly deadlines: Deadlines
  /** As the option; and what may be given up at once, beyond it. */
  readonly maxResetRate: number
  readonly resetBurst: number
  /** It is read no further for a time, because of that rate. */
  onSlowed(): void
}

/**
 * The pipe is always read, but for these three. A far side that has us answer frame by frame, PING by PONG, and takes none
 * of it waits until it has. One that has much to say lets the others have their turn, in the middle of a read if need be.
 * And one that gives up what it asked as fast as it asks does so at a rate.
 */
export class ReadPace {
  readonly #reading: Reading
  readonly #limits: PaceLimits
  readonly #share: Share
  /** Not read, until the outbox has got rid of something, until the next turn, or for a time. */
  #held = false
  #yielding = false
  #slowed: Deadline | undefined
  /** Of a read that was more than the share of its turn: at most so much as one read brings. */
  #late: Uint8Array[] = []
  #head = 0
  /** Frames of this chunk came. */
  #begun = false
  #resets: Bucket | undefined

  constructor(reading: Reading, limits: PaceLimits) {
    this.#reading = reading
    this.#limits = limits
    this.#share = new Share(limits.turn)
  }

  /** Frames that came and wait for the next turn. */
  get waiting(): number {
    return this.#late.length - this.#head
  }

  /** A frame came; true: the first of a chunk. */
  begins(): boolean {
    const first = !this.#begun
    this.#begun = true
    return first
  }

  /** Whether this frame has to wait; else it is to be taken now, and `took` told. */
  putsOff(payload: Uint8Array): boolean {
    if (this.#yielding || this.#slowed !== undefined) {
      this.#late.push(payload)
      return true
    }
    this.#share.begin(true)
    return false
  }

  took(): void {
    if (this.#share.used()) this.#yield()
  }

  #yield(): void {
    if (this.#yielding) return
    this.#yielding = true
    this.#limits.platform.afterPoll(() => {
      this.#yielding = false
      this.#goOn()
    })
  }

  /** All frames of a chunk came. */
  onChunk(): void {
    this.#begun = false
    if (this.#reading.unwritten > MOST_QUEUED) this.#held = true
    if (this.#held || this.#yielding || this.#slowed !== undefined) this.#reading.pauseReading()
  }

  /** The far side gave up something that it had asked for. */
  onReset(): void {
    const { platform, deadlines, maxResetRate, resetBurst } = this.#limits
    if (maxResetRate === Infinity) return
    const bucket = (this.#resets = refill(this.#resets, platform.now(), maxResetRate, resetBurst))
    if (--bucket.tokens >= 0 || this.#slowed !== undefined) return
    this.#limits.onSlowed()
    this.#slowed = deadlines.set((-bucket.tokens / maxResetRate) * 1000, () => {
      this.#slowed = undefined
      this.#goOn()
    })
  }

  /** Takes what was put off, as far as the share of this turn goes, and reads on. */
  #goOn(): void {
    this.#take(false)
    if (!this.#held && !this.#yielding && this.#slowed === undefined) this.#reading.resumeReading()
  }

  /** `all`: whatever time that takes. */
  #take(all: boolean): void {
    if (this.waiting === 0) return
    while (this.waiting > 0 && (all || (!this.#yielding && this.#slowed === undefined))) {
      const payload = this.#late[this.#head++] as Uint8Array
      this.#share.begin(true)
      this.#reading.takeFrame(payload)
      if (!all) this.took()
    }
    if (this.waiting === 0) {
      this.#late = []
      this.#head = 0
    }
    this.#reading.onFrames()
  }

  /** The pipe is about to end: what came over it is taken now. */
  finish(): void {
    this.#take(true)
  }

  /** Something was written. */
  onProgress(): void {
    if (!this.#held || this.#reading.unwritten > MOST_QUEUED / 2) return
    this.#held = false
    this.#goOn()
  }

  /** That pipe is no more, nor is what came over it and was not taken. */
  detached(): void {
    this.#held = this.#begun = false
    this.#late = []
    this.#head = 0
    this.#slowed?.cancel()
    this.#slowed = undefined
  }
}

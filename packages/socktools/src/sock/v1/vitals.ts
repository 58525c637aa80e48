import { SockError } from '../../errors.ts'
import type { Deadline, Deadlines } from '../deadlines.ts'

export interface VitalLimits {
  /** Milliseconds of silence after which the far side is asked for a sign; 0: never. */
  readonly heartbeat: number
  /** Milliseconds that what waits to be sent may stand still; 0: for ever. */
  readonly stallTimeout: number
}

export interface VitalSigns {
  /** Milliseconds since a byte came. */
  silent(): number
  /** Milliseconds since the system took anything of what waits for it; 0: nothing waits. */
  stuckFor(): number
  ping(): void
  dead(error: SockError): void
}

/** Unanswered signs at once: more tell nothing. */
const MOST_OUTSTANDING = 2

/**
 * Asks a silent far side for a sign of life, and watches whether what we write leaves. That it is dead is for the
 * reading side to judge: `timeout` without a byte, of whatever kind.
 */
export class Vitals {
  readonly #limits: VitalLimits
  readonly #deadlines: Deadlines
  readonly #signs: VitalSigns
  #timer: Deadline | undefined
  #outstanding = 0

  constructor(limits: VitalLimits, deadlines: Deadlines, signs: VitalSigns) {
    this.#limits = limits
    this.#deadlines = deadlines
    this.#signs = signs
  }

  start(): void {
    const { heartbeat, stallTimeout } = this.#limits
    const every = Math.min(heartbeat || Infinity, (stallTimeout || Infinity) / 2)
    if (every === Infinity) return
    const look = (): void => {
      this.#timer = this.#deadlines.set(this.#next(every), look)
      this.#look()
    }
    this.#timer = this.#deadlines.set(every, look)
  }

  /** When to look again: when the far side will have been silent for long enough, if nothing comes. */
  #next(every: number): number {
    const { heartbeat } = this.#limits
    const left = heartbeat - this.#signs.silent()
    return left > 0 && left < every ? left : every
  }

  #look(): void {
    const { heartbeat, stallTimeout } = this.#limits
    const silent = this.#signs.silent()
    const stuckFor = this.#signs.stuckFor()
    if (stallTimeout > 0 && stuckFor >= stallTimeout) {
      this.#signs.dead(
        new SockError(
          'WRITE_STALLED',
          `nothing of what waits to be sent has left for ${Math.round(stuckFor)} ms`,
        ),
      )
    } else if (heartbeat > 0 && silent >= heartbeat && this.#outstanding < MOST_OUTSTANDING) {
      this.#outstanding++
      this.#signs.ping()
    }
  }

  /** Something came: whatever was asked for, this is a sign. */
  heard(): void {
    this.#outstanding = 0
  }

  stop(): void {
    this.#timer?.cancel()
  }
}

import { SockError } from '../../errors.ts'
import type { Deadline, Deadlines } from '../deadlines.ts'
import type { SignedPeer } from './signs.ts'

export interface VitalLimits {
  /** Milliseconds of silence after which the far side is asked for a sign; 0: never. */
  readonly heartbeat: number
  /** Milliseconds that what waits to be sent may stand still; 0: for ever. */
  readonly stallTimeout: number
}

/** The peer whose pipe it is. */
export interface VitalPeer extends Pick<SignedPeer, 'silentFor' | 'ping' | 'judgedDead'> {
  /** Milliseconds since the system took anything of what waits for it; 0: nothing waits. */
  readonly stuckFor: number
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
  readonly #peer: VitalPeer
  #timer: Deadline | undefined
  #outstanding = 0

  constructor(limits: VitalLimits, deadlines: Deadlines, peer: VitalPeer) {
    this.#limits = limits
    this.#deadlines = deadlines
    this.#peer = peer
  }

  /** There is a pipe that is read. */
  start(): void {
    this.stop()
    this.#outstanding = 0
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
    const left = heartbeat - this.#peer.silentFor
    return left > 0 && left < every ? left : every
  }

  #look(): void {
    const { heartbeat, stallTimeout } = this.#limits
    const { silentFor, stuckFor } = this.#peer
    if (stallTimeout > 0 && stuckFor >= stallTimeout) {
      this.#peer.judgedDead(
        new SockError(
          'WRITE_STALLED',
          `nothing of what waits to be sent has left for ${Math.round(stuckFor)} ms`,
        ),
      )
    } else if (heartbeat > 0 && silentFor >= heartbeat && this.#outstanding < MOST_OUTSTANDING) {
      this.#outstanding++
      this.#peer.ping()
    }
  }

  /** Something came: whatever was asked for, this is a sign. */
  heard(): void {
    this.#outstanding = 0
  }

  /** There is none. */
  stop(): void {
    this.#timer?.cancel()
  }
}

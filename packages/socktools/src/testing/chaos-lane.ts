import type { Socket } from 'node:net'
import type { Platform, Timer } from '../platform/platform.ts'
import type { Toxics } from './chaos-options.ts'

/** Bytes that are held back before no more is read: so a slow way is felt by who writes. */
const MOST_HELD = 256 * 1024

export interface LaneHost {
  readonly platform: Pick<Platform, 'now' | 'setTimer'>
  readonly random: () => number
  /** The connection is to be reset: what was to pass has passed. */
  cut(): void
  limit(): void
}

/** One direction of one connection: reads from a socket, and writes to the other what its toxics let through, when. */
export class ChaosLane {
  passed = 0
  readonly #from: Socket
  readonly #to: Socket
  readonly #toxics: Toxics
  readonly #cutAfter: number
  readonly #host: LaneHost
  readonly #queue: { piece: Uint8Array | 'end'; due: number }[] = []
  #held = 0
  #lastDue = 0
  /** When the bytes before are through, at the rate of `bandwidth`. */
  #freeAt = 0
  #frozen = false
  #hole: boolean
  #over = false
  #timer: Timer | undefined
  /** Bytes are missing that were sent: nothing may follow them. */
  #swallowed = false

  constructor(from: Socket, to: Socket, toxics: Toxics, cutAfter: number, host: LaneHost) {
    this.#from = from
    this.#to = to
    this.#toxics = toxics
    this.#cutAfter = cutAfter
    this.#host = host
    this.#hole = toxics.blackHole ?? false
    from.on('data', (chunk: Uint8Array) => this.#take(chunk))
    from.on('end', () => this.#add('end'))
    to.on('drain', () => this.#pump())
    this.#flow()
  }

  freeze(): void {
    this.#frozen = true
    this.#from.pause()
  }

  release(): void {
    this.#frozen = false
    this.#flow()
    this.#pump()
  }

  blackHole(on: boolean): void {
    this.#hole = on
    if (on) {
      this.#swallowed ||= this.#queue.length > 0
      this.#clear()
    } else if (this.#swallowed) this.#host.cut()
  }

  stop(): void {
    this.#over = true
    this.#timer?.cancel()
    this.#clear()
  }

  #clear(): void {
    this.#queue.length = 0
    this.#held = 0
    this.#flow()
  }

  #take(chunk: Uint8Array): void {
    this.#swallowed ||= this.#hole
    if (this.#hole || this.#over) return
    const { slice = Infinity } = this.#toxics
    for (let at = 0; at < chunk.length; ) {
      const n = slice === Infinity ? chunk.length : 1 + Math.floor(this.#host.random() * slice)
      this.#add(chunk.subarray(at, at + n))
      at += n
    }
    if (this.#held > MOST_HELD) this.#from.pause()
  }

  #add(piece: Uint8Array | 'end'): void {
    this.#swallowed ||= this.#hole
    if (this.#hole || this.#over) return
    const { latency = 0, jitter = 0, bandwidth } = this.#toxics
    const now = this.#host.platform.now()
    let due = now + latency + jitter * this.#host.random()
    if (piece !== 'end') {
      this.#held += piece.length
      if (bandwidth !== undefined) {
        this.#freeAt = Math.max(this.#freeAt, now) + (1000 * piece.length) / bandwidth
        due = Math.max(due, this.#freeAt + latency)
      }
    }
    this.#lastDue = Math.max(this.#lastDue, due)
    this.#queue.push({ piece, due: this.#lastDue })
    this.#pump()
  }

  /** Passes on what is due, and looks again when the next is. */
  #pump(): void {
    const { platform } = this.#host
    while (!this.#frozen && !this.#over && !this.#to.writableNeedDrain) {
      const first = this.#queue[0]
      if (first === undefined) break
      const left = first.due - platform.now()
      if (left > 0) {
        this.#later(left)
        break
      }
      this.#queue.shift()
      this.#pass(first.piece)
    }
    this.#flow()
  }

  #later(ms: number): void {
    this.#timer ??= this.#host.platform.setTimer(() => {
      this.#timer = undefined
      this.#pump()
    }, ms)
  }

  #pass(piece: Uint8Array | 'end'): void {
    if (piece === 'end') {
      this.#to.end()
      return
    }
    this.#held -= piece.length
    const { limit = Infinity } = this.#toxics
    const most = Math.min(limit, this.#cutAfter)
    const bytes = piece.subarray(0, most - this.passed)
    this.passed += bytes.length
    if (this.passed < most) {
      this.#to.write(bytes)
      return
    }
    const cut = this.#cutAfter <= limit
    this.stop()
    // The last of them leaves before the connection does.
    this.#to.write(bytes, () => {
      if (cut) this.#host.cut()
      else {
        this.#to.end()
        this.#host.limit()
      }
    })
  }

  #flow(): void {
    if (!this.#frozen && this.#held <= MOST_HELD / 2) this.#from.resume()
  }
}

import { Share } from './share.ts'
import type { Turn } from './turn.ts'

/** What a queued message takes beside its bytes (measured: 105 and its place): a flood of empty ones counts as well. */
const OVERHEAD = 128

const NOTHING = new Uint8Array(0)

export interface InboxHost {
  readonly turn: Turn
  readonly concurrency: number
  /** Bytes that may wait for a handler before the pipe is paused. */
  readonly readMark: number
  afterPoll(fn: () => void): void
  /** Handles one payload. Never throws or rejects. */
  handle(payload: Uint8Array): Promise<void> | undefined
  /** More than `readMark` waits, or no longer. */
  onPressure(high: boolean): void
  /** Nothing waits and no handler runs. */
  onIdle(): void
}

/**
 * The way in of one connection, from whole payloads to the handler: one after another in order of arrival,
 * each when the one before has settled (or up to `concurrency` at once, started in order).
 */
export class Inbox {
  /** Messages that arrived: the number of the last one. */
  arrived = 0
  readonly #host: InboxHost
  #queue: Uint8Array[] = []
  #head = 0
  #bytes = 0
  /** Messages that were handed to a handler; and, in ascending order, those whose handler has not settled. */
  #started = 0
  readonly #running = new Set<number>()
  /** A handler is running up to its first `await`; and it is not to be waited for. */
  #inHandler = false
  #excused = false
  /** More than readMark waits. */
  high = false
  #yielding = false
  #stopped = false
  readonly #share: Share
  #waiting: { until: number; resolve: () => void }[] = []

  constructor(host: InboxHost) {
    this.#host = host
    this.#share = new Share(host.turn)
  }

  get idle(): boolean {
    return this.#running.size === 0 && this.waiting === 0
  }

  /** Bytes that wait for a handler, with what each message takes beside them. */
  get bytes(): number {
    return this.#bytes
  }

  /** Messages that wait for a handler. */
  get waiting(): number {
    return this.#queue.length - this.#head
  }

  /** The last message before which, and with which, all are handled. */
  get done(): number {
    for (const oldest of this.#running) return oldest - 1
    return this.#started
  }

  put(payload: Uint8Array): void {
    this.arrived++
    if (this.#running.size < this.#host.concurrency && this.waiting === 0 && !this.#yielding)
      this.#run(payload)
    else {
      this.#queue.push(payload)
      this.#bytes += payload.length + OVERHEAD
      if (!this.high && this.#bytes > this.#host.readMark) this.#pressure(true)
    }
  }

  /**
   * Resolves when all that has arrived by now is handled. A handler that calls this gives up its place: it may
   * wait for the messages behind it, which would else wait for it.
   */
  settled(): Promise<void> {
    if (this.#inHandler) this.#excused = true
    const until = this.arrived
    if (this.done >= until || this.#stopped) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push({ until, resolve }))
  }

  /** No handler is started any more. Returns what was waiting for one. */
  stop(): { messages: number; bytes: number } {
    const lost = { messages: this.waiting, bytes: this.#bytes - this.waiting * OVERHEAD }
    this.#stopped = true
    this.#queue = []
    this.#head = this.#bytes = 0
    for (const { resolve } of this.#waiting.splice(0)) resolve()
    return lost
  }

  #run(payload: Uint8Array): void {
    this.#share.begin()
    this.#inHandler = true
    const settling = this.#host.handle(payload)
    this.#inHandler = false
    const number = ++this.#started
    if (settling !== undefined && !this.#excused) {
      this.#running.add(number)
      void settling.then(() => {
        this.#running.delete(number)
        this.#pump()
      })
    }
    this.#excused = false
    if (this.#waiting.length > 0) this.#wake()
    if (this.#share.used()) this.#yield()
  }

  #pump(): void {
    while (this.#running.size < this.#host.concurrency && this.waiting > 0 && !this.#yielding) {
      const payload = this.#queue[this.#head] as Uint8Array
      // Let go of at once: it may be all that keeps a chunk of 64 KiB.
      this.#queue[this.#head++] = NOTHING
      if (this.#head > 1024 && this.#head * 2 > this.#queue.length) {
        this.#queue = this.#queue.slice(this.#head)
        this.#head = 0
      }
      this.#bytes -= payload.length + OVERHEAD
      this.#run(payload)
    }
    if (this.high && this.#bytes <= this.#host.readMark / 2) this.#pressure(false)
    this.#wake()
  }

  #wake(): void {
    if (this.#waiting.length > 0) {
      const { done } = this
      const ready = this.#waiting.filter(({ until }) => done >= until)
      this.#waiting = this.#waiting.filter(({ until }) => done < until)
      for (const { resolve } of ready) resolve()
    }
    if (this.idle && !this.#stopped) this.#host.onIdle()
  }

  #pressure(high: boolean): void {
    this.high = high
    this.#host.onPressure(high)
  }

  #yield(): void {
    this.#yielding = true
    this.#host.afterPoll(() => {
      this.#yielding = false
      this.#pump()
    })
  }
}

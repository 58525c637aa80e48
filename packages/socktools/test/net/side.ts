import assert from 'node:assert/strict'
import type { Pipe } from '../../src/net/pipe.ts'

/** One end of a connection: the pipe, what it has told so far, and what it has told against its contract. */
export class Side {
  readonly pipe: Pipe
  readonly chunks: Uint8Array[] = []
  bytes = 0
  drains = 0
  ends = 0
  readonly closes: (Error | undefined)[] = []
  /** Called with each chunk, from within `data`. */
  onChunk: () => void = () => undefined
  readonly #faults: string[] = []
  #calling = false
  #waiting: { ready: () => boolean; resolve: () => void }[] = []

  constructor(pipe: Pipe) {
    this.pipe = pipe
    pipe.attach({
      data: (chunk) => {
        this.#hear('data', this.ends > 0)
        this.chunks.push(chunk)
        this.bytes += chunk.length
        this.onChunk()
        this.#wake()
      },
      drain: () => {
        this.#hear('drain', false)
        this.drains++
        this.#wake()
      },
      end: () => {
        this.#hear('end', this.ends > 0)
        this.ends++
        this.#wake()
      },
      close: (error) => {
        this.#hear('close', false)
        this.closes.push(error)
        this.#wake()
      },
    })
  }

  write(...chunks: Uint8Array[]): boolean {
    return this.#call(() => this.pipe.write(chunks))
  }

  pause(): void {
    this.#call(() => this.pipe.pause())
  }

  resume(): void {
    this.#call(() => this.pipe.resume())
  }

  end(): void {
    this.#call(() => this.pipe.end())
  }

  destroy(): void {
    this.#call(() => this.pipe.destroy())
  }

  /** All that was read, in one piece. */
  read(): Uint8Array {
    return Buffer.concat(this.chunks)
  }

  /** Writes as a sender should: after a false, only when drained. Afterwards `chunk` may be changed. */
  async send(chunk: Uint8Array): Promise<void> {
    const { drains } = this
    if (!this.write(chunk)) await this.until(() => this.drains > drains)
  }

  until(ready: () => boolean): Promise<void> {
    if (ready()) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push({ ready, resolve }))
  }

  /** It kept its contract: nothing after close, one end, no event from within a call. */
  check(): void {
    assert.deepEqual(this.#faults, [])
  }

  #call<T>(fn: () => T): T {
    this.#calling = true
    try {
      return fn()
    } finally {
      this.#calling = false
    }
  }

  #hear(event: string, wrong: boolean): void {
    if (this.#calling) this.#faults.push(`${event} came from within a call to the pipe`)
    if (this.closes.length > 0) this.#faults.push(`${event} came after close`)
    if (wrong) this.#faults.push(`${event} came after end`)
  }

  #wake(): void {
    const ready = this.#waiting.filter((one) => one.ready())
    this.#waiting = this.#waiting.filter((one) => !ready.includes(one))
    for (const { resolve } of ready) resolve()
  }
}

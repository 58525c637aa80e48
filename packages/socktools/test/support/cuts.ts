/** A transport whose connections can be cut: at once, or after so many bytes in either direction. */
import type { Pipe, PipeSink, Transport } from '../../src/index.ts'

export interface Cuts {
  readonly transport: Transport
  /** Connections that were dialed and are not over. */
  readonly pipes: ReadonlySet<CutPipe>
  /** Dialed so far. */
  readonly dials: number
  /** Breaks every connection. */
  cut(): void
  /** The connections that are dialed from now on are cut after so many bytes: of the first, the second … */
  plan(bytes: () => number): void
  /** Dials fail from now on, or do not. */
  refuse: boolean
}

export function cuttable(inner: Transport): Cuts {
  const pipes = new Set<CutPipe>()
  let next = (): number => Infinity
  const cuts = {
    dials: 0,
    refuse: false,
    pipes,
    cut: () => {
      for (const pipe of [...pipes]) pipe.cut()
    },
    plan: (bytes: () => number) => {
      next = bytes
    },
    transport: {
      scheme: inner.scheme,
      listen: inner.listen.bind(inner),
      dial: async (to, options) => {
        if (cuts.refuse) throw new Error('refused')
        const pipe = new CutPipe(await inner.dial(to, options), next(), () => pipes.delete(pipe))
        cuts.dials++
        pipes.add(pipe)
        return pipe
      },
    } satisfies Transport,
  }
  return cuts
}

export class CutPipe implements Pipe {
  readonly remote
  readonly #inner: Pipe
  readonly #onOver: () => void
  /** What is sent either way seems to leave, and never arrives. */
  mute = false
  /** Nothing comes any more. */
  deaf = false
  /** Nothing comes any more, and that this side has ended it is never heard of at the other. */
  lost = false
  #left: number
  #handlers: PipeSink | undefined
  #over = false

  constructor(inner: Pipe, bytes: number, onOver: () => void) {
    this.#inner = inner
    this.#left = bytes
    this.#onOver = onOver
    this.remote = inner.remote
  }

  cut(): void {
    if (this.#over) return
    this.#end()
    this.#inner.destroy()
    this.#handlers?.close(new Error('cut'))
  }

  #end(): void {
    this.#over = true
    this.#onOver()
  }

  attach(handlers: PipeSink): void {
    this.#handlers = handlers
    this.#inner.attach({
      drain: () => {
        handlers.drain()
      },
      end: () => {
        handlers.end()
      },
      data: (chunk) => {
        if (this.mute || this.deaf || this.lost) return
        const part = this.#take(chunk)
        if (part.length > 0) this.#handlers?.data(part)
        if (this.#left <= 0) this.cut()
      },
      close: (error) => {
        if (this.#over) return
        this.#end()
        handlers.close(error)
      },
    })
  }

  #take(chunk: Uint8Array): Uint8Array {
    const part = chunk.subarray(0, Math.max(0, this.#left))
    this.#left -= chunk.length
    return part
  }

  write(chunks: readonly Uint8Array[]): boolean {
    if (this.#over) return false
    if (this.mute) return true
    const some = chunks.map((chunk) => this.#take(chunk)).filter(({ length }) => length > 0)
    const took = this.#inner.write(some)
    if (this.#left > 0) return took
    // Not from within a write: what it broke is told afterwards.
    queueMicrotask(() => this.cut())
    return false
  }

  pause(): void {
    this.#inner.pause()
  }

  resume(): void {
    this.#inner.resume()
  }

  end(): void {
    if (!this.lost) this.#inner.end()
  }

  destroy(): void {
    if (!this.#over) this.#end()
    if (!this.lost) this.#inner.destroy()
  }
}

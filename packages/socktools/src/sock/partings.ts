import type { Pipe } from '../net/pipe.ts'
import type { Deadlines } from './deadlines.ts'

/** How long the far side may take to hear our last word and end, in milliseconds. */
const LINGER = 1_000
/** So many at once: a flood of those that are turned away costs no more descriptors than that. */
const MOST = 128

/**
 * Connections that we have ended, and whose last word is still on its way. A system that is told to let go of a
 * connection while bytes of the far side are unread resets it, and the far side may lose what it had not read yet: so
 * its bytes are read and dropped until it has ended as well, for a short time.
 */
export class Partings {
  readonly #deadlines: Deadlines
  readonly #over = new Set<() => void>()
  #ended = false

  constructor(deadlines: Deadlines) {
    this.#deadlines = deadlines
  }

  /** Ends this side of a pipe that has taken all that it was given, and sees it off. */
  add(pipe: Pipe): void {
    if (this.#ended || this.#over.size >= MOST) {
      pipe.destroy()
      return
    }
    const over = (): void => {
      if (!this.#over.delete(over)) return
      late.cancel()
      pipe.destroy()
    }
    const late = this.#deadlines.set(LINGER, over)
    this.#over.add(over)
    pipe.attach({ data: () => undefined, drain: () => undefined, end: over, close: over })
    pipe.end()
    pipe.resume()
  }

  /** Nobody waits for them any more. */
  end(): void {
    this.#ended = true
    for (const over of this.#over) over()
  }
}

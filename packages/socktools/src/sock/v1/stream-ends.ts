import { rejected } from '../waiter.ts'
import type { Stream } from './stream.ts'

const DONE: IteratorReturnResult<undefined> = { value: undefined, done: true }

/** A feed as who asked for it reads it. It is opened by the first `next()`: one that nobody reads costs nothing. */
export class FeedReader implements AsyncIterableIterator<unknown> {
  readonly #open: () => Stream
  #stream: Stream | undefined
  #over = false

  constructor(open: () => Stream) {
    this.#open = open
  }

  next(): Promise<IteratorResult<unknown, undefined>> {
    if (this.#over) return Promise.resolve(DONE)
    try {
      this.#stream ??= this.#open()
    } catch (thrown) {
      this.#over = true
      return rejected(thrown as Error)
    }
    return this.#stream.next()
  }

  return(): Promise<IteratorResult<unknown, undefined>> {
    this.#over = true
    return this.#stream?.return() ?? Promise.resolve(DONE)
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}

/** One end of a channel as the application has it. */
export class ChannelEnd implements AsyncIterableIterator<unknown> {
  readonly #stream: Stream
  readonly #served: boolean

  /** `served`: of the handler, whose end is that of the channel. */
  constructor(stream: Stream, served: boolean) {
    this.#stream = stream
    this.#served = served
  }

  send(item: unknown): Promise<void> {
    const sent = this.#stream.send(item)
    // A forgotten await ends no process: that the far side takes no more is heard by whoever reads, too.
    sent.catch(() => undefined)
    return sent
  }

  /** No more is sent from here; what comes from there still does. */
  end(): Promise<void> {
    this.#stream.end()
    return Promise.resolve()
  }

  next(): Promise<IteratorResult<unknown, undefined>> {
    return this.#stream.next()
  }

  /** Leaving the loop closes the channel: nothing more is read, and nothing more is sent. */
  return(): Promise<IteratorResult<unknown, undefined>> {
    if (this.#served) {
      // By what it throws, perhaps: the far side is to hear of that, and not of an end in good order.
      this.#stream.discard()
      return Promise.resolve(DONE)
    }
    this.#stream.end()
    return this.#stream.return()
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}

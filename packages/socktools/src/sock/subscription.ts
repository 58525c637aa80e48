import { SockError } from '../errors.ts'

export interface SubscribeOptions {
  /** Ends the iteration, without an error. */
  readonly signal?: AbortSignal
  /** Items that may wait to be read. Default 1,000. One more ends this iteration with SLOW_CONSUMER. */
  readonly limit?: number
}

/** What arrives, as an async iterable. It never slows the sock down: a reader that falls behind ends itself. */
export class Subscription<T> implements AsyncIterableIterator<T> {
  readonly #limit: number
  readonly #onEnd: (subscription: Subscription<T>) => void
  #items: T[] = []
  #readers: { resolve: (result: IteratorResult<T, undefined>) => void; reject: (error: Error) => void }[] = []
  #ended = false
  #error: Error | undefined
  #unlisten: (() => void) | undefined

  constructor({ signal, limit = 1000 }: SubscribeOptions, onEnd: (subscription: Subscription<T>) => void) {
    this.#limit = limit
    this.#onEnd = onEnd
    if (signal === undefined) return
    const onAbort = (): void => {
      this.#items = []
      this.end()
    }
    if (signal.aborted) onAbort()
    else {
      signal.addEventListener('abort', onAbort, { once: true })
      this.#unlisten = () => {
        signal.removeEventListener('abort', onAbort)
      }
    }
  }

  get ended(): boolean {
    return this.#ended
  }

  push(item: T): void {
    if (this.#ended) return
    const reader = this.#readers.shift()
    if (reader !== undefined) reader.resolve({ value: item, done: false })
    else if (this.#items.length < this.#limit) this.#items.push(item)
    else this.end(new SockError('SLOW_CONSUMER', `${this.#limit} items waited to be read`))
  }

  /** No more comes. What waits can still be read; after that, the end or `error`. */
  end(error?: Error): void {
    if (this.#ended) return
    this.#ended = true
    this.#error = error
    this.#unlisten?.()
    for (const reader of this.#readers.splice(0)) {
      if (error === undefined) reader.resolve(DONE)
      else reader.reject(error)
    }
    this.#onEnd(this)
  }

  next(): Promise<IteratorResult<T, undefined>> {
    const item = this.#items.shift()
    if (item !== undefined) return Promise.resolve({ value: item, done: false })
    if (!this.#ended) return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }))
    const error = this.#error
    this.#error = undefined
    return error === undefined ? Promise.resolve(DONE) : Promise.reject(error)
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.#items = []
    this.end()
    return Promise.resolve(DONE)
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}

const DONE: IteratorReturnResult<undefined> = { value: undefined, done: true }

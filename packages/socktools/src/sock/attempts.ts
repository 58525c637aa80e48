import { type ErrorCode, SockError, asSockError } from '../errors.ts'
import type { Deadlines } from './deadlines.ts'

/** Work towards an address that can be given up: by a signal, by a deadline, or because the sock is closed. */
export class Attempts {
  readonly #deadlines: Deadlines
  readonly #giveUps = new Set<() => void>()

  constructor(deadlines: Deadlines) {
    this.#deadlines = deadlines
  }

  /**
   * What `work` gives. It must end when the signal it is handed is aborted. Rejects with ABORTED,
   * CONNECT_TIMEOUT or CLOSED when given up, else with what `work` threw, as CONNECT_FAILED if that has no code.
   */
  async run<T>(
    address: string,
    { signal, timeout }: { readonly signal?: AbortSignal | undefined; readonly timeout: number },
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const aborter = new AbortController()
    const abort = (code: ErrorCode, what: string, cause?: unknown): void => {
      aborter.abort(new SockError(code, what, { address, cause }))
    }
    const onAbort = (): void => {
      abort('ABORTED', 'the dial was given up', signal?.reason)
    }
    const giveUp = (): void => {
      abort('CLOSED', 'the sock was closed during the dial')
    }
    const late = this.#deadlines.set(timeout, () => {
      abort('CONNECT_TIMEOUT', `no connection within ${timeout} ms`)
    })
    this.#giveUps.add(giveUp)
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted === true) onAbort()
    try {
      return await work(aborter.signal)
    } catch (error) {
      // The transport's ABORTED says less than why we gave up.
      if (aborter.signal.aborted) throw aborter.signal.reason
      throw asSockError(error, 'CONNECT_FAILED', 'could not connect', address)
    } finally {
      late.cancel()
      this.#giveUps.delete(giveUp)
      signal?.removeEventListener('abort', onAbort)
    }
  }

  /** The sock is closed. */
  giveUpAll(): void {
    for (const giveUp of [...this.#giveUps]) giveUp()
  }
}

/** What `promise` gives, unless `signal` comes first. What it gives after that is dropped. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(signal.reason as SockError)
    }
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', onAbort)
    })
  })
}

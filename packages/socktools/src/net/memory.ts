import { SockError, fail } from '../errors.ts'
import type { Platform } from '../platform/platform.ts'
import { pathOf } from '../address.ts'
import type { Endpoint, Pipe, PipeSink, Proof } from './pipe.ts'
import type { Security } from './security.ts'
import type { Transport } from './transport.ts'

/** What a memory network does to bytes on their way. Every function is asked anew each time. */
export interface Weather {
  /** Milliseconds that a chunk is under way. Absent: until after the next poll phase. */
  readonly latency?: () => number
  /** The most bytes handed over in one piece, at least 1. Absent: as written. */
  readonly slice?: () => number
}

/** Bytes under way in one direction before the writer is told to wait, as a kernel would. */
const CAPACITY = 64 * 1024

/** Pipes within one process. Names live in the transport: two transports are two networks. */
export function memory(platform: Platform, weather: Weather = {}): Transport {
  const listeners = new Map<string, (pipe: Pipe) => void>()
  let dials = 0
  return {
    scheme: 'memory',
    dial(to, { signal }) {
      return new Promise((resolve, reject) => {
        const name = pathOf(to)
        const onAbort = (): void => {
          const cause: unknown = signal?.reason
          reject(new SockError('ABORTED', 'the dial was given up', { address: to.href, cause }))
        }
        signal?.addEventListener('abort', onAbort, { once: true })
        if (signal?.aborted === true) onAbort()
        const dialed = new MemoryPipe(platform, weather, local(to.href))
        const accepted = new MemoryPipe(platform, weather, local(`${to.href}#${++dials}`))
        const after = weather.latency === undefined ? platform.afterPoll : later(platform, weather.latency)
        after(() => {
          signal?.removeEventListener('abort', onAbort)
          if (signal?.aborted === true) return
          const onPipe = listeners.get(name)
          if (onPipe === undefined) {
            reject(new SockError('CONNECT_FAILED', 'nobody listens there', { address: to.href }))
            return
          }
          dialed.join(accepted)
          resolve(dialed)
          onPipe(accepted)
        })
      })
    },
    async listen(at, _options, onPipe) {
      const name = pathOf(at)
      if (listeners.has(name)) fail('ADDRESS_IN_USE', 'this name is taken', { address: at.href })
      listeners.set(name, onPipe)
      return {
        address: at.href,
        close: async () => {
          if (listeners.get(name) === onPipe) listeners.delete(name)
        },
      }
    },
  }
}

/**
 * A Security within one process: both sides say an id, and are believed. For tests of what stands on proven ids, without
 * keys or TLS. The far side must have one as well.
 */
export function memorySecurity(id: string): Security {
  return {
    name: 'memory',
    id,
    secure(pipe, { signal }) {
      if (!(pipe instanceof MemoryPipe))
        return Promise.reject(new SockError('UNSUPPORTED', 'only a pipe of memory() can be believed'))
      return new Promise((resolve, reject) => {
        const onAbort = (): void => {
          pipe.destroy()
          reject(signal.reason as SockError)
        }
        if (signal.aborted) onAbort()
        signal.addEventListener('abort', onAbort, { once: true })
        pipe.claim(id, () => {
          signal.removeEventListener('abort', onAbort)
          resolve(pipe)
        })
      })
    },
  }
}

const local = (address: string): Endpoint => ({ address, host: 'memory', local: true })

const later =
  (platform: Platform, latency: () => number) =>
  (fn: () => void): void => {
    platform.setTimer(fn, latency())
  }

type Item = Uint8Array | 'end'

class MemoryPipe implements Pipe {
  readonly remote: Endpoint
  readonly #platform: Platform
  readonly #weather: Weather
  #far: MemoryPipe | undefined
  #sink: PipeSink | undefined
  /** What has arrived and is not read yet; what is under way to here is counted too. */
  readonly #arrived: Item[] = []
  #unread = 0
  #paused = true
  #delivering = false
  #writerWaits = false
  #lastArrival = 0
  /** We have finished sending; the far side has, and our sink was told. */
  #ended = false
  #farEnded = false
  #closed = false
  proof: Proof | undefined
  /** Who we say that we are, and who hears what the far side says. */
  #claimed: string | undefined
  #onProof: () => void = () => undefined

  constructor(platform: Platform, weather: Weather, remote: Endpoint) {
    this.#platform = platform
    this.#weather = weather
    this.remote = remote
  }

  join(far: MemoryPipe): void {
    this.#far = far
    far.#far = this
  }

  /** See memorySecurity(). */
  claim(id: string, onProof: () => void): void {
    const far = this.#far
    this.#claimed = id
    this.#onProof = onProof
    if (far === undefined || far.#claimed === undefined) return
    this.#prove(far.#claimed)
    far.#prove(id)
  }

  #prove(id: string): void {
    this.proof = { by: 'memory', id }
    this.#platform.defer(this.#onProof)
  }

  attach(sink: PipeSink): void {
    this.#sink = sink
  }

  write(chunks: readonly Uint8Array[]): boolean {
    const far = this.#far
    if (far === undefined || this.#closed || this.#ended) return false
    // Copied, as a kernel would: the writer may reuse its memory, and the reader may keep what it gets.
    for (const chunk of chunks) for (const piece of this.#sliced(chunk)) far.#arrive(piece)
    far.#writerWaits = far.#unread > CAPACITY
    return !far.#writerWaits
  }

  *#sliced(chunk: Uint8Array): Generator<Uint8Array> {
    for (let at = 0; at < chunk.length; ) {
      const n =
        this.#weather.slice === undefined ? chunk.length : Math.max(1, Math.floor(this.#weather.slice()))
      yield chunk.slice(at, at + n)
      at += n
    }
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#deliverSoon()
  }

  end(): void {
    if (this.#ended || this.#closed) return
    this.#ended = true
    if (this.#far !== undefined) this.#far.#arrive('end')
    if (this.#farEnded) this.#close()
  }

  /** As TCP does: a clean end if everything was read, else a reset. */
  destroy(): void {
    if (this.#closed) return
    const far = this.#far
    const unread = this.#unread
    this.#close()
    if (far === undefined) return
    if (unread > 0) far.#resetSoon()
    else if (!this.#ended) far.#arrive('end')
  }

  #resetSoon(): void {
    this.#after(() => {
      this.#close(new Error('connection reset'))
    })
  }

  #close(error?: Error): void {
    if (this.#closed) return
    this.#closed = true
    this.#arrived.length = 0
    this.#platform.defer(() => this.#sink?.close(error))
  }

  #arrive(item: Item): void {
    if (item !== 'end') this.#unread += item.length
    this.#after(() => {
      const far = this.#far
      if (this.#closed) {
        // Nobody is here any more: the writer is told, as by a reset.
        if (item !== 'end' && far !== undefined) far.#resetSoon()
        return
      }
      this.#arrived.push(item)
      this.#deliver()
    })
  }

  /** In the order of the calls, whatever latencies are drawn. */
  #after(fn: () => void): void {
    if (this.#weather.latency === undefined) {
      this.#platform.afterPoll(fn)
      return
    }
    const now = this.#platform.now()
    this.#lastArrival = Math.max(this.#lastArrival, now + this.#weather.latency())
    this.#platform.setTimer(fn, this.#lastArrival - now)
  }

  #deliverSoon(): void {
    if (this.#delivering || this.#arrived.length === 0) return
    this.#delivering = true
    this.#platform.afterPoll(() => {
      this.#delivering = false
      this.#deliver()
    })
  }

  #deliver(): void {
    if (this.#delivering) return
    while (!this.#paused && !this.#closed) {
      const item = this.#arrived.shift()
      if (item === undefined) break
      if (item === 'end') {
        this.#farEnded = true
        this.#sink?.end()
        if (this.#ended) this.#close()
        continue
      }
      this.#unread -= item.length
      this.#sink?.data(item)
    }
    const far = this.#far
    if (this.#writerWaits && this.#unread <= CAPACITY / 2 && far !== undefined) {
      this.#writerWaits = false
      this.#platform.defer(() => {
        if (!far.#closed) far.#sink?.drain()
      })
    }
  }
}

/** Who is there, as a simulated connection tells it: both sides say their id, and are believed. */
import { type Pipe, type PipeSink, type Proof, type Security, type SecureOptions, SockError } from 'socktools'
import type { SimProcess } from 'socktools/testing'

/** Characters of an id. */
const LENGTH = 63

/** Of a process: `current` is asked at each connection, as that of an identity is. */
export const simSecurity = (me: SimProcess, current: () => string): Security => ({
  name: 'sim',
  get id() {
    return current()
  },
  secure: (pipe, how) =>
    new Promise((resolve, reject) => {
      new Introduction(pipe, me, current(), how, resolve, reject)
    }),
})

/** As under TLS, whoever dialed is done first: what it says next may come while the other side still judges. */
class Introduction implements PipeSink {
  readonly #pipe: Pipe
  readonly #me: SimProcess
  readonly #own: string
  readonly #how: SecureOptions
  readonly #resolve: (pipe: Pipe) => void
  readonly #reject: (error: unknown) => void
  #came: Uint8Array = new Uint8Array(0)

  constructor(
    pipe: Pipe,
    me: SimProcess,
    own: string,
    how: SecureOptions,
    resolve: (pipe: Pipe) => void,
    reject: (error: unknown) => void,
  ) {
    this.#pipe = pipe
    this.#me = me
    this.#own = own
    this.#how = how
    this.#resolve = resolve
    this.#reject = reject
    pipe.attach(this)
    how.signal.addEventListener('abort', this.#onAbort, { once: true })
    if (how.signal.aborted) {
      this.#onAbort()
      return
    }
    if (how.dialed) this.#say()
    pipe.resume()
  }

  #say(): void {
    this.#pipe.write([Uint8Array.from(this.#own, (c) => c.charCodeAt(0))])
  }

  readonly #onAbort = (): void => {
    this.#fail(this.#how.signal.reason)
  }

  #fail(error: unknown): void {
    this.#how.signal.removeEventListener('abort', this.#onAbort)
    this.#pipe.destroy()
    this.#reject(error)
  }

  data(chunk: Uint8Array): void {
    this.#came = Uint8Array.from([...this.#came, ...chunk])
    if (this.#came.length < LENGTH) return
    this.#pipe.pause()
    this.#how.signal.removeEventListener('abort', this.#onAbort)
    if (!this.#how.dialed) this.#say()
    const id = String.fromCharCode(...this.#came.subarray(0, LENGTH))
    this.#resolve(new ProvenPipe(this.#pipe, this.#me, { by: 'sim', id }, this.#came.subarray(LENGTH)))
  }

  drain(): void {
    // What is said here is short.
  }

  end(): void {
    this.#fail(new SockError('TLS_FAILED', 'the connection ended'))
  }

  close(): void {
    this.end()
  }
}

/** The same pipe, which knows who is there. */
class ProvenPipe implements Pipe {
  readonly remote: Pipe['remote']
  readonly proof: Proof
  readonly #pipe: Pipe
  readonly #me: SimProcess
  /** What came behind the id, and is to be read first. */
  #rest: Uint8Array | undefined
  #sink: PipeSink | undefined
  /** It ended before anybody heard of that. */
  #due: { readonly error: Error | undefined } | undefined
  #paused = true

  constructor(pipe: Pipe, me: SimProcess, proof: Proof, rest: Uint8Array) {
    this.#pipe = pipe
    this.#me = me
    this.remote = pipe.remote
    this.proof = proof
    if (rest.length > 0) this.#rest = rest
    pipe.attach({
      data: (chunk) => this.#sink?.data(chunk),
      drain: () => this.#sink?.drain(),
      end: () => this.#sink?.end(),
      close: (error) => {
        this.#rest = undefined
        if (this.#sink === undefined) this.#due = { error }
        else this.#sink.close(error)
      },
    })
  }

  attach(sink: PipeSink): void {
    this.#sink = sink
    const due = this.#due
    if (due === undefined) return
    this.#due = undefined
    this.#me.platform.afterPoll(() => this.#sink?.close(due.error))
  }

  write(chunks: readonly Uint8Array[]): boolean {
    return this.#pipe.write(chunks)
  }

  pause(): void {
    this.#paused = true
    this.#pipe.pause()
  }

  resume(): void {
    this.#paused = false
    if (this.#rest === undefined) this.#pipe.resume()
    else this.#me.platform.afterPoll(this.#readRest)
  }

  readonly #readRest = (): void => {
    const rest = this.#rest
    if (this.#paused || rest === undefined) return
    this.#rest = undefined
    this.#sink?.data(rest)
    this.#readOn()
  }

  /** Unless whoever read it wants no more for now. */
  #readOn(): void {
    if (!this.#paused) this.#pipe.resume()
  }

  end(): void {
    this.#pipe.end()
  }

  destroy(): void {
    this.#rest = undefined
    this.#pipe.destroy()
  }
}

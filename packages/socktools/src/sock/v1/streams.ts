import { type SockError, isSockError } from '../../errors.ts'
import type { TypeInfo } from '../../contract/protocol.ts'
import { encodePrefix, prefixFlags } from '../../wire/v1/bodies.ts'
import { OPEN } from '../../wire/v1/frame.ts'
import { isThenable } from '../thenable.ts'
import type { StreamOptions } from '../types.ts'
import { encodeData, joined } from './data.ts'
import { refusal, stopped } from './faults.ts'
import type { Asked, Link } from './link.ts'
import type { Served } from './served-calls.ts'
import { Settling } from './settling.ts'
import { Stream } from './stream.ts'

export interface StreamHost {
  /** What the handler gives: an async iterable of a feed; for a channel, when it is through. */
  serve(asked: Asked, stream: Stream): { answer: unknown; served: Served }
  failed(thrown: unknown, type: TypeInfo): void
  /** What came is not what the schema takes. */
  invalid(type: TypeInfo, body: Uint8Array, error: SockError): void
}

/** The feeds and channels over one connection, in both roles. */
export class Streams {
  readonly #link: Link
  readonly #host: StreamHost
  readonly #most: number
  readonly #streams = new Map<number, Stream>()
  /** Of those: opened by us. */
  #ours = 0
  readonly #serving = new Map<Stream, Served>()
  readonly #settling = new Settling()
  #draining = false

  constructor(link: Link, host: StreamHost, most: number) {
    this.#link = link
    this.#host = host
    this.#most = most
  }

  at(lane: number): Stream | undefined {
    return this.#streams.get(lane)
  }

  get idle(): boolean {
    return this.#streams.size === 0
  }

  // Ours

  /** Throws what keeps it from being opened. */
  open(type: TypeInfo, data: unknown, { signal, headers }: StreamOptions): Stream {
    const link = this.#link
    if (signal?.aborted === true) throw link.error('ABORTED', `${type.name} was given up`, signal.reason)
    // What a channel is opened with has no data.
    const body = type.kind === 'channel' ? NOTHING : encodeData(type.input, link.codec, data)
    const prefix = headers === undefined ? NOTHING : encodePrefix(undefined, headers)
    const refused = link.unsendable(type, body.length, prefix.length)
    if (refused !== undefined) throw refused
    if (this.#ours >= this.#most)
      throw link.error(
        'TOO_MANY_STREAMS',
        `${this.#ours} feeds and channels are open, which the far side allows`,
      )
    const flags = prefixFlags(undefined, headers)
    const prefixed = flags === 0 ? body : joined(prefix, body)
    const lane = link.openLane(type.priority)
    this.#ours++
    const onAbort = (): void => {
      // No `break` of the reader's: what it has is not all, and it may not know.
      stream.stopReading(link.error('ABORTED', `${type.name} was given up`, signal?.reason))
    }
    const direction = { incoming: type.output, outgoing: type.kind === 'channel' ? type.input : undefined }
    const stream = new Stream(lane, type, direction, link, () => {
      this.#ours--
      signal?.removeEventListener('abort', onAbort)
      this.#over(stream)
    })
    this.#streams.set(lane, stream)
    stream.opening = link.out.put(lane, OPEN, flags, type.index, prefixed)
    signal?.addEventListener('abort', onAbort, { once: true })
    return stream
  }

  // Theirs

  /** A feed or channel of the far side; its lane is open. */
  onOpen(lane: number, asked: Asked): void {
    const { type } = asked
    const incoming = type.kind === 'channel' ? type.input : undefined
    const stream = new Stream(lane, type, { incoming, outgoing: type.output }, this.#link, () => {
      this.#over(stream)
    })
    this.#streams.set(lane, stream)
    if (this.#draining) {
      stream.reset(refusal('DRAINING'))
      stream.stopReading()
      return
    }
    stream.onInvalid = (body, error) => {
      this.#host.invalid(type, body, error)
    }
    try {
      const { answer, served } = this.#host.serve(asked, stream)
      this.#serving.set(stream, served)
      stream.onStop = (why) => {
        served.abort(why)
      }
      void this.#run(stream, served, answer)
    } catch (thrown) {
      this.#failed(stream, thrown)
    }
  }

  async #run(stream: Stream, served: Served, answer: unknown): Promise<void> {
    try {
      const given: unknown = isThenable(answer) ? await answer : answer
      if (stream.type.kind === 'feed') await this.#feed(stream, given)
      stream.end()
      stream.stopReading()
    } catch (thrown) {
      // It was told to stop, and said so.
      if (served.reason !== undefined && isGivingUp(thrown)) stream.reset(stopped(served.reason))
      else this.#failed(stream, thrown)
    } finally {
      served.end()
      this.#serving.delete(stream)
    }
  }

  /** Sends what an iterable gives, as fast as the far side takes it. */
  async #feed(stream: Stream, given: unknown): Promise<void> {
    const make = (given as Partial<AsyncIterable<unknown> & Iterable<unknown>> | undefined) ?? {}
    const iterator =
      make[Symbol.asyncIterator]?.() ??
      make[Symbol.iterator]?.() ??
      raise(new TypeError(`the handler of the feed ${stream.type.name} returned nothing to iterate over`))
    const { onStop } = stream
    let finished = false
    stream.onStop = (why) => {
      onStop?.(why)
      // A generator that waits for something else hears of it through its signal; one that does not look at that is
      // ended where it stands.
      if (!finished) void Promise.resolve(iterator.return?.()).then(undefined, () => undefined)
    }
    try {
      for (;;) {
        const result = await (iterator as AsyncIterator<unknown>).next()
        if (result.done === true) break
        await stream.send(result.value)
      }
      finished = true
    } catch (thrown) {
      finished = true
      // Its `finally` runs before the far side hears of the end.
      await Promise.resolve(iterator.return?.()).catch(() => undefined)
      throw thrown
    }
  }

  #failed(stream: Stream, thrown: unknown): void {
    // What the far side sent was told as invalid. A handler that let it pass has not failed.
    if (thrown !== stream.refused) this.#host.failed(thrown, stream.type)
    stream.fail(thrown)
    stream.stopReading()
  }

  // Ending

  #over(stream: Stream): void {
    this.#streams.delete(stream.lane)
    this.#settling.check(this)
  }

  /** Those of the far side are ended, ours are read no more: both hear DRAINING. */
  drain(): void {
    this.#draining = true
    const why = this.#link.error('DRAINING', 'this side is ending')
    for (const stream of [...this.#streams.values()]) {
      this.#serving.get(stream)?.abort(why)
      stream.onStop?.(why)
      // Whoever reads has not got all, and must not take it for that.
      stream.discard(why)
      stream.reset(refusal('DRAINING'))
      stream.stopReading()
    }
  }

  settled(): Promise<void> {
    return this.#settling.wait(this)
  }

  /** The connection is over. */
  end(why: SockError): void {
    for (const served of this.#serving.values()) served.abort(why)
    for (const stream of [...this.#streams.values()]) stream.cut(why)
    this.#settling.check(this)
  }
}

const NOTHING = new Uint8Array(0)

/** What signals make of those who wait: ours, and those of Node and of the web. */
function isGivingUp(thrown: unknown): boolean {
  try {
    return isSockError(thrown) || (thrown instanceof Error && thrown.name === 'AbortError')
  } catch {
    return false
  }
}

function raise(error: Error): never {
  throw error
}

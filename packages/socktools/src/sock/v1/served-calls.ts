import { asSockError, type SockError } from '../../errors.ts'
import type { TypeInfo } from '../../contract/protocol.ts'
import { ERROR, REPLY } from '../../wire/v1/frame.ts'
import { LaneTable } from '../../wire/v1/lane-table.ts'
import { isThenable } from '../thenable.ts'
import { encodeData } from './data.ts'
import { faultBody, refusal, stopped } from './faults.ts'
import type { Asked, Link } from './link.ts'

/** The application's side of what the far side asks. */
export interface ServedHost {
  /** What the handler gives; may throw, or be a promise. */
  serve(asked: Asked): { answer: unknown; served: Served }
  /** What the handler threw, or why there was none to ask. */
  failed(thrown: unknown, type: TypeInfo): void
}

/** One that is being served. */
export interface Served {
  abort(reason: SockError): void
  end(): void
  readonly reason: SockError | undefined
}

/** The calls of the far side: exactly one answer to each, whatever happens. */
export class ServedCalls {
  readonly #link: Link
  readonly #host: ServedHost
  readonly #onServed: () => void
  readonly #serving = new LaneTable<Served>()
  #draining = false

  /** `onServed`: one that was being served is answered. */
  constructor(link: Link, host: ServedHost, onServed: () => void) {
    this.#link = link
    this.#host = host
    this.#onServed = onServed
  }

  /** How many are being served. */
  get size(): number {
    return this.#serving.size
  }

  /** New calls of the far side are turned away. */
  drain(): void {
    this.#draining = true
  }

  /** A call of the far side. True: it is not answered yet. */
  onRequest(lane: number, asked: Asked): boolean {
    const { type } = asked
    if (this.#draining) {
      this.#give(lane, type, ERROR, refusal('DRAINING'))
      return false
    }
    let served: Served | undefined
    try {
      const { answer, served: one } = this.#host.serve(asked)
      served = one
      if (isThenable(answer)) {
        this.#serving.add(lane, one)
        answer.then(
          (given) => {
            this.#answered(lane, type, one, given, false)
          },
          (thrown: unknown) => {
            this.#answered(lane, type, one, thrown, true)
          },
        )
        // Unless it was of somebody's own making, and answered there and then.
        return this.#serving.get(lane) === one
      }
      one.end()
      this.#answer(lane, type, answer)
    } catch (thrown) {
      served?.end()
      this.#failed(lane, type, thrown)
    }
    return false
  }

  #answered(lane: number, type: TypeInfo, served: Served, given: unknown, failed: boolean): void {
    if (this.#serving.get(lane) !== served) return
    this.#serving.delete(lane)
    served.end()
    // Nobody reads it, and it may be long: what closes the lane is enough.
    if (served.reason !== undefined) this.#give(lane, type, ERROR, stopped(served.reason))
    else if (failed) this.#failed(lane, type, given)
    else this.#answer(lane, type, given)
    this.#onServed()
  }

  #failed(lane: number, type: TypeInfo, thrown: unknown): void {
    this.#host.failed(thrown, type)
    this.#give(lane, type, ERROR, faultBody(thrown, type, this.#link))
  }

  #answer(lane: number, type: TypeInfo, given: unknown): void {
    const link = this.#link
    let kind = REPLY
    let body: Uint8Array
    try {
      body = encodeData(type.output ?? type.input, link.codec, given)
      const refused = link.tooLarge(type, body.length)
      if (refused !== undefined) {
        kind = ERROR
        this.#host.failed(refused, type)
        body = refusal('TOO_LARGE')
      }
    } catch (thrown) {
      kind = ERROR
      this.#host.failed(asSockError(thrown, 'CANNOT_ENCODE', 'the codec failed', link.address), type)
      body = refusal('CANNOT_ENCODE')
    }
    this.#give(lane, type, kind, body)
  }

  /** The last of a call of the far side. */
  #give(lane: number, { priority }: TypeInfo, kind: number, body: Uint8Array): void {
    this.#link.out.last(lane, priority, kind, body)
    this.#link.in.close(lane)
  }

  /** Whether a call is on this lane; if so it is not wanted any more. */
  onCancel(lane: number): boolean {
    const served = this.#serving.get(lane)
    served?.abort(this.#link.error('CANCELLED', 'the far side gave this call up'))
    return served !== undefined
  }

  /** The connection is over. */
  end(why: SockError): void {
    const theirs = [...this.#serving.values()]
    this.#serving.clear()
    for (const served of theirs) served.abort(why)
  }
}

import type { TypeInfo } from '../../contract/protocol.ts'
import type { HeaderSlot } from '../../wire/v1/bodies.ts'
import type { Entry } from '../../wire/v1/lanes.ts'
import { Expiring } from './expiry.ts'

/** A call that we made. */
export class OwnCall extends Expiring {
  readonly type: TypeInfo
  readonly body: Uint8Array
  readonly headers: HeaderSlot | undefined
  lane = -1
  /** Undefined once it is on a lane: it was written whole. */
  entry: Entry | undefined
  unlisten: (() => void) | undefined
  /** Its promise has heard; what comes after that is late. */
  settled = false
  readonly promise: Promise<unknown>
  resolve!: (value: unknown) => void
  #reject!: (error: Error) => void

  constructor(type: TypeInfo, body: Uint8Array, headers: HeaderSlot | undefined) {
    super()
    this.type = type
    this.body = body
    this.headers = headers
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.#reject = reject
    })
  }

  /** A forgotten await ends no process. */
  refuse(error: Error): void {
    this.promise.catch(() => undefined)
    this.#reject(error)
  }
}

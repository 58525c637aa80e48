import type { ErrorCode, SockError } from '../../errors.ts'
import type { HeaderSlot } from '../../wire/v1/bodies.ts'
import type { TypeInfo } from '../../contract/protocol.ts'
import type { Deadlines } from '../deadlines.ts'
import type { DataCodec } from './data.ts'
import type { Inbound } from './inbound.ts'
import type { Spare } from './keep.ts'
import type { Outbound } from './outbound.ts'

/** What calls and streams need of the connection that they go over. */
export interface Link {
  readonly address: string
  readonly codec: DataCodec
  /** The longest message that the far side takes, in bytes. */
  readonly maxMessage: number
  readonly deadlines: Deadlines
  readonly spare: Spare
  readonly now: () => number
  readonly out: Pick<Outbound, 'open' | 'pass' | 'last' | 'put' | 'revoke' | 'abort' | 'finish' | 'isFull'>
  readonly in: Pick<Inbound, 'close' | 'taken'>
  /** Opens a lane of ours, in both directions. */
  openLane(priority: number): number
  /** The id of a lane of ours that nothing is open on. */
  nextLane(): number
  /** What keeps a message of this type from being sent, if anything. `prefix`: bytes beside its data. */
  unsendable(type: TypeInfo, bytes: number, prefix?: number): SockError | undefined
  /** The same of what was asked for: only its length can. */
  tooLarge(type: TypeInfo, bytes: number, prefix?: number): SockError | undefined
  error(code: ErrorCode, what: string, cause?: unknown): SockError
}

/** What is asked of the application on behalf of the far side. */
export interface Asked {
  readonly type: TypeInfo
  readonly data: unknown
  readonly headers: HeaderSlot
  /** Milliseconds that the far side still waits. */
  readonly deadline: number | undefined
}

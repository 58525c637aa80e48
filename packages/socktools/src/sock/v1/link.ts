import type { ErrorCode, SockError } from '../../errors.ts'
import type { Entry } from '../../wire/v1/lanes.ts'
import type { HeaderSlot } from '../../wire/v1/bodies.ts'
import type { TypeInfo } from '../../contract/protocol.ts'
import type { Deadlines } from '../deadlines.ts'
import type { DataCodec } from './data.ts'
import type { Spare } from './keep.ts'

/** What calls and streams need of the connection that they go over. */
export interface Link {
  readonly address: string
  readonly codec: DataCodec
  /** The longest message that the far side takes, in bytes. */
  readonly maxMessage: number
  readonly deadlines: Deadlines
  readonly spare: Spare
  readonly now: () => number
  /** Opens a lane of ours, in both directions. */
  openLane(priority: number): number
  /** The id of a lane of ours that nothing is open on. */
  nextLane(): number
  /** Opens the way out of a lane, if it is not open. */
  openOut(lane: number, priority: number): void
  /** Sends what is all that is ever sent on a lane, if it can leave at once; then the lane need not be opened. */
  pass(
    lane: number,
    priority: number,
    kind: number,
    flags: number,
    type: number,
    deadline: number,
    body: Uint8Array,
  ): boolean
  /** Sends the last message on a lane, whether or not that was opened. */
  last(lane: number, priority: number, kind: number, body: Uint8Array): void
  /** Sends a message on a lane; undefined: it was written. */
  put(lane: number, kind: number, flags: number, type: number, body: Uint8Array): Entry | undefined
  /** Takes back what was not begun. */
  revoke(lane: number, entry: Entry): boolean
  /** Drops what waits on this lane and says this last. */
  abort(lane: number, kind: number, body: Uint8Array): void
  /** Nothing more is sent on this lane. */
  finish(lane: number): void
  /** Nothing more comes on this lane. */
  closeIncoming(lane: number): void
  /** The application took a message of so many bytes. */
  taken(lane: number, bytes: number): void
  /** Whether more than its mark waits on this lane. */
  isFull(lane: number): boolean
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

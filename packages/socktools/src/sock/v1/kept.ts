import type { TypeInfo } from '../../contract/protocol.ts'
import { COPY_MAX } from '../../wire/batch.ts'
import type { Place } from '../../wire/v1/resent.ts'
import type { Headers } from '../types.ts'
import type { Settle } from './parcels.ts'

/** A message that goes over the next session if this one is lost. */
export interface Kept {
  readonly type: TypeInfo
  /** In which its body is encoded. */
  readonly codec: string
  readonly headers: Headers | undefined
  readonly body: Uint8Array
  readonly wantsDone: boolean
  readonly settle: Settle | undefined
  /** Where it was written whole and not acknowledged; none: it surely has not arrived. */
  readonly places: readonly Place[]
}

/** As `Retained` does: a short body is copied, a long one is lent until it is acknowledged. */
export const ownBody = (body: Uint8Array): Uint8Array => (body.length > COPY_MAX ? body : body.slice())

/** It was written in one more place. */
export const keptFrom = (kept: Kept, place: Place): Kept => ({ ...kept, places: [...kept.places, place] })

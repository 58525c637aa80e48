import { fail } from '../../errors.ts'
import type { DoneLevel } from '../../wire/v1/marks.ts'
import type { Headers } from '../types.ts'

/** A posted message as the store keeps it: u16 length, so much JSON, then its data as the codec encoded it. */
export interface Envelope {
  /** In which the data are encoded; '': they are bytes(), and no codec is asked. */
  readonly codec: string
  readonly done: DoneLevel
  readonly headers: Headers | undefined
  readonly data: Uint8Array
}

const VERSION = 1
const LENGTH = 2

export function seal({ codec, done, headers, data }: Envelope): Uint8Array {
  const facts = headers === undefined ? usual(codec, done) : factsOf(codec, done, headers)
  const sealed = new Uint8Array(LENGTH + facts.length + data.length)
  sealed[0] = facts.length >>> 8
  sealed[1] = facts.length
  sealed.set(facts, LENGTH)
  sealed.set(data, LENGTH + facts.length)
  return sealed
}

const encoder = new TextEncoder()

const factsOf = (codec: string, done: DoneLevel, headers?: Headers): Uint8Array =>
  encoder.encode(JSON.stringify({ v: VERSION, codec, done, headers }))

/** Of messages without headers: a sock has one codec and one for bytes, so these are few. */
const known: Record<DoneLevel, Map<string, Uint8Array>> = { processed: new Map(), durable: new Map() }

function usual(codec: string, done: DoneLevel): Uint8Array {
  let facts = known[done].get(codec)
  if (facts === undefined) known[done].set(codec, (facts = factsOf(codec, done)))
  return facts
}

/** Throws BAD_MESSAGE: somebody else wrote it into the store, or a later version did. */
export function unseal(sealed: Uint8Array): Envelope {
  const end = LENGTH + (sealed[0] ?? 0) * 256 + (sealed[1] ?? 0)
  let facts: Partial<Envelope> & { readonly v?: unknown }
  try {
    facts = JSON.parse(new TextDecoder().decode(sealed.subarray(LENGTH, end))) as typeof facts
  } catch (cause) {
    return fail('BAD_MESSAGE', 'a record that no sock posted', { cause })
  }
  const { v, codec, done, headers } = facts
  if (v !== VERSION || typeof codec !== 'string' || (done !== 'processed' && done !== 'durable'))
    return fail('BAD_MESSAGE', `a record of version ${String(v)}, and this is ${VERSION}`)
  return { codec, done, headers, data: sealed.subarray(end) }
}

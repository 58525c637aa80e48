/*
 * What the owner of a key says about it, signed: that another key takes its place, or that nobody may use it any more. One line
 * of JSON each; what is signed is a text of its own, so that nothing depends on how JSON is written.
 */
import { fail } from '../errors.ts'
import { isId } from './id.ts'

/** `next` takes the place of `old`, which may be used until then as well. */
export interface Rotation {
  readonly record: 'rotation'
  readonly old: string
  readonly next: string
  /** Milliseconds since 1970. */
  readonly until: number
  /** By both keys, in base64url. */
  readonly byOld: string
  readonly byNext: string
}

/** Nobody may use this key any more. */
export interface Revocation {
  readonly record: 'revocation'
  readonly id: string
  /** By that key, in base64url. */
  readonly by: string
}

export type IdentityRecord = Rotation | Revocation

/** Whether the key of `id` made this signature. */
export type Verify = (id: string, bytes: Uint8Array, signature: string) => boolean

export const rotationBytes = ({ old, next, until }: Pick<Rotation, 'old' | 'next' | 'until'>): Uint8Array =>
  ascii(`socktools rotation 1\n${old}\n${next}\n${until}\n`)

export const revocationBytes = (id: string): Uint8Array => ascii(`socktools revocation 1\n${id}\n`)

/** The record that a text or an object is, when its signatures are right. Throws BAD_RECORD. */
export function readRecord(given: unknown, verify: Verify): IdentityRecord {
  const refuse = (what: string): never => fail('BAD_RECORD', what)
  const from = typeof given === 'string' ? parsed(given) : given
  if (typeof from !== 'object' || from === null) return refuse('it is no record')
  const { record, old, next, until, byOld, byNext, id, by } = from as Record<string, unknown>
  if (record === 'rotation') {
    if (!isId(old) || !isId(next) || !isTime(until) || !isText(byOld) || !isText(byNext))
      return refuse('a rotation has old, next, until, byOld and byNext')
    if (old === next) return refuse('a key cannot take its own place')
    const bytes = rotationBytes({ old, next, until })
    if (!verify(old, bytes, byOld)) return refuse(`${old} did not sign it`)
    if (!verify(next, bytes, byNext)) return refuse(`${next} did not sign it`)
    return { record, old, next, until, byOld, byNext }
  }
  if (record === 'revocation') {
    if (!isId(id) || !isText(by)) return refuse('a revocation has id and by')
    if (!verify(id, revocationBytes(id), by)) return refuse(`${id} did not sign it`)
    return { record, id, by }
  }
  return refuse('it is neither a rotation nor a revocation')
}

function parsed(text: string): unknown {
  // Ours have some 500 characters.
  if (text.length > 4096) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const isText = (value: unknown): value is string => typeof value === 'string'
const isTime = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0))

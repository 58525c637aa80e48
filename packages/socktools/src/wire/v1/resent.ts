/**
 * What a message says of itself, in its header slot, that was sent before, over sessions that are lost: where it stood in
 * each of them. Who still knows how far it had received one of them knows whether it has that message. Both sides must have
 * the feature RESENDS. Pure.
 */
import { fail } from '../../errors.ts'
import type { HeaderSlot } from './bodies.ts'
import { MAX_U53 } from './frame.ts'

/** Where a message was written whole: the id of that session, in hex, and the seq of its last frame there. */
export interface Place {
  readonly session: string
  readonly seq: number
}

/** A message that so many sessions did not settle is given up: its mark would grow for ever. */
export const MOST_PLACES = 8

const RESENT_KEY = '-resent'
const PLACE = /^([0-9a-f]{32})\/([1-9][0-9]{0,15})$/

/** Headers with this mark; none for a message that was never written whole. */
export function withPlaces(
  headers: HeaderSlot | undefined,
  places: readonly Place[],
): HeaderSlot | undefined {
  if (places.length === 0) return headers
  return { ...headers, [RESENT_KEY]: places.map(({ session, seq }) => `${session}/${seq}`).join(' ') }
}

/** Undefined: this message was not sent before. Throws PROTOCOL_ERROR. */
export function placesOf(headers: HeaderSlot): readonly Place[] | undefined {
  const text = headers[RESENT_KEY]
  if (text === undefined) return undefined
  const parts = text.split(' ')
  if (parts.length > MOST_PLACES)
    fail('PROTOCOL_ERROR', `${RESENT_KEY} names ${parts.length} sessions, and ${MOST_PLACES} is the most`)
  return parts.map((part) => {
    const [, session = '', digits = ''] = PLACE.exec(part) ?? []
    const seq = Number(digits)
    if (seq < 1 || seq > MAX_U53) fail('PROTOCOL_ERROR', `${RESENT_KEY} "${part}" is no place in a session`)
    return { session, seq }
  })
}

/** The longest mark that a message can get: room for it is needed before it is sent for the first time. */
export const LONGEST: readonly Place[] = Array.from({ length: MOST_PLACES }, () => ({
  session: '0'.repeat(32),
  seq: MAX_U53,
}))

/**
 * Whether a message was received in one of these places: `taken`; in none of them: `new`; or that is not known of all.
 * `receivedOf` says up to which seq a session was received, if that is still known.
 */
export function judge(
  places: readonly Place[],
  receivedOf: (session: string) => number | undefined,
): 'taken' | 'new' | 'unknown' {
  let verdict: 'new' | 'unknown' = 'new'
  for (const { session, seq } of places) {
    const received = receivedOf(session)
    if (received === undefined) verdict = 'unknown'
    else if (seq <= received) return 'taken'
  }
  return verdict
}

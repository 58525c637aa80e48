import { fail, needFunction, needKnown } from '../../errors.ts'
import type { Outbox } from '../../store/types.ts'
import { needMethods } from '../option-checks.ts'
import type { Candidate } from '../types.ts'
import type { Inbox } from './intake.ts'

export interface OutboxOptions {
  /** Bytes of posted messages that are underway to one name, and one message. Default 1 MiB. */
  readonly maxBytes?: number
  /** Messages that are underway to one name. Default 1,024. */
  readonly maxCount?: number
  /**
   * What becomes of a posted message that the peer cannot be sent: `hold` it, and all behind it, until another peer has the
   * name; or `drop` it: its outcome is `not-delivered`. Default `hold`. Either way an event tells.
   */
  readonly undeliverable?: 'hold' | 'drop'
}

/** Of the options of a sock. */
export interface DurableOptions {
  /**
   * Keeps what is `post`ed, and the cursors of what others posted: a `Store` of `socktools/store`. One sock at a time
   * has a store; it does not close it. Wire v1.
   */
  readonly store?: Outbox
  /** Keeps the cursors of what others posted, in the place of `store`: in your own database, with what handlers write. */
  readonly inbox?: Inbox
  /** Which name a new peer has: what is posted to it goes there. undefined: none. Asked once its handshake is done. */
  readonly nameOf?: (who: Candidate) => string | undefined
  readonly outbox?: OutboxOptions
}

export interface DurableSettings {
  readonly store: Outbox | undefined
  readonly inbox: Inbox | undefined
  readonly nameOf: DurableOptions['nameOf'] | undefined
  readonly outbox: Required<OutboxOptions>
}

export const DURABLE_OPTIONS = ['store', 'inbox', 'nameOf', 'outbox'] as const

const DEFAULTS: Required<OutboxOptions> = { maxBytes: 1024 * 1024, maxCount: 1024, undeliverable: 'hold' }
const STORE_METHODS = ['append', 'pending', 'settle', 'cursor', 'advance', 'on'] as const
const INBOX_METHODS = ['cursor', 'advance'] as const

/** Throws BAD_OPTION. */
export function durableSettings(
  { store, inbox, nameOf, outbox = {} }: DurableOptions,
  wire: 'plain' | 'v1' | 'auto',
): DurableSettings {
  if (wire === 'plain' && [store, inbox, nameOf].some((one) => one !== undefined))
    fail('BAD_OPTION', 'store, inbox and nameOf need wire v1, which needs a protocol')
  if (store !== undefined) needMethods(store, 'store', STORE_METHODS)
  if (inbox !== undefined) needMethods(inbox, 'inbox', INBOX_METHODS)
  if (nameOf !== undefined) {
    needFunction(nameOf, 'nameOf')
    if (store === undefined)
      fail('BAD_OPTION', 'nameOf says where to send what is in the store: it needs one')
  }
  if (typeof (outbox as unknown) !== 'object' || (outbox as unknown) === null)
    fail('BAD_OPTION', 'outbox takes an object of options')
  needKnown(outbox, Object.keys(DEFAULTS), 'outbox')
  const given = Object.fromEntries(Object.entries(outbox).filter(([, value]) => value !== undefined))
  const settings = { ...DEFAULTS, ...given }
  for (const name of ['maxBytes', 'maxCount'] as const) {
    if (!Number.isSafeInteger(settings[name]) || settings[name] < 1)
      fail('BAD_OPTION', `outbox.${name} is a whole number from 1 on`)
  }
  if (!['hold', 'drop'].includes(settings.undeliverable))
    fail('BAD_OPTION', "outbox.undeliverable is 'hold' or 'drop'")
  return { store, inbox, nameOf, outbox: settings }
}

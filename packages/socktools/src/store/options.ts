import { fail, needKnown } from '../errors.ts'

export interface StoreOptions {
  /**
   * Bytes that the records of pending messages may have together: their payload and some 30 bytes with the names of peer
   * and type. At least 4,096. Default: 1 GiB. The files take at most twice as much and four segments.
   */
  readonly maxBytes?: number
  /**
   * How old a message may get, in milliseconds: one that is older when it is at the head of those to its peer is taken
   * out, and `expired` tells it. While the store is open, only time that has passed counts, whatever somebody does to
   * the clock on the wall; from one opening to the next, that clock. Default: no limit.
   */
  readonly maxAge?: number
  /** What `append` does at `maxBytes`: reject with OUTBOX_FULL (the default), or expire the oldest. */
  readonly whenFull?: 'reject' | 'expire'
  /** Bytes at which a file is followed by the next one: 16 KiB to 1 GiB. Default: 16 MiB. */
  readonly segmentBytes?: number
}

export type StoreSettings = Required<StoreOptions>

const DEFAULTS: StoreSettings = {
  maxBytes: 2 ** 30,
  maxAge: Infinity,
  whenFull: 'reject',
  segmentBytes: 16 * 1024 * 1024,
}

/** Throws BAD_OPTION. */
export function storeSettings(options: StoreOptions): StoreSettings {
  needKnown(options, Object.keys(DEFAULTS), 'a store')
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  const { maxBytes, maxAge, whenFull, segmentBytes } = { ...DEFAULTS, ...given }
  need('maxBytes', maxBytes, 4096, Number.MAX_SAFE_INTEGER)
  if (typeof maxAge !== 'number' || !(maxAge > 0)) fail('BAD_OPTION', 'maxAge is milliseconds, more than 0')
  if (!['reject', 'expire'].includes(whenFull)) fail('BAD_OPTION', "whenFull is 'reject' or 'expire'")
  need('segmentBytes', segmentBytes, 16 * 1024, 2 ** 30)
  return { maxBytes, maxAge, whenFull, segmentBytes }
}

function need(name: string, value: unknown, from: number, to: number): void {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < from || value > to)
    fail('BAD_OPTION', `${name} is a whole number of bytes from ${from} to ${to}`)
}

import { fail } from '../errors.ts'

/** Only the newest message for each key waits. See `latest`. */
export interface Latest<T = never> {
  readonly kind: 'latest'
  readonly key: (data: T) => string | number
}

/** A message waits for so long. See `ttl`. */
export interface Ttl {
  readonly kind: 'ttl'
  /** Milliseconds. */
  readonly ms: number
}

/**
 * What becomes of a message that cannot leave at once, as while its peer is detached. It is the sender's affair: the far
 * side sees no difference, and nothing of it is in the fingerprint. A message that has begun to leave is never dropped.
 *
 * - `reliable`: it waits, in order, for as long as there is a session
 * - `volatile`: dropped while the peer is detached or over its highWaterMark, and lost with a connection that breaks
 * - `latest(key)`: one that waits is dropped when a newer one with the same key is sent
 * - `ttl(ms)`: one that waits for longer is dropped
 *
 * Over the plain wire and UDP, which have no sessions, all are sent alike.
 */
export type Delivery<T = never> = 'reliable' | 'volatile' | Latest<T> | Ttl

/** Only the newest message for each key waits; without `key` the newest of its type. A newer one goes to the end of the queue. */
export function latest<T = unknown>(key: (data: T) => string | number = () => ''): Latest<T> {
  if (typeof (key as unknown) !== 'function')
    fail('BAD_OPTION', 'latest(key) takes a function of the data, or nothing')
  return Object.freeze({ kind: 'latest', key })
}

/** A message of which nothing has left after `ms` milliseconds is dropped: then, or up to 1/32 of that (at least 4 ms) later. */
export function ttl(ms: number): Ttl {
  if (!isTtl(ms)) fail('BAD_OPTION', `ttl(ms) takes a whole number of milliseconds from 1 to ${MOST}`)
  return Object.freeze({ kind: 'ttl', ms })
}

const MOST = 2 ** 32 - 1
const isTtl = (ms: unknown): boolean => Number.isInteger(ms) && (ms as number) >= 1 && (ms as number) <= MOST

/**
 * What has to be known of a message before its outcome is `delivered`.
 *
 * - `received`: it is with the far process, in line for its handlers
 * - `processed`: its handlers have returned there
 * - `durable`: and the cursor of the inbox there is on disk: it will not be handled again. Of what is posted alone
 */
export type Ack = (typeof ACKS)[number]
export const ACKS = ['received', 'processed', 'durable'] as const

/** Callers in JavaScript may pass anything. Throws BAD_OPTION. */
export function needDelivery(value: unknown, what: string): void {
  if (value === 'reliable' || value === 'volatile') return
  const { kind, key, ms } = (typeof value === 'object' && value !== null ? value : {}) as Partial<
    Latest & Ttl
  >
  if ((kind as string) === 'latest' && typeof key === 'function') return
  if ((kind as string) === 'ttl' && isTtl(ms)) return
  fail('BAD_OPTION', `${what} takes as delivery 'reliable', 'volatile', latest(key) or ttl(ms)`)
}

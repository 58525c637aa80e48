/*
 * A shop posts numbered orders from a durable store, and a warehouse writes what it handles to a journal, its cursor in
 * the same line. Each is a process of its own, with a proxy between them:
 *
 *   shop ── order 0, 1, 2 … ──▶ proxy ──▶ warehouse ──▶ journal
 *        ◀── feed: what is packed ──
 *
 *   1. the connection is cut while posts go on; the feed goes on behind the cut, in the same session
 *   2. the warehouse handles orders and cannot tell; it is killed, and started again with its journal
 *   3. the same again, and the shop is killed, and started again with its store
 *
 * The journal alone decides what was lost or came twice: no process is asked.
 */
import type { Entry } from './journal.ts'

/** The file's name, in the folder. */
export const JOURNAL = 'journal'

/** What one of the two is to do. */
export interface OrdersPlan {
  readonly name: string
  /** Where the store or the journal is, which outlive the process. */
  readonly folder: string
  /** Where the warehouse listens, or where the shop finds it. */
  readonly address: string
  readonly orders: number
  /** How many items the shop asks of the feed, as soon as it is there; 0: it does not. */
  readonly items: number
  /** What the warehouse does wrong, to show that it would be noticed. */
  readonly fault?: OrdersFault | undefined
}

/** Forget the cursor when it is started again, leave one order out of the journal, or one item out of the feed. */
export type OrdersFault = 'forget' | 'lose' | 'gap'

/** What the two tell as they go, and what they are told. */
export type Word =
  /** Of the shop: so many are on disk, those of its earlier processes too. */
  | { readonly accepted: number }
  /** Of the shop: nothing waits any more, and so many were posted. */
  | { readonly settled: number }
  /** Of the shop: it has met so many warehouses, each life of one counted. */
  | { readonly met: number }
  /** Of the shop: the feed ended after so many items, each in its turn; or what was wrong. */
  | { readonly items: number; readonly why: string | null }
  /** Of the warehouse: so many are in its journal. */
  | { readonly handled: number }
  /** Of the warehouse, at its end: so many that came again were not handled again. */
  | { readonly duplicates: number }

/** What came of it all. */
export interface Orders {
  readonly ok: boolean
  readonly orders: number
  /** Connections that were cut, processes that were killed. */
  readonly cut: number
  readonly killed: number
  /** Orders that were sent again. */
  readonly redelivered: number
  readonly lost: number
  readonly twice: number
  /** Items of the feed that came, each once and in order, over the cut. */
  readonly items: number
  readonly why: string | null
  readonly seconds: number
}

/** What was seen from outside. */
export interface Seen extends Pick<Orders, 'orders' | 'cut' | 'killed' | 'items'> {
  readonly journal: readonly Entry[]
  /** Orders that came again and were not handled again. */
  readonly duplicates: number
  /** Items of the feed that were due, and what its reader found wrong. */
  readonly due: number
  readonly feed: string | null
}

export function judge({ journal, duplicates, due, feed, ...seen }: Seen): Omit<Orders, 'seconds'> {
  const { orders, cut, killed, items } = seen
  const handled = new Set(journal.map(({ order }) => order))
  const lost = Array.from({ length: orders }, (_, order) => order).filter(
    (order) => !handled.has(order),
  ).length
  const twice = journal.length - handled.size
  const late = journal.find(({ order }, i) => order < (journal[i - 1]?.order ?? 0))
  const redelivered = duplicates + journal.filter((entry) => entry.redelivered).length
  const whys = [
    lost > 0 ? `${lost} of ${orders} orders lost` : null,
    twice > 0 ? `${twice} handled twice` : null,
    // One that comes twice is late as well.
    late !== undefined && twice === 0 ? `order ${late.order} was handled after a later one` : null,
    handled.size + lost > orders ? 'an order was handled that nobody posted' : null,
    feed === null ? null : `the feed: ${feed}`,
    feed === null && items !== due ? `${items} of ${due} items of the feed came` : null,
    // Without these it would prove nothing.
    cut === 0 ? 'no connection was cut' : null,
    killed < 2 ? 'not both processes were killed' : null,
    redelivered === 0 ? 'nothing had to be sent again' : null,
  ].filter((text) => text !== null)
  return {
    ...{ ok: whys.length === 0, ...seen, redelivered, lost, twice },
    why: whys.length === 0 ? null : whys.join('; '),
  }
}

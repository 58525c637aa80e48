import { join } from 'node:path'
import { type Peer, type RawCodec, TcpSock } from 'socktools'
import { Store } from 'socktools/store'
import { ORDERS, type OrdersContract } from './contract.ts'
import type { OrdersPlan, Word } from './orders.ts'

const WAREHOUSE = 'warehouse'
/** How many are written to the disk at once. */
const BATCH = 16
/** Orders that are underway at most, and so those that can come again. */
const UNDERWAY = 64

/**
 * Posts orders until all are settled. `lines`: each allows it to post so many, those of earlier processes included.
 * What it has posted is in the store, so there a new process sees where to go on.
 */
export async function runShop(
  { folder, address, orders, items }: OrdersPlan,
  lines: AsyncIterable<string>,
  tell: (word: Word) => void,
): Promise<void> {
  const store = await Store.open(join(folder, 'outbox'))
  const sock = new TcpSock({
    ...{ protocol: ORDERS, store, connect: address, nameOf: () => WAREHOUSE },
    ...{ outbox: { maxCount: UNDERWAY }, backoff: { first: 10, max: 100 } },
  })
  const settled = new Promise<void>((resolve) => {
    sock.on('settled', () => {
      if (store.stats().pending > 0) return
      const posted = postedOf(store)
      tell({ settled: posted })
      if (posted === orders) resolve()
    })
  })
  let met = 0
  sock.on('peer', ({ peer }) => {
    tell({ met: ++met })
    if (met === 1 && items > 0) void readFeed(peer, items).then(tell)
  })
  await sock.start()
  for await (const line of lines) {
    const allowed = Math.min(Number(line), orders)
    // Numbers are given out in the order of the calls: n of an order is its own number and one.
    for (let next = postedOf(store); next < allowed; next = postedOf(store)) {
      const batch = Array.from({ length: Math.min(BATCH, allowed - next) }, (_, i) => next + i)
      await Promise.all(batch.map((order) => sock.post(WAREHOUSE, 'order', order).accepted))
      tell({ accepted: postedOf(store) })
    }
    if (allowed === orders) break
  }
  await settled
  await sock.drain()
  await store.close()
}

const postedOf = (store: Store): number => store.peers().find(({ peer }) => peer === WAREHOUSE)?.last ?? 0

/** No store keeps these: the session does, over the cut. */
async function readFeed(peer: Peer<RawCodec, OrdersContract>, due: number): Promise<Word> {
  let items = 0
  try {
    for await (const order of peer.stream('packed', due)) {
      if (order !== items) return { items, why: `${order} came when ${items} was due` }
      items++
    }
    return { items, why: null }
  } catch (error) {
    return { items, why: error instanceof Error ? error.message : String(error) }
  }
}

import { join } from 'node:path'
import { type Inbox, TcpSock } from 'socktools'
import { ORDERS } from './contract.ts'
import { Journal } from './journal.ts'
import { JOURNAL, type OrdersPlan, type Word } from './orders.ts'

/** Handles orders until `lines` says that it is enough: any line does. */
export async function runWarehouse(
  { folder, address, orders, fault }: OrdersPlan,
  lines: AsyncIterable<string>,
  listening: (address: string) => void,
  tell: (word: Word) => void,
): Promise<void> {
  const journal = new Journal(join(folder, JOURNAL))
  let onPacked: () => void = () => undefined
  const forgetful: Inbox = { cursor: () => 0, advance: () => undefined }
  const sock = new TcpSock({
    ...{ protocol: ORDERS, inbox: fault === 'forget' ? forgetful : journal },
    handlers: {
      order: (order, { durable }) => {
        if (durable === undefined) throw new Error('this one was not posted')
        if (fault !== 'lose' || order !== orders >> 1) journal.write({ order, ...durable })
        tell({ handled: journal.length })
        onPacked()
      },
      async *packed(count) {
        for (let order = 0; order < count; order++) {
          while (order >= journal.length) await new Promise<void>((resolve) => (onPacked = resolve))
          if (fault !== 'gap' || order !== count >> 1) yield order
        }
      },
    },
  })
  listening(await sock.startServer({ bind: address }))
  for await (const _ of lines) break
  tell({ duplicates: sock.stats().durable?.duplicates ?? 0 })
  // drain() would wait for the shop that was killed: its session is kept, in case it comes back.
  await sock.close()
}

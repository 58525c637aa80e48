import { createInterface } from 'node:readline'
import type { OrdersPlan, Word } from '../demo/orders.ts'
import { runShop } from '../demo/shop.ts'
import { runWarehouse } from '../demo/warehouse.ts'

/** The shop of the demo, or its warehouse, in a process of its own. Tells what demo/parties.ts reads. */
export async function demoOrders(role: 'shop' | 'warehouse', text: string): Promise<void> {
  // Our stdin is the coordinator's hand: when it is gone, so are we.
  process.stdin.on('end', () => process.exit(1))

  const plan = JSON.parse(text) as OrdersPlan
  const say = (report: object): void => {
    process.stdout.write(`${JSON.stringify(report)}\n`)
  }
  const tell = (result: Word): void => say({ result })
  const stdin = createInterface({ input: process.stdin })
  // Who has heard enough closes it, which pauses stdin: then its end would not be noticed.
  stdin.on('close', () => process.stdin.resume())
  // Taken at once: a line that comes before it is would be gone.
  const lines = stdin[Symbol.asyncIterator]()
  if (role === 'shop') await runShop(plan, lines, tell)
  else await runWarehouse(plan, lines, (listening) => say({ listening }), tell)
}

import { TcpSock, type Peer } from 'socktools'
import { Exchange } from '../demo/exchange.ts'
import type { Plan, Report } from '../demo/plan.ts'
import { restOf } from '../demo/script.ts'

/** One party of the demo, in a process of its own. Tells how it went on stdout, as demo/plan.ts says. */
export async function demoParty(text: string): Promise<void> {
  // Our stdin is the coordinator's hand: when it is gone, so are we.
  process.stdin.on('end', () => process.exit(1)).resume()

  const plan = JSON.parse(text) as Plan
  let rest: Uint8Array[] = []
  const exchanges = new Map<Peer, Exchange>()
  let left = plan.accept + plan.dial.length

  const sock = new TcpSock({
    handlers: { 0: (payload, { peer }) => exchanges.get(peer)?.take(payload) },
  })
  await new Promise<void>((resolve, reject) => {
    sock.on('peer', ({ peer }) => {
      const exchange = new Exchange(peer, plan, rest, (result) => {
        tell({ result })
        if (--left === 0) resolve()
      })
      exchanges.set(peer, exchange)
    })
    sock.on('gone', ({ peer }) => {
      exchanges.get(peer)?.ended()
    })
    const start = async (): Promise<void> => {
      if (plan.accept > 0) tell({ listening: await sock.startServer({ bind: plan.listen }) })
      // Others start meanwhile. Nobody can have joined before this is done.
      rest = restOf(plan)
      await Promise.all(plan.dial.map((address) => sock.connectTo(address)))
    }
    start().catch(reject)
  })
  await sock.drain()
}

function tell(report: Report): void {
  process.stdout.write(`${JSON.stringify(report)}\n`)
}

import { Talker } from '../demo/talker.ts'
import type { TypedPlan } from '../demo/typed.ts'

/** One side of the typed talk of the demo, in a process of its own. Tells what demo/parties.ts reads. */
export async function demoTyped(text: string): Promise<void> {
  // Our stdin is the coordinator's hand: when it is gone, so are we.
  process.stdin.on('end', () => process.exit(1)).resume()

  const tell = (report: object): void => {
    process.stdout.write(`${JSON.stringify(report)}\n`)
  }
  const result = await new Talker(JSON.parse(text) as TypedPlan).run((listening) => tell({ listening }))
  tell({ result })
}

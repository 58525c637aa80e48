import { type RoomPlan, holdRoom, visit } from '../demo/room.ts'

/** The room of the demo, or one of its guests, in a process of its own. Tells what demo/parties.ts reads. */
export async function demoRoom(role: 'room' | 'guest', text: string): Promise<void> {
  // Our stdin is the coordinator's hand: when it is gone, so are we.
  process.stdin.on('end', () => process.exit(1)).resume()

  const plan = JSON.parse(text) as RoomPlan
  const tell = (report: object): void => {
    process.stdout.write(`${JSON.stringify(report)}\n`)
  }
  if (role === 'guest') tell({ result: await visit(plan) })
  else {
    await holdRoom(plan, (listening) => tell({ listening }))
    await new Promise(() => undefined)
  }
}

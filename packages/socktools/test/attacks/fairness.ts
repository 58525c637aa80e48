/** One that floods and one that never reads, in a process of their own, against another; ten in this one that mean no harm. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { TcpSock } from '../../src/index.ts'
import { protocol } from '../support/attacked.ts'
import { Victim } from '../support/attacker.ts'
import { Child } from '../support/child.ts'
import { Lag } from '../support/lag.ts'

const QUIET = 10
/** Milliseconds. */
const P99 = 100

export async function fairness(t: TestContext, calls: number): Promise<void> {
  const victim = await Victim.start(t, 'v1')
  const socks = await Promise.all(Array.from({ length: QUIET }, () => TcpSock.open({ protocol })))
  t.after(() => Promise.all(socks.map((sock) => sock.close())))
  const peers = await Promise.all(socks.map((sock) => sock.connectTo(victim.address)))
  const flooder = Child.start(t, 'flooder', victim.address)
  assert.equal(await flooder.hear(), 'begun')
  const before = (await victim.until(({ messagesIn }) => messagesIn > 1_000)).stats.messagesIn
  const lag = new Lag()
  t.after(() => lag.stop())
  const took: number[] = []
  void flooder.exit.then((how) => t.diagnostic(`the flooder ended: ${JSON.stringify(how)} ${flooder.errors}`))
  await Promise.all(
    peers.map(async (peer) => {
      for (let i = 0; i < calls; i++) {
        const began = performance.now()
        assert.equal(await peer.request('echo', 'x'), 'x')
        took.push(performance.now() - began)
        // Ten quiet ones are no flood of their own.
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }),
  )
  took.sort((a, b) => a - b)
  const p99 = took[Math.floor(took.length * 0.99)] ?? Infinity
  // It still floods: more came, and comes, than the calls of the others.
  const { stats } = await victim.until(({ messagesIn }) => messagesIn > before + took.length)
  t.diagnostic(`p50 ${took[took.length >> 1]?.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, of ${took.length}`)
  assert.ok(stats.queued > 100_000, 'something waits for the one that never reads')
  lag.within(p99, P99, 'one of a hundred answers comes')
}

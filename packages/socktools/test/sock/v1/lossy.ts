/** A network that loses packets and is slow: a loopback of its own, with a filter that drops by chance what arrives (at its
 * departure TCP would be told). */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { Child } from '../../support/child.ts'
import type { Crossed } from '../../support/children/lossy.ts'
import { alone, cannot } from '../../support/namespace.ts'

/** Of a message, in support/children/lossy.ts. */
const SIZE = 2000

/** Packets of 1,500 bytes, one in 1/`loss` lost, the others at `mbit` Mbit/s: both ways together, as it is a loopback. */
function network(loss: number, mbit: number): readonly string[] {
  // Loads a random word; drops (2) below the mark, else leaves the packet to others (-1).
  const random = 0xffff_f000 + 56
  const mark = Math.round(loss * 2 ** 32)
  const bytecode = `4,32 0 0 ${random},53 1 0 ${mark},6 0 0 2,6 0 0 4294967295`
  return alone(
    '-rn',
    `ip link set lo up mtu 1500 gso_max_size 1500 gso_max_segs 1
    tc qdisc add dev lo root tbf rate ${mbit}mbit burst 4000 latency 200ms
    tc qdisc add dev lo clsact
    tc filter add dev lo ingress bpf da bytecode '${bytecode}'`,
  )
}

export async function crosses(t: TestContext, loss: number, mbit: number, bytes: number): Promise<void> {
  const why = cannot(network(loss, mbit))
  if (why !== undefined) {
    t.skip(why)
    return
  }
  const count = Math.ceil(bytes / SIZE)
  const child = Child.under(t, network(loss, mbit), 'lossy', String(count))
  const { sent, came, messages, answers, wrong, deaths, broken, ms, segments, again } =
    await child.hear<Crossed>()
  assert.deepEqual(await child.exit, { code: 0, signal: null }, child.errors)
  assert.deepEqual([messages, answers, wrong, broken], [count, count, 0, []])
  assert.equal(came, sent)
  if (loss <= 0.05) assert.equal(deaths, 0, 'nobody took it for dead')
  // The network was as it should be: without this the test would say little.
  assert.ok(again > 0 || loss * segments < 20, `${again} of ${segments} segments were sent again`)
  assert.ok(ms > (8 * bytes) / (mbit * 1000) / 1.1, `${ms} ms is faster than the network`)
  t.diagnostic(`${Math.round(ms)} ms, ${again} of ${segments} segments sent again, given up ${deaths} times`)
}

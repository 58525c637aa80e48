/** A process that is told to end drains: what it accepted arrives, and what it was told to have arrived was handled. */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TestContext } from 'node:test'
import { TcpSock } from '../../../src/index.ts'
import { Child } from '../../support/child.ts'
import { signal } from '../../support/events.ts'
import { Lag } from '../../support/lag.ts'
import { protocol, type Said, Speaker } from '../../support/spoken.ts'
import { ANY, at } from '../../support/tcp.ts'

/** Milliseconds from the signal to the end of the process. */
const EXIT = 5000
/** At once. */
const WIDE = 1

interface Totals {
  came: number
  accepted: number
  unknown: number
  longest: number
}

export async function drains(t: TestContext, count: number): Promise<void> {
  const totals: Totals = { came: 0, accepted: 0, unknown: 0, longest: 0 }
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) await drain(t, next++, totals)
  }
  await Promise.all(Array.from({ length: Math.min(WIDE, count) }, worker))
  assert.ok(totals.came > count * 300 && totals.accepted > count * 50, JSON.stringify(totals))
  t.diagnostic(`${count} drains: ${JSON.stringify(totals)}`)
}

async function drain(t: TestContext, i: number, totals: Totals): Promise<void> {
  let came = 0
  const talking = signal()
  const ended = signal()
  const sock = await TcpSock.open({
    protocol,
    bind: ANY,
    handlers: {
      say: (n) => {
        assert.equal(n, came++, 'in order, none twice')
        if (n === 300) talking.give()
      },
    },
  })
  t.after(() => sock.close())
  const faults: string[] = []
  sock.on('fault', ({ error }) => faults.push(String(error.cause)))
  sock.on('gone', ({ error }) => {
    if (error !== undefined) faults.push(error.code)
    ended.give()
  })
  // Each side is dialed as often as it dials.
  const arrived = new Promise((resolve) => sock.on('peer', resolve))
  const child = Child.start(t, 'sigterm', ...(i % 2 === 0 ? [at(sock)] : []))
  if (i % 2 === 1) await sock.connectTo(await child.hear<string>())
  await arrived
  const [peer] = sock.knownPeers
  const speaker = new Speaker(peer!)
  await talking.promise
  await sleep((i * 29) % 300)
  const lag = new Lag()
  const began = performance.now()
  child.process.kill('SIGTERM')
  const said = await child.hear<Said>()
  assert.deepEqual(await child.exit, { code: 0, signal: null }, child.errors)
  const took = performance.now() - began
  lag.within(took, EXIT, 'it ends')
  lag.stop()
  await ended.promise
  speaker.stop()
  const { accepted, delivered, unknown, lost } = await speaker.settled()
  assert.deepEqual(faults, [])
  assert.equal(came, said.accepted, 'what it accepted arrived')
  assert.ok(said.came >= delivered, `${delivered} were delivered, ${said.came} were handled`)
  assert.ok(said.came <= delivered + unknown, 'what is said not to have arrived did not')
  assert.equal(accepted, delivered + unknown + lost)
  totals.came += came
  totals.accepted += accepted
  totals.unknown += unknown
  totals.longest = Math.max(totals.longest, Math.round(took))
  await sock.close()
}

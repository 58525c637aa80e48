/** Very many that mean no harm: alive, small, and back after a restart. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Identity } from '../../src/index.ts'
import { Child } from '../support/child.ts'
import { Lag } from '../support/lag.ts'

const MANY_FILES = ['sh', '-c', 'ulimit -n "$(ulimit -Hn)"; exec "$@"', 'sh']
/** Milliseconds. */
const BACK = 30_000
/** Processes that dial. */
const CLIENTS = 2

interface Has {
  readonly peers: number
  readonly gone: number
  readonly messages: number
  readonly rss: number
}

/** `gc`: without what is garbage by now. That takes a while of a process that has much else to do. */
async function has(server: Child, how: 'gc' | 'now' = 'gc'): Promise<Has> {
  server.tell(how)
  return server.hear()
}

/** All are answered. */
async function allAnswer(clients: readonly Child[], count: number): Promise<void> {
  for (const client of clients) client.tell('say')
  const answers = await Promise.all(clients.map((client) => client.hear<number>()))
  assert.equal(
    answers.reduce((sum, n) => sum + n, 0),
    count,
  )
}

interface Crowd {
  readonly count: number
  /** Milliseconds for which nothing happens. */
  readonly alive: number
  /** Bytes that a connection takes of the server, at the most. */
  readonly each: number
  /** Over TLS, each with an identity of its own. */
  readonly secure?: boolean
}

export async function crowd(t: TestContext, { count, alive, each: most, secure }: Crowd): Promise<void> {
  const key = secure === true ? [Identity.generate().toPem()] : []
  const first = Child.under(t, MANY_FILES, 'crowd', 'server', '0', ...key)
  const address = await first.hear<string>()
  const before = await has(first)
  const clients = Array.from({ length: CLIENTS }, () =>
    Child.under(t, MANY_FILES, 'crowd', 'clients', address, String(count / CLIENTS)),
  )
  for (const client of clients) assert.equal(await client.hear(), 'up')
  await allAnswer(clients, count)
  const now = await has(first)
  const each = (now.rss - before.rss) / count
  t.diagnostic(`${count} connections, ${(each / 1024).toFixed(1)} KiB each`)
  assert.ok(each < most, `${each} bytes each`)
  await sleep(alive)
  await allAnswer(clients, count)
  const later = await has(first)
  assert.deepEqual([later.peers, later.gone], [count, 0])

  first.process.kill('SIGKILL')
  await first.exit
  const lag = new Lag()
  t.after(() => lag.stop())
  const second = Child.under(t, MANY_FILES, 'crowd', 'server', new URL(address).port, ...key)
  assert.equal(await second.hear(), address)
  const began = performance.now()
  while ((await has(second, 'now')).peers < count) {
    await sleep(50)
    if (performance.now() - began > 4 * BACK) break
  }
  const took = performance.now() - began
  lag.within(took, BACK, 'all are back')
  t.diagnostic(`all back within ${(took / 1000).toFixed(1)} s`)
  await allAnswer(clients, count)
}

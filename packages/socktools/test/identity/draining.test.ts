/** A sock with an identity drains while connections break: who had a session is taken back over TLS, and nobody else. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { z } from 'zod'
import { type Chaos, chaos } from '../../src/testing/index.ts'
import { call, Identity, known, msg, type Peer, rotation, type TcpSock } from '../../src/index.ts'
import { next, signal } from '../support/events.ts'
import { opened } from './opened.ts'

const protocol = { say: msg(z.number()), double: call(z.number(), z.number()) }
type Node = TcpSock<never, typeof protocol>
type Far = Peer<never, typeof protocol>

interface Pair {
  readonly server: Node
  readonly client: Node
  readonly proxy: Chaos
  /** The server as the client sees it, and the client as the server does. */
  readonly there: Far
  readonly here: Far
  /** What came: to the server, and to the client. */
  readonly up: number[]
  readonly down: number[]
  /** Of the client, after its key has been changed. */
  readonly later: Identity
}

const MANY = Array.from({ length: 50 }, (_, i) => i)
/** A call is answered once this is given. */
const gates = new WeakMap<Node, Promise<unknown>>()

async function pair(t: TestContext): Promise<Pair> {
  const [up, down]: [number[], number[]] = [[], []]
  const [own, early, later] = [Identity.generate(), Identity.generate(), Identity.generate()]
  const server: Node = await opened(t, protocol, {
    identity: own,
    bind: 'tcp://127.0.0.1:0',
    trust: known({ ids: [early.id], records: [rotation(early, later, Date.now() + 600_000)] }),
    handlers: {
      say: (n) => void up.push(n),
      double: async (n) => {
        await gates.get(server)
        return 2 * n
      },
    },
  })
  const proxy = await chaos({
    listen: 'tcp://127.0.0.1:0',
    to: String(server.address).replace(/\/\/.*@/, '//'),
  })
  t.after(() => proxy.close())
  const client: Node = await opened(t, protocol, {
    identity: early,
    backoff: { first: 1, max: 20, healthy: 1 },
    handlers: { say: (n) => void down.push(n) },
  })
  const came = next(server, 'peer')
  const there = await client.connectTo(proxy.address.replace('//', `//${own.id}@`))
  const { peer: here } = await came
  return { server, client, proxy, there, here, up, down, later }
}

/** Both sides send. */
const sendMany = ({ there, here }: Pair) => [
  ...MANY.map((n) => there.send('say', n)),
  ...MANY.map((n) => here.send('say', n)),
]

/** Both send, and the server begins to drain, while nothing arrives; then the connection breaks. */
async function broken(two: Pair): Promise<{
  readonly outcomes: Promise<unknown[]>
  readonly drained: Promise<unknown>
}> {
  two.proxy.blackHole()
  const sent = sendMany(two)
  await Promise.all(sent.map(({ accepted }) => accepted))
  const drained = two.server.drain({ timeout: 20_000 }).catch((thrown: unknown) => thrown)
  two.proxy.cut()
  return { outcomes: Promise.all(sent.map(({ outcome }) => outcome)), drained }
}

describe('a connection over TLS that breaks while the side that was dialed drains', () => {
  for (const rotated of [false, true])
    test(`is followed by another one${rotated ? ', with the key that took the place of the first' : ''}: all is delivered, and told`, async (t) => {
      const two = await pair(t)
      const { server, client, proxy, there, here, up, down, later } = two
      const ends = [next(client, 'gone'), next(server, 'gone')]
      const resumed = next(server, 'resumed')
      const { outcomes, drained } = await broken(two)
      if (rotated) client.changeIdentity(later)
      proxy.heal()
      assert.deepEqual(
        new Set((await outcomes).map((told) => JSON.stringify(told))),
        new Set(['{"status":"delivered"}']),
      )
      assert.equal((await resumed).peer, here)
      assert.deepEqual(await drained, { unsent: 0, unhandled: 0 })
      assert.deepEqual([up, down], [MANY, MANY])
      for (const end of ends) assert.equal((await end).error, undefined)
      assert.deepEqual([here.identity, there.identity], [client.identity?.id, server.identity?.id])
      assert.equal(here.proof?.by, 'tls')
    })

  test('a call that was underway is answered over the next one; others who are known, and strangers, are turned away', async (t) => {
    const two = await pair(t)
    const { server, proxy, there } = two
    const gate = signal()
    gates.set(server, gate.promise)
    const asked = there.request('double', 4)
    // In one lane with it: it has come there.
    await there.request('double', 0, { timeout: 1 }).catch(() => undefined)
    const { drained } = await broken(two)
    proxy.heal()
    const to = proxy.address.replace('//', `//${server.identity?.id}@`)
    const stranger = await opened(t, protocol)
    await assert.rejects(stranger.connectTo(to), { code: 'REFUSED' })
    const other = await opened(t, protocol, { identity: two.client.identity as Identity })
    await assert.rejects(other.connectTo(to), { code: 'DRAINING' })
    await assert.rejects(there.request('double', 5), { code: 'DRAINING' })
    gate.give()
    assert.equal(await asked, 8)
    assert.deepEqual(await drained, { unsent: 0, unhandled: 0 })
  })

  test('and that nobody can come back over: it is told what became of each message', async (t) => {
    const two = await pair(t)
    const { server, client, proxy, up } = two
    await proxy.close()
    const sent = sendMany(two)
    await server.drain({ timeout: 200 }).catch(() => undefined)
    await client.close()
    for (const { outcome } of sent) assert.notEqual((await outcome).status, 'delivered')
    assert.deepEqual(up, [])
  })
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { json, PipeSock, type SockOptions } from '../../src/index.ts'
import { memory, SimPlatform } from '../../src/testing/index.ts'

/** A server with `options` and a client of it, in virtual time. */
function scene(
  options: SockOptions<any>,
  play: (at: { sim: SimPlatform; server: PipeSock<any>; client: PipeSock<any>; peer: any }) => Promise<void>,
  ofClient: SockOptions<any> = {},
): Promise<void> {
  const sim = new SimPlatform(1)
  return sim.run(async () => {
    const parts = { platform: sim, transports: [memory(sim)] }
    const server = new PipeSock<any>({ bind: 'memory:server', ...options }, parts)
    await server.start()
    const client = new PipeSock<any>(
      { ...(options.codec === undefined ? {} : { codec: options.codec }), ...ofClient },
      parts,
    )
    const peer = await client.connectTo('memory:server')
    await play({ sim, server, client, peer })
    await client.close()
    await server.close()
  })
}

test('a next() that nobody awaits: what the handler throws is one fault, and the next message waits for it', () => {
  const order: string[] = []
  const handler = async (bytes: unknown): Promise<void> => {
    const data = bytes as Uint8Array
    order.push(`begin ${data[0]}`)
    await Promise.resolve()
    order.push(`end ${data[0]}`)
    throw new Error('bad input')
  }
  return scene({ handlers: { 0: handler } }, async ({ sim, server, peer }) => {
    server.use((_message, _context, next) => {
      void next()
    })
    let faults = 0
    server.on('fault', () => faults++)
    void peer.sendMsg(0, Uint8Array.of(1))
    void peer.sendMsg(0, Uint8Array.of(2))
    await sim.sleep(10)
    assert.deepEqual(order, ['begin 1', 'end 1', 'begin 2', 'end 2'])
    assert.equal(faults, 2)
  })
})

test('an error that passes through several layers of middleware is one fault', () =>
  scene(
    {
      handlers: {
        0: () => {
          throw new Error('once')
        },
      },
    },
    async ({ sim, server, peer }) => {
      server.use(async (_message, _context, next) => next())
      server.use((_message, _context, next) => next())
      let faults = 0
      server.on('fault', () => faults++)
      await peer.sendMsg(0, 'x')
      await sim.sleep(10)
      assert.equal(faults, 1)
    },
  ))

test('answers to a peer that has left are dropped and counted, and are no faults', () =>
  scene(
    { handlers: { 0: (data, { peer }) => peer.sendMsg(0, data) }, readMark: 0 },
    async ({ sim, server, client, peer }) => {
      for (let i = 0; i < 1000; i++) void peer.sendMsg(0, new Uint8Array(1000))
      await client.close()
      await sim.sleep(10)
      assert.equal(server.stats().faults, 0)
      assert.equal(server.stats().peers, 0)
    },
  ))

test('`to` that is there and undefined is UNKNOWN_PEER, never everybody', () =>
  scene({}, async ({ server, client, sim }) => {
    const heard = client.readRaw()
    const nobody = undefined as never
    await assert.rejects(server.sendMsg(0, 'secret', { to: nobody }), { code: 'UNKNOWN_PEER' })
    await sim.sleep(10)
    await client.close()
    assert.deepEqual(await heard.next(), { value: undefined, done: true })
  }))

test('drain tells what was lost after all', () =>
  scene({ readMark: 0, handlers: { 0: () => new Promise(() => undefined) } }, async ({ client, peer }) => {
    for (let i = 0; i < 100; i++) void peer.sendMsg(0, new Uint8Array(100_000))
    const { unsent } = await client.drain({ timeout: 300 })
    assert.ok(unsent > 0, 'a peer that reads nothing cannot have got it all')
  }))

test('a peer that we work for is not silent, however long the work takes', () =>
  scene(
    { timeout: 1000, handlers: { 0: () => new Promise(() => undefined) } },
    async ({ sim, server, peer }) => {
      await peer.sendMsg(0, 'work')
      await sim.sleep(10_000)
      assert.equal(server.stats().peers, 1)
    },
  ))

test('a peer that takes nothing of what waits for it is closed after `timeout`, also while we work for it', () =>
  scene(
    { timeout: 1000, handlers: { 0: () => new Promise(() => undefined) } },
    async ({ sim, server, peer }) => {
      await peer.sendMsg(0, 'work')
      await sim.sleep(10)
      for (let i = 0; i < 100; i++) void server.knownPeers[0]?.sendMsg(0, new Uint8Array(100_000))
      await sim.sleep(10_000)
      assert.deepEqual(server.knownPeers, [])
    },
    { readMark: 0, handlers: { 0: () => new Promise(() => undefined) } },
  ))

test('json() refuses a text longer than its max, on both sides', () => {
  const codec = json({ max: 100 })
  assert.throws(() => codec.encode('t', 'x'.repeat(100)), { code: 'CANNOT_ENCODE' })
  assert.throws(() => codec.decode(json().encode('t', 'x'.repeat(100))), { code: 'BAD_MESSAGE' })
})

test('what a peer names its message types cannot write to a log', () => {
  const lines: string[] = []
  return scene({ codec: json(), logger: { debug: (text) => lines.push(text) } }, async ({ sim, peer }) => {
    await peer.sendMsg('\u009b31m\u202eevil\u2028', 1)
    await peer.sendMsg('x'.repeat(10_000), 1)
    await sim.sleep(2000)
    await peer.sendMsg('y'.repeat(10_000), 1)
    await sim.sleep(10)
    assert.ok(lines.length > 1)
    for (const line of lines) {
      assert.match(line, /^[\x20-\x7e…]*$/)
      assert.ok(line.length < 400, `${line.length} characters`)
    }
  })
})

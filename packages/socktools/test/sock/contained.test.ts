import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Framing, json, lengthPrefixed, PipeSock, type SockOptions } from '../../src/index.ts'
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

for (const [what, late] of [
  ['from a timer', (next: () => unknown, sim: SimPlatform) => void sim.setTimer(next, 5)],
  ['from a promise that nobody awaits', (next: () => unknown) => void Promise.resolve().then(next)],
] as const) {
  for (const sync of [true, false]) {
    test(`a next() that is called late, ${what}, of a handler that ${sync ? 'throws' : 'rejects'}: one fault, no crash`, () => {
      const handler = (): Promise<void> => {
        if (sync) throw new Error('bad input')
        return Promise.reject(new Error('bad input'))
      }
      return scene({ handlers: { 0: handler } }, async ({ sim, server, peer }) => {
        server.use((_message, _context, next) => late(next, sim))
        const faults: string[] = []
        server.on('fault', ({ error }) => faults.push(error.message))
        await peer.sendMsg(0, 'x')
        await sim.sleep(20)
        assert.equal(faults.length, 1)
        assert.match(faults[0] ?? '', /bad input/)
      })
    })
  }
}

test('middleware that awaits before next() still hears what the handler throws', () => {
  const heard: unknown[] = []
  const handler = (): void => {
    throw new Error('bad input')
  }
  return scene({ handlers: { 0: handler } }, async ({ sim, server, peer }) => {
    server.use(async (_message, _context, next) => {
      await Promise.resolve()
      try {
        await next()
      } catch (error) {
        heard.push((error as Error).message)
      }
    })
    await peer.sendMsg(0, 'x')
    await sim.sleep(10)
    assert.deepEqual(heard, ['bad input'])
  })
})

test('a listener of "dropped" that answers with what is dropped again does not keep the loop', () =>
  scene({}, async ({ sim, client, peer }) => {
    let drops = 0
    let dropsAtPoll = 0
    client.on('dropped', () => {
      if (drops++ === 0) sim.afterPoll(() => (dropsAtPoll = drops))
      if (drops < 1000) void peer.sendMsg(0, 'again').catch(() => undefined)
    })
    peer.close()
    void peer.sendMsg(0, 'too late').catch(() => undefined)
    await sim.sleep(10)
    assert.equal(drops, 1000)
    assert.ok(dropsAtPoll < 10, `${dropsAtPoll} in a row before anything else had its turn`)
  }))

test('a gate that closes its sock and never answers: whoever waits is refused, and nothing is left', async () => {
  const sim = new SimPlatform(1)
  await sim.run(async () => {
    const parts = { platform: sim, transports: [memory(sim)] }
    const goodPeer = (): Promise<boolean> => {
      void server.close()
      return new Promise(() => undefined)
    }
    const server: PipeSock = new PipeSock({ bind: 'memory:server', goodPeer }, parts)
    await server.start()
    const client = new PipeSock({}, parts)
    const peer = await client.connectTo('memory:server')
    await sim.sleep(10)
    assert.deepEqual([server.stats().pending, server.stats().refused], [0, { CLOSED: 1 }])
    assert.equal(peer.state, 'gone')
    await client.close()
  })
})

test('a dial that is given up at the gate is refused for that reason, not as if the sock were closed', async () => {
  const sim = new SimPlatform(1)
  await sim.run(async () => {
    const parts = { platform: sim, transports: [memory(sim)] }
    const server = new PipeSock({ bind: 'memory:server' }, parts)
    await server.start()
    const client = new PipeSock({ goodPeer: () => new Promise(() => undefined) }, parts)
    const aborter = new AbortController()
    const { signal } = aborter
    const aborted = assert.rejects(client.connectTo('memory:server', { signal }), { code: 'ABORTED' })
    const late = client.connectTo('memory:server', { timeout: 50 })
    const timedOut = assert.rejects(late, { code: 'CONNECT_TIMEOUT' })
    await sim.sleep(10)
    aborter.abort('enough')
    await aborted
    await timedOut
    assert.deepEqual(client.stats().refused, { ABORTED: 1, CONNECT_TIMEOUT: 1 })
    await client.close()
    await server.close()
  })
})

/** lengthPrefixed() with a fault on its way out. */
const broken: [string, Partial<Framing>, number][] = [
  ['write ends beyond its room', { write: (_into, at, { length }) => at + length + 100 }, 10],
  ['write ends before it began', { write: (_into, at) => at - 1 }, 10],
  ['write answers with no number', { write: () => NaN }, 10],
  ['size is no number', { size: () => NaN }, 10],
  ['size is too small', { size: () => 1 }, 10],
  [
    'before ends beyond its room',
    { around: { before: (_into, at) => at + 9, after: (_into, at) => at } },
    20_000,
  ],
  ['before answers with no number', { around: { before: () => NaN, after: (_into, at) => at } }, 20_000],
  ['after throws', { around: { before: (_into, at) => at + 4, after: () => assert.fail('broken') } }, 20_000],
  ['after ends before it began', { around: { before: (_into, at) => at + 4, after: () => 0 } }, 20_000],
]
for (const [what, fault, size] of broken) {
  test(`a framing whose ${what}: that message is CANNOT_FRAME, nothing of it is sent, and the accounts hold`, () => {
    const framing: Framing = { ...lengthPrefixed(), ...fault }
    const got: number[] = []
    return scene(
      { handlers: { 0: (bytes: unknown) => void got.push((bytes as Uint8Array).length) } },
      async ({ sim, client, peer }) => {
        for (let i = 0; i < 3; i++) {
          await assert.rejects(peer.sendMsg(0, new Uint8Array(size)), { code: 'CANNOT_FRAME' })
          await assert.rejects(client.sendMsg(0, new Uint8Array(size)), { code: 'CANNOT_FRAME' })
        }
        await sim.sleep(10)
        await peer.flushed()
        assert.deepEqual(got, [])
        const { queued, bytesOut, messagesOut } = peer.stats()
        assert.deepEqual([queued, bytesOut, messagesOut], [0, 0, 0])
      },
      { framing },
    )
  })
}

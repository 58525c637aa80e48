import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { describe, test } from 'node:test'
import { chaos, type Chaos, type ChaosEvent, type ChaosOptions } from '../../src/testing/index.ts'
import { coded } from '../support/coded.ts'

const HANG = { timeout: 30_000 }

interface Place {
  readonly proxy: Chaos
  readonly events: ChaosEvent[]
  /** Sockets that arrived at the far side. */
  readonly arrived: net.Socket[]
  readonly connect: () => Promise<{ readonly near: net.Socket; readonly far: net.Socket }>
}

/** A server behind a proxy; both are gone afterwards. */
async function behind(
  options: Omit<ChaosOptions, 'listen' | 'to'>,
  run: (place: Place) => Promise<void>,
): Promise<void> {
  const arrived: net.Socket[] = []
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined)
    arrived.push(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const events: ChaosEvent[] = []
  const to = `tcp://127.0.0.1:${(server.address() as net.AddressInfo).port}`
  const proxy = await chaos({
    listen: 'tcp://127.0.0.1:0',
    to,
    log: (event) => events.push(event),
    ...options,
  })
  const nears: net.Socket[] = []
  const connect: Place['connect'] = async () => {
    const coming = once(server, 'connection') as Promise<[net.Socket]>
    const near = net.connect({
      port: Number(new URL(proxy.address).port),
      host: '127.0.0.1',
      allowHalfOpen: true,
    })
    near.on('error', () => undefined)
    nears.push(near)
    const [far] = await coming
    return { near, far }
  }
  try {
    await run({ proxy, events, arrived, connect })
  } finally {
    await proxy.close()
    for (const socket of [...nears, ...arrived]) socket.destroy()
    server.close()
  }
}

/** All that comes until the socket ends or breaks. */
async function all(
  socket: net.Socket,
): Promise<{ readonly bytes: Buffer; readonly pieces: number; readonly error: string }> {
  const pieces: Buffer[] = []
  socket.on('data', (piece: Buffer) => pieces.push(piece))
  const how = await Promise.race([
    once(socket, 'end').then(() => ''),
    once(socket, 'close').then(() => 'closed'),
    new Promise<string>((resolve) =>
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(String(error.code))),
    ),
  ]).catch((error: unknown) => String((error as NodeJS.ErrnoException).code))
  return { bytes: Buffer.concat(pieces), pieces: pieces.length, error: how }
}

const some = (length: number): Buffer =>
  Buffer.from(Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 255))
const kinds = (events: readonly ChaosEvent[]): string[] => events.map(({ event }) => event)

describe('chaos', () => {
  test('without toxics it changes nothing, both ways, half-closes included', HANG, () =>
    behind({}, async ({ proxy, connect, events }) => {
      const { near, far } = await connect()
      const up = all(far)
      near.end(some(1_000_000))
      assert.deepEqual((await up).bytes, some(1_000_000))
      const down = all(near)
      far.end(some(300_000))
      assert.deepEqual((await down).bytes, some(300_000))
      while (proxy.connections > 0) await new Promise((resolve) => setImmediate(resolve))
      assert.deepEqual(kinds(events), ['listening', 'open', 'end'])
      assert.deepEqual([events[2]?.up, events[2]?.down], [1_000_000, 300_000])
    }),
  )

  test('sliced, late, jittered and slow it is still the same bytes', HANG, () =>
    behind({ both: { latency: 5, jitter: 10, slice: 50, bandwidth: 100_000 } }, async ({ connect }) => {
      const { near, far } = await connect()
      const began = performance.now()
      const up = all(far)
      near.end(some(10_000))
      const { bytes } = await up
      assert.deepEqual(bytes, some(10_000))
      // 10,000 bytes at 100,000 a second: it cannot be there sooner, whatever the machine does.
      assert.ok(performance.now() - began >= 100)
    }),
  )

  test('cutAfter: exactly so many bytes pass, then a reset', HANG, () =>
    behind({ up: { cutAfter: 777 } }, async ({ connect, events, proxy }) => {
      const { near, far } = await connect()
      const up = all(far)
      near.write(some(5000))
      // Node may tell a reset behind unread bytes as an end.
      const { bytes } = await up
      assert.deepEqual(bytes, some(777))
      assert.equal(proxy.connections, 0)
      assert.deepEqual(kinds(events), ['listening', 'open', 'cut', 'close'])
      assert.deepEqual([events[2]?.direction, events[2]?.up], ['up', 777])
    }),
  )

  test('cutGrows: connection i is cut after i times as many', HANG, () =>
    behind({ down: { cutAfter: 3 }, cutGrows: true }, async ({ connect }) => {
      for (let i = 1; i <= 20; i++) {
        const { near, far } = await connect()
        const down = all(near)
        far.write(some(100))
        assert.equal((await down).bytes.length, 3 * i)
      }
    }),
  )

  test('cutAfter by the number of the connection', HANG, () =>
    behind({ up: { cutAfter: (i) => (i === 1 ? Infinity : 10 - i) } }, async ({ connect, events }) => {
      for (let i = 1; i <= 5; i++) {
        const { near, far } = await connect()
        const up = all(far)
        near.end(some(100))
        assert.equal((await up).bytes.length, i === 1 ? 100 : 10 - i)
      }
      assert.equal(kinds(events).filter((kind) => kind === 'cut').length, 4)
    }),
  )

  test('limit: so many bytes pass, then that direction ends in good order', HANG, () =>
    behind({ down: { limit: 10 } }, async ({ connect, events }) => {
      const { near, far } = await connect()
      const down = all(near)
      far.write(some(100))
      const { bytes, error } = await down
      assert.deepEqual([bytes, error], [some(10), ''])
      near.write('still open')
      const [piece] = (await once(far, 'data')) as [Buffer]
      assert.equal(String(piece), 'still open')
      assert.ok(kinds(events).includes('limit'))
    }),
  )

  test(
    'blackHole: nothing arrives one way while the other goes on; healed, what lost bytes is reset',
    HANG,
    () =>
      behind({}, async ({ proxy, connect, events }) => {
        const { near, far } = await connect()
        proxy.blackHole('up')
        let came = 0
        far.on('data', (piece: Buffer) => (came += piece.length))
        near.write('lost')
        far.write('kept')
        assert.equal(String((await once(near, 'data'))[0]), 'kept')
        const broken = all(near)
        // Once it has seen these the proxy has taken in what was written before, on the same connection.
        for (let i = 0; i < 50; i++) await new Promise((resolve) => setTimeout(resolve, 1))
        proxy.heal()
        assert.notEqual((await broken).error, '')
        assert.equal(came, 0)
        assert.deepEqual(
          kinds(events).filter((event) => event !== 'open'),
          ['listening', 'blackHole', 'cut', 'close', 'heal'],
        )
        const next = await connect()
        next.near.write('again')
        assert.equal(String((await once(next.far, 'data'))[0]), 'again')
      }),
  )

  test('freeze: nothing passes, however much is written, until release; then all of it', HANG, () =>
    behind({}, async ({ proxy, connect }) => {
      const { near, far } = await connect()
      proxy.freeze()
      let came = 0
      const whole = some(200_000)
      const pieces: Buffer[] = []
      far.on('data', (piece: Buffer) => {
        came += piece.length
        pieces.push(piece)
      })
      near.end(whole)
      for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 1))
      assert.equal(came, 0)
      const ended = once(far, 'end')
      proxy.release()
      await ended
      assert.deepEqual(Buffer.concat(pieces), whole)
    }),
  )

  test('who cannot be reached is told so by a reset', HANG, async () => {
    const events: ChaosEvent[] = []
    const closed = net.createServer().listen(0, '127.0.0.1')
    await once(closed, 'listening')
    const { port } = closed.address() as net.AddressInfo
    closed.close()
    await once(closed, 'close')
    const to = `tcp://127.0.0.1:${port}`
    const proxy = await chaos({ listen: 'tcp://127.0.0.1:0', to, log: (event) => events.push(event) })
    const near = net.connect(Number(new URL(proxy.address).port), '127.0.0.1')
    assert.notEqual((await all(near)).error, '')
    assert.deepEqual(kinds(events), ['listening', 'refused', 'close'])
    await proxy.close()
    await proxy.close()
  })

  test('the same seed cuts into the same pieces', HANG, async () => {
    const lengths = async (seed: number): Promise<string> => {
      let seen = ''
      await behind({ seed, up: { slice: 9, limit: 40, latency: 1 } }, async ({ connect }) => {
        const { near, far } = await connect()
        const up = all(far)
        near.write(some(40))
        seen = (await up).bytes.toString('hex')
      })
      return seen
    }
    assert.equal(await lengths(4), await lengths(4))
  })

  test('wrong options are BAD_OPTION', async () => {
    const base = { listen: 'tcp://127.0.0.1:0', to: 'tcp://127.0.0.1:1' }
    const bad: [object, RegExp][] = [
      [{ ...base, latency: 5 }, /chaos has no "latency"/],
      [{ ...base, both: { late: 5 } }, /has no "late"/],
      [{ ...base, up: { latency: -5 } }, /latency is a number from 0/],
      [{ ...base, up: { slice: 0 } }, /slice is 1 at least/],
      [{ ...base, up: { blackHole: 1 } }, /true or false/],
      [{ ...base, seed: 0.5 }, /seed is a whole number/],
      [{ listen: 'tcp://127.0.0.1:0' }, /are addresses/],
    ]
    for (const [options, text] of bad)
      await assert.rejects(chaos(options as ChaosOptions), coded('BAD_OPTION', text))
    await assert.rejects(chaos({ ...base, to: 'udp://127.0.0.1:1' }), { code: 'BAD_ADDRESS' })
  })
})

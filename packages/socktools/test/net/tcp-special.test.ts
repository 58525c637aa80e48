/** What is special about TCP: ports, hosts, sockets that break; and sockets that the application made itself. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import { join } from 'node:path'
import { type TestContext, after, describe, test } from 'node:test'
import { parseAddress } from '../../src/address.ts'
import { adopt } from '../../src/net/adopt.ts'
import type { Pipe } from '../../src/net/pipe.ts'
import { socketPipe } from '../../src/net/socket-pipe.ts'
import { tcp } from '../../src/net/tcp.ts'
import { ipv6 } from '../support/ipv6.ts'
import { codeOf, pattern } from '../wire/bytes.ts'
import { Side } from './side.ts'

const loopback = parseAddress('tcp://127.0.0.1:0')
const local = { address: 'tcp://127.0.0.1:1', host: '127.0.0.1', local: true }

/** A listener, and each pipe that it accepts. */
async function listening(
  t: TestContext,
  at = loopback,
): Promise<{ address: URL; accepted: () => Promise<Pipe> }> {
  const pipes: Pipe[] = []
  let wake = (): void => undefined
  const listener = await tcp().listen(at, {}, (pipe) => {
    pipes.push(pipe)
    wake()
  })
  t.after(() => listener.close())
  const accepted = async (): Promise<Pipe> => {
    while (pipes.length === 0) await new Promise<void>((resolve) => (wake = resolve))
    return pipes.shift()!
  }
  return { address: parseAddress(listener.address), accepted }
}

describe('tcp', () => {
  test('port 0 becomes a real port, another one each time', async (t) => {
    const [one, other] = [await listening(t), await listening(t)]
    assert.notEqual(one.address.port, '0')
    assert.notEqual(one.address.port, other.address.port)
  })

  test('an IPv4 address that came in over IPv6 is shown as what it is', {
    skip: !ipv6 && 'this machine has no ::1',
  }, async (t) => {
    const { address, accepted } = await listening(t, parseAddress('tcp://[::]:0'))
    const near = new Side(await tcp().dial(parseAddress(`tcp://127.0.0.1:${address.port}`), {}))
    const far = new Side(await accepted())
    assert.equal(far.pipe.remote.host, '127.0.0.1')
    assert.match(far.pipe.remote.address, /^tcp:\/\/127\.0\.0\.1:\d+$/)
    assert.equal(far.pipe.remote.local, true)
    near.destroy()
    far.destroy()
  })

  test('an address without a host or a port, or with a path, is BAD_ADDRESS', async () => {
    for (const text of ['tcp://127.0.0.1', 'tcp:///x', 'tcp:4000', 'tcp://127.0.0.1:4000/x']) {
      await assert.rejects(tcp().dial(new URL(text), {}), { code: 'BAD_ADDRESS' }, text)
      await assert.rejects(
        tcp().listen(new URL(text), {}, () => undefined),
        { code: 'BAD_ADDRESS' },
        text,
      )
    }
  })

  test('an address of another machine is LISTEN_FAILED, with the reason of the system', async () => {
    // 192.0.2.0/24 is for documentation: nobody has it.
    await assert.rejects(
      tcp().listen(parseAddress('tcp://192.0.2.1:0'), {}, () => undefined),
      (error: any) => {
        assert.deepEqual([error.code, error.cause.code], ['LISTEN_FAILED', 'EADDRNOTAVAIL'])
        return true
      },
    )
  })

  test('a pipe that nobody listens to may break: no event of a socket ends the process', async (t) => {
    const { address, accepted } = await listening(t)
    const near = await tcp().dial(address, {})
    near.resume()
    near.write([pattern(100)])
    const far = await accepted()
    far.destroy()
    // Bytes that go there and back on another connection come after the reset.
    const [one, other] = [new Side(await tcp().dial(address, {})), new Side(await accepted())]
    for (const side of [one, other]) side.resume()
    one.write(pattern(1))
    await other.until(() => other.bytes === 1)
    other.destroy()
    await one.until(() => one.ends === 1)
    one.destroy()
  })

  test('where nothing is said the system asks after 20 to 80 s, and not all of a crowd at the same time', async (t) => {
    const asks = t.mock.method(net.Socket.prototype, 'setKeepAlive')
    const { address, accepted } = await listening(t)
    for (let i = 0; i < 40; i++) {
      const near = await tcp().dial(address, {})
      const far = await accepted()
      near.destroy()
      far.destroy()
    }
    const asked = asks.mock.calls.map(({ arguments: given }) => given)
    assert.equal(asked.length, 80)
    const after = asked.map(([on, ms = 0]) => (on === true ? ms : Infinity))
    assert.deepEqual([Math.min(...after) >= 20_000, Math.max(...after) < 80_000], [true, true])
    assert.ok(new Set(after).size >= 15, `${new Set(after).size} different`)
  })

  test('close is told once, also to one who attached after it', async () => {
    const socket = new net.Socket()
    const pipe = socketPipe(socket, local)
    const closed = once(socket, 'close')
    pipe.destroy()
    await closed
    // As a connection that broke at the gate: first the gate listens, then, in the same turn, the peer.
    const gate = new Side(pipe)
    const peer = new Side(pipe)
    await peer.until(() => peer.closes.length > 0)
    await new Promise(setImmediate)
    assert.deepEqual([gate.closes.length, peer.closes.length], [0, 1])
  })
})

describe('a server of the application', () => {
  const kind = (sock: net.Server): Extract<ReturnType<typeof adopt>, { kind: 'server' }> => {
    const adopted = adopt(sock)
    assert.ok(adopted.kind === 'server', 'a server')
    return adopted
  }

  test('that listens already is taken as it is', async () => {
    const server = net.createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const pipes: Pipe[] = []
    const listener = await kind(server).listen(undefined, {}, (pipe) => pipes.push(pipe))
    const { port } = server.address() as net.AddressInfo
    assert.equal(listener.address, `tcp://127.0.0.1:${port}`)
    const near = await tcp().dial(parseAddress(listener.address), {})
    near.destroy()
    while (pipes.length === 0) await new Promise(setImmediate)
    pipes[0]?.destroy()
    await listener.close()
    assert.equal(server.listening, false)
  })

  test('listens on `bind` if it does not listen yet; without one that is NOT_BOUND', async () => {
    const server = net.createServer()
    const adopted = kind(server)
    const refused = async (): Promise<unknown> => adopted.listen(undefined, {}, () => undefined)
    await assert.rejects(refused(), { code: 'NOT_BOUND' })
    const listener = await adopted.listen(loopback, {}, () => undefined)
    assert.equal(server.listening, true)
    await listener.close()
  })

  test('that fails to accept does not end the process', async () => {
    const server = net.createServer()
    const listener = await kind(server).listen(loopback, {}, () => undefined)
    server.emit('error', new Error('EMFILE'))
    await listener.close()
  })

  test('over a Unix socket has local peers, each with a name', async () => {
    const folder = mkdtempSync(join(os.tmpdir(), 'socktools-'))
    after(() => rmSync(folder, { recursive: true }))
    const server = net.createServer().listen(join(folder, 's'))
    await once(server, 'listening')
    const pipes: Pipe[] = []
    const listener = await kind(server).listen(undefined, {}, (pipe) => pipes.push(pipe))
    assert.equal(listener.address, `unix:${join(folder, 's')}`)
    const sockets = [net.connect(join(folder, 's')), net.connect(join(folder, 's'))]
    while (pipes.length < 2) await new Promise(setImmediate)
    assert.deepEqual(
      pipes.map(({ remote: { host, local } }) => [host, local]),
      [
        ['unix', true],
        ['unix', true],
      ],
    )
    assert.notEqual(pipes[0]?.remote.address, pipes[1]?.remote.address)
    for (const one of [...sockets, ...pipes]) one.destroy()
    await listener.close()
  })
})

describe('a connection of the application', () => {
  const connect = (socket: net.Socket): Promise<Pipe> => {
    const adopted = adopt(socket)
    assert.ok(adopted.kind === 'connection', 'a connection')
    return adopted.connect()
  }

  for (const [what, ready] of [
    ['that is up', true],
    ['that is coming up', false],
  ] as const) {
    test(`${what} becomes a pipe`, async (t) => {
      const { address, accepted } = await listening(t)
      const socket = net.connect(Number(address.port), '127.0.0.1')
      if (ready) await once(socket, 'connect')
      const near = new Side(await connect(socket))
      const far = new Side(await accepted())
      assert.equal(near.pipe.remote.address, address.href)
      far.resume()
      near.write(pattern(100))
      await far.until(() => far.bytes === 100)
      near.destroy()
      far.destroy()
    })
  }

  const hopeless: Record<string, () => net.Socket> = {
    'that is closed': () => new net.Socket().destroy(),
    'that was never dialed': () => new net.Socket(),
    'that fails': () => net.connect(0, '127.0.0.1'),
  }
  for (const [what, make] of Object.entries(hopeless)) {
    test(`${what} is CONNECT_FAILED`, () => assert.rejects(connect(make()), { code: 'CONNECT_FAILED' }))
  }

  test('anything else is BAD_OPTION', () => {
    for (const sock of [{}, 7, null, 'tcp://127.0.0.1:1'])
      assert.equal(
        codeOf(() => adopt(sock as any)),
        'BAD_OPTION',
      )
  })
})

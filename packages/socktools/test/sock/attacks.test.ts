/** What a port on a real network meets: other protocols, and connections that promise much and send nothing. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import tls from 'node:tls'
import { type SockOptions, type SockStats, TcpSock } from '../../src/index.ts'
import { Child } from '../support/child.ts'
import { noCrashes } from '../support/crashes.ts'
import { next } from '../support/events.ts'
import { ANY, at, GUARD, listenPlain, open, Plain } from '../support/tcp.ts'

noCrashes()

const MIB = 1024 * 1024

describe('another protocol', GUARD, () => {
  const portOf = (address: string): number => Number(new URL(address).port)
  const speakers: [string, RegExp, (address: string) => Promise<unknown>][] = [
    [
      'TLS',
      /looks like TLS/,
      (address) => {
        const socket = tls.connect({ port: portOf(address), host: '127.0.0.1', rejectUnauthorized: false })
        return once(socket, 'close').catch((error: unknown) => error)
      },
    ],
    [
      'HTTP',
      /looks like HTTP/,
      (address) => {
        const request = http.get({ port: portOf(address), host: '127.0.0.1', agent: false })
        return once(request, 'response').catch((error: unknown) => error)
      },
    ],
    [
      'SSH',
      /looks like SSH/,
      async (address) => {
        const socket = net.connect(portOf(address), '127.0.0.1')
        socket.on('error', () => undefined)
        socket.write('SSH-2.0-OpenSSH_9.6\r\n')
        await once(socket.resume(), 'close')
      },
    ],
  ]
  for (const [protocol, named, speak] of speakers) {
    test(`${protocol} spoken to a plain port is named in the error, and the connection is closed`, async (t) => {
      const server = await open(t, { bind: ANY })
      const gone = next(server, 'gone')
      const over = speak(at(server))
      const { error } = await gone
      assert.equal(error?.code, 'FOREIGN_PROTOCOL')
      assert.match(error.message, named)
      assert.deepEqual(server.stats().failed, { FOREIGN_PROTOCOL: 1 })
      await over
    })
  }

  test('a server of another protocol that is dialed is named as well', async (t) => {
    const { address, accept } = await listenPlain(t)
    const client = await open(t)
    const gone = next(client, 'gone')
    await client.connectTo(address)
    await (await accept()).write('220 mail.example ESMTP\r\n')
    const { error } = await gone
    assert.equal(error?.code, 'FOREIGN_PROTOCOL')
    assert.match(error.message, /SMTP or FTP/)
  })

  test('is only looked for where a stream begins: later the same bytes are a frame too large', async (t) => {
    const server = await open(t, { bind: ANY, handlers: { 0: () => undefined } })
    const gone = next(server, 'gone')
    const client = await Plain.dial(t, at(server))
    await client.write(
      Buffer.concat([Buffer.from('0000000178', 'hex'), Buffer.from('GET / HTTP/1.1\r\n\r\n')]),
    )
    assert.equal((await gone).error?.code, 'FRAME_TOO_LARGE')
  })
})

describe('1,000 connections that promise much', GUARD, () => {
  interface Memory {
    rss: number
    peak: number
    used: number
  }

  /** What a server in its own process takes more, when each of 1,000 connections sends `bytes`. */
  async function cost(
    t: TestContext,
    options: SockOptions,
    bytes: Buffer,
    settled: (stats: SockStats) => boolean,
  ): Promise<Memory> {
    const server = Child.start(t, 'server', JSON.stringify(options))
    const address = await server.hear<string>()
    const ask = <T>(what: string): Promise<T> => {
      server.tell(what)
      return server.hear<T>()
    }
    const knock = (n: number): Promise<Plain[]> =>
      Promise.all(Array.from({ length: n }, () => Plain.dial(t, address)))
    // Connections that do nothing, and leave: what they make the system and V8 set aside is not the matter here.
    const idle = await knock(1_000)
    while ((await ask<SockStats>('stats')).peers < 1_000);
    for (const { socket } of idle) socket.destroy()
    while ((await ask<SockStats>('stats')).peers > 0);
    const before = await ask<Memory>('memory')
    const sockets = await knock(1_000)
    await Promise.all(sockets.map((socket) => socket.write(bytes)))
    while (!settled(await ask<SockStats>('stats')));
    const after = await ask<Memory>('memory')
    return { rss: after.rss - before.rss, peak: after.peak - before.rss, used: after.used - before.used }
  }

  const small = (memory: Memory): void => {
    const { rss, peak, used } = memory
    assert.ok(peak < 32 * MIB, `at its peak it took ${(peak / MIB).toFixed(1)} MiB more`)
    assert.ok(rss < 32 * MIB, `it took ${(rss / MIB).toFixed(1)} MiB more`)
    assert.ok(used < 32 * MIB, `${(used / MIB).toFixed(1)} MiB more are in use`)
  }

  test('0xFFFFFFFF and nothing more, where that is too much: all are refused, and memory does not grow', async (t) => {
    small(
      await cost(t, {}, Buffer.from('ffffffff', 'hex'), ({ failed }) => failed['FRAME_TOO_LARGE'] === 1_000),
    )
  })

  test('0xFFFFFFFF and nothing more, where that is allowed: they stay, and memory does not grow', async (t) => {
    const maxFrame = 2 ** 32 - 1
    small(
      await cost(
        t,
        { maxFrame },
        Buffer.from('ffffffff', 'hex'),
        ({ peers, bytesIn }) => peers === 1_000 && bytesIn === 4_000,
      ),
    )
  })

  test('the most that is allowed, and one byte of it: memory follows what was received', async (t) => {
    small(
      await cost(
        t,
        {},
        Buffer.from('0100000041', 'hex'),
        ({ peers, bytesIn }) => peers === 1_000 && bytesIn === 5_000,
      ),
    )
  })
})

test('a closed server is closed to all of them', async (t) => {
  const server = await TcpSock.open({ bind: ANY })
  const clients = await Promise.all(Array.from({ length: 50 }, () => Plain.dial(t, at(server))))
  while (server.knownPeers.length < 50) await next(server, 'peer')
  await server.close()
  await Promise.all(clients.map(({ everything }) => everything))
})

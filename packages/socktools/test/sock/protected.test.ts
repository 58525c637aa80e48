/** Protected mode: wire v1 where others can reach it wants security, or a plain word. */
import assert from 'node:assert/strict'
import net from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { z } from 'zod'
import { Identity, msg, SockError, TcpSock, type TcpSockOptions } from '../../src/index.ts'
import { tcp } from '../../src/net/tcp.ts'

const protocol = { say: msg(z.string()) }
type Options = TcpSockOptions<never, typeof protocol>

function make(t: TestContext, options: Partial<Options> = {}): TcpSock<never, typeof protocol> {
  const sock = new TcpSock({ protocol, ...options })
  t.after(() => sock.close())
  return sock
}

describe('protected mode', () => {
  test('what is this machine alone, and what is not', () => {
    const exposed = (host: string): boolean | undefined => tcp().isExposed?.(new URL(`tcp://${host}:1`))
    for (const host of ['127.0.0.1', '127.9.9.9', '[::1]', 'localhost'])
      assert.equal(exposed(host), false, host)
    for (const host of [
      ...[
        '0.0.0.0',
        '[::]',
        '10.0.0.1',
        '192.168.1.1',
        '[fe80::1]',
        '[fd00::1]',
        '[::ffff:7f00:1]',
        '169.254.1.1',
      ],
      ...['example.com', '127.example.com', '127.0.0.1.example.com', 'localhost.example.com', '128.0.0.1'],
    ])
      assert.equal(exposed(host), true, host)
  })

  for (const wire of ['v1', 'auto'] as const) {
    test(`${wire}: to listen or dial there throws, before anything is bound or sent, and says what to do`, async (t) => {
      const sock = make(t, { wire })
      for (const doing of [
        () => sock.startServer({ bind: 'tcp://0.0.0.0:0' }),
        () => sock.connectTo('tcp://192.0.2.1:4000'),
        () => sock.connectTo('tcp://example.test:4000'),
      ])
        await assert.rejects(doing, (error) => {
          assert.ok(error instanceof SockError)
          assert.equal(error.code, 'INSECURE')
          assert.match(error.message, /identity.*Identity\.load\(.*insecure: true/)
          return true
        })
      assert.equal(sock.address, undefined)
      assert.equal(sock.stats().insecure, undefined)
      await sock.startServer({ bind: 'tcp://127.0.0.1:0' })
    })
  }

  test('`connect` and a server of the application: the same', async (t) => {
    await assert.rejects(make(t, { connect: ['tcp://192.0.2.1:4000'] }).start(), { code: 'INSECURE' })
    const server = net.createServer()
    t.after(() => server.close())
    const sock = make(t, { sock: server, bind: 'tcp://0.0.0.0:0' })
    await assert.rejects(sock.startServer(), { code: 'INSECURE' })
    assert.equal(server.listening, false)
  })

  test('with `insecure: true` it does, says so once in the log, and always in the stats', async (t) => {
    const lines: string[] = []
    const sock = make(t, { insecure: true, logger: { warn: (text: string) => lines.push(text) } })
    await sock.startServer({ bind: 'tcp://0.0.0.0:0' })
    const { port } = new URL(sock.address ?? '')
    await assert.rejects(sock.connectTo('tcp://0.0.0.0:1'))
    assert.equal(sock.stats().insecure, true)
    assert.deepEqual(lines.filter((line) => line.includes('insecure')).length, 1)
    assert.ok(Number(port) > 0)
  })

  test('with an identity it does, and nothing is said; on this machine alone nothing is wanted', async (t) => {
    const sock = make(t, { identity: Identity.generate(), bind: 'tcp://0.0.0.0:0' })
    await sock.start()
    assert.equal(sock.stats().insecure, undefined)
    const plain = make(t, { insecure: true, bind: 'tcp://127.0.0.1:0' })
    await plain.start()
    assert.equal(plain.stats().insecure, undefined)
  })

  test('the plain wire is plaintext by nature, and is not asked', async (t) => {
    const sock = new TcpSock({ bind: 'tcp://0.0.0.0:0' })
    t.after(() => sock.close())
    await sock.start()
    assert.equal(sock.stats().insecure, undefined)
  })

  test('only true and false are answers', () => {
    assert.throws(() => new TcpSock({ insecure: 1 as never }), { code: 'BAD_OPTION' })
  })
})

/** What whoever is refused can know of it, and what the log of the other side says: codes and words of ours. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { describe, test, type TestContext } from 'node:test'
import tls from 'node:tls'
import {
  caTls,
  Identity,
  known,
  msg,
  nothing,
  revocation,
  type SockError,
  TcpSock,
  type TcpSockOptions,
} from '../../src/index.ts'
import { pemOf } from '../../src/platform/node-keys.ts'
import { Certificates, lacking } from '../attacks/tls-certificates.ts'

const GUARD = { timeout: 20_000 }
const protocol = { hi: msg(nothing()) }
type Options = Partial<TcpSockOptions<never, typeof protocol>>

async function open(t: TestContext, options: Options): Promise<TcpSock<never, typeof protocol>> {
  const sock = await TcpSock.open({ protocol, ...options } as object)
  t.after(() => sock.close())
  return sock as never
}

/** The errors of one refusal, on both sides. */
async function refusal(
  t: TestContext,
  server: Options,
  client: Options,
  at: (address: string) => string = (address) => address,
): Promise<{ here: SockError; there: SockError }> {
  const acceptor = await open(t, { bind: 'tcp://127.0.0.1:0', ...server })
  const dialer = await open(t, client)
  const there = new Promise<SockError>((resolve) => acceptor.on('refused', ({ error }) => resolve(error)))
  const here = await dialer.connectTo(at(acceptor.address ?? '')).then(
    () => assert.fail('it was let in'),
    (error: unknown) => error as SockError,
  )
  return { here, there: await there }
}

const bare = (address: string): string => `tcp://127.0.0.1:${new URL(address).port}`
const isOurs = (error: SockError): void => {
  assert.doesNotMatch(error.message, /error:|routines|openssl\/|\.c:\d|secure TLS connection/)
}

describe('a dialer that has proven its key', GUARD, () => {
  const me = Identity.generate()
  for (const [why, code, trust] of [
    ['is not known', 'UNKNOWN_ID', []],
    ['is revoked', 'REVOKED_ID', known({ records: [revocation(me)] })],
    ['is not liked', 'UNKNOWN_ID', () => false],
  ] as const)
    test(`and ${why} hears REFUSED, and not why`, async (t) => {
      const { here, there } = await refusal(t, { identity: Identity.generate(), trust }, { identity: me })
      assert.equal(there.code, code)
      assert.deepEqual([here.code, here.what], ['REFUSED', 'the far side said: this connection is not taken'])
    })

  test('hears it too where a policy takes its time, and nothing where the time is over', async (t) => {
    const slow = { identity: Identity.generate(), trust: () => new Promise<boolean>(() => undefined) }
    const { here, there } = await refusal(t, { ...slow, handshakeTimeout: 50 }, { identity: me })
    assert.deepEqual([here.code, there.code], ['PEER_NOT_SESSION', 'HANDSHAKE_TIMEOUT'])
    const later = {
      identity: Identity.generate(),
      trust: () => new Promise<boolean>((resolve) => setImmediate(resolve, false)),
    }
    assert.equal((await refusal(t, later, { identity: me })).here.code, 'REFUSED')
  })

  for (const wire of ['v1', 'auto', 'plain'] as const)
    test(`is told of it where all speak v1: ${wire}`, async (t) => {
      const identity = Identity.generate()
      const sock = await open(t, {
        ...{ identity, trust: [], wire, bind: 'tcp://127.0.0.1:0' },
        ...(wire === 'plain' ? { protocol: undefined } : {}),
      } as never)
      const { key, certificate } = Identity.tlsOf(me)
      const socket = tls.connect({
        ...{ host: '127.0.0.1', port: Number(new URL(sock.address ?? '').port), rejectUnauthorized: false },
        ...{ key, cert: pemOf('CERTIFICATE', certificate), ALPNProtocols: ['socktools/1'] },
      })
      let heard = ''
      socket.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1'))).on('error', () => undefined)
      await once(socket, 'close')
      assert.equal(heard.includes('REFUSED'), wire === 'v1')
      if (wire !== 'v1') assert.equal(heard, '')
      assert.deepEqual(sock.stats().refused, { UNKNOWN_ID: 1 })
    })
})

describe('in TLS itself', { ...GUARD, skip: lacking }, () => {
  test('who shows no certificate to one that wants one: NO_CERTIFICATE there, REFUSED here', async (t) => {
    const made = new Certificates().authority('localhost')
    const at = (address: string): string => address.replace('127.0.0.1', 'localhost')
    const server = caTls({ ...made, ca: made.cert, clients: true })
    const { here, there } = await refusal(t, { security: server }, { security: caTls({ ca: made.cert }) }, at)
    assert.deepEqual([here.code, there.code], ['REFUSED', 'NO_CERTIFICATE'])
    assert.match(here.what, /wants a certificate, and we have none/)
    isOurs(here)
    isOurs(there)
  })

  test('an alert about our certificate is REFUSED, and says what is wrong with it there', async (t) => {
    const made = new Certificates()
    const { key, cert } = made.selfSigned('ed25519')
    const { identity } = made.honest()
    const server = spawn(
      'openssl',
      [
        's_server',
        '-accept',
        '127.0.0.1:0',
        '-cert',
        cert,
        '-key',
        key,
        '-alpn',
        'socktools/1',
        '-Verify',
        '1',
        '-verify_return_error',
      ],
      { stdio: ['pipe', 'pipe', 'ignore'] },
    )
    t.after(() => server.kill('SIGKILL'))
    let port: string | undefined
    for await (const line of createInterface(server.stdout)) {
      port = /^ACCEPT .*:(\d+)$/.exec(line)?.[1]
      if (port !== undefined) break
    }
    const sock = await open(t, { identity, trust: () => true })
    await assert.rejects(sock.connectTo(`tcp://127.0.0.1:${port}`), (error: SockError) => {
      assert.equal(error.code, 'REFUSED')
      assert.match(error.what, /refused us in TLS: it (finds our certificate wrong|does not know who signed)/)
      isOurs(error)
      return true
    })
  })
})

describe('the words of both sides are ours', GUARD, () => {
  const identity = Identity.generate()
  test('a dialer without an identity', async (t) => {
    const { here, there } = await refusal(t, { identity }, {}, bare)
    assert.deepEqual([here.code, there.code], ['PEER_NOT_SESSION', 'FOREIGN_PROTOCOL'])
    assert.match(here.message, /wants an `identity`/)
    assert.match(there.message, /speaks no TLS: a sock without an identity/)
    isOurs(there)
    assert.match((there.cause as Error).message, /SSL routines/, 'what OpenSSL said is its cause')
  })

  test('an acceptor without an identity', async (t) => {
    const at = (address: string): string => address.replace('//', `//${identity.id}@`)
    const { here, there } = await refusal(t, {}, { identity: Identity.generate() }, at)
    assert.deepEqual([here.code, there.code], ['TLS_FAILED', 'FOREIGN_PROTOCOL'])
    assert.match(here.message, /the far side ended the connection.* have no identity/)
    assert.match(there.message, /TLS.* a sock with an `identity`/)
    isOurs(here)
  })

  test('whoever is refused by the dialer', async (t) => {
    const at = (address: string): string => address.replace(/sock1\w+/, Identity.generate().id)
    const { here, there } = await refusal(t, { identity }, { identity: Identity.generate() }, at)
    assert.deepEqual([here.code, there.code], ['WRONG_ID', 'TLS_FAILED'])
    // No more is told to whom we did not mean; where to look is.
    assert.match(
      there.message,
      /the far side ended the connection.* does not know your key, or took you for another \(its log tells why\)/,
    )
    assert.doesNotMatch(there.message, /sock1/)
    isOurs(there)
  })

  test('what ends in the handshake', async (t) => {
    const rude = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
    await once(rude, 'listening')
    t.after(() => rude.close())
    const { port } = rude.address() as { port: number }
    const sock = await open(t, { identity, trust: () => true })
    await assert.rejects(sock.connectTo(`tcp://127.0.0.1:${port}`), (error: SockError) => {
      assert.equal(error.code, 'TLS_FAILED')
      isOurs(error)
      return true
    })
  })
})

/** Each thing that a proof needs, missing once: on both sides nobody gets in, before HELLO, and a counter says why. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import tls from 'node:tls'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SockError } from '../../src/index.ts'
import {
  type Candidate,
  Identity,
  msg,
  nothing,
  tcp,
  TcpSock,
  type TcpSockOptions,
  type Transport,
} from '../../src/index.ts'
import { pemOf } from '../../src/platform/node-keys.ts'
import { forged, type Forgery } from './forge.ts'

const GUARD = { timeout: 20_000 }
const protocol = { hi: msg(nothing()) }
const ALPN = 'socktools/1'
type Options = TcpSockOptions<never, typeof protocol>

async function server(
  t: TestContext,
  options: Partial<Options> = {},
): Promise<{ sock: TcpSock; port: number; id: string }> {
  const identity = Identity.generate()
  const sock = await TcpSock.open({ identity, protocol, bind: 'tcp://127.0.0.1:0', ...options } as object)
  t.after(() => sock.close())
  return { sock, port: Number(new URL(sock.address ?? '').port), id: identity.id }
}

/** The one refusal that comes of `attack`. */
async function refusal(sock: TcpSock, attack: () => unknown): Promise<Candidate & { error: SockError }> {
  const refused = new Promise<Candidate & { error: SockError }>((resolve) => sock.on('refused', resolve))
  await attack()
  return refused
}

const honest = (identity: Identity): { key: string; cert: string } => {
  const { key, certificate } = Identity.tlsOf(identity)
  return { key, cert: pemOf('CERTIFICATE', certificate) }
}

function attacker(t: TestContext, port: number, options: tls.ConnectionOptions): tls.TLSSocket {
  const socket = tls.connect({
    host: '127.0.0.1',
    port,
    rejectUnauthorized: false,
    ALPNProtocols: [ALPN],
    ...options,
  })
  socket.on('error', () => undefined)
  t.after(() => socket.destroy())
  return socket
}

const FORGERIES: readonly (readonly [string, Forgery, string])[] = [
  ['a key of RSA', { kind: 'rsa' }, 'WRONG_KEY_TYPE'],
  ['a key of P-256', { kind: 'p256' }, 'WRONG_KEY_TYPE'],
  ['a certificate that another key signed', { byOther: true, issuer: 'y' }, 'NOT_SELF_SIGNED'],
  ['the same under its own name', { byOther: true }, 'BAD_CERTIFICATE'],
  ['its own certificate, damaged', { damaged: true }, 'BAD_CERTIFICATE'],
  ['a certificate of 2 KB', { padding: 1000 }, 'BAD_CERTIFICATE'],
]

describe('whoever dials in', GUARD, () => {
  const refusedFor = (what: string, code: string, options: () => tls.ConnectionOptions): void => {
    test(`${what}: ${code}`, async (t) => {
      let asked = 0
      const { sock, port } = await server(t, { goodPeer: () => ++asked > 0 })
      const { error, identity } = await refusal(sock, () => attacker(t, port, options()))
      assert.equal(error.code, code, error.message)
      assert.equal(identity, undefined)
      assert.deepEqual([sock.stats().refused, sock.stats().pending, asked], [{ [code]: 1 }, 0, 0])
    })
  }
  const own = Identity.generate()
  refusedFor('no certificate', 'NO_CERTIFICATE', () => ({}))
  for (const [what, forgery, code] of FORGERIES) refusedFor(what, code, () => forged(forgery))
  refusedFor('TLS 1.2', 'TLS_VERSION', () => ({ ...honest(own), maxVersion: 'TLSv1.2' }))
  refusedFor('no ALPN', 'TLS_ALPN', () => ({ ...honest(own), ALPNProtocols: [] }))
  refusedFor('another ALPN', 'TLS_ALPN', () => ({ ...honest(own), ALPNProtocols: ['h2'] }))

  test('our own key: OWN_ID', async (t) => {
    const identity = Identity.generate()
    const { sock, port } = await server(t, { identity })
    const { error } = await refusal(sock, () => attacker(t, port, honest(identity)))
    assert.equal(error.code, 'OWN_ID')
  })

  test('a resumed TLS session, in which nothing is proven again: TLS_RESUMED', async (t) => {
    const { sock, port } = await server(t)
    const first = attacker(t, port, honest(own))
    const [session] = (await once(first, 'session')) as [Buffer]
    await refusal(sock, () => first.destroy())
    const again = attacker(t, port, { session })
    const { error } = await refusal(sock, () => once(again, 'secureConnect'))
    assert.equal(again.isSessionReused(), true, 'the attack was one')
    assert.equal(error.code, 'TLS_RESUMED')
    assert.deepEqual(sock.knownPeers, [])
  })

  test('a key that is not in `trust`: UNKNOWN_ID; goodPeer is not asked', async (t) => {
    let asked = 0
    const { sock, port } = await server(t, { trust: [own.id], goodPeer: () => ++asked > 0 })
    const { error } = await refusal(sock, () => attacker(t, port, honest(Identity.generate())))
    assert.deepEqual([error.code, asked], ['UNKNOWN_ID', 0])
  })

  for (const [what, bytes, code] of [
    ['HTTP', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', 'FOREIGN_PROTOCOL'],
    ['the plain wire', '\0\0\0\x05hello', 'FOREIGN_PROTOCOL'],
    ['the beginning of a hello, and then the end', '\x16\x03\x01\x02\0', 'TLS_FAILED'],
  ] as const) {
    test(`${what} instead of TLS: ${code}`, async (t) => {
      const { sock, port } = await server(t)
      const { error } = await refusal(sock, () => {
        const socket = net.connect(port, '127.0.0.1').on('error', () => undefined)
        socket.end(bytes, 'latin1')
      })
      assert.equal(error.code, code, error.message)
    })
  }

  test('silence, and a handshake that stands still: HANDSHAKE_TIMEOUT', async (t) => {
    const { sock, port } = await server(t, { handshakeTimeout: 100 })
    for (const bytes of ['', '\x16\x03\x01\x02\0\x01']) {
      const { error } = await refusal(sock, () => {
        net
          .connect(port, '127.0.0.1')
          .on('error', () => undefined)
          .write(bytes, 'latin1')
      })
      assert.equal(error.code, 'HANDSHAKE_TIMEOUT')
    }
    assert.equal(sock.stats().pending, 0)
  })

  test('certificates of others behind its own; of 30 such at once from one host nearly all are given up unread', async (t) => {
    const door = tcp()
    const afar: Transport = {
      ...{ scheme: door.scheme, dial: (to, how) => door.dial(to, how) },
      listen: (at, options, onPipe) =>
        door.listen(at, options, (pipe) => {
          Object.assign(pipe.remote, { local: false, host: '192.0.2.1' })
          onPipe(pipe)
        }),
    }
    const { sock, port } = await server(t, { transports: [afar] })
    const { key, cert } = honest(own)
    const secureContext = tls.createSecureContext({
      key,
      cert: cert + honest(Identity.generate()).cert.repeat(50),
    })
    const all = Array.from({ length: 30 }, () => attacker(t, port, { secureContext }).resume())
    await Promise.all(all.map((socket) => new Promise((resolve) => socket.on('close', resolve))))
    while (sock.stats().pending > 0) await sleep(1)
    const { BAD_CERTIFICATE: read = 0, TOO_MANY_PENDING: unread = 0 } = sock.stats().refused
    assert.equal(read + unread, 30)
    assert.ok(read > 0 && read < 10, `${read} were read`)
    assert.deepEqual(sock.knownPeers, [])
  })

  test('closing the sock ends the handshakes that are underway', async (t) => {
    const { sock, port } = await server(t)
    const socket = net.connect(port, '127.0.0.1').on('error', () => undefined)
    await once(socket, 'connect')
    while (sock.stats().pending === 0) await sleep(1)
    const { error } = await refusal(sock, () => sock.close())
    assert.equal(error.code, 'CLOSED')
    await once(socket, 'close')
  })
})

describe('whoever answers a dial', GUARD, () => {
  /** What a dial of it comes to. */
  async function dialed(
    t: TestContext,
    options: tls.TlsOptions,
    { id, identity = Identity.generate() }: { id?: string | undefined; identity?: Identity } = {},
  ): Promise<string> {
    const evil = tls.createServer({
      requestCert: true,
      rejectUnauthorized: false,
      ALPNProtocols: [ALPN],
      ...options,
    })
    evil
      .on('secureConnection', (socket) => socket.on('error', () => undefined))
      .on('tlsClientError', () => undefined)
    evil.listen(0, '127.0.0.1')
    await once(evil, 'listening')
    t.after(() => evil.close())
    const sock = new TcpSock({ identity, protocol })
    t.after(() => sock.close())
    const { port } = evil.address() as AddressInfo
    const error = await sock.connectTo(`tcp://${id === undefined ? '' : `${id}@`}127.0.0.1:${port}`).then(
      () => assert.fail('it was taken for somebody'),
      (thrown: unknown) => thrown as SockError,
    )
    assert.deepEqual(sock.stats().refused, { [error.code]: 1 }, error.message)
    return error.code
  }
  const somebody = Identity.generate()

  for (const [what, forgery, code] of FORGERIES) {
    test(`${what}: ${code}`, async (t) => {
      assert.equal(await dialed(t, forged(forgery), { id: somebody.id }), code)
    })
  }
  test('TLS 1.2: TLS_VERSION', async (t) => {
    assert.equal(
      await dialed(t, { ...honest(somebody), maxVersion: 'TLSv1.2' }, { id: somebody.id }),
      'TLS_VERSION',
    )
  })
  test('no ALPN: TLS_ALPN', async (t) => {
    assert.equal(await dialed(t, { ...honest(somebody), ALPNProtocols: [] }, { id: somebody.id }), 'TLS_ALPN')
  })
  test('somebody else than the id that was dialed: WRONG_ID', async (t) => {
    assert.equal(await dialed(t, honest(somebody), { id: Identity.generate().id }), 'WRONG_ID')
  })
  test('somebody, where nobody was named: UNKNOWN_ID', async (t) => {
    assert.equal(await dialed(t, honest(somebody)), 'UNKNOWN_ID')
  })
  test('our own key: OWN_ID', async (t) => {
    assert.equal(await dialed(t, honest(somebody), { identity: somebody, id: somebody.id }), 'OWN_ID')
  })
})

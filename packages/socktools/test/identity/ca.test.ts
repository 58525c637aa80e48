/** Certificates of authorities, for those who have them. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { before, describe, test, type TestContext } from 'node:test'
import { type CaTlsOptions, caTls, msg, nothing, TcpSock } from '../../src/index.ts'

const protocol = { hi: msg(nothing()) }
const GUARD = { timeout: 20_000 }

interface Pair {
  readonly cert: string
  readonly key: string
}

describe('TLS by authorities', GUARD, () => {
  let ca: Pair
  let server: Pair
  let client: Pair
  before(async () => {
    const folder = await fs.mkdtemp(join(tmpdir(), 'ca-'))
    const run = (...args: string[]): void =>
      void execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' })
    const read = async (name: string): Promise<Pair> => ({
      cert: await fs.readFile(join(folder, `${name}.crt`), 'utf8'),
      key: await fs.readFile(join(folder, `${name}.key`), 'utf8'),
    })
    const p256 = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
    run(
      'req',
      '-x509',
      ...p256,
      '-keyout',
      'ca.key',
      '-out',
      'ca.crt',
      '-subj',
      '/CN=an authority',
      '-days',
      '2',
    )
    for (const [name, subject, names] of [
      ['server', '/CN=server', 'DNS:localhost'],
      ['client', '/CN=client', 'DNS:client.example'],
    ] as const) {
      await fs.writeFile(join(folder, `${name}.ext`), `subjectAltName=${names}`)
      run('req', ...p256, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', subject)
      run(
        'x509',
        '-req',
        '-in',
        `${name}.csr`,
        '-CA',
        'ca.crt',
        '-CAkey',
        'ca.key',
        '-out',
        `${name}.crt`,
        '-days',
        '2',
        '-extfile',
        `${name}.ext`,
      )
    }
    ;[ca, server, client] = await Promise.all([read('ca'), read('server'), read('client')])
    await fs.rm(folder, { recursive: true })
  })

  async function open(
    t: TestContext,
    options: CaTlsOptions,
    bind?: string,
  ): Promise<TcpSock<never, typeof protocol>> {
    const sock = await TcpSock.open({
      protocol,
      security: caTls(options),
      ...(bind === undefined ? {} : { bind }),
    } as never)
    t.after(() => sock.close())
    return sock as unknown as TcpSock<never, typeof protocol>
  }
  const serve = (t: TestContext, more: CaTlsOptions = {}): ReturnType<typeof open> =>
    open(t, { ...server, ...more }, 'tcp://localhost:0')
  const at = (sock: TcpSock<never, typeof protocol>, host: string): string =>
    `tcp://${host}:${new URL(sock.address ?? '').port}`

  test('the name that was dialed is proven; the other side is anybody', async (t) => {
    const sock = await serve(t)
    const peer = await (await open(t, { ca: ca.cert })).connectTo(at(sock, 'localhost'))
    assert.deepEqual([peer.identity, peer.proof?.name, peer.proof?.by], [undefined, 'localhost', 'ca-tls'])
    assert.deepEqual(
      sock.knownPeers.map(({ proof }) => proof?.name),
      [undefined],
    )
  })

  test('clients that have to show a certificate are known by it; without one, or with another, they are refused', async (t) => {
    const sock = await serve(t, { ca: ca.cert, clients: true })
    await (await open(t, { ...client, ca: ca.cert })).connectTo(at(sock, 'localhost'))
    assert.deepEqual(
      sock.knownPeers.map(({ proof }) => proof?.name),
      ['CN=client'],
    )
    await assert.rejects((await open(t, { ca: ca.cert })).connectTo(at(sock, 'localhost')))
    assert.equal(sock.knownPeers.length, 1)
    assert.equal(
      Object.values(sock.stats().refused).reduce((a, b) => a + b, 0),
      1,
    )
  })

  test('a certificate for another name, or of an authority that nobody knows, is TLS_FAILED', async (t) => {
    const sock = await serve(t)
    await assert.rejects((await open(t, { ca: ca.cert })).connectTo(at(sock, '127.0.0.1')), {
      code: 'TLS_FAILED',
      message: /IP/,
    })
    await assert.rejects((await open(t, {})).connectTo(at(sock, 'localhost')), { code: 'TLS_FAILED' })
  })

  test('it has no ids: to dial one is WRONG_ID', async (t) => {
    const sock = await serve(t)
    const id = `sock1${'q'.repeat(52)}`
    await assert.rejects((await open(t, { ca: ca.cert })).connectTo(at(sock, `${id}@localhost`)), {
      code: 'BAD_ID',
    })
  })
})

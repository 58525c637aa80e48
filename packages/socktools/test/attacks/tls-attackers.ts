/** Who attacks: programs that share no code with the library. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Ending } from '../support/child.ts'

const SCRIPT = fileURLToPath(new URL('tls_attacker.py', import.meta.url))

/** What an attacker of TLS shows and asks for. */
export interface Guise {
  readonly key?: string
  readonly cert?: string
  /** Default `socktools/1`; empty: none. */
  readonly alpn?: string
  readonly version?: '1.2'
}

/** What came of one connection, as the attacker saw it. */
export interface Seen {
  readonly handshake: boolean
  /** Bytes that it could decrypt. */
  readonly heard: number
  readonly error?: string
  readonly resumed?: boolean
}

/** One run of tls_attacker.py. */
export class Python {
  readonly #process: ChildProcess
  readonly #lines: AsyncIterator<string>
  #errors = ''

  constructor(t: Ending, role: 'client' | 'resume' | 'server' | 'proxy', given: object) {
    const args = [SCRIPT, role, JSON.stringify(given)]
    this.#process = spawn('python3', args, { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#process.stderr?.on('data', (chunk: Buffer) => (this.#errors += chunk.toString()))
    if (this.#process.stdout === null) throw new Error('it has a stdout')
    this.#lines = createInterface(this.#process.stdout)[Symbol.asyncIterator]()
    t.after(() => this.#process.kill('SIGKILL'))
  }

  async hear<T = Seen>(): Promise<T> {
    const { value, done } = await this.#lines.next()
    if (done === true) throw new Error(`the attacker ended: ${this.#errors}`)
    return JSON.parse(value) as T
  }

  goOn(): void {
    this.#process.stdin?.write('\n')
  }
}

/** There is more in this file than the first. */
const isChain = (cert: string): boolean => readFileSync(cert, 'utf8').split('BEGIN CERTIFICATE').length > 2

const shown = ({ key, cert, alpn = 'socktools/1', version }: Guise): string[] => [
  ...(cert === undefined ? [] : ['-cert', cert, '-key', key ?? cert]),
  ...(cert !== undefined && isChain(cert) ? ['-cert_chain', cert] : []),
  ...(alpn === '' ? [] : ['-alpn', alpn]),
  ...(version === undefined ? [] : ['-tls1_2']),
]

/** Runs `openssl s_client` until the far side ends; to how many bytes it decrypted. */
export async function sClient(
  t: Ending,
  port: number,
  guise: Guise,
  {
    words = '',
    more = [],
    signal,
  }: { readonly words?: string; readonly more?: readonly string[]; readonly signal?: AbortSignal } = {},
): Promise<number> {
  const args = ['s_client', '-connect', `127.0.0.1:${port}`, '-quiet', ...shown(guise), ...more]
  const process = spawn('openssl', args, { stdio: ['pipe', 'pipe', 'ignore'] })
  t.after(() => process.kill('SIGKILL'))
  signal?.addEventListener('abort', () => process.kill())
  process.stdin.on('error', () => undefined)
  process.stdin.write(words)
  let heard = 0
  process.stdout.on('data', (chunk: Buffer) => (heard += chunk.length))
  await once(process, 'close')
  return heard
}

/** Runs `openssl s_server` at a Unix socket, for one connection. */
export async function sServer(
  t: Ending,
  path: string,
  guise: Guise,
): Promise<{ readonly over: Promise<number> }> {
  const args = [
    's_server',
    '-unix',
    path,
    '-unlink',
    '-naccept',
    '1',
    '-quiet',
    '-verify',
    '1',
    ...shown(guise),
  ]
  const process = spawn('openssl', args, { stdio: ['pipe', 'pipe', 'ignore'] })
  t.after(() => process.kill('SIGKILL'))
  let heard = 0
  process.stdout.on('data', (chunk: Buffer) => (heard += chunk.length))
  const closed = once(process, 'close')
  // It says that it listens only where it says much else as well.
  while (!listensAt(path) && process.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 5))
  return { over: closed.then(() => heard) }
}

/** Between bind and listen its file is there, and whoever dials it is refused. */
function listensAt(path: string): boolean {
  if (!existsSync('/proc/net/unix')) return existsSync(path)
  const line = readFileSync('/proc/net/unix', 'utf8')
    .split('\n')
    .find((one) => one.endsWith(` ${path}`))
  return line?.split(' ')[3] === '00010000'
}

/** Passes what comes on to wherever `to` says at that time: a port of this host, or a Unix socket. */
export async function passage(
  t: Ending,
): Promise<{ readonly port: number; to: number | string; cut(): void }> {
  const sockets = new Set<net.Socket>()
  const server = net.createServer((near) => {
    const { to } = door
    const far = typeof to === 'number' ? net.connect(to, '127.0.0.1') : net.connect(to)
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket)
      socket
        .on('error', () => undefined)
        .on('close', () => {
          sockets.delete(socket)
          other.destroy()
        })
      socket.pipe(other)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const door = {
    port: (server.address() as AddressInfo).port,
    to: 0 as number | string,
    cut: () => {
      for (const socket of sockets) socket.destroy()
    },
  }
  t.after(() => {
    door.cut()
    server.close()
  })
  return door
}

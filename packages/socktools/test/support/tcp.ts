import { once } from 'node:events'
import net from 'node:net'
import type { TestContext } from 'node:test'
import { type Codec, type Peer, type RawCodec, TcpSock, type TcpSockOptions } from '../../src/index.ts'
import { next } from './events.ts'

/** Any free port. */
export const ANY = 'tcp://127.0.0.1:0'

/** A hang is a failure, told sooner than by the runner. Nothing here comes near it. */
export const GUARD = { timeout: 120_000 }

/** A sock that is up, and closed when the test is over. */
export async function open<C extends Codec = RawCodec>(
  t: TestContext,
  options: TcpSockOptions<C> = {},
): Promise<TcpSock<C>> {
  const sock = await TcpSock.open<C>(options)
  t.after(() => sock.close())
  return sock
}

/** A sock that is not up yet, and closed when the test is over. */
export function make<C extends Codec = RawCodec>(
  t: TestContext,
  options: TcpSockOptions<C> = {},
): TcpSock<C> {
  const sock = new TcpSock<C>(options)
  t.after(() => sock.close())
  return sock
}

/** Where a sock that listens can be dialed. */
export function at({ address }: { readonly address: string | undefined }): string {
  if (address === undefined) throw new Error('this sock does not listen')
  return address
}

export interface Pair<C extends Codec> {
  readonly server: TcpSock<C>
  readonly client: TcpSock<C>
  /** The server as the client sees it, and the other way round. */
  readonly toServer: Peer<C>
  readonly toClient: Peer<C>
}

/** Two socks, connected. */
export async function pair<C extends Codec = RawCodec>(
  t: TestContext,
  server: TcpSockOptions<C> = {},
  client: TcpSockOptions<C> = {},
): Promise<Pair<C>> {
  const a = await open<C>(t, { bind: ANY, ...server })
  const b = await open<C>(t, client)
  const accepted = next(a, 'peer')
  const toServer = await b.connectTo(at(a))
  return { server: a, client: b, toServer, toClient: (await accepted).peer }
}

/** Someone who speaks bytes: no sock, so that nothing of ours is needed to judge ours. */
export class Plain {
  readonly socket: net.Socket
  /** Resolves to everything received once the far side has finished sending, or the connection is over. */
  readonly everything: Promise<Buffer>
  /** Resolves when the connection is over, to the error that broke it. */
  readonly closed: Promise<NodeJS.ErrnoException | undefined>
  #received = Buffer.alloc(0)
  #error: Error | undefined
  #waiting: { n: number; resolve: (bytes: Buffer) => void }[] = []

  constructor(socket: net.Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('error', (error) => (this.#error = error))
    socket.on('data', (chunk: Buffer) => this.#data(chunk))
    this.closed = new Promise((resolve) => socket.on('close', () => resolve(this.#error)))
    this.everything = new Promise((resolve) => {
      socket.on('end', () => resolve(this.#received))
      socket.on('close', () => resolve(this.#received))
    })
  }

  static async dial(
    t: TestContext,
    address: string,
    options: Partial<net.TcpNetConnectOpts> = {},
  ): Promise<Plain> {
    const { hostname, port } = new URL(address)
    const host = hostname.replace(/^\[|\]$/g, '')
    const socket = net.connect({ host, port: Number(port), allowHalfOpen: true, ...options })
    t.after(() => socket.destroy())
    await once(socket, 'connect')
    return new Plain(socket)
  }

  /** Resolves when the system has taken it. */
  write(bytes: Uint8Array | string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.write(bytes, (error) => (error ? reject(error) : resolve()))
    })
  }

  /** Resolves when at least `n` bytes have come, to all of them. */
  async atLeast(n: number): Promise<Buffer> {
    if (this.#received.length >= n) return this.#received
    return new Promise((resolve) => this.#waiting.push({ n, resolve }))
  }

  #data(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk])
    const ready = this.#waiting.filter(({ n }) => n <= this.#received.length)
    this.#waiting = this.#waiting.filter(({ n }) => n > this.#received.length)
    for (const { resolve } of ready) resolve(this.#received)
  }
}

/** A server of bytes: each connection as a Plain, in the order in which they come. */
export async function listenPlain(
  t: TestContext,
): Promise<{ address: string; accept: () => Promise<Plain> }> {
  const server = net.createServer({ allowHalfOpen: true })
  const waiting: Plain[] = []
  const takers: ((plain: Plain) => void)[] = []
  server.on('connection', (socket) => {
    t.after(() => socket.destroy())
    const plain = new Plain(socket)
    const taker = takers.shift()
    if (taker === undefined) waiting.push(plain)
    else taker(plain)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return {
    address: `tcp://127.0.0.1:${(server.address() as net.AddressInfo).port}`,
    accept: async () => waiting.shift() ?? new Promise((resolve) => takers.push(resolve)),
  }
}

/** A frame of the plain wire, made by hand. */
export function frame(payload: Uint8Array | string): Buffer {
  const body = Buffer.from(payload as string)
  const head = Buffer.alloc(4)
  head.writeUInt32BE(body.length)
  return Buffer.concat([head, body])
}

/** `n` bytes of a pattern that shifting, losing or doubling any part would break. */
export function pattern(n: number, start = 0): Uint8Array {
  const bytes = new Uint8Array(n)
  for (let i = 0; i < n; i++) bytes[i] = ((start + i) * 131) >>> 3
  return bytes
}

import net from 'node:net'
import { SockError, fail, reasonOf } from '../errors.ts'
import { hostPort, pathOf, tcpAddress } from '../address.ts'
import type { Endpoint, Pipe, PipeSink, Proof } from './pipe.ts'
import type { DialOptions, ListenOptions, Listener } from './transport.ts'
import { WideReads, canReadWide } from './wide-reads.ts'

/*
 * What TCP and Unix sockets share: a net.Socket as a Pipe, dialing, listening.
 */

export function socketPipe(socket: net.Socket, remote: Endpoint, reads?: WideReads): Pipe {
  return new SocketPipe(socket, remote, reads)
}

/**
 * The pipe of a socket that proved itself, in the place of the one of the socket under it. `explain` gives what an error of it is, where it
 * is more than one.
 */
export function provenPipe(
  socket: net.Socket,
  under: net.Socket,
  remote: Endpoint,
  proof: Proof,
  explain: (error: Error, address: string) => Error | undefined,
): Pipe {
  return new SocketPipe(socket, remote, undefined, {
    proof,
    under,
    explain: (error) => explain(error, remote.address) ?? error,
  })
}

/** The socket of a pipe that nobody has attached to; undefined: it has none. The pipe is of no use after that. */
export function socketOf(pipe: Pipe): net.Socket | undefined {
  return pipe instanceof SocketPipe ? pipe.release() : undefined
}

class SocketPipe implements Pipe {
  readonly remote: Endpoint
  readonly proof: Proof | undefined
  readonly #socket: net.Socket
  /** Of a socket of TLS: the one of the system. */
  readonly #under: net.Socket | undefined
  #sink: PipeSink | undefined
  #error: Error | undefined
  #holding = false
  #over = false
  #told = false
  /** A reset closes within its call. */
  #destroying = false

  constructor(
    socket: net.Socket,
    remote: Endpoint,
    reads: WideReads | undefined,
    proven?: {
      readonly proof: Proof
      readonly under: net.Socket
      readonly explain: (error: Error) => Error
    },
  ) {
    this.#socket = socket
    this.remote = remote
    this.proof = proven?.proof
    this.#under = proven?.under
    // A far side that has finished sending still wants its answers.
    socket.allowHalfOpen = true
    socket.pause()
    // From the first tick: a socket without an error listener ends the process.
    socket.on('error', (error) => {
      this.#error ??= proven?.explain(error) ?? error
      // After an error of TLS, which a byte that changed on the way is, Node leaves it open under it, and never tells a close.
      this.#under?.destroy()
    })
    // A socket that reads into our memory has no data events.
    if (reads === undefined) socket.on('data', this.#onData)
    else reads.sink = this.#onData
    socket.on('end', this.#onEnd)
    socket.on('close', this.#onClose)
  }

  readonly #onData = (chunk: Uint8Array): void => this.#sink?.data(chunk)
  readonly #onEnd = (): void => this.#sink?.end()
  readonly #onClose = (): void => {
    this.#over = true
    if (this.#destroying) void Promise.resolve().then(() => this.#tellClosed())
    else this.#tellClosed()
  }

  /** Lets go of the socket, but for its errors, which must always be heard. */
  release(): net.Socket {
    const socket = this.#socket
    socket.off('data', this.#onData)
    socket.off('end', this.#onEnd)
    socket.off('close', this.#onClose)
    return socket
  }

  attach(sink: PipeSink): void {
    this.#sink = sink
    // Its close event may have passed before anyone was there to hear of it.
    if (this.#over) void Promise.resolve().then(() => this.#tellClosed())
  }

  #tellClosed(): void {
    if (this.#told || this.#sink === undefined) return
    this.#told = true
    this.#sink.close(this.#error)
  }

  write(chunks: readonly Uint8Array[]): boolean {
    const socket = this.#socket
    const last = chunks.length - 1
    // One writev for all of them: a header and its payload never leave as two packets.
    if (last > 0) socket.cork()
    for (let i = 0; i < last; i++) socket.write(chunks[i] as Uint8Array)
    socket.write(chunks[last] as Uint8Array, this.#written)
    if (last > 0) socket.uncork()
    // Node counts down what the kernel took within this very call, and what it refused; its own answer compares
    // with a mark. A broken socket counts nothing, and took nothing.
    this.#holding = socket.writableLength > 0 || socket.destroyed || socket.errored !== null
    return !this.#holding
  }

  readonly #written = (error?: Error | null): void => {
    // Also called for what a broken socket gave up, perhaps with no error: that was not taken.
    if (error || !this.#holding || this.#socket.writableLength > 0 || this.#socket.destroyed) return
    this.#holding = false
    this.#sink?.drain()
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  end(): void {
    this.#socket.end()
  }

  destroy(): void {
    // As the system does by itself, which knows nothing of what TLS has read: with something unread it is no good end.
    this.#destroying = true
    if (this.#under !== undefined && this.#socket.readableLength > 0) this.#under.resetAndDestroy()
    this.#socket.destroy()
    this.#destroying = false
  }
}

/** Connects. Rejects with CONNECT_FAILED or ABORTED. */
export async function dialPipe(
  to: net.NetConnectOpts,
  address: string,
  endpointOf: (socket: net.Socket) => Endpoint,
  { signal, toBeSecured = false }: DialOptions = {},
): Promise<Pipe> {
  if (signal?.aborted === true) fail('ABORTED', 'the dial was given up', { address, cause: signal.reason })
  const reads = canReadWide && !toBeSecured ? new WideReads() : undefined
  const socket = net.connect({ ...to, ...reads?.option, allowHalfOpen: true })
  socket.pause()
  await connected(socket, address, signal)
  return socketPipe(socket, endpointOf(socket), reads)
}

/** Waits until `socket` is connected. Rejects with CONNECT_FAILED or ABORTED, and destroys it. */
export function connected(socket: net.Socket, address: string, signal?: AbortSignal): Promise<void> {
  if (!socket.pending && !socket.destroyed) return Promise.resolve()
  return new Promise((resolve, reject) => {
    const settle = (error?: SockError): void => {
      socket.off('connect', onConnect)
      socket.off('error', onError)
      socket.off('close', onClose)
      signal?.removeEventListener('abort', onAbort)
      if (error === undefined) {
        resolve()
        return
      }
      socket.on('error', () => undefined)
      socket.destroy()
      reject(error)
    }
    const onConnect = (): void => {
      settle()
    }
    const onError = (cause: Error): void => {
      settle(new SockError('CONNECT_FAILED', `could not connect: ${reasonOf(cause)}`, { address, cause }))
    }
    const onClose = (): void => {
      settle(new SockError('CONNECT_FAILED', 'the socket is closed', { address }))
    }
    const onAbort = (): void => {
      settle(new SockError('ABORTED', 'the dial was given up', { address, cause: signal?.reason }))
    }
    if (socket.destroyed || !socket.connecting) {
      onClose()
      return
    }
    socket.once('connect', onConnect)
    socket.once('error', onError)
    socket.once('close', onClose)
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

/** Binds `server`, unless it listens already. Rejects with BAD_ADDRESS, ADDRESS_IN_USE or LISTEN_FAILED. */
export async function listenOn(
  server: net.Server,
  { at, backlog }: ListenOptions & { readonly at: URL | undefined },
  onSocket: (socket: net.Socket) => void,
): Promise<Listener> {
  if (!server.listening && at !== undefined) {
    const where = at.protocol === 'unix:' ? { path: pathOf(at) } : hostPort(at)
    await listening(server, { ...where, ...(backlog === undefined ? {} : { backlog }) }, at.href)
  }
  server.on('connection', onSocket)
  // Failures to accept (no descriptors left, say) pass; they must not end the process.
  server.on('error', () => undefined)
  return {
    address: serverAddress(server),
    close() {
      server.off('connection', onSocket)
      // Node's own callback would wait for every connection to end: whoever closes wants no more of them.
      if (server.listening) server.close()
      return Promise.resolve()
    },
  }
}

function listening(server: net.Server, where: net.ListenOptions, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (cause: NodeJS.ErrnoException): void => {
      const code = cause.code === 'EADDRINUSE' ? 'ADDRESS_IN_USE' : 'LISTEN_FAILED'
      reject(new SockError(code, `could not listen: ${reasonOf(cause)}`, { address, cause }))
    }
    server.once('error', onError)
    server.listen(where, () => {
      server.off('error', onError)
      resolve()
    })
  })
}

function serverAddress(server: net.Server): string {
  const bound = server.address()
  if (bound === null) return fail('LISTEN_FAILED', 'the server listens nowhere')
  return typeof bound === 'string' ? `unix:${bound}` : tcpAddress(bound.address, bound.port)
}

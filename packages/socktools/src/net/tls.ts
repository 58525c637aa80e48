import type { X509Certificate } from 'node:crypto'
import type net from 'node:net'
import tls from 'node:tls'
import { fail } from '../errors.ts'
import type { Endpoint, Proof } from './pipe.ts'
import type { SecureOptions, Security } from './security.ts'
import { provenPipe, socketOf } from './socket-pipe.ts'
import { ENDED, refusalIn, tlsError } from './tls-errors.ts'

export interface TlsParts {
  readonly name: string
  readonly id?: () => string | undefined
  /** What each handshake begins with; asked anew, so that keys can be changed while connections live. */
  readonly credentials: () => TlsCredentials
  /** After each handshake. Gives what is proven, or throws why the far side is refused. */
  readonly judge: (done: Finished) => Omit<Proof, 'by' | 'exported'>
}

export interface TlsCredentials {
  /** The same object for as long as the same things are in it: its servers and contexts are kept. */
  readonly options: Pick<
    tls.TlsOptions,
    | 'key'
    | 'cert'
    | 'ca'
    | 'requestCert'
    | 'rejectUnauthorized'
    | 'ALPNProtocols'
    | 'minVersion'
    | 'maxVersion'
  >
  /** Dialing: check that the certificate is for this host. */
  readonly namesHosts: boolean
}

/** A handshake that is done, before it is judged. */
export interface Finished {
  readonly certificate: X509Certificate | undefined
  readonly verdict: string | undefined
  readonly version: string | null
  readonly alpn: string | false | null
  readonly resumed: boolean
  readonly dialed: boolean
  readonly host: string | undefined
}

/** TLS around the sockets of TCP. */
export function tlsSecurity({ name, id, credentials, judge }: TlsParts): Security {
  const contexts = new WeakMap<object, Context>()
  return {
    name,
    schemes: ['tcp'],
    get id() {
      return id?.()
    },
    async secure(pipe, how) {
      const given = credentials()
      let context = contexts.get(given)
      if (context === undefined) contexts.set(given, (context = new Context(given)))
      const { remote } = pipe
      const raw = socketOf(pipe)
      if (raw === undefined || raw.remotePort === undefined) {
        pipe.destroy()
        // Of a socket that is closed already nothing is known any more.
        if (raw?.destroyed === true)
          return fail('TLS_FAILED', 'the connection ended', { address: remote.address })
        return fail('UNSUPPORTED', 'TLS is for connections of TCP', { address: remote.address })
      }
      const socket = await context.handshake(raw, remote, how)
      try {
        const proven = judge(finished(socket, how))
        const exported = (label: string): Uint8Array =>
          new Uint8Array(socket.exportKeyingMaterial(32, `EXPORTER-${label}`, Buffer.alloc(0)))
        return provenPipe(socket, raw, remote, { ...proven, by: name, exported }, refusalIn)
      } catch (thrown) {
        socket.on('error', () => undefined)
        socket.destroy()
        throw thrown
      }
    },
  }
}

function finished(socket: tls.TLSSocket, { dialed, host }: SecureOptions): Finished {
  return {
    certificate: socket.getPeerX509Certificate(),
    // An Error where there was something to say, whatever its type says; null: there was not.
    verdict: verdictOf(socket.authorizationError),
    version: socket.getProtocol(),
    alpn: socket.alpnProtocol,
    resumed: socket.isSessionReused(),
    dialed,
    host,
  }
}

function verdictOf(error: unknown): string | undefined {
  if (typeof error === 'string') return error
  const code = (error as { code?: unknown } | null | undefined)?.code
  return typeof code === 'string' ? code : undefined
}

/** What goes with one set of credentials. */
class Context {
  readonly #credentials: TlsCredentials
  #client: tls.SecureContext | undefined
  #server: tls.Server | undefined
  /** Those whose handshake the server makes, by both ends of their connection: it tells of a socket of its own. */
  readonly #waiting = new Map<string, Attempt>()

  constructor(credentials: TlsCredentials) {
    this.#credentials = credentials
  }

  handshake(raw: net.Socket, remote: Endpoint, how: SecureOptions): Promise<tls.TLSSocket> {
    return new Promise((resolve, reject) => {
      const attempt = new Attempt(raw, remote, how.signal, resolve, reject)
      if (attempt.over) return
      // Of a handshake no half can be missing; its pipe is half open again.
      raw.allowHalfOpen = false
      try {
        if (how.dialed) this.#dial(raw, how, attempt)
        else this.#accept(raw, attempt)
      } catch (cause) {
        attempt.failed(cause)
      }
    })
  }

  #dial(socket: net.Socket, { host }: SecureOptions, attempt: Attempt): void {
    const { options, namesHosts } = this.#credentials
    const named =
      namesHosts && host !== undefined ? { host, ...(isName(host) ? { servername: host } : {}) } : {}
    const secured = tls.connect({
      socket,
      secureContext: (this.#client ??= tls.createSecureContext(options)),
      ALPNProtocols: options.ALPNProtocols,
      rejectUnauthorized: namesHosts,
      ...named,
    })
    attempt.isWith(secured)
    secured.once('secureConnect', () => attempt.done(secured))
  }

  #accept(raw: net.Socket, attempt: Attempt): void {
    const key = endsOf(raw)
    this.#waiting.set(key, attempt)
    attempt.onOver = () => this.#waiting.delete(key)
    this.#serving().emit('connection', raw)
  }

  /** It never listens: each connection is handed to it. */
  #serving(): tls.Server {
    if (this.#server !== undefined) return this.#server
    // The time of a handshake is bounded by its signal, which ends first.
    const server = tls.createServer({ ...this.#credentials.options, handshakeTimeout: 2 ** 31 - 1 })
    server.on('secureConnection', (secured) => {
      const attempt = this.#waiting.get(endsOf(secured))
      if (attempt === undefined) {
        secured.on('error', () => undefined)
        secured.destroy()
        return
      }
      attempt.isWith(secured)
      attempt.done(secured)
    })
    server.on('tlsClientError', (error, secured) => {
      secured.on('error', () => undefined)
      this.#waiting.get(endsOf(secured))?.failed(error)
    })
    return (this.#server = server)
  }
}

/** One handshake, until it is done, fails, or is given up. */
class Attempt {
  over = false
  onOver: () => void = () => undefined
  readonly #raw: net.Socket
  readonly #remote: Endpoint
  readonly #signal: AbortSignal
  readonly #resolve: (socket: tls.TLSSocket) => void
  readonly #reject: (error: unknown) => void
  #socket: tls.TLSSocket | undefined

  constructor(
    raw: net.Socket,
    remote: Endpoint,
    signal: AbortSignal,
    resolve: (socket: tls.TLSSocket) => void,
    reject: (error: unknown) => void,
  ) {
    this.#raw = raw
    this.#remote = remote
    this.#signal = signal
    this.#resolve = resolve
    this.#reject = reject
    raw.once('close', this.#onClose)
    signal.addEventListener('abort', this.#onAbort, { once: true })
    if (signal.aborted) this.#onAbort()
    else if (raw.destroyed) this.#onClose()
  }

  readonly #onAbort = (): void => {
    this.#end(this.#signal.reason)
  }

  readonly #onClose = (): void => {
    this.failed(new Error(ENDED))
  }

  isWith(socket: tls.TLSSocket): void {
    this.#socket = socket
    socket.once('error', this.failed)
    // From its first tick, and for good.
    socket.on('error', () => undefined)
  }

  done(socket: tls.TLSSocket): void {
    if (this.over) return
    this.#settled()
    socket.off('error', this.failed)
    socket.pause()
    this.#resolve(socket)
  }

  readonly failed = (cause: unknown): void => {
    this.#end(tlsError(cause, this.#remote.address))
  }

  #end(error: unknown): void {
    if (this.over) return
    this.#settled()
    this.#socket?.destroy()
    this.#raw.destroy()
    this.#reject(error)
  }

  #settled(): void {
    this.over = true
    this.onOver()
    this.#raw.off('close', this.#onClose)
    this.#signal.removeEventListener('abort', this.#onAbort)
  }
}

const endsOf = ({ remoteAddress, remotePort, localAddress, localPort }: net.Socket): string =>
  `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`

/** No IP address: those are not sent as server names. */
const isName = (host: string): boolean => !/^[\d.]+$|:/.test(host)

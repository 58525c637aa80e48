import type net from 'node:net'
import { type Identity, needIdentity } from '../identity/identity.ts'
import { identityTls } from '../identity/secure.ts'
import { adopt } from '../net/adopt.ts'
import { memory } from '../net/memory.ts'
import { tcp } from '../net/tcp.ts'
import type { Transport } from '../net/transport.ts'
import { unix } from '../net/unix.ts'
import { nodePlatform } from '../platform/node.ts'
import type { Protocol } from '../contract/protocol.ts'
import type { Codec, RawCodec } from '../wire/codec.ts'
import { fail } from '../errors.ts'
import { started } from './base-sock.ts'
import type { SockOptions } from './options.ts'
import { PipeSock } from './pipe-sock.ts'

export interface TcpSockOptions<C extends Codec = RawCodec, P extends Protocol | undefined = undefined>
  extends SockOptions<C, P> {
  /**
   * A server or a connected socket of your own. startServer() takes a server's connections (and listens on
   * `bind` if it does not listen yet); open() and start() make a socket a peer.
   */
  readonly sock?: net.Server | net.Socket
  /**
   * Who this sock is: every connection is TLS 1.3 then, in which both sides prove the key of their id. `peer.identity` is who
   * is there; `address` has our own id, and whoever dials it reaches us or nobody. docs/security.md.
   */
  readonly identity?: Identity
  /** Ways to connect, beside or instead of `tcp:`, `unix:` and `memory:`. */
  readonly transports?: readonly Transport[]
}

/** One memory network for every sock of this process. */
const DEFAULT_TRANSPORTS = [tcp(), unix(nodePlatform), memory(nodePlatform)]

/**
 * A node that listens, dials, or both, over TCP, Unix sockets or within the process.
 *
 * ```ts
 * const server = await TcpSock.open({ bind: 'tcp://127.0.0.1:0', handlers: { 0: (bytes, { peer }) => peer.sendMsg(0, bytes) } })
 * const client = await TcpSock.open()
 * const peer = await client.connectTo(server.address)
 * await peer.sendMsg(0, 'hello')
 * ```
 *
 * The constructor does nothing but check its options: `start()`, `startServer()` or `connectTo()` begin.
 */
export class TcpSock<C extends Codec = RawCodec, P extends Protocol | undefined = undefined> extends PipeSock<
  C,
  P
> {
  readonly #identity: { now: Identity } | undefined

  constructor({ sock, transports = [], identity, ...options }: TcpSockOptions<C, P> = {}) {
    const held = identity === undefined ? undefined : { now: needIdentity(identity, 'identity') }
    if (held !== undefined && options.security !== undefined)
      fail('BAD_OPTION', 'identity is a security of its own: give one of the two')
    super(held === undefined ? options : { ...options, security: identityTls(() => held.now) }, {
      platform: nodePlatform,
      transports: [...DEFAULT_TRANSPORTS, ...transports],
      adopted: sock === undefined ? undefined : adopt(sock),
    })
    this.#identity = held
  }

  /** Who this sock is; undefined: it has no identity. */
  get identity(): Identity | undefined {
    return this.#identity?.now
  }

  /**
   * From now on this sock proves another key, at each new connection; those that there are live on. Others need a record to
   * know it again: rotation(). Throws BAD_OPTION for a sock without an identity.
   */
  changeIdentity(next: Identity): void {
    if (this.#identity === undefined) fail('BAD_OPTION', 'this sock was made without an identity')
    this.#identity.now = needIdentity(next, 'the next identity')
  }

  /**
   * A sock that is up: bound, and every address of `connect` dialed once. Rejects as `start` does. Called on a
   * class of your own it gives one of that class, whose constructor takes the options as this one does.
   */
  static async open<C extends Codec = RawCodec, const P extends Protocol | undefined = undefined>(
    options: TcpSockOptions<C, P> = {},
  ): Promise<TcpSock<C, P>> {
    return started(new this<C, P>(options))
  }
}

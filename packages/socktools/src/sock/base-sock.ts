import { asSockError } from '../errors.ts'
import type { Off } from '../events.ts'
import type { Platform } from '../platform/platform.ts'
import type { Codec, Got, RawCodec, Sent } from '../wire/codec.ts'
import { Core } from './core.ts'
import type { Settings } from './options.ts'
import type { SubscribeOptions } from './subscription.ts'
import type {
  ConnectOptions,
  Context,
  DrainOptions,
  Handler,
  Lost,
  Middleware,
  Peer,
  SendOptions,
  Sock,
  SockEvents,
  SockStats,
  StartServerOptions,
} from './types.ts'
import { Waiter, rejected } from './waiter.ts'

/** What every kind of sock shares, whatever carries its bytes. */
export abstract class BaseSock<C extends Codec = RawCodec> implements Sock<C> {
  /** @internal */
  protected readonly core: Core<C>
  #draining: Promise<Lost> | undefined
  #closing: Promise<Lost> | undefined

  constructor(settings: Settings<C>, platform: Platform) {
    this.core = new Core<C>(this, settings, platform)
  }

  abstract get address(): string | undefined
  abstract get knownPeers(): readonly Peer<C>[]
  abstract startServer(options?: StartServerOptions): Promise<string>
  abstract connectTo(address: string, options?: ConnectOptions): Promise<Peer<C>>
  abstract sendRaw(payload: Uint8Array, options?: SendOptions<C>): Promise<void>
  abstract closePeer(peer: Peer<C> | string): Lost
  abstract stats(): SockStats
  /** Ends every peer in good order. */
  protected abstract drainPeers(options: DrainOptions): Promise<void>
  /** Ends every peer at once, and all that could bring new ones. */
  protected abstract closePeers(): Promise<Lost>
  /** Nobody new, in either direction. */
  protected abstract stopComing(): void

  sendMsg(type: string | number, data: Sent<C>, options: SendOptions<C> = {}): Promise<void> {
    let payload: Uint8Array
    try {
      payload = (this.core.settings.codec as Codec<Sent<C>>).encode(type, data)
    } catch (thrown) {
      this.core.dropNobodys('unsendable', 0)
      return rejected(asSockError(thrown, 'CANNOT_ENCODE', 'the codec failed'))
    }
    return this.sendRaw(payload, options)
  }

  addHandler(type: string | number, handler: Handler<C>, { exclusive = false } = {}): Off {
    return this.core.dispatch.add(type, handler, exclusive)
  }

  use(middleware: Middleware<C>): Off {
    return this.core.dispatch.use(middleware)
  }

  on<K extends keyof SockEvents<C>>(name: K, listener: (event: SockEvents<C>[K]) => unknown): Off {
    return this.core.events.on(name, listener)
  }

  readRaw(options: SubscribeOptions = {}): AsyncIterableIterator<[Uint8Array, Peer<C>]> {
    this.core.checkNotClosed('readRaw')
    return this.core.dispatch.tap(options)
  }

  messages(
    type?: string | number,
    options: SubscribeOptions = {},
  ): AsyncIterableIterator<[Got<C>, Context<C>]> {
    this.core.checkNotClosed('messages')
    return this.core.dispatch.subscribe(type, options)
  }

  drain(options: DrainOptions = {}): Promise<Lost> {
    return (this.#draining ??= this.#drain(options))
  }

  async #drain(options: DrainOptions): Promise<Lost> {
    if (this.core.life === 'open') {
      this.core.life = 'draining'
      this.core.endTicks()
      this.stopComing()
      await this.drainPeers(options)
    }
    return this.close()
  }

  close(): Promise<Lost> {
    // Set before anything is closed: a listener that hears of that may call this again.
    if (this.#closing === undefined) {
      const closing = new Waiter<Lost>()
      this.#closing = closing.promise
      this.#close().then(closing.resolve, closing.reject)
    }
    return this.#closing
  }

  async #close(): Promise<Lost> {
    this.core.life = 'closed'
    this.core.endTicks()
    this.stopComing()
    const lost = await this.closePeers()
    this.core.end()
    this.core.events.emit('closed', { lost })
    return lost
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain()
  }
}

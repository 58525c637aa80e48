import { asSockError, fail, SockError, needKnown } from '../errors.ts'
import type { Off } from '../events.ts'
import type { Platform } from '../platform/platform.ts'
import type { Protocol } from '../contract/protocol.ts'
import type { MsgTypes } from '../contract/types.ts'
import type { Codec, Got, Message, RawCodec, Sent } from '../wire/codec.ts'
import { Core } from './core.ts'
import { HOOKS, withHooks } from './hooks.ts'
import { showAs } from './inspected.ts'
import { checkDrain, type Settings } from './options.ts'
import { encode } from './payload.ts'
import { type Carrier, noHeaders } from './plain-only.ts'
import type { SubscribeOptions } from './subscription.ts'
import type { Tick } from './ticker.ts'
import type {
  Candidate,
  ConnectOptions,
  Context,
  DataOf,
  DrainOptions,
  GotOf,
  Handler,
  HandlerFor,
  Lost,
  Maybe,
  Middleware,
  MiddlewareContext,
  MessageOf,
  MessageOptions,
  Peer,
  SendOptions,
  Sock,
  SockEvents,
  SockStats,
  StartServerOptions,
  TypesIn,
} from './types.ts'
import { Waiter, rejected } from './waiter.ts'

/** What a MetaSock needs to know of a sock in it. */
export interface Inner {
  readonly core: Core<Codec>
  /** The schemes of the addresses that it can dial. */
  readonly schemes: readonly string[]
  /** How many peers it can send to. */
  readonly reachable: number
  /** Itself; of a meta, the socks at the ends of its branches. */
  readonly leaves: readonly InnerSock[]
  owns(peer: unknown): boolean
  /** Whether it can send to this address though it is no peer's. */
  sendsTo(address: string): boolean
  /** As start, for one that may be up already. */
  startUp(): Promise<void>
}

export type InnerSock = Sock<Codec> & Inner

/**
 * What every kind of sock shares, whatever carries its bytes.
 *
 * Everything is an option, or added with `use()`, `on()` and `addHandler()`. Who prefers to subclass overrides
 * the hooks below: as methods, since fields do not exist yet when the constructor looks for them (BAD_OPTION at
 * the first bind or dial). A hook stands in the place of the option of that name; `super` asks the option.
 */
export abstract class BaseSock<C extends Codec = RawCodec, P extends Protocol | undefined = undefined>
  implements Sock<C, P>
{
  /** @internal */
  protected readonly core: Core<C>
  /** As given, before the hooks took the places of options. */
  readonly #given: Settings<C>
  #setUp: 'due' | 'done' | Promise<void> = 'due'
  /** setUp has been called and has not returned yet. */
  #inSetUp = false
  #starting: Promise<void> | undefined
  #draining: Promise<Lost> | undefined
  #closing: Promise<Lost> | undefined

  constructor(settings: Settings<C>, platform: Platform) {
    const plain = BaseSock.prototype
    this.#given = settings
    for (const name of ['parse', 'serialise'] as const) {
      // One that is never asked would check and change nothing, in silence.
      if (settings.wire !== 'plain' && this[name] !== plain[name])
        fail('BAD_OPTION', `wire '${settings.wire}' never calls ${name}: ${UNDER_V1}`)
    }
    const hooked = withHooks(settings, {
      parse: this.parse !== plain.parse && ((payload) => this.parse(payload)),
      serialise: this.serialise !== plain.serialise && ((type, data) => this.serialise(type, data)),
      goodPeer: this.goodPeer !== plain.goodPeer && ((who) => this.goodPeer(who)),
      tick: this.tick !== plain.tick && ((tick) => this.tick(tick)),
    })
    // What its types say of a contract is for the application; in here it is known from the settings.
    this.core = new Core<C>(this as unknown as Sock<C>, hooked, platform)
    // The first is the outermost.
    if (this.handleAll !== plain.handleAll)
      this.use((message, context, next) => this.handleAll(message, context, next))
  }

  // Hooks

  /**
   * Makes a message of a payload. What it throws is BAD_MESSAGE, an `invalid` event. Default: the codec's decode.
   * Of the plain wire and of datagrams alone: under wire v1 the type stands beside the data (BAD_OPTION).
   */
  protected parse(payload: Uint8Array): Message<Got<C>> {
    return (this.#given.codec as Codec<never, Got<C>>).decode(payload)
  }

  /**
   * Makes a payload of a message. What it throws is CANNOT_ENCODE at the sender. Default: the codec's encode.
   * Of the plain wire and of datagrams alone, as parse is.
   */
  protected serialise(type: string | number, data: Sent<C>): Uint8Array {
    return (this.#given.codec as Codec<Sent<C>>).encode(type, data)
  }

  /**
   * Runs around every message, call, feed and channel, outside all middleware, and as they do; without `next()` it stops
   * here. Default: `next()`.
   */
  protected handleAll(
    _message: MessageOf<C, P>,
    _context: MiddlewareContext<C, P>,
    next: () => Maybe<unknown>,
  ): Maybe<unknown> {
    return next()
  }

  /** Who may become a peer. A gate that throws is closed. Default: what the option says, else everyone. */
  protected goodPeer(candidate: Candidate): Maybe<boolean> {
    const { goodPeer } = this.#given
    return goodPeer === undefined ? true : goodPeer(candidate)
  }

  /** Called every `tickInterval`, from the first bind or peer on. Default: the option. */
  protected tick(tick: Tick): unknown {
    return this.#given.tick?.(tick)
  }

  /**
   * Called and awaited once, before the first bind or dial, by whichever of start, startServer and connectTo
   * comes first: the place for handlers that every sock of the class has. When it throws, that call rejects,
   * with HANDLER_FAILED unless it is a SockError already, and the next one tries again. It must not await those
   * three, since they wait for it.
   */
  protected setUp(): Maybe<unknown> {
    return undefined
  }

  /** For start, startServer and connectTo, before they begin anything: undefined, or what to wait for. */
  protected ready(): Promise<void> | undefined {
    if (this.#inSetUp) fail('DEADLOCK', 'setUp began something that waits for setUp')
    if (this.#setUp === 'due') {
      const field = HOOKS.find((name) => Object.hasOwn(this, name))
      if (field !== undefined) fail('BAD_OPTION', `${field} is a field; a hook is a method of the class`)
      this.#setUp = this.setUp === BaseSock.prototype.setUp ? 'done' : this.#runSetUp()
    }
    return this.#setUp === 'done' ? undefined : this.#setUp
  }

  async #runSetUp(): Promise<void> {
    try {
      this.#inSetUp = true
      let answer: unknown
      try {
        answer = this.setUp()
      } finally {
        this.#inSetUp = false
      }
      await answer
      this.#setUp = 'done'
    } catch (thrown) {
      this.#setUp = 'due'
      throw asSockError(thrown, 'HANDLER_FAILED', 'setUp')
    }
  }

  // For MetaSock

  /** @internal Looks inside a sock; undefined: it is none. */
  protected static inner(sock: unknown): InnerSock | undefined {
    return sock instanceof BaseSock ? (sock as unknown as InnerSock) : undefined
  }

  /** @internal What carries the messages that have no handshake. */
  protected get carrier(): Carrier {
    return 'the plain wire'
  }

  /** @internal */
  protected abstract get schemes(): readonly string[]

  /** @internal */
  protected get leaves(): readonly InnerSock[] {
    return [this as unknown as InnerSock]
  }

  /** @internal */
  protected get reachable(): number {
    return this.knownPeers.filter(({ state }) => state === 'open').length
  }

  /** @internal */
  protected owns(peer: unknown): boolean {
    return this.knownPeers.includes(peer as Peer<C, P>)
  }

  /** @internal */
  protected sendsTo(_address: string): boolean {
    return false
  }

  /** @internal */
  protected startUp(): Promise<void> {
    return this.#starting ?? this.start()
  }

  // The sock

  get protocol(): P {
    return this.core.settings.protocol as P
  }

  /** Does all that the options say: listens on `bind`, dials `connect`. Resolves when the first dials have settled. */
  async start(): Promise<void> {
    this.core.checkOpen('start')
    if (this.#starting !== undefined) fail('ALREADY_STARTED', 'start was called twice')
    const starting = new Waiter()
    this.#starting = starting.promise
    try {
      const setUp = this.ready()
      if (setUp !== undefined) await setUp
      await this.startAll()
      this.core.checkOpen('start')
      this.core.begin()
      starting.resolve()
    } catch (error) {
      // What failed can be tried again.
      this.#starting = undefined
      starting.reject(error as Error)
      throw error
    }
  }

  /** What start() begins, once setUp is done. */
  protected abstract startAll(): Promise<void>
  abstract get address(): string | undefined
  abstract get knownPeers(): readonly Peer<C, P>[]
  abstract startServer(options?: StartServerOptions): Promise<string>
  abstract connectTo(address: string, options?: ConnectOptions): Promise<Peer<C, P>>
  abstract sendRaw(payload: Uint8Array, options?: SendOptions<C, P>): Promise<void>
  abstract closePeer(peer: Peer<C, P> | string): Lost
  abstract stats(): SockStats
  /** Ends every peer in good order. */
  protected abstract drainPeers(options: DrainOptions): Promise<void>
  /** Ends every peer at once, and all that could bring new ones. */
  protected abstract closePeers(): Promise<Lost>
  /** Nobody new, in either direction. */
  protected abstract stopComing(): void

  sendMsg<T extends MsgTypes<P>>(
    type: T,
    data: DataOf<C, P, T>,
    options: SendOptions<C, P> & MessageOptions = {},
  ): Promise<void> {
    const payload =
      noHeaders(this.carrier, options) ?? encode(this.core.settings.codec, type, data as Sent<C>)
    if (!(payload instanceof SockError)) return this.sendRaw(payload, options)
    this.core.dropNobodys('unsendable', 0)
    return rejected(payload)
  }

  addHandler<T extends TypesIn<P>>(
    type: T,
    handler: HandlerFor<C, P, T>,
    options: { readonly exclusive?: boolean } = {},
  ): Off {
    if (typeof options !== 'object') fail('BAD_OPTION', 'what comes third is written { exclusive: true }')
    needKnown(options, ['exclusive'], 'addHandler()')
    const { exclusive = false } = options
    return this.core.dispatch.add(type, handler as unknown as Handler<C>, exclusive)
  }

  use(middleware: Middleware<C, P>): Off {
    return this.core.dispatch.use(middleware as unknown as Middleware<C>)
  }

  on<K extends keyof SockEvents<C, P>>(name: K, listener: (event: SockEvents<C, P>[K]) => unknown): Off {
    if (!EVENTS.includes(name))
      fail('BAD_OPTION', `there is no event "${name}"; there are ${EVENTS.join(', ')}`)
    return this.core.events.on(name, listener as never)
  }

  readRaw(options: SubscribeOptions = {}): AsyncIterableIterator<[Uint8Array, Peer<C, P>]> {
    this.core.checkNotClosed('readRaw')
    return this.core.dispatch.tap(options) as AsyncIterableIterator<[Uint8Array, never]>
  }

  messages<T extends MsgTypes<P>>(
    type?: T,
    options: SubscribeOptions = {},
  ): AsyncIterableIterator<[GotOf<C, P, T>, Context<C, P>]> {
    this.core.checkNotClosed('messages')
    return this.core.dispatch.subscribe(type, options) as AsyncIterableIterator<[never, never]>
  }

  drain(options: DrainOptions = {}): Promise<Lost> {
    try {
      checkDrain(options)
    } catch (thrown) {
      return rejected(thrown as Error)
    }
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

/** Each once: a name that is missing here, or too much, is a type error. */
const NAMES: { readonly [K in keyof SockEvents]: K } = {
  listening: 'listening',
  peer: 'peer',
  ended: 'ended',
  detached: 'detached',
  resumed: 'resumed',
  sessionLost: 'sessionLost',
  gone: 'gone',
  refused: 'refused',
  dialFailed: 'dialFailed',
  dropped: 'dropped',
  invalid: 'invalid',
  unhandled: 'unhandled',
  fault: 'fault',
  settled: 'settled',
  held: 'held',
  storeFailed: 'storeFailed',
  closed: 'closed',
}
const UNDER_V1 = 'there the type stands beside the data, which the `codec` encodes; give one of your own'

const EVENTS: readonly string[] = Object.keys(NAMES)

/** Starts a sock that was made for this; one that does not come up is closed. Rejects as `start` does. */
export async function started<S extends { start(): Promise<void>; close(): Promise<unknown> }>(
  sock: S,
): Promise<S> {
  try {
    await sock.start()
  } catch (error) {
    await sock.close()
    throw error
  }
  return sock
}

showAs(BaseSock.prototype as BaseSock<Codec>, (sock) => {
  const { address } = sock
  const { peers, pending } = sock.stats()
  return { address, peers, pending }
})

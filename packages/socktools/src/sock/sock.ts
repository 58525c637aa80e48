import { parseAddress, schemeOf } from '../address.ts'
import { SockError, asSockError, fail, reasonOf } from '../errors.ts'
import { Events, type Off } from '../events.ts'
import type { Adopted } from '../net/adopt.ts'
import type { Pipe } from '../net/pipe.ts'
import type { Listener, Transport } from '../net/transport.ts'
import type { Platform } from '../platform/platform.ts'
import type { Codec, Got, RawCodec, Sent } from '../wire/codec.ts'
import { Admission } from './admission.ts'
import { Counters } from './counters.ts'
import { Deadlines } from './deadlines.ts'
import { Dispatch } from './dispatch.ts'
import { Drops } from './drops.ts'
import { Keeper } from './keeper.ts'
import { logTo } from './log.ts'
import { type Settings, type SockOptions, settle } from './options.ts'
import { LivePeer, type PeerHost } from './peer.ts'
import { Sends } from './sends.ts'
import type { SubscribeOptions } from './subscription.ts'
import { Ticker } from './ticker.ts'
import type {
  ConnectOptions,
  Context,
  DrainOptions,
  Handler,
  Lost,
  Maybe,
  Middleware,
  Peer,
  SendOptions,
  Sock,
  SockEvents,
  SockStats,
  StartServerOptions,
} from './types.ts'

/** Where a sock meets the world. */
export interface SockParts {
  readonly platform: Platform
  readonly transports: readonly Transport[]
  /** A server or connection that the application made. */
  readonly adopted?: Adopted | undefined
}

type Life = 'open' | 'draining' | 'closed'

/**
 * A sock over any transports and any platform. {@link TcpSock} is this class with Node's; tests and
 * simulations pass simulated ones.
 */
export class BaseSock<C extends Codec = RawCodec> implements Sock<C> {
  readonly #settings: Settings<C>
  readonly #platform: Platform
  readonly #transports: ReadonlyMap<string, Transport>
  readonly #adopted: Adopted | undefined
  readonly #events: Events<SockEvents<C>>
  readonly #dispatch: Dispatch<C>
  readonly #admission: Admission
  readonly #deadlines: Deadlines
  readonly #sends: Sends<C>
  readonly #counters = new Counters()
  readonly #drops: Drops<LivePeer<C> | undefined>
  readonly #ticker: Ticker | undefined
  readonly #host: PeerHost<C>
  /** All that have a say: connected, or with something left to handle. */
  readonly #peers = new Set<LivePeer<C>>()
  readonly #keepers: Keeper[] = []
  /** What gives up a dial, or a connection that waits at the gate. */
  readonly #giveUps = new Set<() => void>()
  /** Whoever waits for a peer to be over; see #keep. */
  readonly #onOver = new Map<LivePeer<C>, () => void>()
  /** Dials without a pipe yet: each may become a peer. */
  #dialing = 0
  #life: Life = 'open'
  #starting = false
  #binding = false
  #listener: Listener | undefined
  #draining: Promise<void> | undefined
  #closing: Promise<Lost> | undefined
  #nextId = 1

  constructor(options: SockOptions<C>, { platform, transports, adopted }: SockParts) {
    const settings = settle(options)
    const { logger, tick } = settings
    this.#settings = settings
    this.#platform = platform
    this.#transports = new Map(transports.map((transport) => [transport.scheme, transport]))
    this.#adopted = adopted
    this.#events = new Events((thrown, name) => {
      if (name === 'fault')
        platform.report(asSockError(thrown, 'HANDLER_FAILED', 'a listener of "fault" threw'))
      else this.#fault(thrown, `listener of "${name}"`, undefined)
    })
    this.#deadlines = new Deadlines(platform)
    this.#admission = new Admission(settings, platform, this.#deadlines)
    this.#sends = new Sends<C>(settings, platform, (bytes) => {
      this.#counters.dropped('unsendable', 1)
      this.#drops.add(undefined, 'unsendable', 1, bytes)
    })
    this.#dispatch = new Dispatch<C>(this, settings.codec as Codec<never, Got<C>>, {
      invalid: (peer, payload, error) => {
        this.#counters.invalid++
        this.#events.emit('invalid', { peer, payload, error })
      },
      unhandled: (peer, type, data) => {
        this.#counters.unhandled++
        this.#events.emit('unhandled', { peer, type, data })
      },
      fault: (thrown, where, peer) => {
        this.#fault(thrown, where, peer)
      },
    })
    this.#drops = new Drops(platform.defer, (peer, reason, messages, bytes) => {
      this.#events.emit('dropped', { peer, reason, messages, bytes })
    })
    this.#host = {
      settings,
      platform,
      deadlines: this.#deadlines,
      sends: this.#sends,
      handle: (peer, payload) => this.#dispatch.handle(peer, payload),
      onDropped: (peer, reason, messages, bytes) => {
        // What a peer counts after it was counted in for good.
        if (!this.#peers.has(peer)) this.#counters.dropped(reason, messages)
        this.#drops.add(peer, reason, messages, bytes)
      },
      onEnding: (peer) => {
        this.#sends.unreachable(peer)
      },
      onGone: (peer, error, lost) => {
        this.#onGone(peer, error, lost)
      },
    }
    this.#dispatch.addAll(settings.handlers ?? {})
    if (logger !== undefined) logTo(logger, this, platform.now)
    if (tick !== undefined) {
      this.#ticker = new Ticker(platform, settings.tickInterval, (now) =>
        this.#guard('tick', () => tick(now)),
      )
    }
  }

  // Coming up

  /** Does all that the options say: listens on `bind`, dials `connect`. Resolves when the first dials have settled. */
  async start(): Promise<void> {
    this.#checkOpen('start')
    if (this.#starting) fail('ALREADY_STARTED', 'start was called twice')
    this.#starting = true
    try {
      await this.#start()
    } catch (error) {
      // What failed can be tried again.
      this.#starting = false
      throw error
    }
  }

  async #start(): Promise<void> {
    const { bind, connect } = this.#settings
    const adopted = this.#adopted
    if (this.#listener === undefined && (bind !== undefined || adopted?.kind === 'server'))
      await this.startServer()
    if (adopted?.kind === 'connection') {
      const pipe = await adopted.connect()
      if (this.#life !== 'open') pipe.destroy()
      this.#checkOpen('start')
      await this.#admit(pipe, true)
    }
    // Whoever heard of the above may have closed this sock: nothing may begin after that.
    this.#checkOpen('start')
    await Promise.all(connect.map((address) => this.#keep(address)))
    this.#checkOpen('start')
    this.#ticker?.start()
  }

  async startServer({ bind, backlog }: StartServerOptions = {}): Promise<string> {
    this.#checkOpen('startServer')
    if (this.#binding) fail('ALREADY_STARTED', 'startServer was called twice')
    if (bind !== undefined && this.#settings.bind !== undefined) {
      fail('BIND_TWICE', `bind was ${this.#settings.bind} in the options and ${bind} now`)
    }
    const address = bind ?? this.#settings.bind
    this.#binding = true
    try {
      const listener = await this.#listen(address, backlog === undefined ? {} : { backlog })
      if (this.#life !== 'open') {
        await listener.close()
        this.#checkOpen('startServer')
      }
      this.#listener = listener
    } catch (error) {
      // What failed can be tried again.
      this.#binding = false
      throw error
    }
    this.#ticker?.start()
    this.#events.emit('listening', { address: this.#listener.address })
    return this.#listener.address
  }

  #listen(address: string | undefined, options: { backlog?: number }): Promise<Listener> {
    const onPipe = (pipe: Pipe): void => {
      this.#accept(pipe)
    }
    if (this.#adopted?.kind === 'server') {
      return this.#adopted.listen(address === undefined ? undefined : parseAddress(address), options, onPipe)
    }
    if (address === undefined) return fail('NOT_BOUND', 'startServer has no address to listen on')
    const at = parseAddress(address)
    return this.#transportOf(at, address).listen(at, options, onPipe)
  }

  async connectTo(address: string, options: ConnectOptions = {}): Promise<Peer<C>> {
    return this.#dial(address, options)
  }

  /** Dials `address` now, and again whenever the connection is over. Resolves when the first dial has settled. */
  #keep(address: string): Promise<void> {
    parseAddress(address)
    const keeper = new Keeper(address, this.#settings.backoff, this.#platform, {
      dial: async (to, onOver) => {
        const peer = await this.#dial(to, {})
        // A listener of "peer" may have closed it already.
        if (this.#peers.has(peer)) this.#onOver.set(peer, onOver)
        else onOver()
      },
      onFailed: (to, error, retryIn) => {
        this.#events.emit('dialFailed', { address: to, error, retryIn })
      },
    })
    this.#keepers.push(keeper)
    return keeper.start()
  }

  async #dial(
    address: string,
    { signal, timeout = this.#settings.connectTimeout }: ConnectOptions,
  ): Promise<LivePeer<C>> {
    this.#checkOpen('connectTo')
    const to = parseAddress(address)
    const transport = this.#transportOf(to, address)
    const { maxPeers } = this.#settings
    if (this.#peers.size + this.#admission.pending + this.#dialing >= maxPeers)
      fail('TOO_MANY_PEERS', `${maxPeers} is the most`, { address })
    const aborter = new AbortController()
    const onAbort = (): void => {
      aborter.abort(new SockError('ABORTED', 'the dial was given up', { address, cause: signal?.reason }))
    }
    const giveUp = (): void => {
      aborter.abort(new SockError('CLOSED', 'the sock was closed during the dial', { address }))
    }
    const late = this.#deadlines.set(timeout, () => {
      aborter.abort(new SockError('CONNECT_TIMEOUT', `no connection within ${timeout} ms`, { address }))
    })
    this.#giveUps.add(giveUp)
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted === true) onAbort()
    try {
      this.#dialing++
      const pipe = await dialed(transport, to, aborter.signal).finally(() => this.#dialing--)
      return await this.#admit(pipe, true, aborter.signal)
    } catch (error) {
      // The transport's ABORTED says less than why we gave up.
      if (aborter.signal.aborted) throw aborter.signal.reason
      throw asSockError(error, 'CONNECT_FAILED', 'could not connect', address)
    } finally {
      late.cancel()
      this.#giveUps.delete(giveUp)
      signal?.removeEventListener('abort', onAbort)
    }
  }

  // The gate

  #accept(pipe: Pipe): void {
    let error: SockError | undefined
    if (this.#life !== 'open')
      error = new SockError('CLOSED', 'the sock is closed', { address: pipe.remote.address })
    else {
      try {
        error = this.#admission.atDoor(pipe.remote, this.#peers.size + this.#dialing)
      } catch (thrown) {
        this.#fault(thrown, 'goodAddress', undefined)
        error = asSockError(thrown, 'REFUSED', 'goodAddress threw', pipe.remote.address)
      }
    }
    if (error === undefined) this.#admit(pipe, false).catch(() => undefined)
    else {
      pipe.destroy()
      this.#refused(pipe, false, error)
    }
  }

  /** Asks goodPeer. Resolves to the new peer, or rejects with the refusal, which was reported then. */
  #admit(pipe: Pipe, dialed: boolean, signal?: AbortSignal): Promise<LivePeer<C>> {
    const { address, host } = pipe.remote
    return new Promise((resolve, reject) => {
      const question = this.#admission.ask({ address, host, dialed }, (thrown) => {
        this.#fault(thrown, 'goodPeer', undefined)
      })
      const closed = (): SockError =>
        new SockError('CLOSED', 'the sock was closed before goodPeer answered', { address })
      const giveUp = (): void => {
        question.giveUp(closed())
      }
      this.#giveUps.add(giveUp)
      signal?.addEventListener('abort', giveUp, { once: true })
      // Until it is a peer, all that matters of it is whether it went away.
      pipe.attach({ data: ignore, drain: ignore, end: ignore, close: () => question.giveUp() })
      question.onAnswer((answer) => {
        // The gate itself may have closed this sock.
        const error = answer ?? (this.#life === 'open' ? undefined : closed())
        signal?.removeEventListener('abort', giveUp)
        this.#giveUps.delete(giveUp)
        if (error === undefined) resolve(this.#join(pipe, dialed))
        else {
          pipe.destroy()
          this.#refused(pipe, dialed, error)
          reject(error)
        }
      })
    })
  }

  #refused({ remote: { address, host } }: Pipe, dialed: boolean, error: SockError): void {
    this.#counters.refused(error)
    this.#events.emit('refused', { address, host, dialed, error })
  }

  #join(pipe: Pipe, dialed: boolean): LivePeer<C> {
    const peer = new LivePeer<C>(`p${this.#nextId++}`, pipe, dialed, this.#host)
    if (dialed) this.#counters.dialed++
    else this.#counters.accepted++
    this.#peers.add(peer)
    this.#sends.join(peer)
    this.#ticker?.start()
    // Listened to before it is announced, so that a listener may close it; read from after that.
    peer.attach()
    this.#events.emit('peer', { peer })
    peer.start()
    return peer
  }

  #onGone(peer: LivePeer<C>, error: SockError | undefined, lost: Lost): void {
    this.#peers.delete(peer)
    this.#counters.peerGone(peer.stats())
    if (error !== undefined) this.#counters.failed(error)
    this.#events.emit('gone', { peer, error, lost })
    const onOver = this.#onOver.get(peer)
    this.#onOver.delete(peer)
    onOver?.()
  }

  // Messages

  sendMsg(type: string | number, data: Sent<C>, options: SendOptions<C> = {}): Promise<void> {
    let payload: Uint8Array
    try {
      payload = (this.#settings.codec as Codec<Sent<C>>).encode(type, data)
    } catch (thrown) {
      return this.#sends.refuse(asSockError(thrown, 'CANNOT_ENCODE', 'the codec failed'), 0)
    }
    return this.sendRaw(payload, options)
  }

  sendRaw(payload: Uint8Array, options: SendOptions<C> = {}): Promise<void> {
    if (this.#life === 'closed') return this.#sends.refuse(new SockError('CLOSED', 'this sock is closed'), 0)
    return this.#sends.send(payload, options)
  }

  addHandler(type: string | number, handler: Handler<C>, { exclusive = false } = {}): Off {
    return this.#dispatch.add(type, handler, exclusive)
  }

  use(middleware: Middleware<C>): Off {
    return this.#dispatch.use(middleware)
  }

  on<K extends keyof SockEvents<C>>(name: K, listener: (event: SockEvents<C>[K]) => unknown): Off {
    return this.#events.on(name, listener)
  }

  readRaw(options: SubscribeOptions = {}): AsyncIterableIterator<[Uint8Array, Peer<C>]> {
    this.#checkNotClosed('readRaw')
    return this.#dispatch.tap(options)
  }

  messages(
    type?: string | number,
    options: SubscribeOptions = {},
  ): AsyncIterableIterator<[Got<C>, Context<C>]> {
    this.#checkNotClosed('messages')
    return this.#dispatch.subscribe(type, options)
  }

  // Looking

  get address(): string | undefined {
    return this.#listener?.address
  }

  get knownPeers(): readonly Peer<C>[] {
    return [...this.#peers].filter(({ state }) => state !== 'gone')
  }

  stats(): SockStats {
    return this.#counters.snapshot(
      [...this.#peers].map((peer) => peer.stats()),
      this.#admission.pending,
    )
  }

  // Ending

  closePeer(peer: Peer<C> | string): Lost {
    const lost = { unsent: 0, unhandled: 0 }
    // One that can be sent nothing any more can still be closed.
    const ending = [...this.#peers].filter(({ address, id }) => address === peer || id === peer)
    for (const one of ending.length > 0 ? ending : this.#sends.find(peer)) {
      const { unsent, unhandled } = one.close()
      lost.unsent += unsent
      lost.unhandled += unhandled
    }
    return lost
  }

  drain(options: DrainOptions = {}): Promise<void> {
    return (this.#draining ??= this.#drain(options))
  }

  async #drain(options: DrainOptions): Promise<void> {
    if (this.#life === 'open') {
      this.#life = 'draining'
      this.#stopComing()
      await Promise.all([...this.#peers].map((peer) => peer.drain(options)))
    }
    await this.close()
  }

  close(): Promise<Lost> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<Lost> {
    this.#life = 'closed'
    this.#stopComing()
    const lost = { unsent: 0, unhandled: 0 }
    for (const peer of this.#peers) {
      const { unsent, unhandled } = peer.close()
      lost.unsent += unsent
      lost.unhandled += unhandled
    }
    this.#dispatch.end()
    this.#deadlines.clear()
    this.#drops.flush()
    await this.#listener?.close()
    this.#events.emit('closed', { lost })
    return lost
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.drain()
  }

  /** Nobody new, in either direction. */
  #stopComing(): void {
    this.#ticker?.stop()
    void this.#listener?.close()
    for (const keeper of this.#keepers) keeper.stop()
    for (const giveUp of [...this.#giveUps]) giveUp()
  }

  // Inside

  #fault(thrown: unknown, where: string, peer: Peer<C> | undefined): void {
    this.#counters.faults++
    const error = new SockError('HANDLER_FAILED', `${where}: ${reasonOf(thrown)}`, {
      address: peer?.address,
      cause: thrown,
    })
    if (this.#settings.logger?.error === undefined && !this.#events.has('fault')) this.#platform.report(error)
    this.#events.emit('fault', { error, in: where, peer })
  }

  /** Runs a function of the application; what it throws is a fault of its own. */
  #guard(where: string, fn: () => Maybe<void>): Promise<void> | undefined {
    const failed = (thrown: unknown): void => {
      this.#fault(thrown, where, undefined)
    }
    try {
      return fn()?.catch(failed)
    } catch (thrown) {
      failed(thrown)
      return undefined
    }
  }

  #checkOpen(what: string): void {
    this.#checkNotClosed(what)
    if (this.#life === 'draining') fail('DRAINING', `${what} came after drain`)
  }

  #checkNotClosed(what: string): void {
    if (this.#life === 'closed') fail('CLOSED', `${what} came after close`)
  }

  #transportOf(url: URL, address: string): Transport {
    const transport = this.#transports.get(schemeOf(url))
    if (transport !== undefined) return transport
    const known = [...this.#transports.keys()].map((scheme) => `${scheme}:`).join(', ')
    return fail('BAD_ADDRESS', `"${address}" needs a transport that is not here; there are ${known}`)
  }
}

const ignore = (): void => undefined

/** The pipe, unless `signal` comes first; a pipe that comes after that is destroyed. */
async function dialed(transport: Transport, to: URL, signal: AbortSignal): Promise<Pipe> {
  signal.throwIfAborted()
  const dialing = transport.dial(to, { signal })
  const pipe = await new Promise<Pipe | undefined>((resolve, reject) => {
    signal.addEventListener('abort', () => resolve(undefined), { once: true })
    dialing.then(resolve, reject)
  })
  if (pipe !== undefined && !signal.aborted) return pipe
  void dialing.then(
    (late) => {
      late.destroy()
    },
    () => undefined,
  )
  throw signal.reason as SockError
}

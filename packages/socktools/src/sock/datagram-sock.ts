import { udpAddress } from '../address.ts'
import type { Protocol } from '../contract/protocol.ts'
import { SockError, asSockError, fail, reasonOf } from '../errors.ts'
import type { DatagramNetwork, DatagramAddress } from '../net/datagrams.ts'
import type { Platform } from '../platform/platform.ts'
import type { Codec, RawCodec } from '../wire/codec.ts'
import { Attempts } from './attempts.ts'
import { BaseSock } from './base-sock.ts'
import { NOTHING_LOST, bothLost } from './counters.ts'
import { Binding, remoteOf } from './datagram-binding.ts'
import { DatagramGate } from './datagram-gate.ts'
import { type MulticastOptions, type UdpSockOptions, settleDatagrams } from './datagram-options.ts'
import { DatagramPeer, type DatagramPeerHost } from './datagram-peer.ts'
import { DatagramRoutes } from './datagram-routes.ts'
import { Account, DatagramSends } from './datagram-sends.ts'
import { Deadlines } from './deadlines.ts'
import { Drops } from './drops.ts'
import { Keepers } from './keeper.ts'
import { DRAIN_TIMEOUT } from './options.ts'
import { lengthOf } from './payload.ts'
import type { Carrier } from './plain-only.ts'
import { isIterable } from './recipients.ts'
import { Turn } from './turn.ts'
import type {
  ConnectOptions,
  DrainOptions,
  DropReason,
  Lost,
  Peer,
  SendOptions,
  SockStats,
  StartServerOptions,
} from './types.ts'
import { rejected } from './waiter.ts'

/** Where a sock over datagrams meets the world. */
export interface DatagramParts {
  readonly platform: Platform
  readonly network: DatagramNetwork
}

/**
 * A sock over datagrams, on any network and any platform. {@link UdpSock} is this class with Node's, and says
 * what holds of both; tests and simulations pass simulated ones.
 */
export class DatagramSock<
  C extends Codec = RawCodec,
  P extends Protocol | undefined = undefined,
> extends BaseSock<C, P> {
  readonly #multicast: MulticastOptions
  readonly #deadlines: Deadlines
  readonly #attempts: Attempts
  readonly #binding: Binding
  readonly #gate: DatagramGate<DatagramPeer<C>>
  readonly #sends: DatagramSends
  readonly #routes: DatagramRoutes<C>
  /** What is sent to addresses that are no peers'. */
  readonly #strangers: Account
  /** What arrives and is dropped: told of once for all that came with one look at the socket. */
  readonly #dropsIn: Drops<Peer<C> | undefined>
  readonly #peerHost: DatagramPeerHost<C>
  readonly #peers = new Map<string, DatagramPeer<C>>()
  readonly #keepers: Keepers<DatagramPeer<C>>
  #serving = false
  #nextId = 1
  #lost: Lost = NOTHING_LOST

  constructor(options: UdpSockOptions<C, P>, { platform, network }: DatagramParts) {
    const given = settleDatagrams(options)
    super(given, platform)
    const { core } = this
    const { settings } = core
    const turn = new Turn(platform)
    this.#multicast = given.multicast
    this.#deadlines = new Deadlines(platform)
    this.#attempts = new Attempts(this.#deadlines)
    this.#sends = new DatagramSends(settings, turn)
    this.#keepers = new Keepers<DatagramPeer<C>>(settings.backoff, platform, {
      dial: async (address) => {
        const peer = await this.#dial(address, {})
        peer.keep()
        return peer
      },
      isOver: ({ state }) => state === 'gone',
      onFailed: (address, error, retryIn) => {
        core.events.emit('dialFailed', { address, error, retryIn })
      },
    })
    this.#strangers = new Account((reason, bytes) => {
      core.dropNobodys(reason, bytes)
    })
    this.#dropsIn = new Drops(platform.afterPoll, (peer, reason, messages, bytes) => {
      core.events.emit('dropped', { peer, reason, messages, bytes })
    })
    this.#binding = new Binding(given, network, {
      ready: () => this.ready(),
      checkNotClosed: () => {
        core.checkNotClosed('binding')
      },
      opened: (socket) => {
        this.#sends.opened(socket)
        core.begin()
      },
      message: (bytes, host, port) => {
        this.#onMessage(bytes, host, port)
      },
      error: (cause) => {
        core.counters.failed(new SockError('PIPE_FAILED', reasonOf(cause), { cause }))
      },
    })
    this.#gate = new DatagramGate<DatagramPeer<C>>(settings, platform, this.#deadlines, {
      isOpen: () => core.life === 'open',
      countPeers: () => this.#peers.size,
      join: (remote, dialed) => this.#join(remote, dialed),
      refused: (who, error) => {
        core.refused(who, error)
      },
      refusedToo: (code) => {
        core.counters.refused({ code })
      },
      dropped: (reason, messages, bytes) => {
        core.counters.dropped(reason, messages)
        this.#dropsIn.add(undefined, reason, messages, bytes)
      },
      fault: (thrown, where) => {
        core.fault(thrown, where, undefined)
      },
    })
    this.#routes = new DatagramRoutes<C>(this.#peers, this.#binding, this.#sends, this.#strangers)
    this.#peerHost = {
      settings,
      platform,
      deadlines: this.#deadlines,
      turn,
      sends: this.#sends,
      backlog: { bytes: 0 },
      handle: (peer, payload) => this.#handle(peer, payload),
      onDropped: (peer, reason, messages, bytes) => {
        this.#onDropped(peer, reason, messages, bytes)
      },
      onGone: (peer, lost) => {
        this.#onGone(peer, lost)
      },
    }
  }

  // Coming up

  /** Binds `bind`, looks up `connect`. */
  protected override async startAll(): Promise<void> {
    if (!this.#serving && this.core.settings.bind !== undefined) await this.startServer()
    await Promise.all(this.core.settings.connect.map((address) => this.#keepers.keep(address)))
  }

  /** Binds. There is no backlog: `backlog` means nothing here. */
  async startServer({ bind }: StartServerOptions = {}): Promise<string> {
    const { core } = this
    core.checkOpen('startServer')
    if (this.#serving) fail('ALREADY_STARTED', 'startServer was called twice')
    if (bind !== undefined && this.core.settings.bind !== undefined)
      fail('BIND_TWICE', `bind was ${this.core.settings.bind} in the options and ${bind} now`)
    this.#serving = true
    try {
      const { address } = await this.#binding.serve(bind)
      // The socket may still have to send, but nobody is let in by it.
      core.checkOpen('startServer')
      core.events.emit('listening', { address })
      return address
    } catch (error) {
      this.#serving = false
      throw error
    }
  }

  /**
   * Looks up the address and makes it a peer. Nothing is sent, so this tells nothing about whether anyone is
   * there. Gives the peer that is at that address already, if there is one.
   */
  async connectTo(address: string, options: ConnectOptions = {}): Promise<Peer<C, P>> {
    return (await this.#dial(address, options)) as unknown as Peer<C, P>
  }

  #dial(
    address: string,
    { signal, timeout = this.core.settings.connectTimeout }: ConnectOptions,
  ): Promise<DatagramPeer<C>> {
    return this.#attempts.run(address, { signal, timeout }, async (given) => {
      this.core.checkOpen('connectTo')
      const remote = await this.#binding.locate(address, given)
      given.throwIfAborted()
      return this.#peers.get(remote.address) ?? this.#gate.dial(remote, given)
    })
  }

  // Peers

  #join(remote: DatagramAddress, dialed: boolean): DatagramPeer<C> {
    const { core } = this
    const known = this.#peers.get(remote.address)
    if (known !== undefined) return known
    const peer = new DatagramPeer<C>(`p${this.#nextId++}`, remote, dialed, this.#peerHost)
    if (dialed) core.counters.dialed++
    else core.counters.accepted++
    this.#peers.set(peer.address, peer)
    core.events.emit('peer', { peer })
    peer.start()
    return peer
  }

  #onGone(peer: DatagramPeer<C>, lost: Lost): void {
    this.#peers.delete(peer.address)
    this.core.counters.peerGone(peer.stats())
    if (this.core.life !== 'open') this.#lost = bothLost(this.#lost, lost)
    this.core.events.emit('gone', { peer, error: undefined, lost })
    this.#keepers.over(peer)
  }

  #onDropped(peer: DatagramPeer<C>, reason: DropReason, messages: number, bytes: number): void {
    // What a peer counts after it was counted in for good.
    if (this.#peers.get(peer.address) !== peer) this.core.counters.dropped(reason, messages)
    const drops = reason === 'behind' ? this.#dropsIn : this.core.drops
    drops.add(peer, reason, messages, bytes)
  }

  // In

  #onMessage(bytes: Uint8Array, host: string, port: number): void {
    const { socket } = this.#binding
    if (socket === undefined || this.core.life === 'closed') return
    const peer = this.#peers.get(udpAddress(host, port))
    if (peer !== undefined) peer.heard(bytes)
    else this.#gate.heard(remoteOf(host, port, socket.family), bytes)
  }

  #handle(peer: DatagramPeer<C>, payload: Uint8Array): Promise<void> | undefined {
    const { core } = this
    const { maxFrame } = core.settings
    if (payload.length <= maxFrame) return core.dispatch.handle(peer, payload)
    const what = `a message of ${payload.length} bytes, and ${maxFrame} is the most`
    const error = new SockError('FRAME_TOO_LARGE', what, { address: peer.address })
    core.counters.invalid++
    core.events.emit('invalid', { peer, type: undefined, payload, error })
    return undefined
  }

  // Out

  /**
   * As Sock.sendRaw says. `to` may also be an address that is nobody's here, such as a group's: it is sent to,
   * and does not become a peer.
   */
  sendRaw(payload: Uint8Array, options: SendOptions<C, P> = {}): Promise<void> {
    try {
      if (this.core.life === 'closed') fail('CLOSED', 'this sock is closed')
      return this.#routes.send(payload, options as unknown as SendOptions<C>, this.core.settings.maxFrame)
    } catch (thrown) {
      this.core.dropNobodys('unsendable', lengthOf(payload))
      return rejected(asSockError(thrown, 'UNKNOWN_PEER', '`to` or `except` cannot be read'))
    }
  }

  /**
   * Joins a group: `udp://239.1.2.3` or `udp://[ff02::123]`, on the interface with the address `on` (default: the
   * option multicast.interface). Rejects with BAD_ADDRESS, WRONG_FAMILY, GROUP_FAILED.
   */
  async join(group: string, on = this.#multicast.interface): Promise<void> {
    this.core.checkOpen('join')
    await this.#binding.join(group, on)
  }

  /** Leaves a group, as it was joined. Throws as join does. */
  leave(group: string, on = this.#multicast.interface): void {
    this.core.checkOpen('leave')
    this.#binding.leave(group, on)
  }

  get address(): string | undefined {
    return this.#binding.socket?.address
  }

  get knownPeers(): readonly Peer<C, P>[] {
    return [...this.#peers.values()] as unknown as Peer<C, P>[]
  }

  protected override get carrier(): Carrier {
    return 'a datagram'
  }

  protected override get schemes(): readonly string[] {
    return [this.#binding.scheme]
  }

  protected override sendsTo(address: string): boolean {
    return address.startsWith(`${this.#binding.scheme}:`)
  }

  protected override owns(peer: unknown): boolean {
    return this.#routes.owns(peer)
  }

  stats(): SockStats {
    const peers = [...this.#peers.values()].map((peer) => peer.stats())
    const { messagesOut, bytesOut } = this.#strangers
    const all = this.core.counters.snapshot(peers, this.#gate.pending)
    return {
      ...all,
      messagesOut: all.messagesOut + messagesOut,
      bytesOut: all.bytesOut + bytesOut,
      queued: this.#sends.queued,
    }
  }

  // Ending

  /** Forgets a peer. Heard again, it is a new one. */
  closePeer(peer: Peer<C, P> | string): Lost {
    // To callers in JavaScript it must not seem to have closed all of a list.
    if (isIterable(peer)) fail('UNKNOWN_PEER', 'closePeer takes one peer or address')
    const [found] = this.#routes.find(peer as unknown as Peer<C>)
    if (found instanceof DatagramPeer) return found.close()
    return fail('UNKNOWN_PEER', 'no peer has this address', { address: found?.address })
  }

  protected async drainPeers(options: DrainOptions): Promise<void> {
    const { timeout = DRAIN_TIMEOUT } = options
    const late = new Promise<void>((resolve) => {
      this.#deadlines.set(timeout, resolve)
    })
    await Promise.all([...this.#peers.values()].map((peer) => peer.drain(options)))
    await Promise.race([this.#strangers.emptied(), late])
  }

  protected async closePeers(): Promise<Lost> {
    // First, so that each peer knows what of it was not sent.
    const unsent = this.#sends.close()
    for (const peer of [...this.#peers.values()]) peer.close()
    this.#deadlines.clear()
    await this.#binding.close()
    // Last, since a gate that closes the sock has someone waiting until it returns.
    this.#dropsIn.flush()
    return { unsent, unhandled: this.#lost.unhandled }
  }

  protected stopComing(): void {
    this.#keepers.stop()
    this.#attempts.giveUpAll()
    this.#gate.giveUpAll()
  }
}

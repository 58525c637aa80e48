import { parseAddress } from '../address.ts'
import { SockError, fail } from '../errors.ts'
import type { Adopted } from '../net/adopt.ts'
import type { Pipe } from '../net/pipe.ts'
import type { Listener, Transport } from '../net/transport.ts'
import type { Platform } from '../platform/platform.ts'
import type { Codec, RawCodec } from '../wire/codec.ts'
import { BaseSock } from './base-sock.ts'
import { bothLost, NOTHING_LOST } from './counters.ts'
import { Deadlines } from './deadlines.ts'
import { Doors } from './doors.ts'
import { Keepers } from './keeper.ts'
import { type SockOptions, settle } from './options.ts'
import { LivePeer, type PeerHost } from './peer.ts'
import { Sends } from './sends.ts'
import type {
  ConnectOptions,
  DrainOptions,
  Lost,
  Peer,
  SendOptions,
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

/**
 * A sock over streams of bytes, on any transports and any platform. {@link TcpSock} is this class with Node's;
 * tests and simulations pass simulated ones.
 */
export class PipeSock<C extends Codec = RawCodec> extends BaseSock<C> {
  readonly #deadlines: Deadlines
  readonly #doors: Doors<LivePeer<C>>
  readonly #sends: Sends<C>
  readonly #peerHost: PeerHost<C>
  /** All that have a say: connected, or with something left to handle. */
  readonly #peers = new Set<LivePeer<C>>()
  readonly #keepers: Keepers<LivePeer<C>>
  #binding = false
  #listener: Listener | undefined
  #nextId = 1
  /** With the peers that were gone after this sock began to end. */
  #lost: Lost = NOTHING_LOST

  constructor(options: SockOptions<C>, parts: SockParts) {
    const { platform } = parts
    super(settle(options), platform)
    const { core } = this
    const { settings, counters, drops } = core
    this.#deadlines = new Deadlines(platform)
    this.#doors = new Doors<LivePeer<C>>(settings, parts, this.#deadlines, {
      isOpen: () => core.life === 'open',
      countPeers: () => this.#peers.size,
      join: (pipe, dialed) => this.#join(pipe, dialed),
      refused: (who, error) => {
        core.refused(who, error)
      },
      fault: (thrown, where) => {
        core.fault(thrown, where, undefined)
      },
    })
    this.#keepers = new Keepers<LivePeer<C>>(settings.backoff, platform, {
      dial: (address) => {
        core.checkOpen('connectTo')
        return this.#doors.dial(address, {})
      },
      isOver: (peer) => !this.#peers.has(peer),
      onFailed: (address, error, retryIn) => {
        core.events.emit('dialFailed', { address, error, retryIn })
      },
    })
    this.#sends = new Sends<C>(settings, platform, (bytes) => {
      core.dropNobodys('unsendable', bytes)
    })
    this.#peerHost = {
      settings,
      platform,
      deadlines: this.#deadlines,
      sends: this.#sends,
      handle: (peer, payload) => core.dispatch.handle(peer, payload),
      onDropped: (peer, reason, messages, bytes) => {
        // What a peer counts after it was counted in for good.
        if (!this.#peers.has(peer)) counters.dropped(reason, messages)
        drops.add(peer, reason, messages, bytes)
      },
      onEnding: (peer) => {
        this.#sends.unreachable(peer)
      },
      onFarEnd: (peer) => {
        core.events.emit('ended', { peer })
      },
      onGone: (peer, error, lost) => {
        this.#onGone(peer, error, lost)
      },
    }
  }

  // Coming up

  /** Listens on `bind`, takes in the connection that the application made, dials `connect`. */
  protected override async startAll(): Promise<void> {
    const { bind, connect } = this.core.settings
    if (this.#listener === undefined && (bind !== undefined || this.#doors.hasServer))
      await this.startServer()
    await this.#doors.admitAdopted()
    // Whoever heard of the above may have closed this sock: nothing may begin after that.
    this.core.checkOpen('start')
    const kept = connect.map((address) => {
      parseAddress(address)
      return this.#keepers.keep(address)
    })
    await Promise.all(kept)
  }

  async startServer({ bind, backlog }: StartServerOptions = {}): Promise<string> {
    const { core } = this
    core.checkOpen('startServer')
    if (this.#binding) fail('ALREADY_STARTED', 'startServer was called twice')
    if (bind !== undefined && core.settings.bind !== undefined) {
      fail('BIND_TWICE', `bind was ${core.settings.bind} in the options and ${bind} now`)
    }
    this.#binding = true
    try {
      const setUp = this.ready()
      if (setUp !== undefined) await setUp
      const address = bind ?? core.settings.bind
      const listener = await this.#doors.listen(address, backlog === undefined ? {} : { backlog })
      if (core.life !== 'open') {
        await listener.close()
        core.checkOpen('startServer')
      }
      this.#listener = listener
    } catch (error) {
      // What failed can be tried again.
      this.#binding = false
      throw error
    }
    core.begin()
    core.events.emit('listening', { address: this.#listener.address })
    return this.#listener.address
  }

  async connectTo(address: string, options: ConnectOptions = {}): Promise<Peer<C>> {
    this.core.checkOpen('connectTo')
    const setUp = this.ready()
    if (setUp !== undefined) {
      await setUp
      this.core.checkOpen('connectTo')
    }
    return this.#doors.dial(address, options)
  }

  // Peers

  #join(pipe: Pipe, dialed: boolean): LivePeer<C> {
    const { core } = this
    const peer = new LivePeer<C>(`p${this.#nextId++}`, pipe, dialed, this.#peerHost)
    if (dialed) core.counters.dialed++
    else core.counters.accepted++
    this.#peers.add(peer)
    this.#sends.join(peer)
    core.begin()
    // Listened to before it is announced, so that a listener may close it; read from after that.
    peer.attach()
    core.events.emit('peer', { peer })
    peer.start()
    return peer
  }

  #onGone(peer: LivePeer<C>, error: SockError | undefined, lost: Lost): void {
    this.#peers.delete(peer)
    this.core.counters.peerGone(peer.stats())
    if (error !== undefined) this.core.counters.failed(error)
    if (this.core.life !== 'open') this.#lost = bothLost(this.#lost, lost)
    this.core.events.emit('gone', { peer, error, lost })
    this.#keepers.over(peer)
  }

  sendRaw(payload: Uint8Array, options: SendOptions<C> = {}): Promise<void> {
    if (this.core.life !== 'closed') return this.#sends.send(payload, options)
    return this.#sends.refuse(new SockError('CLOSED', 'this sock is closed'), 0)
  }

  get address(): string | undefined {
    return this.#listener?.address
  }

  get knownPeers(): readonly Peer<C>[] {
    return [...this.#peers].filter(({ state }) => state !== 'gone')
  }

  protected override get schemes(): readonly string[] {
    return this.#doors.schemes
  }

  protected override get reachable(): number {
    return this.#sends.reachable.size
  }

  protected override owns(peer: unknown): boolean {
    return this.#sends.owns(peer)
  }

  stats(): SockStats {
    const peers = [...this.#peers].map((peer) => peer.stats())
    return this.core.counters.snapshot(peers, this.#doors.pending)
  }

  // Ending

  closePeer(peer: Peer<C> | string): Lost {
    // One that can be sent nothing any more can still be closed.
    const named = [...this.#peers].filter(({ address, id }) => address === peer || id === peer)
    return closeAll(named.length > 0 ? named : this.#sends.find(peer))
  }

  protected async drainPeers(options: DrainOptions): Promise<void> {
    await Promise.all([...this.#peers].map((peer) => peer.drain(options)))
  }

  protected async closePeers(): Promise<Lost> {
    closeAll([...this.#peers])
    this.#deadlines.clear()
    await this.#listener?.close()
    return this.#lost
  }

  protected stopComing(): void {
    void this.#listener?.close()
    this.#keepers.stop()
    this.#doors.giveUpAll()
  }
}

function closeAll(peers: readonly { close(): Lost }[]): Lost {
  return peers.reduce((lost, peer) => bothLost(lost, peer.close()), NOTHING_LOST)
}

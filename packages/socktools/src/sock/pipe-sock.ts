import { SockError, asSockError, fail } from '../errors.ts'
import type { Adopted } from '../net/adopt.ts'
import type { Pipe } from '../net/pipe.ts'
import { isOneNode } from '../identity/trust.ts'
import type { Listener, Transport } from '../net/transport.ts'
import type { Platform } from '../platform/platform.ts'
import type { Protocol } from '../contract/protocol.ts'
import type { MsgTypes } from '../contract/types.ts'
import type { Codec, RawCodec } from '../wire/codec.ts'
import { BaseSock } from './base-sock.ts'
import { bothLost, NOTHING_LOST } from './counters.ts'
import { Checkpoint } from './checkpoint.ts'
import { Deadlines } from './deadlines.ts'
import { Desk, NO_DESK } from './durable/desk.ts'
import type { Posted, PostOptions } from './durable/types.ts'
import { Doors } from './doors.ts'
import { Keepers } from './keeper.ts'
import { type SockOptions, settle } from './options.ts'
import { LivePeer, type PeerHost } from './peer.ts'
import { Partings } from './partings.ts'
import { RAW_UNDER_V1 } from './plain-only.ts'
import type { PeerOwner } from './peer-hooks.ts'
import { Peers } from './peers.ts'
import { type AnyPeer, Sends } from './sends.ts'
import type {
  ConnectOptions,
  DataOf,
  DrainOptions,
  Lost,
  MessageOptions,
  Peer,
  PipeConnectOptions,
  SendOptions,
  Sock,
  SockStats,
  StartServerOptions,
} from './types.ts'
import type { Greeted, GreetedV1, Greeting } from './v1/greeting.ts'
import { Letter } from './v1/letter.ts'
import type { V1Peer } from './v1/peer.ts'
import { Reunions } from './v1/reunion.ts'
import { V1 } from './v1/v1.ts'

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
export class PipeSock<
  C extends Codec = RawCodec,
  P extends Protocol | undefined = undefined,
> extends BaseSock<C, P> {
  readonly #deadlines: Deadlines
  readonly #partings: Partings
  readonly #doors: Doors<AnyPeer<C>>
  readonly #sends: Sends<C>
  readonly #peerHost: PeerHost<C>
  /** Undefined: this sock speaks the plain wire and nothing else. */
  readonly #v1: V1<C> | undefined
  /** Undefined: there is no store. */
  readonly #desk: Desk<C> | undefined
  readonly #peers: Peers<C>
  readonly #keepers: Keepers<AnyPeer<C>>
  readonly #reunions: Reunions<AnyPeer<C>>
  /** An address that others can reach was listened on or dialed, with nothing proven there. */
  #isInsecure = false
  #binding = false
  #listener: Listener | undefined
  #nextId = 1
  /** With the peers that were gone after this sock began to end. */
  #lost: Lost = NOTHING_LOST

  constructor(options: SockOptions<C, P>, parts: SockParts) {
    const { platform } = parts
    super(settle(options), platform)
    const { core } = this
    const { settings, counters, drops } = core
    this.#peers = new Peers<C>(platform.now)
    this.#deadlines = new Deadlines(platform)
    this.#partings = new Partings(this.#deadlines)
    const checkpoint = new Checkpoint(settings, this.#deadlines, {
      onInsecure: (address) => {
        this.#toldInsecure(address)
      },
      turnAway: (pipe) => {
        // Only where all who come speak v1.
        if (this.#v1 === undefined || settings.wire !== 'v1') pipe.destroy()
        else this.#v1.turnAway(pipe)
      },
    })
    this.#doors = new Doors<AnyPeer<C>>(settings, parts, this.#deadlines, checkpoint, {
      get life() {
        return core.life
      },
      countPeers: () => this.#peers.fixed,
      greet: (pipe, dialed) => this.#v1?.greet(pipe, dialed),
      join: (pipe, dialed, greeted, dialedAt) => this.#join(pipe, dialed, greeted, dialedAt),
      twin: (nodeId, proven, signal) =>
        this.#peers.twin(nodeId, (id) => isOneNode(settings.trust, id, proven), signal),
      refused: (who, error) => {
        core.refused(who, error)
      },
      fault: (thrown, where) => {
        core.fault(thrown, where, undefined)
      },
    })
    const onFailed = (address: string, error: SockError, retryIn: number): void => {
      core.events.emit('dialFailed', { address, error, retryIn })
    }
    this.#keepers = new Keepers<AnyPeer<C>>(settings.backoff, platform, {
      dial: (address) => {
        core.checkOpen('connectTo')
        return this.#dial(address, {})
      },
      // Nor is it up while it waits for the far side to dial.
      isOver: (peer) => !this.#peers.has(peer) || (peer.state === 'detached' && !peer.dialed),
      onFailed,
    })
    this.#reunions = new Reunions<AnyPeer<C>>(settings.backoff, platform, {
      dial: (address, session) => {
        const greet = (pipe: Pipe): Greeting => (this.#v1 as V1<C>).greet(pipe, true, session.again())
        return this.#doors.redial(address, session.identity, greet, (pipe, greeted) => {
          session.resume(pipe, greeted as GreetedV1)
        })
      },
      onFailed,
    })
    this.#sends = new Sends<C>(settings, platform, (bytes) => {
      core.dropNobodys('unsendable', bytes)
    })
    const owner: PeerOwner<C, AnyPeer<C>> = {
      settings,
      platform,
      deadlines: this.#deadlines,
      partings: this.#partings,
      onDropped: (peer, reason, messages, bytes) => {
        // What a peer counts after it was counted in for good.
        if (!this.#peers.has(peer)) counters.dropped(reason, messages)
        drops.add(peer as Peer<C>, reason, messages, bytes)
      },
      onEnding: (peer) => {
        this.#sends.unreachable(peer)
        if (peer.state === 'gone') this.#peers.left(peer)
      },
      onFarEnd: (peer) => {
        this.#peers.left(peer)
        core.events.emit('ended', { peer: peer as Peer<C> })
      },
      onGone: (peer, error, lost) => {
        this.#onGone(peer, error, lost)
      },
    }
    const { framing, maxFrame, frameGrace, frameRate } = settings
    this.#peerHost = {
      ...owner,
      sends: this.#sends,
      wire: {
        ...{ framing, maxFrame, frameGrace, frameRate, timeout: settings.plainTimeout },
        ...{ outboxes: this.#sends.outboxes, saysWhy: false },
      },
      handle: (peer, payload) => core.dispatch.handle(peer, payload),
    }
    if (settings.store !== undefined) this.#desk = new Desk<C>(core, settings.store)
    if (settings.wire !== 'plain')
      this.#v1 = new V1<C>(this as unknown as Sock<C>, core, owner, this.#sends, {
        onDetached: (peer, error) => {
          this.#onDetached(peer, error)
        },
        onResumed: (peer) => {
          this.#peers.resumed(peer)
          core.events.emit('resumed', { peer: peer as unknown as Peer<C> })
        },
        hurry: (peer) => {
          this.#reunions.hurry(peer)
        },
        onSessionLost: (peer, { reason }, facts) => {
          core.events.emit('sessionLost', { peer: peer as unknown as Peer<C>, reason, ...facts })
        },
      })
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
      this.#doors.check(address)
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

  async connectTo(address: string, { name, ...options }: PipeConnectOptions = {}): Promise<Peer<C, P>> {
    this.core.checkOpen('connectTo')
    const setUp = this.ready()
    if (setUp !== undefined) {
      await setUp
      this.core.checkOpen('connectTo')
    }
    const desk = name === undefined ? undefined : this.#needDesk()
    const peer = await this.#dial(address, options)
    if (name !== undefined) desk?.claim(peer, name)
    return peer as unknown as Peer<C, P>
  }

  #toldInsecure(address: string): void {
    if (this.#isInsecure) return
    this.#isInsecure = true
    const what = 'anybody who can reach it can read, change and speak here: insecure is true'
    void this.core.guard('logger', () => this.core.settings.logger?.warn?.(what, { address }))
  }

  async #dial(address: string, options: ConnectOptions): Promise<AnyPeer<C>> {
    const peer = await this.#doors.dial(address, options)
    // Its far side may have dialed us instead.
    if (peer.wire === 'v1') this.#v1?.reached(peer, address)
    return peer
  }

  // What is kept until it is done

  /**
   * Sends a message to whoever has this name, now or later: it is kept in the `store` until the far side says that it is done,
   * over any number of connections and restarts. Those to one name are sent, and handled, in their order.
   */
  post<T extends MsgTypes<P>>(
    name: string,
    type: T,
    data: DataOf<C, P, T>,
    options: PostOptions = {},
  ): Posted {
    return this.#needDesk().post(name, String(type), data, options)
  }

  /**
   * This peer has this name from now on: what is posted to the name goes there. Until it is gone, or another peer has the
   * name; a peer has one name at most. Throws UNSUPPORTED or OVER_PLAIN (the far side cannot say what is done),
   * PEER_GONE, UNKNOWN_PEER, BAD_OPTION.
   */
  claim(peer: Peer<C, P>, name: string): void {
    this.core.checkNotClosed('claim')
    const desk = this.#needDesk()
    const known = this.#peers.all.find((one) => one === (peer as unknown))
    if (known === undefined && peer.state !== 'gone') fail('UNKNOWN_PEER', 'that is no peer of this sock')
    desk.claim(known ?? (peer as unknown as AnyPeer<C>), name)
  }

  #needDesk(): Desk<C> {
    return this.#desk ?? fail('BAD_OPTION', 'to post, a sock needs the option `store`')
  }

  // Peers

  #join(pipe: Pipe, dialed: boolean, greeted?: Greeted, dialedAt?: string): AnyPeer<C> {
    const { core } = this
    if (greeted?.wire === 'v1' && greeted.resumed !== undefined && this.#v1 !== undefined)
      return this.#v1.comeBack(pipe, greeted)
    const id = `p${this.#nextId++}`
    const peer =
      greeted?.wire === 'v1' && this.#v1 !== undefined
        ? this.#v1.join(id, pipe, dialed, greeted, dialedAt)
        : new LivePeer<C>(id, pipe, dialed, this.#peerHost)
    if (dialed) core.counters.dialed++
    else core.counters.accepted++
    this.#peers.makeRoom(core.settings.maxPeers)
    this.#peers.add(peer)
    this.#sends.join(peer)
    core.begin()
    // Listened to before it is announced, so that a listener may close it; read from after that.
    peer.attach()
    if (peer.wire === 'v1') this.#v1?.joined(peer)
    core.events.emit('peer', { peer: peer as Peer<C> })
    this.#desk?.join(peer)
    peer.start(greeted?.early)
    if (peer.wire === 'v1' && greeted?.wire === 'v1' && greeted.broken !== undefined)
      peer.lostPipe(greeted.broken)
    if (peer.wire === 'v1' && !dialed) this.#peers.came(peer)
    return peer
  }

  #onDetached(peer: V1Peer<C>, error: SockError | undefined): void {
    this.#peers.detached(peer)
    this.core.events.emit('detached', { peer: peer as unknown as Peer<C>, error })
    const { dialedAt, session } = peer
    const moved = session?.moved ?? false
    // A listener may have closed it.
    if (peer.state === 'gone') return
    if (dialedAt === undefined || session === undefined) {
      // It is for the far side to come back; but one that is kept up from here, too, need not wait for that.
      this.#keepers.over(peer, peer.leaving.notBefore, moved)
      return
    }
    this.#reunions.start(peer, session, dialedAt, moved)
  }

  #onGone(peer: AnyPeer<C>, error: SockError | undefined, lost: Lost): void {
    this.#peers.delete(peer)
    if (peer.wire === 'v1') this.#desk?.gone(peer)
    this.#reunions.stop(peer)
    this.core.counters.peerGone(peer.stats())
    if (error !== undefined) this.core.counters.failed(error)
    if (this.core.life !== 'open') this.#lost = bothLost(this.#lost, lost)
    this.core.events.emit('gone', { peer: peer as Peer<C>, error, lost })
    this.#keepers.over(peer, peer.wire === 'v1' ? peer.leaving.notBefore : 0)
  }

  override sendMsg<T extends MsgTypes<P>>(
    type: T,
    data: DataOf<C, P, T>,
    options: SendOptions<C, P> & MessageOptions = {},
  ): Promise<void> {
    const { contract, codec, codecs } = this.core.settings
    if (this.#v1 === undefined || contract === undefined) return super.sendMsg(type, data, options)
    try {
      if (this.core.life === 'closed') fail('CLOSED', 'this sock is closed')
      const letter = new Letter(contract, String(type), data, { codec, codecs })
      return this.#sends.sendMsg(letter, options as unknown as SendOptions<C>)
    } catch (thrown) {
      return this.#sends.refuse(asSockError(thrown, 'CANNOT_ENCODE', 'the codec failed'), 0)
    }
  }

  sendRaw(payload: Uint8Array, options: SendOptions<C, P> = {}): Promise<void> {
    if (this.core.settings.wire === 'v1')
      return this.#sends.refuse(new SockError('OVER_PLAIN', RAW_UNDER_V1), payload.length)
    if (this.core.life !== 'closed') return this.#sends.send(payload, options as unknown as SendOptions<C>)
    return this.#sends.refuse(new SockError('CLOSED', 'this sock is closed'), 0)
  }

  get address(): string | undefined {
    return this.#listener?.address
  }

  get knownPeers(): readonly Peer<C, P>[] {
    return this.#peers.all.filter(({ state }) => state !== 'gone') as unknown as Peer<C, P>[]
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
    const peers = this.#peers.all.map((peer) => peer.stats())
    const snapshot = this.core.counters.snapshot(peers, this.#doors.pending)
    const stats: SockStats = this.#isInsecure ? { ...snapshot, insecure: true } : snapshot
    if (this.#v1 === undefined) return stats
    return {
      ...stats,
      durable: { ...(this.#desk?.stats() ?? NO_DESK), duplicates: this.#v1.intake.duplicates },
    }
  }

  // Ending

  closePeer(peer: Peer<C, P> | string): Lost {
    // One that can be sent nothing any more can still be closed.
    const named = this.#peers.all.filter(({ address, id }) => address === peer || id === peer)
    return closeAll(named.length > 0 ? named : this.#sends.find(peer as unknown as Peer<C>))
  }

  protected async drainPeers(options: DrainOptions): Promise<void> {
    this.#desk?.stop()
    this.#v1?.end()
    await Promise.all(this.#peers.all.map((peer) => peer.drain(options)))
  }

  protected async closePeers(): Promise<Lost> {
    this.#v1?.end()
    closeAll(this.#peers.all)
    this.#desk?.end()
    this.#partings.end()
    this.#deadlines.clear()
    await this.#listener?.close()
    return this.#lost
  }

  protected stopComing(): void {
    // Whose connection breaks while we drain may have to come back for the rest, and with it.
    const takesBack = this.core.life === 'draining' && this.#v1?.hasSessions === true
    if (!takesBack) void this.#listener?.close()
    this.#keepers.stop()
    this.#doors.giveUpAll(takesBack)
  }
}

function closeAll(peers: readonly { close(): Lost }[]): Lost {
  return peers.reduce((lost, peer) => bothLost(lost, peer.close()), NOTHING_LOST)
}

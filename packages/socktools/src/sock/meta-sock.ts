import { parseAddress, schemeOf, unknownScheme } from '../address.ts'
import type { Protocol } from '../contract/protocol.ts'
import type { MsgTypes } from '../contract/types.ts'
import type { SockError } from '../errors.ts'
import { asSockError, fail } from '../errors.ts'
import type { Off } from '../events.ts'
import { nodePlatform } from '../platform/node.ts'
import type { Platform } from '../platform/platform.ts'
import type { Codec } from '../wire/codec.ts'
import { BaseSock, type InnerSock } from './base-sock.ts'
import type { Core } from './core.ts'
import { bothLost, NOTHING_LOST, totalOf } from './counters.ts'
import { misfitOf } from './meta-contract.ts'
import { namedAmong, sendByAll } from './meta-sends.ts'
import { type Settings, settle, type SockOptions } from './options.ts'
import { needMsg } from './payload.ts'
import type {
  ConnectOptions,
  DataOf,
  DrainOptions,
  Lost,
  MessageOptions,
  Peer,
  SendOptions,
  Sock,
  SockStats,
  StartServerOptions,
} from './types.ts'
import { rejected } from './waiter.ts'

/** Sends and receives whatever the socks in it do. */
export type AnyCodec = Codec<unknown>

export interface MetaSockOptions<C extends Codec = AnyCodec, P extends Protocol | undefined = undefined>
  extends Pick<SockOptions<C, P>, 'handlers' | 'tick' | 'tickInterval' | 'logger'> {
  /** What the socks in it and their peers can say to each other, as far as the meta is concerned. */
  readonly protocol?: P
  /** The handlers and messages() of the socks in it keep silent: what arrives is for the meta. Default false. */
  readonly override?: boolean
}

export interface AddOptions {
  /**
   * It is drained and closed with the meta. Else the meta lets go of it, and does not wait for handlers that are at
   * work on a message of its. Default true.
   */
  readonly owned?: boolean
}

interface Member {
  readonly owned: boolean
  readonly off: Off
}

/**
 * Several socks as one: whatever they carry and wherever they listen, their messages reach one table of handlers.
 *
 * ```ts
 * const meta: MetaSock = new MetaSock({
 *   handlers: { say: (line, { peer }) => meta.sendMsg('say', line, { except: peer }) },
 * })
 * const tcp = meta.add(new TcpSock({ codec: json(), bind: 'tcp://127.0.0.1:0' }))
 * const local = meta.add(new TcpSock({ codec: json(), bind: 'unix:/run/app.sock' }))
 * await meta.start()
 * ```
 *
 * - `context.sock` is the sock that has the peer, and each sock encodes with its own codec. `C` is what all of
 *   them speak; by default nothing is known of it.
 * - A message goes through the middleware and the handlers of its own sock, then through those of the meta, then
 *   through those of the meta that this one is in. The next message of that peer waits for all of them.
 * - Events of the socks are raised on the meta as well, but for `closed`. One logger writes each, the innermost.
 * - What is in the meta when a message comes to the handlers of its sock is what handles it, whole: after
 *   `remove`, messages whose handlers had begun are finished by the meta, and no other comes to it.
 * - A sock that is closed leaves its meta.
 *
 * With a `protocol` it takes in socks that have each of its types, of the same kind, whatever wire they speak: what the
 * one has and the other does not reaches the handlers of its own sock alone. A call, feed or channel is answered by the
 * first that has a handler for it.
 *
 * Of the hooks for subclasses it has `handleAll`, `tick` and `setUp`; the others are those of the socks in it
 * (BAD_OPTION).
 */
export class MetaSock<
  C extends Codec = AnyCodec,
  P extends Protocol | undefined = undefined,
> extends BaseSock<C, P> {
  /** In the order in which they came. */
  readonly #members = new Map<InnerSock, Member>()
  /** What those that were closed had counted. */
  #past = totalOf([])
  /** By those that were closed with this one. */
  #lost: Lost = NOTHING_LOST

  constructor(
    options: MetaSockOptions<C, P> = {},
    { platform = nodePlatform }: { readonly platform?: Platform } = {},
  ) {
    super(settleMeta(options), platform)
    for (const name of ['parse', 'serialise', 'goodPeer'] as const) {
      // A gate that is never asked would be open.
      if (this[name] !== BaseSock.prototype[name])
        fail('BAD_OPTION', `a MetaSock never calls ${name}: give it to the class of the socks in it`)
    }
    this.core.overrides = options.override === true
    const begin = (): void => {
      this.core.begin()
    }
    // In one of the socks in here.
    this.core.events.on('listening', begin)
    this.core.events.on('peer', begin)
  }

  // The socks in it

  /** Takes a sock in, at any time. Returns it. Throws BAD_CHILD; CLOSED or DRAINING if either of them is. */
  add<S extends Sock<C, P>>(sock: S, { owned = true }: AddOptions = {}): S {
    this.core.checkOpen('add')
    const inner = BaseSock.inner(sock) ?? fail('BAD_CHILD', 'what was added is no sock of this library')
    inner.core.checkOpen('adding it to a meta')
    for (let up: Core<Codec> | undefined = this.#asParent; up !== undefined; up = up.parent) {
      if (up === inner.core) fail('BAD_CHILD', 'a meta was added to itself, or to one that is in it')
    }
    if (inner.core.parent !== undefined) {
      const where = this.#members.has(inner) ? 'this meta' : 'another meta'
      fail('BAD_CHILD', `what was added is in ${where} already`)
    }
    const misfit = misfitOf(this.core.settings.contract, inner.core.settings.contract)
    if (misfit !== undefined) fail('BAD_CHILD', `what was added has another protocol: ${misfit}`)
    const off = sock.on('closed', ({ lost }) => {
      if (owned && this.core.life !== 'open') this.#lost = bothLost(this.#lost, lost)
      this.#past = totalOf([this.#past, inner.stats()])
      this.#release(inner)
    })
    this.#members.set(inner, { owned, off })
    inner.core.moveTo(this.#asParent)
    if (inner.address !== undefined || inner.reachable > 0) this.core.begin()
    return sock
  }

  /** Lets go of a sock, which goes on by itself. Whether it was in here. */
  remove(sock: Sock<C, P>): boolean {
    const inner = BaseSock.inner(sock)
    if (inner === undefined || !this.#members.has(inner)) return false
    this.#release(inner)
    return true
  }

  #release(inner: InnerSock): void {
    this.#members.get(inner)?.off()
    this.#members.delete(inner)
    inner.core.moveTo(undefined)
  }

  /** To those in it, it does not matter what this one takes them for. */
  get #asParent(): Core<Codec> {
    return this.core
  }

  /** The socks at the ends of all branches that can still be used. */
  protected override get leaves(): readonly InnerSock[] {
    return [...this.#members.keys()].flatMap((inner) => (inner.core.life === 'closed' ? [] : inner.leaves))
  }

  protected override get schemes(): readonly string[] {
    return [...new Set(this.leaves.flatMap(({ schemes }) => schemes))]
  }

  // Coming up

  /**
   * Starts every sock in it that was not started; may be called again. Rejects with the first error, when all the
   * others are up.
   */
  override async start(): Promise<void> {
    this.core.checkOpen('start')
    await this.ready()
    this.core.checkOpen('start')
    this.core.begin()
    await this.startAll()
  }

  protected override async startAll(): Promise<void> {
    const starts = await Promise.allSettled([...this.#members.keys()].map((inner) => inner.startUp()))
    const failed = starts.find(({ status }) => status === 'rejected')
    if (failed?.status === 'rejected') throw failed.reason as SockError
  }

  protected override startUp(): Promise<void> {
    return this.start()
  }

  /** As start. Returns the first address. Rejects with NOT_BOUND if no sock in it listens after that. */
  async startServer({ bind }: StartServerOptions = {}): Promise<string> {
    if (bind !== undefined)
      fail('BAD_OPTION', 'a meta listens where the socks in it do: give `bind` to one of them')
    await this.start()
    return this.address ?? fail('NOT_BOUND', 'no sock in this meta listens')
  }

  /** Dials with the first sock in it that knows how to. Rejects as Sock.connectTo. */
  async connectTo(address: string, options: ConnectOptions = {}): Promise<Peer<C, P>> {
    this.core.checkOpen('connectTo')
    await this.ready()
    this.core.checkOpen('connectTo')
    const scheme = schemeOf(parseAddress(address))
    const able = this.leaves.find(({ core, schemes }) => core.life === 'open' && schemes.includes(scheme))
    if (able === undefined) return unknownScheme(address, 'sock that is not in this meta', this.schemes)
    return (await able.connectTo(address, options)) as unknown as Peer<C, P>
  }

  /** The first address that one of its socks listens on. */
  get address(): string | undefined {
    return this.addresses[0]
  }

  /** All of them. */
  get addresses(): readonly string[] {
    return this.leaves.flatMap(({ address }) => address ?? [])
  }

  // Peers

  get knownPeers(): readonly Peer<C, P>[] {
    return this.leaves.flatMap(({ knownPeers }) => knownPeers) as unknown as Peer<C, P>[]
  }

  protected override owns(peer: unknown): boolean {
    return this.leaves.some((leaf) => leaf.owns(peer))
  }

  /**
   * Sends one message to every peer of every sock in it, or to some. Each sock encodes it once, with its codec. One
   * that fails keeps no other from it: the promise rejects with the first error when all have been asked.
   * An id (`p1`) that peers of several socks have names none of them: UNKNOWN_PEER. Headers are OVER_PLAIN from the socks
   * that cannot carry them. Otherwise as Sock.sendMsg.
   */
  override sendMsg<T extends MsgTypes<P>>(
    type: T,
    data: DataOf<C, P, T>,
    options: SendOptions<C, P> & MessageOptions = {},
  ): Promise<void> {
    const { contract } = this.core.settings
    return this.#send(options, (leaves, own) => {
      if (contract !== undefined) needMsg(contract, type)
      return sendByAll(leaves, own, (leaf, each) => leaf.sendMsg(type, data as never, each))
    })
  }

  /** Sends one payload as it is, to peers of whatever codec. Otherwise as sendMsg. */
  sendRaw(payload: Uint8Array, options: SendOptions<C, P> = {}): Promise<void> {
    return this.#send(options, (leaves, own) =>
      sendByAll(leaves, own, (leaf, each) => leaf.sendRaw(payload, each)),
    )
  }

  #send(
    options: SendOptions<C, P> & MessageOptions,
    by: (leaves: readonly InnerSock[], options: SendOptions<Codec> & MessageOptions) => Promise<void>,
  ): Promise<void> {
    try {
      if (this.core.life === 'closed') fail('CLOSED', 'this sock is closed')
      return by(this.leaves, options as unknown as SendOptions<Codec>)
    } catch (thrown) {
      this.core.dropNobodys('unsendable', 0)
      return rejected(asSockError(thrown, 'CANNOT_ENCODE', 'a sock in this meta failed'))
    }
  }

  /** Ends the connection of one peer, or of all with one address. Throws UNKNOWN_PEER. */
  closePeer(peer: Peer<C, P> | string): Lost {
    const { leaves } = this
    const peers = typeof peer === 'string' ? namedAmong(leaves, peer) : [peer as unknown as Peer<Codec>]
    return peers.reduce((lost, one) => {
      const owner = leaves.find((leaf) => leaf.owns(one))
      if (owner === undefined) return fail('UNKNOWN_PEER', 'this is no peer of a sock in here')
      return bothLost(lost, owner.closePeer(one))
    }, NOTHING_LOST)
  }

  /** The sums over the socks in it and over those that were closed in it, and what the meta counted itself. */
  stats(): SockStats {
    const inner = [...this.#members.keys()].map((member) => member.stats())
    return totalOf([this.core.counters.snapshot([], 0), this.#past, ...inner])
  }

  // Ending

  protected async drainPeers(options: DrainOptions): Promise<void> {
    await Promise.all(this.#owned().map((inner) => inner.drain(options)))
  }

  protected async closePeers(): Promise<Lost> {
    // All at once, the first first.
    await Promise.all(this.#owned().map((inner) => inner.close()))
    for (const inner of [...this.#members.keys()]) this.#release(inner)
    return this.#lost
  }

  protected stopComing(): void {
    // Whoever could bring new peers is in the socks, which are told by themselves.
  }

  #owned(): InnerSock[] {
    return [...this.#members].filter(([, { owned }]) => owned).map(([inner]) => inner)
  }
}

const OPTIONS = ['protocol', 'handlers', 'tick', 'tickInterval', 'logger', 'override']

function settleMeta<C extends Codec, P extends Protocol | undefined>(
  options: MetaSockOptions<C, P>,
): Settings<C> {
  // Callers in JavaScript may pass anything, which settle() refuses.
  const { override = false, ...rest } = { ...options }
  for (const name of Object.keys(rest)) {
    if (!OPTIONS.includes(name)) fail('BAD_OPTION', `a MetaSock has no option "${name}"; the socks in it may`)
  }
  if (typeof override !== 'boolean') fail('BAD_OPTION', 'override is true or false')
  // The wires are those of the socks in it.
  return settle<C, P>(isObject(options) ? { ...rest, wire: 'plain' } : options)
}

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null

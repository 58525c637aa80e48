import { isCallError, type SockError } from '../../errors.ts'
import { fingerprint, structureHash } from '../../contract/fingerprint.ts'
import type { Contract, TypeInfo } from '../../contract/protocol.ts'
import { isOneNode, isSameKey } from '../../identity/trust.ts'
import type { Pipe } from '../../net/pipe.ts'
import type { Codec } from '../../wire/codec.ts'
import { encodeTable } from '../../wire/v1/bodies.ts'
import { DONES, MIN_WINDOW, RESENDS, SESSIONS } from '../../wire/v1/hello.ts'
import { Blocks } from '../../wire/v1/retained.ts'
import { judge } from '../../wire/v1/resent.ts'
import { equal, keyOf, SessionLost, Tombstones } from '../../wire/v1/resumption.ts'
import type { Core } from '../core.ts'
import { Intake } from '../durable/intake.ts'
import { Unserved } from '../middleware.ts'
import type { PeerOwner } from '../peer-hooks.ts'
import type { AnyPeer, Sends } from '../sends.ts'
import type { Peer, Sock } from '../types.ts'
import type { DataCodec } from './data.ts'
import { FrameWriter, MAX_FRAME } from './frame-writer.ts'
import type { Again, GreetedV1, Terms } from './greeted.ts'
import { Greeting } from './greeting.ts'
import { turnAway } from './handshake-pipe.ts'
import type { V1Host } from './host.ts'
import { NodeSessions } from './node-sessions.ts'
import { V1Peer } from './peer.ts'
import { Resends } from './resends.ts'
import { ServeContext } from './serve-context.ts'
import { Twins } from './twins.ts'

/** What a sock that speaks v1 has for it: what it says of itself, and how its application is reached. */
export class V1<C extends Codec> {
  readonly #terms: Terms
  /** Whether the second id is the first one, or has taken its place. */
  readonly #isSameKey: (before: string | undefined, now: string | undefined) => boolean
  readonly #host: V1Host<C>
  /** By the id of their session: those that a dialer may come back to. */
  readonly #sessions = new Map<string, V1Peer<C>>()
  /** By the id of their session: those whose handshake is done, and that are no peers yet. */
  readonly #held = new Map<string, () => Promise<void>>()
  readonly #tombstones = new Tombstones()
  readonly #nodes: NodeSessions<V1Peer<C>>
  /** By the id of their session: all that have one. */
  readonly #live = new Map<string, V1Peer<C>>()
  readonly #resends: Resends<V1Peer<C>>
  readonly intake: Intake

  constructor(
    sock: Sock<C>,
    core: Core<C>,
    owner: PeerOwner<C, AnyPeer<C>>,
    sends: Sends<C>,
    events: Pick<V1Host<C>, 'onDetached' | 'onResumed' | 'hurry' | 'onSessionLost'>,
  ) {
    const { settings, platform } = core
    this.intake = new Intake(settings.inbox ?? settings.store)
    this.#nodes = new NodeSessions(settings.maxSessionsPerNode)
    const contract = settings.contract as Contract
    const hash = platform.hash
    const { trust } = settings
    this.#isSameKey = (before, now) => isSameKey(trust, before, now)
    const nodeId = platform.randomBytes(16)
    this.#terms = {
      ...settings,
      twins: new Twins({
        nodeId,
        now: platform.now,
        isOne: (one, other) => isOneNode(trust, one, other),
      }),
      wire: settings.wire === 'auto' ? 'auto' : 'v1',
      contract,
      offer: {
        features: DONES | (settings.sessions ? SESSIONS | RESENDS : 0n),
        nodeId,
        incarnation: platform.randomBytes(16),
        fingerprint: fingerprint(contract, hash),
        codecs: settings.codecs.map(({ name }) => name),
        maxMessage: u32(settings.maxMessage),
        eventWindow: u32(Math.max(settings.readMark, MIN_WINDOW)),
        laneWindow: u32(settings.streamWindow),
        maxCalls: u32(settings.maxCalls),
        maxStreams: u32(settings.maxStreams),
        heartbeat: u32(settings.heartbeat),
        ttl: u32(settings.timeout),
      },
      newSession: ({ nodeId: far }, from) => {
        this.#nodes.check(nodeAt(from, keyOf(far)))
        return { sessionId: platform.randomBytes(16), token: platform.randomBytes(16), lastRecv: 0 }
      },
      held: ({ sessionId }, release) => {
        const key = keyOf(sessionId)
        this.#held.set(key, release)
        return () => this.#held.delete(key)
      },
      resume: async (hello, proven) => {
        const key = keyOf(hello.resume?.sessionId ?? new Uint8Array(0))
        await this.#held.get(key)?.()
        const { session, identity } = this.#sessions.get(key) ?? {}
        if (session === undefined) throw this.#tombstones.tell(hello, key)
        // A session is its key's: who has its token, and another key, has stolen it.
        if (!this.#isSameKey(identity, proven)) throw new SessionLost('not-yours')
        const refusal = session.resumption.refusal(hello)
        if (refusal !== undefined) throw new SessionLost(refusal)
        return session
      },
      table: encodeTable(
        contract.types.map((type) => ({ kind: type.kind, name: type.name, hash: structureHash(type, hash) })),
      ),
    }
    const writer = new FrameWriter()
    const outboxes = sends.framedBy(writer)
    const { frameGrace, frameRate } = settings
    const codecs = new Map(
      settings.codecs.map(({ name, values }) => [name, { name, ...values } as DataCodec]),
    )
    const { dispatch, counters } = core
    this.#resends = new Resends<V1Peer<C>>({
      deadlines: owner.deadlines,
      sessionTtl: settings.sessionTtl,
      maxRetained: settings.maxRetained,
      codecNamed: (name) => codecs.get(name) as DataCodec,
      isSameKey: this.#isSameKey,
    })
    const clock = { deadlines: owner.deadlines, now: platform.now }
    this.#host = {
      ...(owner as PeerOwner<C, V1Peer<C>>),
      onGone: (peer, error, lost) => {
        this.#forget(peer, error)
        owner.onGone(peer, error, lost)
      },
      ...events,
      hold: (peer, messages) => this.#resends.hold(peer, messages),
      judge: (peer, places) => {
        const judged = judge(places, (session) => this.#receivedOf(session, peer))
        if (judged === 'taken') counters.repeated++
        return judged
      },
      blocks: new Blocks(),
      randomBytes: platform.randomBytes,
      outboxes,
      writer,
      wire: {
        ...{ framing: writer, maxFrame: MAX_FRAME, frameGrace, frameRate, timeout: settings.timeout },
        ...{ outboxes, saysWhy: true },
      },
      contract,
      offer: this.#terms.offer,
      codecNamed: (name) => codecs.get(name) as DataCodec,
      event: (peer, type, body, read, facts) => {
        dispatch.tapped(of(peer), body)
        return dispatch.read(of(peer), type, body, facts, read)
      },
      answer: (peer, { id, done }, handle, tell) => {
        if (id !== undefined) return this.intake.take(peer, id, done, handle, tell)
        const code = handle()
        const told = (given: string | undefined): void => {
          if (given !== undefined) tell(given)
        }
        if (code instanceof Promise) return code.then(told)
        told(code)
        return undefined
      },
      told: () => this.intake.settled(),
      inboxFailed: (peer, thrown) => {
        core.fault(thrown, 'inbox', of(peer))
      },
      inbox: {
        turn: sends.turn,
        concurrency: settings.concurrency,
        readMark: settings.readMark,
        afterPoll: platform.afterPoll,
      },
      serve: (peer, { type, data, headers, deadline }, channel) => {
        const until = deadline === undefined ? undefined : platform.now() + deadline
        const served = new ServeContext<C>(sock, of(peer), type.name, headers, until, clock)
        return { answer: dispatch.serve({ type: type.name, data: channel ?? data }, served), served }
      },
      failed: (peer, thrown, type) => {
        this.#failed(core, of(peer), thrown, type)
      },
      invalid: (peer, { name }, body, error) => {
        core.counters.invalid++
        core.events.emit('invalid', { peer: of(peer), type: name, payload: body, error })
      },
      unhandled: (peer, type, body) => {
        core.counters.unhandled++
        core.events.emit('unhandled', { peer: of(peer), type, data: body as never })
      },
      late: () => {
        counters.late++
      },
      slowed: () => {
        counters.slowed++
      },
    }
  }

  /** A peer that has just joined, before anybody else can send it anything. */
  joined(peer: V1Peer<C>): void {
    this.#resends.joined(peer)
  }

  /** This peer was dialed, at an address that may not be the one which its connection was dialed at. */
  reached(peer: V1Peer<C>, address: string): void {
    this.#resends.reached(peer, address)
  }

  /** The sock is about to end: no session follows one that is lost. */
  end(): void {
    this.#resends.end()
  }

  /**
   * Up to which seq a session was received that the far side of this peer says is over. What it still has is dropped first: the
   * message that is asked about may be on its way there, too.
   */
  #receivedOf(key: string, { incarnation, session, identity }: V1Peer<C>): number | undefined {
    const live = this.#live.get(key)
    if (live?.session === undefined) return this.#tombstones.received(key, incarnation)
    if (live.session === session || !equal(live.incarnation, incarnation)) return undefined
    // Of a session that is another key's it hears nothing, and ends nothing; a key may have taken the place of one.
    if (!this.#isSameKey(live.identity, identity)) return undefined
    if (live.state !== 'gone') live.session.lose(new SessionLost('ended', undefined, live.address))
    return live.session.received
  }

  /** `again`: to go on with a session that we dialed. */
  greet(pipe: Pipe, dialed: boolean, again?: Again): Greeting {
    return new Greeting(pipe, dialed, this.#terms, this.#host, again)
  }

  /** One that dialed us, and has proven a key that is not taken. */
  turnAway(pipe: Pipe): void {
    turnAway(pipe, this.#host.partings)
  }

  /** `dialedAt`: the address that was dialed, where it can be dialed again. */
  join(id: string, pipe: Pipe, dialed: boolean, greeted: GreetedV1, dialedAt: string | undefined): V1Peer<C> {
    const peer = new V1Peer<C>(id, pipe, dialed, this.#host, greeted, dialedAt)
    if (peer.session === undefined) return peer
    this.#live.set(peer.session.key, peer)
    if (!dialed) {
      this.#nodes.add(nodeAt(peer.identity ?? peer.host, peer.nodeId), peer)
      this.#sessions.set(peer.session.key, peer)
    }
    return peer
  }

  /** One that dialed us goes on with its session. */
  comeBack(pipe: Pipe, greeted: GreetedV1): V1Peer<C> {
    const peer = this.#sessions.get(keyOf(greeted.session?.sessionId ?? new Uint8Array(0)))
    if (peer?.session === undefined) throw new SessionLost('ended', undefined, pipe.remote.address)
    peer.session.resume(pipe, greeted)
    return peer
  }

  /** Somebody may come back. */
  get hasSessions(): boolean {
    return this.#sessions.size > 0
  }

  #forget(peer: V1Peer<C>, error: SockError | undefined): void {
    const { session, dialed } = peer
    this.#resends.gone(peer)
    if (session === undefined) return
    const { resumption, received } = session
    this.#live.delete(session.key)
    this.#nodes.delete(peer)
    if (!dialed) this.#sessions.delete(session.key)
    const reason = error instanceof SessionLost ? error.reason : 'ended'
    this.#tombstones.add({ resumption, reason, lastRecv: received })
  }

  /** What a handler threw: a CallError is an answer like any other. */
  #failed(core: Core<C>, peer: Peer<C>, thrown: unknown, { name }: TypeInfo): void {
    if (isCallError(thrown)) return
    if (Unserved.is(thrown)) {
      if (thrown.code === 'REFUSED') return
      core.counters.unhandled++
      core.events.emit('unhandled', { peer, type: name, data: undefined as never })
      return
    }
    core.fault(thrown, `handler of "${name}"`, peer)
  }
}

/** A nodeId is only said: nobody with another key, or where none is proven at another host, can take the place of one. */
const nodeAt = (from: string, nodeId: string): string => `${from} ${nodeId}`

/** As the wire can say it: options may be Infinity. */
const u32 = (n: number): number => Math.min(Math.floor(n), 0xffff_ffff)

/** To the application a peer is of the types that its contract says. */
const of = <C extends Codec>(peer: V1Peer<C>): Peer<C> => peer as unknown as Peer<C>

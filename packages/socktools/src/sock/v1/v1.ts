import { isCallError } from '../../errors.ts'
import { fingerprint, structureHash } from '../../contract/fingerprint.ts'
import type { Contract, TypeInfo } from '../../contract/protocol.ts'
import type { Pipe } from '../../net/pipe.ts'
import type { Codec } from '../../wire/codec.ts'
import { encodeTable } from '../../wire/v1/bodies.ts'
import { MIN_WINDOW } from '../../wire/v1/hello.ts'
import { NO_HEADERS } from '../context.ts'
import type { Core } from '../core.ts'
import { Unserved } from '../dispatch.ts'
import type { PeerOwner } from '../pipe-peer.ts'
import type { AnyPeer, Sends } from '../sends.ts'
import type { Peer, Sock } from '../types.ts'
import type { DataCodec } from './data.ts'
import { FrameWriter } from './frame-writer.ts'
import { type GreetedV1, Greeting, type Terms } from './greeting.ts'
import { V1Peer, type V1Host } from './peer.ts'
import { ServeContext } from './serve-context.ts'

/** What a sock that speaks v1 has for it: what it says of itself, and how its application is reached. */
export class V1<C extends Codec> {
  readonly #terms: Terms
  readonly #host: V1Host<C>

  constructor(sock: Sock<C>, core: Core<C>, owner: PeerOwner<C, AnyPeer<C>>, sends: Sends<C>) {
    const { settings, platform } = core
    const contract = settings.contract as Contract
    const hash = platform.hash
    this.#terms = {
      ...settings,
      wire: settings.wire === 'auto' ? 'auto' : 'v1',
      contract,
      offer: {
        features: 0n,
        nodeId: platform.randomBytes(16),
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
      table: encodeTable(
        contract.types.map((type) => ({ kind: type.kind, name: type.name, hash: structureHash(type, hash) })),
      ),
    }
    const writer = new FrameWriter()
    const codecs = new Map(
      settings.codecs.map(({ name, values }) => [name, { name, ...values } as DataCodec]),
    )
    const { dispatch, counters } = core
    const clock = { deadlines: owner.deadlines, now: platform.now }
    this.#host = {
      ...(owner as PeerOwner<C, V1Peer<C>>),
      outboxes: sends.framedBy(writer),
      writer,
      contract,
      offer: this.#terms.offer,
      codecNamed: (name) => codecs.get(name) as DataCodec,
      event: (peer, type, body, read, headers = NO_HEADERS) => {
        dispatch.tapped(of(peer), body)
        return dispatch.read(of(peer), type, body, headers, read)
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
    }
  }

  greet(pipe: Pipe, dialed: boolean): Greeting {
    return new Greeting(pipe, dialed, this.#terms, this.#host)
  }

  join(id: string, pipe: Pipe, dialed: boolean, greeted: GreetedV1): V1Peer<C> {
    return new V1Peer<C>(id, pipe, dialed, this.#host, greeted)
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

/** As the wire can say it: options may be Infinity. */
const u32 = (n: number): number => Math.min(Math.floor(n), 0xffff_ffff)

/** To the application a peer is of the types that its contract says. */
const of = <C extends Codec>(peer: V1Peer<C>): Peer<C> => peer as unknown as Peer<C>

import { type ErrorCode, SockError } from '../../errors.ts'
import type { Contract, TypeInfo } from '../../contract/protocol.ts'
import * as kinds from '../../wire/v1/frame.ts'
import { agreedFeatures, DONES, type Offer, RESENDS } from '../../wire/v1/hello.ts'
import type { Retained } from '../../wire/v1/retained.ts'
import { Sequence } from '../../wire/v1/session.ts'
import type { Outbox } from '../outbox.ts'
import type { DropReason } from '../types.ts'
import { type CallHost, Calls } from './calls.ts'
import type { DataCodec } from './data.ts'
import type { FarTypes } from './far-types.ts'
import { type Events, Inbound, type Takers } from './inbound.ts'
import { Spare } from './keep.ts'
import type { Asked, Link } from './link.ts'
import { Outbound, type Way } from './outbound.ts'
import type { Served } from './served-calls.ts'
import type { Stream } from './stream.ts'
import { type StreamHost, Streams } from './streams.ts'

/** What is the same for all connections of a sock. */
export interface MuxShared
  extends Pick<Way, 'outboxes' | 'writer' | 'platform' | 'deadlines'>,
    Pick<Takers, 'inbox'> {
  readonly settings: Pick<Way, 'maxRetained' | 'highWaterMark'> & { readonly maxQueue: number }
  readonly contract: Contract
  /** What we say of ourselves, and grant. */
  readonly offer: Offer
}

/** What was agreed with this far side. */
interface Agreed {
  readonly theirs: Offer
  readonly types: FarTypes
  readonly codec: DataCodec
  /** Undefined: there is no session. */
  readonly retained: Retained | undefined
}

/** The peer whose lanes these are. */
export interface MuxPeer {
  readonly address: string
  readonly dialed: boolean
  readonly outbox: Outbox
  readonly state: string
  /** Why nothing of this type can be sent to it any more, or not now. */
  barred(type: TypeInfo): SockError | undefined
  dropped(reason: DropReason, bytes: number): void
  /** As in Takers. */
  onGoaway(delay: number): void
  /** As in Takers. */
  gaveUp(): void
  /** No event waits, and no handler of one runs. */
  idled(): void
}

/** The application, as far as this peer is concerned. */
export interface Application extends Events, CallHost, StreamHost {
  /** `stream`: what was asked for is one. */
  serve(asked: Asked, stream?: Stream): { answer: unknown; served: Served }
}

const FIRST_LANE = kinds.EVENT_LANES
const LAST_LANE = 0xffff_ffff

/**
 * The lanes of one far side, whichever pipe there is: the way in and the way out, the calls and streams between them, and
 * whose number is free.
 */
export class Mux implements Link {
  readonly codec: DataCodec
  /** Both sides tell with DONE what became of messages. */
  readonly tellsDone: boolean
  /** Both sides know by its mark what came before, over a session that is lost. */
  readonly knowsResent: boolean
  readonly maxMessage: number
  readonly deadlines: Way['deadlines']
  readonly now: () => number
  readonly spare = new Spare()
  readonly sequence = new Sequence()
  readonly out: Outbound
  readonly in: Inbound
  readonly calls: Calls
  readonly streams: Streams
  readonly #peer: MuxPeer
  readonly #types: FarTypes
  readonly #contract: Contract
  /** Of what we open next; odd: we dialed. */
  #lane: number
  #reused = false

  constructor(
    peer: MuxPeer,
    shared: MuxShared,
    { theirs, types, codec, retained }: Agreed,
    application: Application,
  ) {
    const { settings, platform, deadlines } = shared
    const { maxQueue, maxRetained, highWaterMark } = settings
    const { sequence, spare } = this
    this.#peer = peer
    this.#types = types
    this.#contract = shared.contract
    this.#lane = FIRST_LANE + (peer.dialed ? 1 : 0)
    this.codec = codec
    const features = agreedFeatures(shared.offer.features, theirs.features)
    this.tellsDone = (features & DONES) !== 0n
    this.knowsResent = (features & RESENDS) !== 0n
    this.maxMessage = theirs.maxMessage
    this.deadlines = deadlines
    this.now = platform.now
    const isGone = (): boolean => peer.state === 'gone'
    this.calls = new Calls(this, application, theirs.maxCalls)
    this.streams = new Streams(this, application, theirs.maxStreams)
    this.out = new Outbound(sequence, peer.outbox, {
      retained,
      maxRetained,
      outboxes: shared.outboxes,
      writer: shared.writer,
      platform,
      deadlines,
      highWaterMark,
      theirs,
      isGone,
      drop: (reason, bytes) => {
        peer.dropped(reason, bytes)
      },
      onWait: (waiting) => {
        this.in.lend(waiting ? maxQueue : 0)
      },
      onRoom: (lane) => {
        this.streams.at(lane)?.onRoom()
      },
      onWritten: (lane) => {
        this.in.written(lane)
      },
    })
    this.in = new Inbound(sequence, this.out, {
      dialed: peer.dialed,
      codec,
      tellsDone: this.tellsDone,
      knowsResent: this.knowsResent,
      types,
      spare,
      own: shared.offer,
      calls: this.calls,
      streams: this.streams,
      deadlines,
      inbox: shared.inbox,
      isGone,
      application,
      onGoaway: (delay) => {
        peer.onGoaway(delay)
      },
      gaveUp: () => {
        peer.gaveUp()
      },
      behind: (bytes) => {
        peer.dropped('behind', bytes)
      },
      onIdle: () => {
        peer.idled()
      },
    })
  }

  get address(): string {
    return this.#peer.address
  }

  error(code: ErrorCode, what: string, cause?: unknown): SockError {
    return new SockError(code, what, { address: this.address, cause })
  }

  /** One of ours. Throws UNKNOWN_TYPE. */
  typeOf(name: string, kind: TypeInfo['kind']): TypeInfo {
    const info = this.#contract.byName.get(name)
    if (info === undefined)
      throw this.error('UNKNOWN_TYPE', `the contract has no type ${JSON.stringify(name)}`)
    if (info.kind === kind) return info
    throw this.error('UNKNOWN_TYPE', `${JSON.stringify(name)} is a ${info.kind}, not a ${kind}`)
  }

  unsendable(type: TypeInfo, bytes: number, prefix = 0): SockError | undefined {
    const barred = this.#peer.barred(type)
    if (barred !== undefined) return barred
    const lacks = this.#types.lacks(type)
    if (lacks !== undefined) return this.error('UNKNOWN_TYPE', lacks)
    return this.tooLarge(type, bytes, prefix)
  }

  tooLarge(type: TypeInfo, bytes: number, prefix = 0): SockError | undefined {
    const { maxMessage } = this
    if (bytes <= (type.maxSize ?? Infinity) && bytes + prefix <= maxMessage) return undefined
    const most = Math.min(maxMessage - prefix, type.maxSize ?? Infinity)
    return this.error('TOO_LARGE', `a message of ${bytes} bytes, and ${most} is the most`)
  }

  openLane(priority: number): number {
    const lane = this.nextLane()
    this.out.open(lane, priority)
    this.in.open(lane)
    return lane
  }

  nextLane(): number {
    // Until all ids were used once, the next one is free.
    if (this.#reused) while (this.#isOpen(this.#lane)) this.#step()
    const lane = this.#lane
    this.#step()
    return lane
  }

  #isOpen(lane: number): boolean {
    return this.out.has(lane) || this.in.has(lane) || this.calls.has(lane)
  }

  #step(): void {
    this.#lane += 2
    if (this.#lane <= LAST_LANE) return
    this.#lane = FIRST_LANE + (this.#peer.dialed ? 1 : 0)
    this.#reused = true
  }

  // Endings

  /** What is asked for from now on is turned away; resolves when what came before is through. */
  async settled(): Promise<void> {
    this.calls.served.drain()
    this.streams.drain()
    await Promise.all([this.in.settled(), this.calls.settled(), this.streams.settled()])
  }

  /** Nothing is answered any more. */
  cut(why: SockError): void {
    this.calls.end(why)
    this.streams.end(why)
  }
}

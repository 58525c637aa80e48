/*
 * One address that datagrams come from or go to.
 *
 * In:   datagram → inbox (or dropped, when too much waits) → dispatch (codec → middleware → handler)
 * Out:  sendMsg (codec) → datagram-sends → the system
 *
 *   OPEN ──▶ ENDING ──▶ GONE    ENDING: drain() waits until the system has taken what was sent
 *     └──────────────────▲      GONE: closed, or silent for too long; heard again, it is a new peer
 */
import { SockError } from '../errors.ts'
import type { DatagramAddress } from '../net/datagrams.ts'
import type { Platform } from '../platform/platform.ts'
import type { Codec, Sent } from '../wire/codec.ts'
import { Account, type DatagramSends } from './datagram-sends.ts'
import type { Deadlines } from './deadlines.ts'
import { Inbox } from './inbox.ts'
import { DRAIN_TIMEOUT } from './options.ts'
import type { Settings } from './options.ts'
import { encode, lengthOf, unsendable } from './payload.ts'
import { noChannel, noHeaders, noReceipt, noRequest, noStream, receiptless } from './plain-only.ts'
import { ReadWatch } from './read-watch.ts'
import type { Turn } from './turn.ts'
import type { DrainOptions, DropReason, Lost, MessageOptions, Peer, PeerStats, Receipt } from './types.ts'
import { rejected } from './waiter.ts'

/** What a peer needs of its sock. */
export interface DatagramPeerHost<C extends Codec> {
  readonly settings: Settings<C>
  readonly platform: Platform
  readonly deadlines: Deadlines
  readonly turn: Turn
  readonly sends: DatagramSends
  /** Bytes that wait for handlers, over all peers. */
  readonly backlog: { bytes: number }
  handle(peer: DatagramPeer<C>, payload: Uint8Array): Promise<void> | undefined
  onDropped(peer: DatagramPeer<C>, reason: DropReason, messages: number, bytes: number): void
  /** The last word of this peer. */
  onGone(peer: DatagramPeer<C>, lost: Lost): void
}

/** What may wait for handlers over all peers, as a multiple of what may for one. */
const BACKLOG = 16

const CARRIER = 'a datagram'

export class DatagramPeer<C extends Codec> implements Peer<C> {
  readonly wire = 'plain'
  readonly id: string
  readonly address: string
  readonly host: string
  readonly dialed: boolean
  readonly #remote: DatagramAddress
  readonly #host: DatagramPeerHost<C>
  readonly #inbox: Inbox
  readonly #account: Account
  readonly #watch: ReadWatch
  #state: 'open' | 'ending' | 'gone' = 'open'
  #goneBecause: SockError | undefined
  #aborter: AbortController | undefined
  #dropped: Partial<Record<DropReason, number>> = {}
  #bytesIn = 0
  /** Messages that came and did not get into the inbox. */
  #behind = 0
  #unsent = 0
  /** Its share of the sock's backlog. */
  #waitingBytes = 0

  constructor(id: string, remote: DatagramAddress, dialed: boolean, host: DatagramPeerHost<C>) {
    const { settings, platform } = host
    this.id = id
    this.address = remote.address
    this.host = remote.host
    this.dialed = dialed
    this.#remote = remote
    this.#host = host
    this.#account = new Account((reason, bytes) => {
      if (reason === 'closed') this.#unsent++
      this.#drop(reason, 1, bytes)
    })
    this.#inbox = new Inbox({
      turn: host.turn,
      concurrency: settings.concurrency,
      readMark: settings.readMark,
      afterPoll: platform.afterPoll,
      handle: (payload) => {
        this.#recount()
        return host.handle(this, payload)
      },
      onPressure: ignore,
      onIdle: ignore,
    })
    const limits = { timeout: settings.timeout, frameGrace: 0, frameRate: 0 }
    this.#watch = new ReadWatch(limits, host.deadlines, platform.now, {
      excuses: () => !this.#inbox.idle,
      stuckFor: () => 0,
      late: (error) => {
        this.#end(error)
      },
    })
  }

  /** Its silence is judged from now on. */
  start(): void {
    if (this.#state !== 'gone') this.#watch.start()
  }

  /** Its silence does not matter. */
  keep(): void {
    this.#watch.stop()
  }

  /** Whether it belongs to the sock that sends by this. */
  uses(sends: DatagramSends): boolean {
    return this.#host.sends === sends
  }

  get state(): 'open' | 'ending' | 'gone' {
    return this.#state
  }

  get signal(): AbortSignal {
    if (this.#aborter === undefined) {
      this.#aborter = new AbortController()
      if (this.#state === 'gone') this.#aborter.abort(this.#goneError())
    }
    return this.#aborter.signal
  }

  stats(): PeerStats {
    return {
      messagesIn: this.#inbox.arrived + this.#behind,
      bytesIn: this.#bytesIn,
      messagesOut: this.#account.messagesOut,
      bytesOut: this.#account.bytesOut,
      queued: this.#account.queued,
      waiting: this.#inbox.waiting,
      dropped: { ...this.#dropped },
      silent: this.#watch.silent,
    }
  }

  // Out

  sendMsg(type: string | number, data: Sent<C>, options?: MessageOptions): Promise<void> {
    const { settings } = this.#host
    const payload =
      noHeaders(CARRIER, options, this.address) ?? encode(settings.codec, type, data, this.address)
    return payload instanceof SockError ? this.#refuse('unsendable', payload, 0) : this.sendRaw(payload)
  }

  sendRaw(payload: Uint8Array): Promise<void> {
    const { settings, sends } = this.#host
    const error = unsendable(payload, settings.maxFrame, this.address)
    if (error !== undefined) return this.#refuse('unsendable', error, lengthOf(payload))
    if (this.#state !== 'open') return this.#refuse(this.#state, this.#goneError(), payload.length)
    return sends.send(payload, this.#remote, this.#account)
  }

  /** One of several who are sent this; `bytes` stay as they are. */
  offer(bytes: Uint8Array): void {
    if (this.#state === 'open') this.#host.sends.offer(bytes, this.#remote, this.#account)
    else this.#drop(this.#state, 1, bytes.length)
  }

  #refuse(why: DropReason, error: SockError, bytes: number): Promise<never> {
    this.#drop(why, 1, bytes)
    return rejected(error)
  }

  #drop(reason: DropReason, messages: number, bytes: number): void {
    if (messages === 0) return
    this.#dropped[reason] = (this.#dropped[reason] ?? 0) + messages
    this.#host.onDropped(this, reason, messages, bytes)
  }

  send(): Receipt {
    return noReceipt(this.#refuse('unsendable', receiptless(CARRIER, this.address), 0))
  }

  request(): Promise<never> {
    return noRequest(CARRIER, this.address)
  }

  stream(): AsyncIterableIterator<never> {
    return noStream(CARRIER, this.address)
  }

  channel(): never {
    return noChannel(CARRIER, this.address)
  }

  async flushed(): Promise<void> {
    if (this.#state === 'gone') throw this.#goneError()
    await this.#account.emptied()
  }

  // In

  heard(payload: Uint8Array): void {
    if (this.#state === 'gone') {
      this.#drop('closed', 1, payload.length)
      return
    }
    const { settings, backlog } = this.#host
    const { readMark } = settings
    this.#bytesIn += payload.length
    this.#watch.heard(0, 0)
    // Whoever has nothing waiting is not held to what the others have.
    const crowded = backlog.bytes > BACKLOG * readMark && !this.#inbox.idle
    if (crowded || this.#inbox.bytes > readMark) {
      this.#behind++
      this.#drop('behind', 1, payload.length)
      return
    }
    this.#inbox.put(payload)
    this.#recount()
  }

  /** Whenever something began or ceased to wait. */
  #recount(): void {
    const { bytes } = this.#inbox
    this.#host.backlog.bytes += bytes - this.#waitingBytes
    this.#waitingBytes = bytes
  }

  // Endings

  async drain({ timeout = DRAIN_TIMEOUT }: DrainOptions = {}): Promise<void> {
    if (this.#state === 'gone') return
    const late = this.#host.deadlines.set(timeout, () => {
      this.close()
    })
    await this.#inbox.settled()
    if (this.#state === 'open') this.#state = 'ending'
    await this.#account.emptied()
    late.cancel()
    this.close()
  }

  close(): Lost {
    return this.#state === 'gone' ? { unsent: 0, unhandled: 0 } : this.#end()
  }

  #end(late?: SockError): Lost {
    const { messages, bytes } = this.#inbox.stop()
    this.#recount()
    this.#drop('closed', messages, bytes)
    this.#state = 'gone'
    this.#goneBecause = late
    this.#watch.stop()
    this.#aborter?.abort(this.#goneError())
    const lost = { unsent: this.#unsent, unhandled: messages }
    this.#host.onGone(this, lost)
    return lost
  }

  #goneError(): SockError {
    const facts = { address: this.address, cause: this.#goneBecause }
    if (this.#state === 'ending') return new SockError('DRAINING', 'this peer is being drained', facts)
    return new SockError('PEER_GONE', 'this peer is forgotten', facts)
  }
}

const ignore = (): void => undefined

/*
 * One connection on the plain wire. The way of a message:
 *
 * In:   pipe `data` → decoder (framing) → inbox → dispatch (codec → middleware → handler)
 * Out:  sendMsg (codec) → outbox (framing, into slabs) → one `pipe.write` per turn
 */
import { SockError, asSockError, fail } from '../errors.ts'
import type { Pipe } from '../net/pipe.ts'
import type { Codec, Sent } from '../wire/codec.ts'
import { isMagic } from '../wire/v1/hello-bytes.ts'
import type { Broadcast, Recipient } from './broadcast.ts'
import type { PeerWire } from './connection.ts'
import { Inbox } from './inbox.ts'
import type { OutboxShared } from './outbox.ts'
import { encode, lengthOf, unsendable } from './payload.ts'
import { type Loss, NO_LOSS, type PeerOwner } from './peer-hooks.ts'
import { PipePeer } from './pipe-peer.ts'
import { noChannel, noHeaders, noReceipt, noRequest, noStream, receiptless } from './plain-only.ts'
import type { MessageOptions, Peer, Receipt } from './types.ts'
import { rejected } from './waiter.ts'

/** What a peer needs of its sock. */
export interface PeerHost<C extends Codec> extends PeerOwner<C, LivePeer<C>> {
  readonly wire: PeerWire
  readonly sends: { readonly broadcast: Broadcast; readonly outboxes: OutboxShared }
  handle(peer: LivePeer<C>, payload: Uint8Array): Promise<void> | undefined
}

const CARRIER = 'the plain wire'

export class LivePeer<C extends Codec> extends PipePeer<C> implements Peer<C>, Recipient {
  readonly wire = 'plain'
  readonly #sends: PeerHost<C>['sends']
  readonly #inbox: Inbox
  /** We do not read, because our handlers are behind. */
  #paused = false

  constructor(id: string, pipe: Pipe, dialed: boolean, host: PeerHost<C>) {
    const { settings, platform, sends } = host
    super(id, pipe, dialed, host, host.wire)
    this.#sends = sends
    this.#inbox = new Inbox({
      turn: sends.outboxes.turn,
      concurrency: settings.concurrency,
      readMark: settings.readMark,
      afterPoll: platform.afterPoll,
      handle: (payload) => host.handle(this, payload),
      onPressure: () => {
        this.#regulate()
      },
      onIdle: () => {
        this.onIdle()
      },
    })
  }

  // Out

  sendMsg(type: string | number, data: Sent<C>, options?: MessageOptions): Promise<void> {
    const { settings } = this.owner
    const payload =
      noHeaders(CARRIER, options, this.address) ?? encode(settings.codec, type, data, this.address)
    return payload instanceof SockError ? this.refuse('unsendable', payload, 0) : this.sendRaw(payload)
  }

  sendRaw(payload: Uint8Array): Promise<void> {
    const { settings } = this.owner
    const { broadcast } = this.#sends
    const error = unsendable(payload, settings.maxFrame, this.address)
    if (error !== undefined) return this.refuse('unsendable', error, lengthOf(payload))
    // Taking over may find no room, and slowPeer may have it closed for that.
    if (broadcast.pending && this.state === 'open') broadcast.absorb(this)
    if (this.over !== undefined) return this.refuse(this.over, this.goneError(), payload.length)
    if (this.outbox.full(payload.length))
      return this.#overflow(1, payload.length, settings.slowPeer ?? 'reject')
    try {
      return this.outbox.put(payload)
    } catch (thrown) {
      const failure = asSockError(thrown, 'CANNOT_FRAME', 'the framing failed', this.address)
      return this.refuse('unsendable', failure, payload.length)
    }
  }

  /** One of several who are sent this. */
  offer(payload: Uint8Array, options?: MessageOptions): void {
    if (noHeaders(CARRIER, options) !== undefined) {
      this.drop('unsendable', 1, payload.length)
      return
    }
    if (this.state === 'open') this.#sends.broadcast.absorb(this)
    if (this.over !== undefined) this.drop(this.over, 1, payload.length)
    else if (this.outbox.full(payload.length)) this.overflow(1, payload.length)
    else void this.outbox.put(payload)
  }

  /** A broadcast for which there is no room. */
  overflow(messages: number, bytes: number): void {
    void this.#overflow(messages, bytes, this.owner.settings.slowPeer ?? 'drop')
  }

  #overflow(messages: number, bytes: number, policy: 'drop' | 'reject' | 'close'): Promise<void> {
    this.drop('slow', messages, bytes)
    if (policy === 'drop') return this.#sends.outboxes.turn.pause
    const error = new SockError('SLOW_PEER', `${this.outbox.queued} bytes wait to be sent already`, {
      address: this.address,
    })
    if (policy === 'close') {
      // What was to be taken over is what was dropped just now: it must not be counted again.
      this.#sends.broadcast.skip(this.outbox)
      this.fail(error)
    }
    return rejected(error)
  }

  send(): Receipt {
    return noReceipt(this.refuse('unsendable', receiptless(CARRIER, this.address), 0))
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

  flushed(): Promise<void> {
    if (this.state === 'gone') return rejected(this.goneError())
    this.lastSends()
    return this.outbox.emptied()
  }

  /** What was sent to all this turn was sent to this one too: taken over, so that it goes first, or is counted as lost. */
  protected override lastSends(): void {
    if (this.state !== 'ending') this.#sends.broadcast.absorb(this)
  }

  protected override readyToEnd(): Promise<void> {
    return this.outbox.emptied()
  }

  protected override letGo(): Loss {
    return NO_LOSS
  }

  /** The plain wire has no word for the end but the end itself. */
  protected override get cutShort(): undefined {
    return undefined
  }

  // In

  protected override onFrame(payload: Uint8Array): void {
    if (this.#inbox.arrived === 0 && isMagic(payload))
      fail('WIRE_MISMATCH', 'its first frame is a HELLO: it speaks wire v1, and this sock the plain wire')
    this.#inbox.put(payload)
  }

  protected override onChunk(): void {
    if (this.#inbox.high) this.#regulate()
  }

  protected override onSendersWait(): void {
    if (this.#inbox.high) this.#regulate()
  }

  /**
   * Stops reading while more than readMark waits for our handlers. Unless senders wait for this very peer to
   * read: it may be waiting for us in the same way, so reading goes on, by maxQueue more. Two that flood
   * each other and await their sends would otherwise stand still for ever.
   */
  #regulate(): void {
    const { readMark, maxQueue } = this.owner.settings
    const { high, bytes } = this.#inbox
    const pause = high && (!this.outbox.awaited || bytes > readMark + maxQueue)
    if (pause === this.#paused || this.state === 'gone') return
    this.#paused = pause
    if (pause) {
      this.watch.pause()
      this.pipe.pause()
    } else {
      this.watch.resume()
      this.pipe.resume()
    }
  }

  protected override get idle(): boolean {
    return this.#inbox.idle
  }

  protected override get busyReading(): boolean {
    return !this.#inbox.idle
  }

  protected override get arrived(): number {
    return this.#inbox.arrived
  }

  protected override get waiting(): number {
    return this.#inbox.waiting
  }

  protected override settled(): Promise<void> {
    return this.#inbox.settled()
  }

  protected override stopHandling(): Loss {
    return this.#inbox.stop()
  }
}

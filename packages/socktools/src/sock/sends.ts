import { type SockError, asSockError, fail } from '../errors.ts'
import type { Platform } from '../platform/platform.ts'
import { Slabs } from '../wire/batch.ts'
import type { Codec } from '../wire/codec.ts'
import type { Framing } from '../wire/framing.ts'
import { Broadcast } from './broadcast.ts'
import type { Outbox, OutboxShared } from './outbox.ts'
import { lengthOf, unsendable } from './payload.ts'
import type { LivePeer } from './peer.ts'
import { PipePeer } from './pipe-peer.ts'
import { checkSendOptions, isIterable, withoutStrangers } from './recipients.ts'
import { Turn } from './turn.ts'
import type { MessageOptions, SendOptions, To } from './types.ts'
import type { Letter } from './v1/letter.ts'
import type { V1Peer } from './v1/peer.ts'
import { rejected, Waiter } from './waiter.ts'

export interface SendLimits {
  readonly framing: Framing
  readonly maxFrame: number
  readonly highWaterMark: number
  readonly maxQueue: number
}

/** In the options of a send whose other recipients are peers of other socks: one to a single peer is still one of several. */
export const AMONG_SEVERAL = Symbol('among several')

/** A peer over a pipe, whichever wire it speaks. */
export type AnyPeer<C extends Codec> = LivePeer<C> | V1Peer<C>

/** Sending from a sock: to one peer, to some, to all; and the one flush at the end of each turn. */
export class Sends<C extends Codec> {
  readonly turn: Turn
  readonly broadcast: Broadcast
  readonly outboxes: OutboxShared
  /** Those that can be sent to, in the order in which they came. */
  readonly reachable = new Set<AnyPeer<C>>()
  /** Those of them on the plain wire: what is sent to all is framed once for them. */
  readonly #plain = new Set<LivePeer<C>>()
  readonly #platform: Platform
  readonly #maxFrame: number
  readonly #onUnsendable: (bytes: number) => void
  /** Who waits for the first of several to have room. */
  readonly #rooms = new Set<{ readonly peers: readonly AnyPeer<C>[]; readonly waiter: Waiter }>()
  readonly #dirty: Outbox[] = []
  #scheduled = false

  constructor(limits: SendLimits, platform: Platform, onUnsendable: (bytes: number) => void) {
    const { framing, highWaterMark, maxQueue, maxFrame } = limits
    const slabs = new Slabs()
    this.#platform = platform
    this.#maxFrame = maxFrame
    this.#onUnsendable = onUnsendable
    this.turn = new Turn(platform)
    this.broadcast = new Broadcast(framing, slabs, this.turn, () => this.#plain)
    this.outboxes = {
      framing,
      slabs,
      turn: this.turn,
      highWaterMark,
      maxQueue,
      now: platform.now,
      flushSoon: (outbox) => {
        outbox.dirty = true
        this.#dirty.push(outbox)
        this.#flushSoon()
      },
      onRoom: () => {
        this.broadcast.roomAgain()
        this.#checkRooms()
      },
    }
  }

  /** The same outboxes for those whose frames are made otherwise. */
  framedBy(framing: Framing): OutboxShared {
    return { ...this.outboxes, framing }
  }

  /** As Sock.sendRaw says. */
  send(payload: Uint8Array, options: SendOptions<C> & { [AMONG_SEVERAL]?: true }): Promise<void> {
    const error = unsendable(payload, this.#maxFrame)
    if (error !== undefined) return this.refuse(error, lengthOf(payload))
    try {
      checkSendOptions(options)
      const { to, except } = options
      const exempt: readonly AnyPeer<C>[] = except === undefined ? NOBODY : this.#exempt(except)
      // To leave `to` out means everyone. To look someone up and find nobody must not.
      if (to === undefined && 'to' in options) fail('UNKNOWN_PEER', '`to` is there and undefined')
      if (to === undefined) {
        this.#toAllPlain(payload, exempt)
        // Where nobody is, there is nobody's room to wait for.
        return (this.reachable.size > 0 ? this.broadcast.congested : undefined) ?? this.turn.pause
      }
      const chosen = this.find(to).filter((peer) => !exempt.includes(peer))
      const [only] = chosen
      if (only !== undefined && chosen.length === 1 && options[AMONG_SEVERAL] !== true)
        return only.sendRaw(payload)
      for (const peer of chosen) if (peer.wire === 'plain') peer.offer(payload)
      return hasRoom(chosen) ? this.turn.pause : this.#roomOf(chosen)
    } catch (thrown) {
      return this.refuse(asSockError(thrown, 'CANNOT_FRAME', 'the framing failed'), payload.length)
    }
  }

  #toAllPlain(payload: Uint8Array, exempt: readonly AnyPeer<C>[]): void {
    const except = exempt.filter((peer) => peer.wire === 'plain' && this.#plain.has(peer))
    this.broadcast.add(payload, except as LivePeer<C>[])
    this.#flushSoon()
  }

  /** A message of a contract, to peers of either wire. As Sock.sendMsg says. */
  sendMsg(
    letter: Letter,
    options: SendOptions<C> & MessageOptions & { [AMONG_SEVERAL]?: true },
  ): Promise<void> {
    try {
      checkSendOptions(options)
      const { to, except, headers } = options
      if (to === undefined && 'to' in options) fail('UNKNOWN_PEER', '`to` is there and undefined')
      const exempt: readonly AnyPeer<C>[] = except === undefined ? NOBODY : this.#exempt(except)
      const named = to === undefined ? [...this.reachable] : this.find(to)
      const chosen = exempt.length === 0 ? named : named.filter((peer) => !exempt.includes(peer))
      const extra = headers === undefined ? {} : { headers }
      const [only] = chosen
      if (to !== undefined && only !== undefined && chosen.length === 1 && options[AMONG_SEVERAL] !== true)
        return letter.sendTo(only, extra)
      // What nobody could be sent is an error though nobody is there.
      letter.check()
      for (const peer of chosen) letter.offerTo(peer, extra)
      return hasRoom(chosen) ? this.turn.pause : this.#roomOf(chosen)
    } catch (thrown) {
      return this.refuse(asSockError(thrown, 'CANNOT_ENCODE', 'the codec failed'), 0)
    }
  }

  /** A message that is not sent to anyone. */
  refuse(error: SockError, bytes: number): Promise<never> {
    this.#onUnsendable(bytes)
    return rejected(error)
  }

  /** The peers that `to` names. Throws UNKNOWN_PEER. Costs a walk over all peers for each address. */
  find(to: To<C>): AnyPeer<C>[] {
    if (typeof to === 'string') {
      const found = [...this.reachable].filter(({ address, id }) => address === to || id === to)
      return found.length > 0 ? found : fail('UNKNOWN_PEER', 'no peer has this address', { address: to })
    }
    if (to instanceof PipePeer) {
      if (this.owns(to)) return [to]
      return fail('UNKNOWN_PEER', 'this peer belongs to another sock', { address: to.address })
    }
    if (isIterable(to)) return [...new Set([...to].flatMap((one) => this.find(one as To<C>)))]
    return fail('UNKNOWN_PEER', 'this is neither a peer nor an address')
  }

  #exempt(except: To<C>): AnyPeer<C>[] {
    return this.find(withoutStrangers(except, (peer) => this.owns(peer)))
  }

  owns(peer: unknown): peer is AnyPeer<C> {
    return peer instanceof PipePeer && peer.uses(this.turn)
  }

  join(peer: AnyPeer<C>): void {
    if (peer.wire === 'plain') this.#plain.add(peer)
    // What stands in this turn's broadcast was sent before it came.
    this.broadcast.skip(peer.outbox)
    this.reachable.add(peer)
    // It has room, whatever the others have.
    this.broadcast.roomAgain()
  }

  /** Nothing can be sent to this one any more. */
  unreachable(peer: AnyPeer<C>): void {
    this.reachable.delete(peer)
    if (peer.wire === 'plain') this.#plain.delete(peer)
    // Nobody is left whose room could be waited for.
    if (this.reachable.size === 0) this.broadcast.roomAgain()
    this.#checkRooms()
  }

  /** Resolves when one of these has room, or nothing can be sent to any of them any more. */
  #roomOf(peers: readonly AnyPeer<C>[]): Promise<void> {
    const waiter = new Waiter()
    this.#rooms.add({ peers, waiter })
    return waiter.promise
  }

  #checkRooms(): void {
    for (const one of this.#rooms) {
      if (!hasRoom(one.peers)) continue
      this.#rooms.delete(one)
      one.waiter.resolve()
    }
  }

  #flushSoon(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#platform.defer(this.#flush)
  }

  readonly #flush = (): void => {
    this.#scheduled = false
    this.broadcast.flush()
    // Those that are added meanwhile come last, and are flushed with the others.
    for (const outbox of this.#dirty) {
      outbox.dirty = false
      outbox.flush()
    }
    this.#dirty.length = 0
  }
}

const NOBODY: readonly never[] = []

/** Whether one of these is below its mark, or none of them can be sent to any more. */
function hasRoom(peers: readonly { readonly state: string; readonly overMark: boolean }[]): boolean {
  const open = peers.filter(({ state }) => state === 'open')
  return open.length === 0 || open.some(({ overMark }) => !overMark)
}

import { SockError } from '../errors.ts'
import type { Datagrams, DatagramAddress } from '../net/datagrams.ts'
import { RESOLVED, type Turn } from './turn.ts'
import type { DropReason } from './types.ts'
import { Waiter, rejected } from './waiter.ts'

export interface DatagramSendLimits {
  readonly highWaterMark: number
  readonly maxQueue: number
  readonly slowPeer?: 'reject' | 'drop' | 'close' | undefined
}

/** What a datagram that is held costs beside its bytes, toward the marks: about that much memory. */
export const HELD_COST = 1_024

/** What was sent to one peer, or to addresses that are nobody's. */
export class Account {
  messagesOut = 0
  bytesOut = 0
  /** Bytes that the system has not taken. */
  queued = 0
  /** Told of each message that was accepted, or refused for want of room, and is not sent. */
  readonly onDropped: (reason: DropReason, bytes: number) => void
  #held = 0
  #empty: Waiter | undefined

  constructor(onDropped: (reason: DropReason, bytes: number) => void) {
    this.onDropped = onDropped
  }

  hold(bytes: number): void {
    this.#held++
    this.queued += bytes
  }

  release(bytes: number): void {
    this.#held--
    this.queued -= bytes
    if (this.#held > 0) return
    this.#empty?.resolve()
    this.#empty = undefined
  }

  /** Resolves when the system has taken all, or never will. */
  emptied(): Promise<void> {
    return this.#held === 0 ? RESOLVED : (this.#empty ??= new Waiter()).promise
  }
}

/** A datagram on its way to the system. */
interface Parcel {
  readonly bytes: Uint8Array
  readonly to: DatagramAddress
  readonly account: Account
  readonly onVerdict: (error?: Error) => void
  /** The socket was closed before the system took it. */
  lost: boolean
}

/**
 * The way out, for all peers together: they share the system's one buffer, which takes a datagram at once
 * unless it is full. What is sent before there is a socket waits here.
 */
export class DatagramSends {
  /** Bytes that the system has not taken. */
  queued = 0
  readonly #limits: DatagramSendLimits
  readonly #turn: Turn
  #socket: Datagrams | undefined
  /** Sent before there was a socket. */
  #early: Parcel[] = []
  readonly #held = new Set<Parcel>()
  #room: Waiter | undefined

  constructor(limits: DatagramSendLimits, turn: Turn) {
    this.#limits = limits
    this.#turn = turn
  }

  opened(socket: Datagrams): void {
    this.#socket = socket
    for (const parcel of this.#early.splice(0)) {
      const error = wrongFamily(parcel.to, socket)
      if (error === undefined) this.#hand(parcel, socket)
      else this.#done(parcel, error)
    }
  }

  /** There is no socket, because of `error`, for what waits for one. */
  failed(error: Error): void {
    for (const parcel of this.#early.splice(0)) this.#done(parcel, error)
  }

  /**
   * Sends a copy of `payload` to one. Rejects with WRONG_FAMILY, SLOW_PEER, or what the system has against it.
   * While the system's buffer is full it cannot say: a refusal is then only counted and raised as `dropped`.
   */
  send(payload: Uint8Array, to: DatagramAddress, account: Account): Promise<void> {
    const error = this.#socket === undefined ? undefined : wrongFamily(to, this.#socket)
    if (error !== undefined) {
      account.onDropped('unsendable', payload.length)
      return rejected(error)
    }
    if (this.#full(payload.length)) {
      account.onDropped('slow', payload.length)
      if (this.#limits.slowPeer === 'drop') return this.#turn.pause
      const what = `${this.#held.size} datagrams of ${this.queued} bytes wait to be sent already`
      return rejected(new SockError('SLOW_PEER', what, { address: to.address }))
    }
    const verdict = new Waiter()
    const judged = this.#post(payload.slice(), to, account, (refusal) => {
      if (refusal !== undefined) verdict.reject(refusal)
      // Whoever awaits each of its sends never lets the loop go, unless it is made to.
      else if (this.#turn.pause === RESOLVED) verdict.resolve()
      else void this.#turn.pause.then(verdict.resolve)
    })
    return judged ? verdict.promise : this.roomy()
  }

  /** Sends `bytes`, which must stay as they are, to one of several. */
  offer(bytes: Uint8Array, to: DatagramAddress, account: Account): void {
    const fits = this.#socket === undefined || wrongFamily(to, this.#socket) === undefined
    if (!fits) account.onDropped('unsendable', bytes.length)
    else if (this.#full(bytes.length)) account.onDropped('slow', bytes.length)
    else this.#post(bytes, to, account, ignore)
  }

  /** What a send to several returns: it waits while more than the mark waits for the system. */
  roomy(): Promise<void> {
    if (this.#load <= this.#limits.highWaterMark) return this.#turn.pause
    return (this.#room ??= new Waiter()).promise
  }

  /** What the marks bound. */
  get #load(): number {
    return this.queued + HELD_COST * this.#held.size
  }

  #full(bytes: number): boolean {
    const { highWaterMark, maxQueue } = this.#limits
    return this.#load > highWaterMark && this.#load + HELD_COST + bytes > maxQueue
  }

  /** Whether `onVerdict` is worth waiting for: it comes with the socket, or at the end of this turn. */
  #post(bytes: Uint8Array, to: DatagramAddress, account: Account, onVerdict: Parcel['onVerdict']): boolean {
    const parcel: Parcel = { bytes, to, account, onVerdict, lost: false }
    account.messagesOut++
    account.bytesOut += bytes.length
    if (this.#socket !== undefined) return this.#hand(parcel, this.#socket)
    this.#early.push(parcel)
    this.#hold(parcel)
    return true
  }

  #hand(parcel: Parcel, socket: Datagrams): boolean {
    const judged = socket.send(parcel.bytes, parcel.to, (error) => {
      this.#done(parcel, error)
    })
    if (!judged) this.#hold(parcel)
    this.#turn.wrote()
    return judged
  }

  #hold(parcel: Parcel): void {
    if (this.#held.has(parcel)) return
    this.#held.add(parcel)
    this.queued += parcel.bytes.length
    parcel.account.hold(parcel.bytes.length)
  }

  #done(parcel: Parcel, error?: Error): void {
    const { bytes, account, onVerdict, lost } = parcel
    // Counted already.
    if (lost) return
    if (this.#held.delete(parcel)) {
      this.queued -= bytes.length
      account.release(bytes.length)
    }
    if (error !== undefined) account.onDropped('unsendable', bytes.length)
    onVerdict(error)
    if (this.#room === undefined || this.#load > this.#limits.highWaterMark / 2) return
    this.#room.resolve()
    this.#room = undefined
  }

  /** The socket is closed: what the system has not taken is lost. Returns how many messages that is. */
  close(): number {
    const held = [...this.#held]
    const closed = new SockError('CLOSED', 'the sock was closed before the system had room')
    this.#early = []
    this.#held.clear()
    this.queued = 0
    for (const parcel of held) {
      const { bytes, account, onVerdict } = parcel
      parcel.lost = true
      account.onDropped('closed', bytes.length)
      account.release(bytes.length)
      onVerdict(closed)
    }
    this.#room?.reject(closed)
    return held.length
  }
}

const ignore = (): void => undefined

function wrongFamily({ address, family }: DatagramAddress, socket: Datagrams): SockError | undefined {
  if (family === socket.family) return undefined
  return new SockError('WRONG_FAMILY', `this sock is bound to ${socket.address}`, { address })
}

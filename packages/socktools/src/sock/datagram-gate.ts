import { isLoopback } from '../address.ts'
import { type ErrorCode, SockError, asSockError, fail } from '../errors.ts'
import type { DatagramAddress } from '../net/datagrams.ts'
import type { Platform } from '../platform/platform.ts'
import { Admission, type AdmissionLimits, type Question } from './admission.ts'
import type { Deadlines } from './deadlines.ts'
import type { Candidate } from './types.ts'

/** What waits of one who is not let in yet: so many messages … */
const WAITING = 16
/** … and bytes; the longest datagram fits. */
const WAITING_BYTES = 64 * 1024

export interface DatagramGateHost<P> {
  /** False once nobody new is wanted. */
  isOpen(): boolean
  countPeers(): number
  /** One passed the gate; the peer at that address, if there is one already. */
  join(remote: DatagramAddress, dialed: boolean): P
  /** Somebody was turned away. */
  refused(who: Candidate, error: SockError): void
  /** So was somebody else, of whom no more is told. */
  refusedToo(code: ErrorCode): void
  /** Messages of one who is no peer are not handled. */
  dropped(reason: 'behind' | 'refused', messages: number, bytes: number): void
  fault(thrown: unknown, where: string): void
}

interface Knock {
  readonly payloads: Uint8Array[]
  bytes: number
  question: Question | undefined
  /** We dialed it meanwhile: the answer does not matter any more. */
  over: boolean
}

/** How addresses come to be peers: heard or dialed, and let in. What a stranger can cost here is bounded. */
export class DatagramGate<P extends { heard(payload: Uint8Array): void }> {
  readonly #maxPeers: number
  readonly #platform: Platform
  readonly #admission: Admission
  readonly #host: DatagramGateHost<P>
  /** Those who were heard and wait for goodPeer's answer, by address. */
  readonly #knocks = new Map<string, Knock>()
  /** The refusals that were told in this turn. */
  readonly #told = new Set<ErrorCode>()

  constructor(limits: AdmissionLimits, platform: Platform, deadlines: Deadlines, host: DatagramGateHost<P>) {
    this.#maxPeers = limits.maxPeers
    this.#platform = platform
    this.#admission = new Admission(limits, platform, deadlines)
    this.#host = host
  }

  /** Those who have not passed. */
  get pending(): number {
    return this.#admission.pending
  }

  get #full(): boolean {
    return this.#host.countPeers() + this.pending >= this.#maxPeers
  }

  /** A datagram of one who is no peer. */
  heard(remote: DatagramAddress, payload: Uint8Array): void {
    const { address, host } = remote
    const before = this.#knocks.get(address)
    if (before !== undefined) {
      this.#wait(before, payload)
      return
    }
    // Under a flood nearly all end here, at no more cost than this.
    if (this.#full && this.#told.has('TOO_MANY_PEERS')) {
      this.#host.refusedToo('TOO_MANY_PEERS')
      this.#host.dropped('refused', 1, payload.length)
      return
    }
    const who: Candidate = { address, host, dialed: false }
    const knock: Knock = { payloads: [payload], bytes: payload.length, question: undefined, over: false }
    const objection = this.#atDoor(remote)
    if (objection !== undefined) {
      this.#turnAway(who, objection, knock)
      return
    }
    this.#knocks.set(address, knock)
    knock.question = this.#ask(who)
    knock.question.onAnswer((answer) => {
      if (knock.over) return
      // The gate itself may have closed this sock.
      const error = answer ?? (this.#host.isOpen() ? undefined : closed(address))
      if (error === undefined) this.#enter(remote, false)
      else {
        this.#knocks.delete(address)
        this.#turnAway(who, error, knock)
      }
    })
    // It may also have closed this sock and never answer: giveUpAll came too early for this one.
    if (!this.#host.isOpen()) knock.question.giveUp(closed(address))
  }

  #wait(knock: Knock, payload: Uint8Array): void {
    if (knock.payloads.length >= WAITING || knock.bytes + payload.length > WAITING_BYTES) {
      this.#host.dropped('behind', 1, payload.length)
      return
    }
    knock.payloads.push(payload)
    knock.bytes += payload.length
  }

  /**
   * Resolves to the peer at `remote`. Rejects with TOO_MANY_PEERS, REFUSED, GATE_TIMEOUT, or the reason of `signal`,
   * which is aborted, with a SockError, once the sock is closed at the latest.
   */
  dial(remote: DatagramAddress, signal: AbortSignal): Promise<P> {
    const { address, host } = remote
    if (this.#full) fail('TOO_MANY_PEERS', `${this.#maxPeers} is the most`, { address })
    const who: Candidate = { address, host, dialed: true }
    return new Promise((resolve, reject) => {
      const question = this.#ask(who)
      const giveUp = (): void => {
        question.giveUp(signal.reason as SockError)
      }
      signal.addEventListener('abort', giveUp, { once: true })
      question.onAnswer((answer) => {
        // The gate itself may have closed this sock, or aborted the dial.
        const error = answer ?? (signal.aborted ? (signal.reason as SockError) : undefined)
        signal.removeEventListener('abort', giveUp)
        if (error === undefined) {
          resolve(this.#enter(remote, true))
          return
        }
        this.#host.refused(who, error)
        reject(error)
      })
      if (signal.aborted) giveUp()
    })
  }

  /** Everyone who was heard and waits is told to go. */
  giveUpAll(): void {
    for (const [address, { question }] of [...this.#knocks]) question?.giveUp(closed(address))
  }

  /** What it said while it waited is handled first. */
  #enter(remote: DatagramAddress, dialed: boolean): P {
    const knock = this.#knocks.get(remote.address)
    this.#knocks.delete(remote.address)
    const peer = this.#host.join(remote, dialed)
    if (knock === undefined) return peer
    knock.over = true
    knock.question?.giveUp()
    for (const payload of knock.payloads) peer.heard(payload)
    return peer
  }

  #ask(who: Candidate): Question {
    return this.#admission.ask(who, (thrown) => {
      this.#host.fault(thrown, 'goodPeer')
    })
  }

  #atDoor({ address, host }: DatagramAddress): SockError | undefined {
    if (!this.#host.isOpen()) return closed(address)
    try {
      return this.#admission.atDoor({ address, host, local: isLoopback(host) }, this.#host.countPeers())
    } catch (thrown) {
      this.#host.fault(thrown, 'goodAddress')
      return asSockError(thrown, 'REFUSED', 'goodAddress threw', address)
    }
  }

  /** Every one is counted; of each kind one is told in a turn, since anybody can cause them at any rate. */
  #turnAway(who: Candidate, error: SockError, { payloads, bytes }: Knock): void {
    if (this.#told.size === 0) {
      this.#platform.afterPoll(() => {
        this.#told.clear()
      })
    }
    if (this.#told.has(error.code)) this.#host.refusedToo(error.code)
    else {
      this.#told.add(error.code)
      this.#host.refused(who, error)
    }
    this.#host.dropped('refused', payloads.length, bytes)
  }
}

const closed = (address: string): SockError => new SockError('CLOSED', 'the sock is closed', { address })

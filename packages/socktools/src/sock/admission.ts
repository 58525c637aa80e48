import { SockError, asSockError, type ErrorCode } from '../errors.ts'
import type { Endpoint } from '../net/pipe.ts'
import type { Platform } from '../platform/platform.ts'
import type { Deadlines } from './deadlines.ts'
import type { Candidate, Maybe } from './types.ts'

export interface AdmissionLimits {
  readonly maxPeers: number
  readonly maxPending: number
  readonly maxPendingPerHost: number
  readonly maxConnectRate: number
  readonly gateTimeout: number
  readonly goodAddress?: ((who: { readonly host: string }) => boolean) | undefined
  readonly goodPeer?: ((who: Candidate) => Maybe<boolean>) | undefined
}

/** Remote hosts whose rate is remembered; the one heard of longest ago is forgotten first. */
const HOSTS = 4096

/** For so long nothing is taken of a host that showed what no sock shows, in seconds: it can cost 100 ms to look at. */
const PENALTY = 3

/** What no sock shows, whatever it is set to: a certificate or several that are no identity. */
const FORGERIES: readonly ErrorCode[] = ['BAD_CERTIFICATE', 'NOT_SELF_SIGNED', 'WRONG_KEY_TYPE']

interface Waiting {
  readonly end: ((why: SockError) => void) | undefined
}

/** Who may become a peer. Asked in this order: limits, goodAddress, then, once connected, goodPeer. */
export class Admission {
  /** Connections between accept and goodPeer's answer. */
  pending = 0
  readonly #limits: AdmissionLimits
  readonly #platform: Platform
  readonly #deadlines: Deadlines
  readonly #waiting = new Map<string, Set<Waiting>>()
  readonly #buckets = new Map<string, Bucket>()

  constructor(limits: AdmissionLimits, platform: Platform, deadlines: Deadlines) {
    this.#limits = limits
    this.#platform = platform
    this.#deadlines = deadlines
  }

  /** What speaks against this connection before anything is done for it. Throws what goodAddress throws. */
  atDoor({ host, address, local, scarce }: Endpoint, peers: number): SockError | undefined {
    const refuse = (code: ErrorCode, what: string): SockError => new SockError(code, what, { address })
    const { maxPeers, maxPending, maxPendingPerHost, maxConnectRate, goodAddress } = this.#limits
    if (scarce === true)
      return refuse('TOO_MANY_FILES', 'nearly all file descriptors of this process are taken')
    if (peers + this.pending >= maxPeers) return refuse('TOO_MANY_PEERS', `there are ${peers} peers already`)
    if (this.pending >= maxPending)
      return refuse('TOO_MANY_PENDING', `${this.pending} connections wait at the gate`)
    if (!local) {
      const waiting = this.#waiting.get(host)?.size ?? 0
      if (waiting >= maxPendingPerHost)
        return refuse('TOO_MANY_PENDING', `${waiting} connections of this host wait`)
      if (!this.#takeToken(host)) {
        return refuse(
          'TOO_MANY_PENDING',
          `this host connects more than ${maxConnectRate} times a second, or showed a wrong certificate`,
        )
      }
    }
    if (goodAddress === undefined) return undefined
    const good: unknown = goodAddress({ host })
    if (good instanceof Promise) {
      good.catch(() => undefined)
      throw new TypeError('goodAddress must answer at once; goodPeer may take its time')
    }
    // Nothing but `true` opens.
    return good === true ? undefined : refuse('REFUSED', 'goodAddress said no')
  }

  #takeToken(host: string): boolean {
    const { maxConnectRate, maxPendingPerHost } = this.#limits
    const bucket = refill(this.#buckets.get(host), this.#platform.now(), maxConnectRate, maxPendingPerHost)
    this.#remember(host, bucket)
    if (bucket.tokens < 1) return false
    bucket.tokens--
    return true
  }

  #remember(host: string, bucket: Bucket): void {
    // Set anew, so that the order of the map is the order of last use.
    this.#buckets.delete(host)
    this.#buckets.set(host, bucket)
    if (this.#buckets.size > HOSTS) {
      for (const oldest of this.#buckets.keys()) {
        this.#buckets.delete(oldest)
        break
      }
    }
  }

  /**
   * Somebody at this host has proven nothing, and why: if that was an attack, all others of it that are to prove something are ended, since
   * each may cost as much, and nothing more is taken of it for a time.
   */
  unproven({ host, local }: Endpoint, { code }: SockError): void {
    const { maxConnectRate } = this.#limits
    if (local || !FORGERIES.includes(code) || maxConnectRate === Infinity) return
    this.#remember(host, { tokens: 1 - PENALTY * maxConnectRate, at: this.#platform.now() })
    const why = new SockError('TOO_MANY_PENDING', 'this host showed a wrong certificate')
    for (const { end } of this.#waiting.get(host) ?? []) end?.(why)
  }

  /** One more waits to become a peer, until the returned function is called. `end`: ends it while it is to prove who it is. */
  enter(host: string, end?: Waiting['end']): () => void {
    const one: Waiting = { end }
    const all = this.#waiting.get(host) ?? new Set()
    this.pending++
    this.#waiting.set(host, all.add(one))
    return () => {
      this.pending--
      all.delete(one)
      if (all.size === 0) this.#waiting.delete(host)
    }
  }

  /** Asks goodPeer. A gate that fails is a gate that is closed; `onFault` hears of it. `entered`: it is counted already. */
  ask(who: Candidate, onFault: (thrown: unknown) => void, entered = false): Question {
    const { goodPeer, gateTimeout } = this.#limits
    const { host, address } = who
    if (goodPeer === undefined) return YES
    const leave = entered ? undefined : this.enter(host)
    const question = new OpenQuestion(address, () => {
      deadline.cancel()
      leave?.()
    })
    const deadline = this.#deadlines.set(gateTimeout, () => {
      question.answer(new SockError('GATE_TIMEOUT', `goodPeer took more than ${gateTimeout} ms`, { address }))
    })
    // Nothing but `true` opens: a gate must not be opened by mistake.
    const said = (yes: unknown): void => {
      question.answer(yes === true ? undefined : new SockError('REFUSED', 'goodPeer said no', { address }))
    }
    const failed = (thrown: unknown): void => {
      onFault(thrown)
      question.answer(asSockError(thrown, 'REFUSED', 'goodPeer threw', address))
    }
    try {
      const good = goodPeer(who)
      if (typeof good === 'boolean') said(good)
      else Promise.resolve(good).then(said, failed)
    } catch (thrown) {
      failed(thrown)
    }
    return question
  }
}

/** A question to goodPeer. Undefined is a yes; anything else is why not. */
export interface Question {
  /** Called once, at once if the answer is there already. */
  onAnswer(fn: (error: SockError | undefined) => void): void
  /** The answer does not matter any more: it is a no, because of `why` or else because the connection ended. */
  readonly giveUp: (why?: SockError) => void
}

const YES: Question = {
  onAnswer: (fn) => {
    fn(undefined)
  },
  giveUp: () => undefined,
}

class OpenQuestion implements Question {
  readonly #address: string
  readonly #onClosed: () => void
  #answer: { error: SockError | undefined } | undefined
  #fn: ((error: SockError | undefined) => void) | undefined

  constructor(address: string, onClosed: () => void) {
    this.#address = address
    this.#onClosed = onClosed
  }

  answer(error: SockError | undefined): void {
    if (this.#answer !== undefined) return
    this.#answer = { error }
    this.#onClosed()
    this.#fn?.(error)
  }

  onAnswer(fn: (error: SockError | undefined) => void): void {
    if (this.#answer === undefined) this.#fn = fn
    else fn(this.#answer.error)
  }

  readonly giveUp = (why?: SockError): void => {
    const what = 'the connection ended before goodPeer answered'
    this.answer(why ?? new SockError('PEER_GONE', what, { address: this.#address }))
  }
}

export interface Bucket {
  tokens: number
  at: number
}

/** A token bucket at time `now`: `rate` tokens a second, `burst` at the most; a new one is full. */
export function refill(bucket: Bucket | undefined, now: number, rate: number, burst: number): Bucket {
  if (bucket === undefined) return { tokens: burst, at: now }
  return { tokens: Math.min(burst, bucket.tokens + ((now - bucket.at) / 1000) * rate), at: now }
}

/** Who may go on with a session, and with which tokens. Pure decisions, in both roles. */
import { SockError } from '../../errors.ts'
import type { Hello, Resume, Session } from './hello.ts'

/** Why an acceptor does not go on with a session. */
export type SessionReason =
  | 'unknown-session'
  | 'expired'
  | 'ended'
  | 'incarnation-changed'
  | 'position-gone'
  | 'not-yours'

const REASONS: readonly string[] = [
  'unknown-session',
  'expired',
  'ended',
  'incarnation-changed',
  'position-gone',
  'not-yours',
] satisfies SessionReason[]

/** SESSION_LOST, and what is left to be known. */
export class SessionLost extends SockError {
  readonly reason: SessionReason
  /** Up to where the far side had received what we sent, if it still knows. */
  readonly lastRecv: number | undefined

  constructor(reason: SessionReason, lastRecv?: number, address?: string) {
    super('SESSION_LOST', reason, { address })
    this.reason = reason
    this.lastRecv = lastRecv
  }

  /** What a far side said of it; text that is no reason is one that we know nothing of. */
  static told(text: string, lastRecv: number | undefined, address: string): SessionLost {
    return new SessionLost(
      REASONS.includes(text) ? (text as SessionReason) : 'unknown-session',
      lastRecv,
      address,
    )
  }
}

/**
 * The right to one session.
 *
 * The dialer shows the token that it was given last, and counts up `connGen` with each attempt. The acceptor gives
 * out a new token each time; it takes the one before as well until a frame has come over the new pipe, since the
 * WELCOME with the new one may be lost. Who shows a valid token takes the place of a pipe that still seems to live.
 */
export class Resumption {
  readonly id: Uint8Array
  /** Of the far side's process: a session does not survive the loss of its memory. */
  readonly incarnation: Uint8Array
  #token: Uint8Array
  #previous: Uint8Array | undefined
  #connGen = 0
  #key: string | undefined

  constructor(id: Uint8Array, token: Uint8Array, incarnation: Uint8Array) {
    this.id = id
    this.#token = token
    this.incarnation = incarnation
  }

  get key(): string {
    return (this.#key ??= keyOf(this.id))
  }

  /** The attempt that was made last, or let go on last. */
  get connGen(): number {
    return this.#connGen
  }

  // Dialer

  /** Another attempt. `lastRecv`: up to where we have what the far side sent. */
  request(lastRecv: number): Resume {
    return { sessionId: this.id, token: this.#token, connGen: ++this.#connGen, lastRecv }
  }

  granted({ token }: Session): void {
    this.#token = token
  }

  // Acceptor

  /** What speaks against going on. */
  refusal({ resume, incarnation }: Hello): SessionReason | undefined {
    if (resume === undefined) return 'unknown-session'
    const { token, connGen } = resume
    const known = equal(token, this.#token) || (this.#previous !== undefined && equal(token, this.#previous))
    if (!known || connGen <= this.#connGen) return 'not-yours'
    return equal(incarnation, this.incarnation) ? undefined : 'incarnation-changed'
  }

  /** Lets this dialer go on, with a new token. */
  grant({ token, connGen }: Resume, next: Uint8Array): void {
    this.#connGen = connGen
    // The one that it has for certain: it showed it.
    this.#previous = token
    this.#token = next
  }

  /** A frame came over the new pipe: the dialer has the new token. */
  confirm(): void {
    this.#previous = undefined
  }

  /** Another one in the same state. */
  clone(): Resumption {
    const other = new Resumption(this.id, this.#token, this.incarnation)
    other.#previous = this.#previous
    other.#connGen = this.#connGen
    return other
  }

  /** Two of one session that are in the same state behave alike from here on. */
  state(): string {
    return `${keyOf(this.#token)} ${this.#previous && keyOf(this.#previous)} ${this.#connGen}`
  }
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** In hex. In one piece: added up byte by byte it would be kept as 15 strings, each of two. */
export const keyOf = (bytes: Uint8Array): string => Array.from(bytes, (byte) => HEX[byte]).join('')

/** In a time that does not depend on what is in them. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  let differ = a.length ^ b.length
  for (const [i, byte] of a.entries()) differ |= byte ^ (b[i] ?? 0)
  return differ === 0
}

/** A session that is over, as it is remembered. */
export interface Tombstone {
  readonly resumption: Resumption
  readonly reason: SessionReason
  readonly lastRecv: number
}

/** What is remembered of sessions that are over: the newest so many. It turns most that would be unknown into facts. */
export class Tombstones {
  readonly #most: number
  readonly #byKey = new Map<string, Tombstone>()

  constructor(most = 1024) {
    this.#most = most
  }

  add(tombstone: Tombstone): void {
    this.#byKey.set(tombstone.resumption.key, tombstone)
    if (this.#byKey.size <= this.#most) return
    for (const oldest of this.#byKey.keys()) {
      this.#byKey.delete(oldest)
      break
    }
  }

  /** Up to which seq a session with this process was received, if that is still known. */
  received(key: string, incarnation: Uint8Array): number | undefined {
    const found = this.#byKey.get(key)
    return found !== undefined && equal(found.resumption.incarnation, incarnation)
      ? found.lastRecv
      : undefined
  }

  /** What the dialer of this HELLO is told. Only who shows a token of the session hears more than that it is unknown. */
  tell(hello: Hello, key: string): SessionLost {
    const found = this.#byKey.get(key)
    if (found === undefined || found.resumption.refusal(hello) === 'not-yours')
      return new SessionLost('unknown-session')
    // Who still asks may ask again: what nobody asks for is forgotten first.
    this.#byKey.delete(key)
    this.#byKey.set(key, found)
    return new SessionLost(found.reason, found.lastRecv)
  }
}

/*
 * The handshake of one connection, before it is a peer.
 *
 *   dialer    HELLO ──▶            ──▶ WELCOME read ──▶ tables, if the contracts differ ──▶ gate ──▶ peer
 *   acceptor        ──▶ HELLO read ──▶ gate ──▶ WELCOME, or the rejection ──▶ tables ──▶ peer
 */
import { fail, isSockError, SockError } from '../../errors.ts'
import type { Pipe } from '../../net/pipe.ts'
import { readU32 } from '../../wire/length-header.ts'
import { decodeGoodbye, encodeGoodbye, encodePing } from '../../wire/v1/bodies.ts'
import { GOODBYE, HEADER, PING } from '../../wire/v1/frame.ts'
import {
  decodeHello,
  decodeWelcome,
  encodeHello,
  encodeWelcome,
  isMagic,
  mayBeHello,
  MAGIC,
} from '../../wire/v1/hello-bytes.ts'
import {
  type Accepted,
  agreedFeatures,
  type Hello,
  judgeWelcome,
  MAX_HELLO,
  negotiate,
  type Offer,
  rejection,
  type Session,
  SESSIONS,
  tooSlow,
  VERSIONS,
} from '../../wire/v1/hello.ts'
import { equal, keyOf as hex, SessionLost } from '../../wire/v1/resumption.ts'
import type { Deadlines } from '../deadlines.ts'
import type { Partings } from '../partings.ts'
import { Waiter } from '../waiter.ts'
import type { FarTypes } from './far-types.ts'
import type { Again, Greeted, Met, Resumable, Terms } from './greeted.ts'
import { controlFrame, HandshakePipe } from './handshake-pipe.ts'
import { exchangeTables, type Positions } from './tables.ts'
import { type Dial, Duplicate, type Visit } from './twins.ts'

export type { Greeted, GreetedV1 } from './greeted.ts'

interface GreetingHost {
  readonly deadlines: Deadlines
  readonly partings: Partings
}

export class Greeting {
  readonly #pipe: HandshakePipe
  readonly #dialed: boolean
  readonly #terms: Terms
  readonly #deadlines: Deadlines
  readonly #partings: Partings
  readonly #address: string
  /** The far side is one of v1: it understands a rejection. */
  #isV1 = false
  /** WELCOME was said: from here on there are frames. */
  #agreed = false
  /** Who goes on with a session has received something before. */
  #positions: Positions = { ours: 0, theirs: 0 }
  /** What the dialer said, and what it is to be answered once the gate is passed. */
  #hello: Hello | undefined
  #answer: Accepted | undefined
  #resumable: Resumable | undefined
  #greeted: Greeted | undefined
  readonly #again: Again | undefined
  readonly #host: string
  /** Who the far side is, proven; undefined: it has said so at the most. */
  readonly #proven: string | undefined
  #dial: Dial | undefined
  #visit: Visit | undefined
  /** There is a peer, or will be none. */
  readonly #known = new Waiter()
  #offHeld: (() => void) | undefined

  constructor(
    pipe: Pipe,
    dialed: boolean,
    terms: Terms,
    { deadlines, partings }: GreetingHost,
    again?: Again,
  ) {
    this.#again = again
    this.#dialed = dialed
    this.#terms = terms
    this.#deadlines = deadlines
    this.#partings = partings
    this.#address = pipe.remote.address
    this.#host = pipe.remote.host
    this.#proven = pipe.proof?.id
    // Who goes on with a session, or has had a WELCOME, knows what the far side speaks.
    this.#pipe = new HandshakePipe(pipe, (error) =>
      isSockError(error)
        ? error
        : dialed && again === undefined && !this.#agreed
          ? this.#error(
              'PEER_NOT_SESSION',
              'the far side ended the connection before it answered HELLO: it refused us, or does not speak v1',
            )
          : this.#error('PEER_GONE', 'the connection ended during the handshake'),
    )
  }

  /** Up to the gate. */
  meet(): Promise<Met> {
    return this.#inTime(async () => (this.#dialed ? this.#meetAcceptor() : this.#meetDialer()))
  }

  /** From the gate on: what the peer begins with. */
  async settle(): Promise<Greeted> {
    const greeted = (this.#greeted ??= await this.#inTime(() => this.#welcome()))
    const session = greeted.wire === 'v1' ? greeted.session : undefined
    const broken = this.#visit === undefined ? undefined : await this.#untilKept(this.#visit, session)
    this.#visit?.settled()
    this.#pipe.release(greeted.wire === 'v1' && broken === undefined)
    const { early } = this.#pipe
    return greeted.wire === 'v1' ? { ...greeted, early, broken } : { ...greeted, early }
  }

  /**
   * Where we have dialed this host as well, which connection is kept is for the far side to say. Returns why this one broke
   * meanwhile, if it did: the far side may have taken it for a peer. Rejects with DUPLICATE, or with what else the far
   * side gave it up for.
   */
  async #untilKept(visit: Visit, session: Session | undefined): Promise<SockError | undefined> {
    const { twins } = this.#terms
    const decided = visit.decided()
    if (decided() && !visit.doubted()) return undefined
    const off = twins.onAnswered(() => {
      this.#pipe.wake()
    })
    // Who comes back to a session has taken it for one that is kept.
    let isBack = false
    if (session !== undefined)
      this.#offHeld = this.#terms.held(session, () => {
        isBack = true
        this.#pipe.wake()
        return this.#known.promise
      })
    const isKnown = (): boolean => isBack || hasSpoken(this.#pipe.early)
    try {
      await this.#pipe.until(() => isKnown() || decided())
      if (visit.doubted()) await this.#askedFor(isKnown)
    } finally {
      off()
    }
    visit.check()
    const farewell = farewellIn(this.#pipe.early)
    if (farewell === 'DUPLICATE') throw new Duplicate(hex(this.#terms.offer.nodeId), this.#address)
    if (farewell !== undefined) throw this.#error('PEER_GONE', `the far side gave this up: ${farewell}`)
    return this.#pipe.over
  }

  /** Has the far side say whether it keeps this connection: who does not says GOODBYE. Silence breaks it. */
  async #askedFor(isKnown: () => boolean): Promise<void> {
    const { handshakeTimeout, offer } = this.#terms
    const isOver = (): boolean => isKnown() || this.#pipe.over !== undefined
    if (isOver()) return
    const late = this.#deadlines.set(handshakeTimeout, () => {
      this.giveUp(
        new SockError('HANDSHAKE_TIMEOUT', `no sign within ${handshakeTimeout} ms`, {
          address: this.#address,
        }),
      )
    })
    try {
      const ping = encodePing({ ttl: offer.ttl, nonce: new Uint8Array(8) })
      await this.#pipe.write(controlFrame(PING, 0, this.#positions.ours, ping)).catch(() => undefined)
      await this.#pipe.until(isOver)
    } finally {
      late.cancel()
    }
  }

  /** Lets go of the connection, and tells the far side why where it waits for that. */
  refuse(error: SockError): void {
    this.#dial?.over()
    this.#visit?.over()
    this.#isKnown()
    this.#pipe.refuse(this.#lastWord(error), this.#partings)
  }

  #isKnown(): void {
    this.#offHeld?.()
    this.#known.resolve()
  }

  #lastWord(error: SockError): Uint8Array | undefined {
    if (this.#agreed) return controlFrame(GOODBYE, 0, this.#positions.ours, encodeGoodbye(error.code))
    if (this.#dialed || !this.#isV1 || error.code === 'WIRE_MISMATCH') return undefined
    const lastRecv = error instanceof SessionLost ? error.lastRecv : undefined
    const nodeId = error instanceof Duplicate ? this.#terms.offer.nodeId : undefined
    return encodeWelcome(rejection(toldOf(error), VERSIONS.high, { lastRecv, nodeId }))
  }

  /** Whoever waits for this hears `why`. */
  giveUp(why: SockError): void {
    this.#pipe.giveUp(why)
    this.#dial?.over()
  }

  /** Called with why, when this is given up or the connection ends while the gate is asked. */
  set onGiveUp(fn: ((why: SockError) => void) | undefined) {
    this.#pipe.onOver = fn
  }

  async #meetAcceptor(): Promise<Met> {
    const again = this.#again
    const hello: Hello = { ...VERSIONS, ...this.#terms.offer, ...(again && askAgain(again)) }
    // Who goes on with a session has no other connection to keep.
    const dial =
      again === undefined ? (this.#dial = this.#terms.twins.dialing(this.#host, this.#proven)) : undefined
    await this.#pipe.write(encodeHello(hello))
    const payload = await this.#pipe.frame(MAX_HELLO, (n) =>
      fail('PEER_NOT_SESSION', `its first frame is of ${n} bytes: no WELCOME is`, { address: this.#address }),
    )
    if (!isMagic(payload))
      fail('PEER_NOT_SESSION', 'its first frame is no WELCOME', { address: this.#address })
    const welcome = decodeWelcome(payload)
    if (welcome.result === 'rejected') dial?.rejected()
    if (welcome.result === 'rejected' && welcome.code === 'SESSION_LOST')
      throw SessionLost.told(welcome.text, welcome.lastRecv, this.#address)
    if (welcome.result === 'rejected' && welcome.code === 'DUPLICATE' && welcome.nodeId !== undefined)
      throw new Duplicate(hex(welcome.nodeId), this.#address)
    const theirs = judgeWelcome(welcome, hello)
    if (again !== undefined && (theirs.result !== 'resumed' || !equal(theirs.incarnation, again.incarnation)))
      throw new SessionLost('incarnation-changed', undefined, this.#address)
    const { session } = theirs
    if (again !== undefined) this.#positions = { ours: again.resume.lastRecv, theirs: session?.lastRecv ?? 0 }
    this.#agreed = true
    await dial?.met(theirs, this.#address)
    const types = await this.#tablesOf(theirs)
    this.#greeted = {
      wire: 'v1',
      nodeId: hex(theirs.nodeId),
      session: this.#sessions(theirs) ? session : undefined,
      resumed: again && {
        connGen: again.resume.connGen,
        lastRecv: session?.lastRecv ?? 0,
      },
      theirs,
      codec: theirs.codecs[0] ?? '',
      types,
      joined: dial && ((peer) => dial.joined(peer)),
      early: this.#pipe.early,
      broken: undefined,
    }
    return metOf(theirs, again !== undefined)
  }

  async #meetDialer(): Promise<Met> {
    if (this.#terms.wire === 'auto' && !(await this.#saysHello())) {
      this.#greeted = { wire: 'plain', early: this.#pipe.early }
      return { id: undefined, again: false }
    }
    const mismatch = (what: string): never => fail('WIRE_MISMATCH', what, { address: this.#address })
    const payload = await this.#pipe.frame(MAX_HELLO, (n) =>
      mismatch(`its first frame is of ${n} bytes: it speaks the plain wire, and this sock v1`),
    )
    if (!isMagic(payload)) mismatch('its first frame is no HELLO: it speaks the plain wire, and this sock v1')
    this.#isV1 = true
    const hello = decodeHello(payload)
    if (hello.resume !== undefined && this.#sessions(hello))
      this.#resumable = await this.#terms.resume(hello, this.#proven)
    const answer = negotiate(hello, this.#terms.offer)
    if (answer.result === 'rejected') {
      // Its code is one of ours: negotiate() said it.
      throw new SockError(answer.code as 'NO_COMMON_CODEC', answer.text, { address: this.#address })
    }
    if (this.#resumable === undefined)
      this.#visit = await this.#terms.twins.admit(hello, this.#host, this.#proven)
    this.#hello = hello
    this.#answer = answer
    return metOf(hello, this.#resumable !== undefined)
  }

  /** Whether the first bytes are those of HELLO. Silence says no; who has begun is given the time of a handshake. */
  async #saysHello(): Promise<boolean> {
    let quiet = false
    const silence = this.#deadlines.set(this.#terms.autoWait, () => {
      quiet = this.#pipe.early.length === 0
      this.#pipe.wake()
    })
    try {
      for (let n = 1; ; n++) {
        const first = await this.#pipe.atLeast(n, () => quiet)
        if (first.length < n || !mayBeHello(first)) return false
        if (first.length >= 4 + MAGIC.length) return true
        n = first.length
      }
    } finally {
      silence.cancel()
    }
  }

  async #welcome(): Promise<Greeted> {
    const [hello, answer] = [this.#hello, this.#answer]
    if (hello === undefined || answer === undefined) return fail('PROTOCOL_ERROR', 'welcome before hello')
    const resumable = this.#resumable
    const visit = this.#visit
    // While the gate was asked a dial of ours may have met this node.
    visit?.check()
    const session =
      resumable?.takeOver(hello) ??
      (this.#sessions(hello) ? this.#terms.newSession(hello, this.#proven ?? this.#host) : undefined)
    if (resumable !== undefined)
      this.#positions = { ours: session?.lastRecv ?? 0, theirs: hello.resume?.lastRecv ?? 0 }
    this.#agreed = true
    const result = resumable === undefined ? 'new' : 'resumed'
    await this.#pipe.write(encodeWelcome({ ...answer, result, session }))
    const types = await this.#tablesOf(hello)
    return {
      wire: 'v1',
      nodeId: hex(hello.nodeId),
      session,
      resumed: resumable && {
        connGen: hello.resume?.connGen ?? 0,
        lastRecv: hello.resume?.lastRecv ?? 0,
      },
      theirs: hello,
      codec: answer.codecs[0] ?? '',
      types,
      joined:
        visit &&
        ((peer) => {
          const leave = visit.joined(peer)
          this.#isKnown()
          return leave
        }),
      early: this.#pipe.early,
      broken: undefined,
    }
  }

  #sessions({ features }: Offer): boolean {
    return (agreedFeatures(this.#terms.offer.features, features) & SESSIONS) !== 0n
  }

  #tablesOf(theirs: Offer): Promise<FarTypes> {
    return exchangeTables(this.#pipe, this.#terms, theirs, this.#positions, this.#address)
  }

  async #inTime<T>(work: () => Promise<T>): Promise<T> {
    const { handshakeTimeout } = this.#terms
    const deadline = this.#deadlines.set(handshakeTimeout, () => {
      const awaited = this.#agreed ? 'TABLE' : this.#dialed ? 'WELCOME' : 'HELLO'
      this.giveUp(tooSlow(awaited, handshakeTimeout, this.#address))
    })
    try {
      return await work()
    } finally {
      deadline.cancel()
    }
  }

  #error(code: 'PEER_NOT_SESSION' | 'PEER_GONE', what: string): SockError {
    return new SockError(code, what, { address: this.#address })
  }
}

/** What a refused dialer is told: what it can act on, and nothing of what goes on in here. */
const toldOf = (error: SockError): SockError =>
  error.code === 'NO_COMMON_CODEC' ||
  error.code === 'VERSION_MISMATCH' ||
  error.code === 'BAD_HELLO' ||
  error.code === 'SESSION_LOST' ||
  error.code === 'DUPLICATE'
    ? error
    : new SockError(error.code, 'this connection is not taken')

const metOf = ({ nodeId }: Offer, again: boolean): Met => ({ id: hex(nodeId), again })

/** In the codec of the session there is no choice any more. */
const askAgain = ({ resume, codec }: Again): Pick<Hello, 'resume' | 'codecs'> => ({ resume, codecs: [codec] })

/** Something has come, and if that is a GOODBYE, all of it. One that long is none: its peer says so. */
function hasSpoken(early: Uint8Array): boolean {
  if (early.length <= 4) return false
  const n = readU32(early, 0)
  return early[4] !== GOODBYE || n > MAX_HELLO || early.length >= 4 + n
}

/** The code of a GOODBYE that is the first frame, and all there. */
function farewellIn(early: Uint8Array): string | undefined {
  if (early.length < 4 + HEADER || early[4] !== GOODBYE) return undefined
  const end = 4 + readU32(early, 0)
  return end > early.length ? undefined : decodeGoodbye(early.subarray(4, end))
}

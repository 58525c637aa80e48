/** The handshake of wire v1: what each side says of itself, and what comes of it. Pure decisions. */
import { type ErrorCode, errorCodes, fail, SockError } from '../../errors.ts'

/** The versions of the wire that are spoken here. */
export const VERSIONS: Versions = Object.freeze({ low: 1, high: 1 })
/** The feature of going on with a session over another connection. */
export const SESSIONS = 1n
/** The feature of telling with DONE what became of a message. */
export const DONES = 2n
/** The feature of knowing what came before, over a session that is lost, by its mark. */
export const RESENDS = 4n
/** The longest HELLO or WELCOME, in bytes. */
export const MAX_HELLO = 4096
/** The smallest window that may be granted: less could not hold a frame of SEND_CHUNK. */
export const MIN_WINDOW = 65_536

/** The lowest and the highest version, from 1 to 255. */
export interface Versions {
  readonly low: number
  readonly high: number
}

/** What its sender grants, and what it does. Each is 0 to 2^32 - 1. */
export interface Limits {
  /** The longest message that it takes: the bodies of all its chunks together, in bytes. */
  readonly maxMessage: number
  /** The bytes that may be sent on a lane of events before it grants more. */
  readonly eventWindow: number
  /** The same on the lane of a call, feed or channel. */
  readonly laneWindow: number
  /** How many calls the far side may have open at once. */
  readonly maxCalls: number
  /** The same of feeds and channels. */
  readonly maxStreams: number
  /** It sends a PING after so many milliseconds without a byte from the far side. 0: never. */
  readonly heartbeat: number
  /** It gives up after so many milliseconds without a byte from the far side. 0: never. */
  readonly ttl: number
}

/** What a side says of itself. */
export interface Offer extends Limits {
  /** One bit for each: SESSIONS, DONES. */
  readonly features: bigint
  /** 16 to 64 bytes. */
  readonly nodeId: Uint8Array
  /** 16 bytes, others at each start of the process. */
  readonly incarnation: Uint8Array
  /** 16 bytes, of the contract. */
  readonly fingerprint: Uint8Array
  /** By preference, 1 or more. */
  readonly codecs: readonly string[]
}

/** What an acceptor negotiates with. */
export interface Mine extends Offer, Partial<Versions> {}

export interface Hello extends Offer, Versions {
  readonly resume?: Resume | undefined
}

/** Asks to go on with a session. */
export interface Resume {
  /** 16 bytes. */
  readonly sessionId: Uint8Array
  /** 16 bytes. */
  readonly token: Uint8Array
  readonly connGen: number
  readonly lastRecv: number
}

export type Welcome = Accepted | Rejected

/** `codecs` is the chosen one alone. */
export interface Accepted extends Offer {
  readonly result: 'new' | 'resumed'
  readonly version: number
  readonly session?: Session | undefined
}

export interface Session {
  /** 16 bytes. */
  readonly sessionId: Uint8Array
  /** 16 bytes. */
  readonly token: Uint8Array
  readonly lastRecv: number
}

export interface Rejected {
  readonly result: 'rejected'
  /** The highest that the acceptor speaks. */
  readonly version: number
  readonly code: string
  readonly text: string
  /** Of a session that is over: up to where the acceptor had received. */
  readonly lastRecv?: number | undefined
  /** Of the acceptor, where it keeps another connection with this dialer. */
  readonly nodeId?: Uint8Array | undefined
}

/** What the acceptor answers: the highest common version, and the first of the dialer's codecs that it takes. */
export function negotiate(hello: Hello, mine: Mine): Welcome {
  const { low = VERSIONS.low, high = VERSIONS.high, ...offer } = mine
  const version = Math.min(hello.high, high)
  if (version < Math.max(hello.low, low)) return rejection(versionMismatch(hello, { low, high }), high)
  const codec = hello.codecs.find((name) => mine.codecs.includes(name))
  if (codec === undefined) return rejection(noCommonCodec(hello.codecs, mine.codecs), high)
  return { ...offer, result: 'new', version, codecs: [codec] }
}

/** A HELLO that is refused, by `negotiate`, by its decoder or by a gate, as the WELCOME that says so. */
export const rejection = (
  { code, what: text }: SockError,
  version = VERSIONS.high,
  { lastRecv, nodeId }: Pick<Rejected, 'lastRecv' | 'nodeId'> = {},
): Rejected => ({
  result: 'rejected',
  version,
  code,
  text,
  ...(lastRecv !== undefined && { lastRecv }),
  ...(nodeId !== undefined && { nodeId }),
})

/**
 * What the dialer makes of the answer to its HELLO. A rejection is thrown under its code, as REFUSED if that is none of
 * ours; a WELCOME that does not answer this HELLO is BAD_HELLO.
 */
export function judgeWelcome(welcome: Welcome, { low, high, codecs, resume }: Hello): Accepted {
  if (welcome.result === 'rejected') {
    const { code, text } = welcome
    if (isOurs(code)) fail(code, `the far side said: ${text}`)
    return fail('REFUSED', `the far side said ${code}: ${text}`)
  }
  const { version, result } = welcome
  if (version < low || version > high)
    fail('BAD_HELLO', `WELCOME chose version ${version}, and HELLO offered ${low} to ${high}`)
  const codec = welcome.codecs[0] ?? ''
  if (!codecs.includes(codec))
    fail('BAD_HELLO', `WELCOME chose the codec "${codec}", and HELLO offered ${codecs.join(', ')}`)
  if (result === 'resumed' && resume === undefined)
    fail('BAD_HELLO', 'WELCOME resumes a session, and HELLO asked for none')
  return welcome
}

/** Both sides agree on it. */
export const agreedFeatures = (mine: bigint, theirs: bigint): bigint => mine & theirs

export function versionMismatch(theirs: Versions, ours: Versions): SockError {
  const span = ({ low, high }: Versions): string => (low === high ? `${low}` : `${low} to ${high}`)
  return new SockError(
    'VERSION_MISMATCH',
    `the dialer speaks version ${span(theirs)}, the acceptor ${span(ours)}`,
  )
}

const noCommonCodec = (theirs: readonly string[], ours: readonly string[]): SockError =>
  new SockError('NO_COMMON_CODEC', `the dialer takes ${theirs.join(', ')}, the acceptor ${ours.join(', ')}`)

/** What the side that waits for a message of the handshake ends with after `ms` milliseconds. */
export const tooSlow = (message: 'HELLO' | 'WELCOME' | 'TABLE', ms: number, address?: string): SockError =>
  new SockError('HANDSHAKE_TIMEOUT', `no ${message} within ${ms} ms`, { address })

const isOurs = (code: string): code is ErrorCode => (errorCodes as readonly string[]).includes(code)

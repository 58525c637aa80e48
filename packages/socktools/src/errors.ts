/**
 * Every error that socktools raises is a {@link SockError} with a stable `code`.
 * Match on `code`, never on text. docs/errors.md has one heading per code.
 */

/** The codes, each with the advice that every error of that code ends with. */
const ADVICE = {
  ABORTED: 'the signal you passed was aborted',
  ADDRESS_IN_USE: 'stop the other process, or bind port 0 and read the address that startServer returns',
  ALREADY_STARTED: 'call startServer once per sock; make a second TcpSock for a second address',
  ASK_AGAIN:
    'the connection ended before the answer came; the type of this call is declared idempotent, so to ask again is safe',
  BAD_ADDRESS: 'write tcp://host:port, tcp://[::1]:port, udp://host:port, unix:/path or memory:name',
  BAD_CERTIFICATE: 'the far side is no sock with an identity, or somebody tampers with the connection',
  BAD_CHILD:
    'a sock has all types of its MetaSock, and is in one at a time, never in itself; remove it there first',
  BAD_FRAME: 'both sides must use the same framing, with the same options',
  BAD_HELLO: 'the two sides disagree about the first frame of the wire; run the same version of it on both',
  BAD_ID: 'copy the whole id, as `socktools id show` prints it',
  BAD_KEY_FILE: 'give a file that Identity.load or `socktools id new` made; what was there was left as it is',
  BAD_MESSAGE: 'both sides must use the same codec and the same protocol; see the `invalid` event',
  BAD_OPTION: 'what it takes stands in the comment of that option, which an editor shows',
  BAD_PIN_FILE: 'the file is as it was: put it right, or move it away if every address may be pinned anew',
  BAD_RECORD: 'use the record as it was made, by the owner of the key that it is about',
  BIND_TWICE: 'give the address once: to the constructor or to startServer',
  BROADCAST_OFF: 'open the sock with broadcast: true to send to everyone on a network',
  CALL_TIMEOUT:
    'the far side did not answer in time; it was told to stop; raise `timeout` of the call, or callTimeout',
  CANCELLED: 'whoever asked for it needs it no longer',
  CANNOT_ENCODE:
    'send what the codec takes: bytes or a string under raw(), JSON values under json(), both under msgpack()',
  CANNOT_FRAME: 'send a payload that this framing can carry, or choose lengthPrefixed()',
  CLOSED: 'that is for good; open a new one',
  CONNECT_FAILED: 'check that the other side listens at this address; `connect: [...]` retries for you',
  CONNECT_TIMEOUT: 'check the address and any firewall, or raise connectTimeout',
  DEADLOCK: 'do not await there what waits for the running function itself; call it and return',
  DRAINING:
    'this sock, or its connection to this peer, is ending: what was sent before is written, nothing new is taken',
  DUPLICATE: 'the two keep one connection: use the peer that there is, which connectTo resolves to',
  FOREIGN_PROTOCOL:
    'the other side speaks another protocol; check the port, or choose another framing; a sock with an `identity` speaks TLS, and with nobody who has none',
  FRAME_STALLED: 'the peer began a frame and sent less than the minimum rate; see frameGrace and frameRate',
  FRAME_TOO_LARGE:
    'raise maxFrame if this peer may send so much; an odd length means that the two sides use different framings',
  GATE_TIMEOUT: 'goodPeer did not answer in time; make it faster or raise gateTimeout',
  GROUP_FAILED: 'the cause tells what the system said of this group or interface',
  HANDLER_FAILED: 'the error of your own function is in `cause`; the sock and its peers live on',
  HANDSHAKE_TIMEOUT: 'the other side took the connection and stayed silent; check that it speaks wire v1',
  IDLE_TIMEOUT:
    'the peer was silent for longer than `timeout` (milliseconds); raise it or let peers send something',
  INBOX_FAILED:
    'what was not confirmed comes again, over the next connection; see the cause, and your `inbox` or the disk',
  INSECURE:
    'give the sock an `identity` (Identity.load(path, { create: true })), or say `insecure: true` if all who can reach it are trusted',
  LISTEN_FAILED: 'the cause tells what the system said of this address',
  NOT_BOUND: 'give an address: startServer({ bind: "tcp://127.0.0.1:0" }) or the `bind` option',
  NOT_SELF_SIGNED:
    'identities need no certificate authority: the far side must show the certificate of its own key',
  NOT_SENT: 'nothing of it left this process: to send it again is safe',
  NO_CERTIFICATE: 'give the far side an identity',
  NO_COMMON_CODEC: 'give both sides the same codec: json() is the default',
  NO_KEY_FILE: 'make one: `socktools id new <file>`, or Identity.load(path, { create: true })',
  OUTCOME_UNKNOWN:
    'it left, and the connection ended before the answer came: the far side may have done it; ask before you repeat it',
  OUTBOX_FULL:
    'nothing was stored; let what is pending be delivered, free space on the disk, or raise maxBytes',
  OVER_PLAIN:
    'calls, feeds, channels, headers and receipts need wire v1 on both sides, and sendRaw the plain wire',
  OWN_ID: 'check the address; where two processes are meant, give each an identity of its own',
  PEER_GONE: 'the connection to this peer has ended; connect again',
  PEER_NOT_SESSION:
    'the other side speaks the plain wire or another protocol, wants an `identity`, or refused this one; check the port, the `wire` option of both sides, and its log',
  PIN_CHANGED:
    'somebody else answers at this address, or its key was changed without a record: ask its owner before you remove the pin',
  PIPE_FAILED: 'the cause tells what the system said of this connection',
  PROTOCOL_ERROR: 'the other side broke the rules of wire v1, see PROTOCOL.md; one of the two has a bug',
  REFUSED: 'goodAddress or goodPeer said no, or the far side refused us, and its log tells why',
  REMOTE_ERROR: 'what the far side said of it is in `remote`; its own log has more',
  REVOKED_ID: 'this key is not trusted any more; use the id that took its place',
  SEND_FAILED: 'the cause tells what the system said of this datagram',
  SESSION_LOST:
    'the far side cannot go on where the connection broke: what it had not confirmed may or may not have been done there',
  SIMULATION_FAILED: '`report.replay` is the same run in one line; `lines` are the last of what happened',
  SIMULATION_REAL_IO:
    'in a simulation use the sock, the disk and the timers of the process that the program is given',
  SIMULATION_RUNNING: 'await one simulation before you begin the next: it has the clock of the whole process',
  SLOW_CONSUMER: 'read the iterable faster, or raise its `limit`',
  SLOW_PEER: 'await each send, or raise maxQueue; slowPeer tells what happens at that point',
  STORE_CORRUPT:
    'nothing of it was delivered and its files were kept; `socktools outbox verify` tells where, a copy may be whole',
  STORE_FAILED: 'the cause tells what the system said; look after the disk, then open the store anew',
  STORE_LOCKED: 'one process at a time has a store; close it there, or give this one a directory of its own',
  TLS_ALPN: 'the far side speaks TLS for something else; check the port',
  TLS_FAILED:
    'the cause tells what TLS said; the other side may have ended it because it does not know your key, or took you for another (its log tells why), have no identity, or be another port',
  TLS_RESUMED: 'no sock resumes TLS sessions: the far side is another program',
  TLS_VERSION: 'upgrade the far side to TLS 1.3',
  TOO_LARGE:
    'split the message, or raise maxFrame on both sides as far as the framing (over UDP 65,507 bytes) allows',
  TOO_MANY_FILES: 'raise the limit of open files (ulimit -n), or lower maxPeers: each connection takes one',
  TOO_MANY_PEERS: 'raise maxPeers, or close peers that you no longer need',
  TOO_MANY_PENDING: 'raise maxPending or make goodPeer faster; a flood of connections also looks like this',
  TOO_MANY_SESSIONS:
    'use one connection for all that two sides have to say; or raise maxSessionsPerNode on the side that is dialed',
  TOO_MANY_STREAMS:
    'finish or break some of the feeds and channels of this peer, or raise maxStreams on the far side',
  TRUNCATED: 'the connection ended inside a frame: the other side died or does not speak this framing',
  UNHANDLED: 'add a handler for this type on the side that is asked',
  UNKNOWN_ID: 'name the id in `trust`; whom you dial can be named in the address, too: tcp://ID@host:port',
  UNKNOWN_PEER: 'pass a Peer of this sock or one of its addresses; sock.knownPeers lists them',
  UNKNOWN_TYPE:
    'sendMsg is for a msg, request for a call, stream for a feed, channel for a channel; and both sides must have the type: `socktools compat` compares two contracts',
  UNPROVEN: 'give both sides an `identity`: without one nobody can prove who is there',
  UNSAFE_FILE: 'a secret belongs into a file of mode 600, in a folder that nobody else can write',
  UNSUPPORTED: 'one side needs what the other does not have; upgrade the older one',
  VERSION_MISMATCH: 'no version of the wire is spoken by both; upgrade the older side',
  WIRE_MISMATCH: 'one side speaks wire v1 and the other the plain wire; see the `wire` option of both sides',
  WRITE_STALLED: 'the far side takes nothing: it hangs, or the way there is broken; see stallTimeout',
  WRONG_FAMILY: 'one UdpSock is one socket, for IPv4 or for IPv6: open a second one for the other family',
  WRONG_ID: 'the address may be of another process by now; ask who runs it which id it has',
  WRONG_KEY_TYPE: 'identities are keys of Ed25519; the far side has another kind of certificate',
} as const

export type ErrorCode = keyof typeof ADVICE

export const errorCodes = Object.keys(ADVICE) as readonly ErrorCode[]

export interface ErrorFacts {
  /** The address of the peer or the endpoint concerned. */
  readonly address?: string | undefined
  readonly cause?: unknown
}

/** What went wrong (`message`), to whom (`address`), its stable `code`, and the system's own error (`cause`). */
export class SockError extends Error {
  readonly code: ErrorCode
  readonly address: string | undefined
  /** The message without the address, the advice and the code. */
  readonly what: string

  constructor(code: ErrorCode, what: string, facts: ErrorFacts = {}) {
    const whom = facts.address === undefined ? '' : ` (${printable(facts.address)})`
    // Here, once for all: a peer or a caller may have written part of it.
    const shown = printable(what, 1024)
    super(
      `${shown}${whom}: ${ADVICE[code]} [${code}]`,
      facts.cause === undefined ? undefined : { cause: facts.cause },
    )
    this.name = 'SockError'
    this.what = shown
    this.code = code
    this.address = facts.address
  }
}

// Registered: what another copy of this package in the same program throws is one as well.
const CALL_ERROR: unique symbol = Symbol.for('socktools.CallError')

/**
 * An error that is part of a contract. Throw it in a handler and the far side gets it, with its code, text and data;
 * one whose code the contract does not declare arrives as REMOTE_ERROR, without data.
 *
 * ```ts
 * throw new CallError('ROOM_FULL', { left: 0 })
 * ```
 */
export class CallError<Code extends string = string, Data = unknown> extends Error {
  readonly [CALL_ERROR] = true
  readonly code: Code
  readonly data: Data
  /** For people. It is sent, so no secrets in here. */
  readonly text: string

  constructor(code: Code, data?: Data, text = '') {
    super(text === '' ? code : `${printable(text, 1024)} [${code}]`)
    this.name = 'CallError'
    this.code = code
    this.data = data as Data
    this.text = text
  }
}

/** The far side answered with an error that the contract does not declare: REMOTE_ERROR. */
export class RemoteError extends SockError {
  /** Its code there (HANDLER_FAILED: a handler threw, UNHANDLED: there is none …), and its text, as it was sent. */
  readonly remote: { readonly code: string; readonly text: string }

  constructor(remote: { readonly code: string; readonly text: string }, address: string) {
    super('REMOTE_ERROR', `the far side answered ${remote.code}${remote.text && `: ${remote.text}`}`, {
      address,
    })
    this.remote = remote
  }
}

/** Throws, so that a caller cannot forget to. */
export function fail(code: ErrorCode, what: string, facts?: ErrorFacts): never {
  throw new SockError(code, what, facts)
}

/** Callers in JavaScript may pass anything. Throws BAD_OPTION. */
export function needFunction(value: unknown, what: string): void {
  if (typeof value !== 'function') fail('BAD_OPTION', `${what} must be a function`)
}

/** What an error about a value that is of no use says behind it, where that is a promise of one that may be. */
export const unawaited = (value: unknown): string =>
  typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
    ? '; this is a promise: await it'
    : ''

/** Options that are known: one that does not exist would do nothing, in silence. Throws BAD_OPTION. */
export function needKnown(options: object, known: readonly string[], what: string): void {
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) fail('BAD_OPTION', `${what} has no "${name}"; it has ${known.join(', ')}`)
  }
}

/** Whatever was thrown, as a SockError: ours as it is, anything else wrapped under `code`. */
export function asSockError(thrown: unknown, code: ErrorCode, what: string, address?: string): SockError {
  if (isSockError(thrown)) return thrown
  return new SockError(code, `${what}: ${reasonOf(thrown)}`, { address, cause: thrown })
}

/** The same error, of this address unless it is of one already. */
export function withAddress(error: SockError, address: string): SockError {
  const { code, what, cause } = error
  return error.address === undefined ? new SockError(code, what, { address, cause }) : error
}

/** Even asking what was thrown can throw: a Proxy may do anything. */
export function isSockError(thrown: unknown): thrown is SockError {
  try {
    return thrown instanceof SockError
  } catch {
    return false
  }
}

/** The same of a CallError, of whichever copy of this package. */
export function isCallError(thrown: unknown): thrown is CallError {
  try {
    return thrown instanceof Error && (thrown as Partial<CallError>)[CALL_ERROR] === true
  } catch {
    return false
  }
}

/** The one-line text of something thrown. */
export function reasonOf(thrown: unknown): string {
  try {
    return printable(thrown instanceof Error ? thrown.message || thrown.name : String(thrown))
  } catch {
    return 'a value that cannot be printed'
  }
}

/**
 * Text from a peer, fit for a terminal or a log: control, ANSI, newline, bidirectional and invisible
 * characters are escaped, and it is cut at `limit` characters (256).
 */
export function printable(text: string, limit = 256): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}…` : text
  return cut.replace(UNPRINTABLE, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`)
}

/** Controls, formats (zero width, bidirectional, tags), separators, lone surrogates, blank Hangul fillers. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Surrogate}\u115f\u1160\u3164\uffa0]/gu

import { CallError, type ErrorCode, SockError } from 'socktools'
import { shown } from './notation.ts'

/** What to do, where the library's advice speaks of its API and the command line has a better one. */
export type Fixes = Partial<Record<ErrorCode, string>>

const FIX: Fixes = {
  ADDRESS_IN_USE: 'stop the other process, or listen on port 0 and read the address that is printed',
  BAD_ADDRESS: 'write tcp://host:port, tcp://[::1]:port, unix:/path or udp://host:port',
  BAD_OPTION: 'lower --max-frame, or use a --framing that carries more',
  BAD_MESSAGE: 'both sides must use the same --codec',
  CANNOT_ENCODE: 'write what --codec can carry; JSON of more than 1 MiB needs --max-frame as well',
  CANNOT_FRAME: 'these bytes cannot stand on a line: use another --framing',
  BROADCAST_OFF: 'give the address of one machine',
  CONNECT_FAILED: 'start the other side first, or add --retry',
  CONNECT_TIMEOUT: 'check the address and any firewall, or add --retry',
  FOREIGN_PROTOCOL:
    'check the port; telnet and netcat need --lines; see also --framing; --identity is for both sides or neither',
  FRAME_STALLED: 'the other side began a message and never finished it; do both use the same --framing?',
  FRAME_TOO_LARGE: 'use the same --framing on both sides, or raise --max-frame',
  LISTEN_FAILED: 'give an address of this machine, and a port or a path that you may use',
  NO_CERTIFICATE: 'give the far side a key with --identity',
  OWN_ID: 'the far side has this very key: give each its own',
  REFUSED: 'the far side takes this key not: give it our id (socktools id show) for its --trust',
  TLS_FAILED:
    'give both sides a key with --identity, or neither; or the far side refused this one, and tells so itself',
  UNKNOWN_ID:
    'name the id with --trust, or dial tcp://ID@host:port; the far side prints its address with its id',
  UNPROVEN: 'give your own key with --identity: socktools id new makes one',
  TRUNCATED: 'the other side died within a message, or the two use different --framing',
  WRONG_FAMILY: 'the other side has no address of the family, IPv4 or IPv6, of the one listened on',
  TOO_LARGE: 'split it, or raise --max-frame on both sides as far as the framing and UDP allow',
}

/** The same for the commands that speak wire v1. */
export const TYPED_FIX: Fixes = {
  ABORTED: 'it was told to stop',
  ADDRESS_IN_USE: 'stop the other process, or listen on port 0 and read the address that is printed',
  BAD_ADDRESS: 'write tcp://host:port, tcp://[::1]:port or unix:/path; calls and feeds need one of these',
  BAD_MESSAGE: 'both sides must have the same contract; that of call, watch and send is --protocol',
  BAD_OPTION: 'see the examples of --help',
  CALL_TIMEOUT: 'it was told to stop; raise --timeout',
  CANNOT_ENCODE: 'write bytes as {"base64":"aGk="}',
  CONNECT_FAILED: 'start the other side first, as with socktools serve',
  CONNECT_TIMEOUT: 'check the address and any firewall',
  FOREIGN_PROTOCOL:
    'check the port; --identity is for both sides or neither; call, watch and send need a far side that speaks wire v1',
  HANDSHAKE_TIMEOUT:
    'the other side does not speak wire v1; if it speaks the plain wire, use socktools connect',
  INSECURE: 'give a key with --identity (socktools id new makes one), or say --insecure',
  LISTEN_FAILED: 'give an address of this machine, and a port or a path that you may use',
  NO_COMMON_CODEC: 'json and msgpack is all that this command has',
  PEER_NOT_SESSION:
    'the other side does not speak wire v1; if it speaks the plain wire, use socktools connect',
  OWN_ID: 'the far side has this very key: give each its own',
  REMOTE_ERROR: 'its own log may have more; --protocol shows the data of errors that a contract declares',
  UNPROVEN: 'give your own key with --identity: socktools id new makes one',
  UNKNOWN_ID: 'dial tcp://ID@host:port; the far side prints its address with its id',
  UNKNOWN_TYPE: 'call is for calls, watch for feeds, send for messages',
}

/** What the library has no code for. */
export class UsageError extends Error {}

/** What is wrong with how the command was called, as against what went wrong after that. */
export const isUsage = (error: unknown): boolean =>
  error instanceof UsageError ||
  (error instanceof SockError && (error.code === 'BAD_ADDRESS' || error.code === 'BAD_OPTION'))

/** The name of a host that the system could not look up. */
const isUnknownName = ({ cause }: SockError): boolean =>
  ['ENOTFOUND', 'EAI_AGAIN'].includes((cause as NodeJS.ErrnoException | undefined)?.code ?? '')

/** What went wrong and what to do about it. */
export function explain(error: unknown, fixes: Fixes = FIX): string {
  if (isAnswer(error)) return answered(error)
  if (!(error instanceof SockError)) return error instanceof Error ? error.message : String(error)
  const fix = isUnknownName(error) ? 'check the name' : fixes[error.code]
  if (fix === undefined) return error.message
  const where = error.address === undefined ? '' : ` (${error.address})`
  return `${error.what}${where}: ${fix} [${error.code}]`
}

/** An error that the contract declares. */
export const isAnswer = (error: unknown): error is CallError => error instanceof CallError

/** It is an answer: with the data that came with it. */
function answered({ code, text, data }: CallError): string {
  const parts = [`the far side answered ${code}`, text, data === undefined ? '' : JSON.stringify(shown(data))]
  return parts.filter(Boolean).join(': ')
}

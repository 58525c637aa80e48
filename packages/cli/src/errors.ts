import { type ErrorCode, SockError } from 'socktools'

/** What to do, where the library's advice speaks of its API and the command line has a better one. */
const FIX: Partial<Record<ErrorCode, string>> = {
  ADDRESS_IN_USE: 'stop the other process, or listen on port 0 and read the address that is printed',
  BAD_ADDRESS: 'write tcp://host:port, tcp://[::1]:port, unix:/path or udp://host:port',
  BAD_OPTION: 'lower --max-frame, or use a --framing that carries more',
  BAD_MESSAGE: 'both sides must use the same --codec',
  CANNOT_ENCODE: 'write what --codec can carry; JSON of more than 1 MiB needs --max-frame as well',
  CANNOT_FRAME: 'these bytes cannot stand on a line: use another --framing',
  BROADCAST_OFF: 'give the address of one machine',
  CONNECT_FAILED: 'start the other side first, or add --retry',
  CONNECT_TIMEOUT: 'check the address and any firewall, or add --retry',
  FOREIGN_PROTOCOL: 'check the port; telnet and netcat need --lines; see also --framing',
  FRAME_STALLED: 'the other side began a message and never finished it; do both use the same --framing?',
  FRAME_TOO_LARGE: 'use the same --framing on both sides, or raise --max-frame',
  LISTEN_FAILED: 'give an address of this machine, and a port or a path that you may use',
  TRUNCATED: 'the other side died within a message, or the two use different --framing',
  WRONG_FAMILY: 'the other side has no address of the family, IPv4 or IPv6, of the one listened on',
  TOO_LARGE: 'split it, or raise --max-frame on both sides as far as the framing and UDP allow',
}

/** What is wrong with how the command was called, as against what went wrong after that. */
export const isUsage = (error: unknown): boolean =>
  error instanceof SockError && (error.code === 'BAD_ADDRESS' || error.code === 'BAD_OPTION')

/** The name of a host that the system could not look up. */
const isUnknownName = ({ cause }: SockError): boolean =>
  ['ENOTFOUND', 'EAI_AGAIN'].includes((cause as NodeJS.ErrnoException | undefined)?.code ?? '')

/** What went wrong and what to do about it. */
export function explain(error: unknown): string {
  if (!(error instanceof SockError)) return error instanceof Error ? error.message : String(error)
  const fix = isUnknownName(error) ? 'check the name' : FIX[error.code]
  if (fix === undefined) return error.message
  const where = error.address === undefined ? '' : ` (${error.address})`
  return `${error.what}${where}: ${fix} [${error.code}]`
}

import { type ErrorCode, reasonOf, SockError } from '../errors.ts'

/*
 * What OpenSSL and Node say of TLS, in codes and words of ours. Theirs is in `cause`: it speaks of lines in the source of OpenSSL.
 */

const OLD = ['TLS_VERSION', 'it speaks an older TLS than 1.3'] as const
const OTHER = ['TLS_ALPN', 'it speaks TLS for something else'] as const
const NO_TLS = [
  'FOREIGN_PROTOCOL',
  'it speaks no TLS: a sock without an identity, or something else',
] as const

/** What is refused before there is anything to judge. */
const FAILURES: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  UNSUPPORTED_PROTOCOL: OLD,
  TLSV1_ALERT_PROTOCOL_VERSION: OLD,
  NO_APPLICATION_PROTOCOL: OTHER,
  TLSV1_ALERT_NO_APPLICATION_PROTOCOL: OTHER,
  WRONG_VERSION_NUMBER: NO_TLS,
  PACKET_LENGTH_TOO_LONG: NO_TLS,
  HTTP_REQUEST: ['FOREIGN_PROTOCOL', 'it speaks HTTP'],
  PEER_DID_NOT_RETURN_A_CERTIFICATE: ['NO_CERTIFICATE', 'it showed no certificate'],
}

/** Alerts by which a far side refuses what we have shown (RFC 8446, 6.2). In TLS 1.3 they come when our handshake is done. */
const REFUSALS: Readonly<Record<string, string>> = {
  TLSV13_ALERT_CERTIFICATE_REQUIRED: 'it wants a certificate, and we have none',
  SSLV3_ALERT_BAD_CERTIFICATE: 'it finds our certificate wrong',
  SSLV3_ALERT_UNSUPPORTED_CERTIFICATE: 'it takes no certificate of this kind',
  SSLV3_ALERT_CERTIFICATE_REVOKED: 'our certificate is revoked there',
  SSLV3_ALERT_CERTIFICATE_EXPIRED: 'our certificate has expired for it',
  SSLV3_ALERT_CERTIFICATE_UNKNOWN: 'it does not take our certificate',
  TLSV1_ALERT_UNKNOWN_CA: 'it does not know who signed our certificate',
  TLSV1_ALERT_ACCESS_DENIED: 'it denies us access',
}

/** Why a handshake failed. */
export function tlsError(cause: unknown, address: string): SockError {
  const refusal = refusalIn(cause, address)
  if (refusal !== undefined) return refusal
  const [code, what] = FAILURES[nameOf(cause)] ?? ['TLS_FAILED', wordsOf(cause)]
  return new SockError(code, `the TLS handshake failed: ${what}`, { address, cause })
}

/** An error of a connection, if it is the far side's refusal of what we have shown. */
export function refusalIn(cause: unknown, address: string): SockError | undefined {
  const what = REFUSALS[nameOf(cause)]
  if (what === undefined) return undefined
  return new SockError('REFUSED', `the far side refused us in TLS: ${what}`, { address, cause })
}

/** The name that OpenSSL has for it; empty: it is not of OpenSSL. */
function nameOf(cause: unknown): string {
  const [, name = ''] = /^ERR_SSL_(.+)$/.exec(codeOf(cause)) ?? []
  return name
}

const codeOf = (cause: unknown): string => String((cause as { code?: unknown } | null)?.code)

function wordsOf(cause: unknown): string {
  // Node's own words speak of a client and of what it did not establish.
  if (codeOf(cause) === 'ECONNRESET') return ENDED
  const { reason } = cause as { reason?: unknown }
  if (nameOf(cause) !== '' && typeof reason === 'string') return `OpenSSL says "${reason}"`
  return reasonOf(cause)
}

export const ENDED = 'the far side ended the connection'

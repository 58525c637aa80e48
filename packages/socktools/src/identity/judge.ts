/*
 * Whether a finished TLS handshake proved an identity: a pure decision over what TLS and the certificate say. Each refusal
 * has its own code, so that a counter names its cause.
 */
import { type ErrorCode, fail } from '../errors.ts'
import { idOf } from './id.ts'

/** What both sides must have named (RFC 7301). */
export const ALPN = 'socktools/1'

/** Ours have some 230 bytes. */
export const MAX_CERTIFICATE = 1024

/** What is known of the far side when the handshake is done. */
export interface TlsFacts {
  /** Undefined: it showed none, or none that can be read. */
  readonly certificate: CertificateFacts | undefined
  /** What OpenSSL says of the certificate; a self-signed one is in no store, so there is exactly one right answer. */
  readonly verdict: string | undefined
  /** `TLSv1.3`. */
  readonly version: string | null
  readonly alpn: string | false | null
  /** The handshake was a short one: in it nobody shows a certificate, nor proves to have its key. */
  readonly resumed: boolean
}

export interface CertificateFacts {
  /** Bytes of its DER. */
  readonly length: number
  /** `ed25519`, `rsa`, `ec` … */
  readonly keyType: string | undefined
  /** 32 bytes, if the key is one of Ed25519. */
  readonly publicKey: Uint8Array | undefined
  /** Its signature is right, by its own key. */
  readonly signsItself: boolean
  /** No others came with it. */
  readonly alone: boolean
}

/** The id of the far side. Throws why there is none. */
export function judgeTls({ certificate, verdict, version, alpn, resumed }: TlsFacts): string {
  const refuse = (code: ErrorCode, what: string): never => fail(code, what)
  // First: on a resumed session what follows may be missing, or be of another connection.
  if (resumed) return refuse('TLS_RESUMED', 'the far side resumed a TLS session')
  if (version !== 'TLSv1.3') return refuse('TLS_VERSION', `the far side speaks ${version ?? 'no TLS'}`)
  if (alpn !== ALPN) return refuse('TLS_ALPN', `the far side did not ask for ${ALPN}`)
  if (certificate === undefined) return refuse('NO_CERTIFICATE', 'the far side showed no certificate')
  if (certificate.length > MAX_CERTIFICATE)
    return refuse('BAD_CERTIFICATE', `a certificate of ${certificate.length} bytes is no identity`)
  if (certificate.keyType !== 'ed25519' || certificate.publicKey?.length !== 32)
    return refuse('WRONG_KEY_TYPE', `its key is ${certificate.keyType ?? 'unknown'}, not ed25519`)
  if (verdict !== 'DEPTH_ZERO_SELF_SIGNED_CERT')
    return refuse(
      'NOT_SELF_SIGNED',
      `its certificate is not its own: ${verdict ?? 'signed by somebody else'}`,
    )
  if (!certificate.alone) return refuse('BAD_CERTIFICATE', 'other certificates came with its own')
  if (!certificate.signsItself) return refuse('BAD_CERTIFICATE', 'the signature of its certificate is wrong')
  return idOf(certificate.publicKey)
}

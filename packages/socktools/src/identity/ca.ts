import { type ErrorCode, fail } from '../errors.ts'
import type { Security } from '../net/security.ts'
import { type Finished, type TlsCredentials, tlsSecurity } from '../net/tls.ts'
import { ALPN } from './judge.ts'

type Pem = string | Uint8Array

export interface CaTlsOptions {
  /** Certificate and private key, in PEM. Who listens needs them, and who dials one that wants `clients` to show theirs. */
  readonly cert?: Pem
  readonly key?: Pem
  /** The authorities that are trusted, in PEM. Default: those that Node trusts. */
  readonly ca?: Pem | readonly Pem[]
  /** Who dials in must show a certificate of these authorities as well. Default false: nothing is proven of it. */
  readonly clients?: boolean
}

/**
 * Ordinary TLS 1.3, for the option `security`: certificates are signed by authorities and are for host names. There are no ids:
 * `peer.proof.name` is the host that was dialed, or the subject of a client's certificate.
 */
export function caTls({ cert, key, ca, clients = false }: CaTlsOptions): Security {
  const credentials: TlsCredentials = {
    namesHosts: true,
    options: {
      ...(cert === undefined ? {} : { cert: cert as string }),
      ...(key === undefined ? {} : { key: key as string }),
      ...(ca === undefined ? {} : { ca: (Array.isArray(ca) ? ca : [ca]) as string[] }),
      requestCert: clients,
      rejectUnauthorized: clients,
      minVersion: 'TLSv1.3',
      maxVersion: 'TLSv1.3',
      ALPNProtocols: [ALPN],
    },
  }
  return tlsSecurity({
    name: 'ca-tls',
    credentials: () => credentials,
    judge: (done) => ({ name: judgeName(done, clients) }),
  })
}

/** Whose name is proven; undefined: nobody's, and nobody's was asked for. Throws why it is not. */
function judgeName(done: Finished, clients: boolean): string | undefined {
  const { certificate, verdict, version, alpn, resumed, dialed, host } = done
  const refuse = (code: ErrorCode, what: string): never => fail(code, what)
  if (resumed) refuse('TLS_RESUMED', 'the far side resumed a TLS session')
  if (version !== 'TLSv1.3') refuse('TLS_VERSION', `the far side speaks ${version ?? 'no TLS'}`)
  if (alpn !== ALPN) refuse('TLS_ALPN', `the far side did not ask for ${ALPN}`)
  if (!dialed && !clients) return undefined
  if (certificate === undefined) return refuse('NO_CERTIFICATE', 'the far side showed no certificate')
  if (verdict !== undefined) refuse('BAD_CERTIFICATE', `its certificate is not trusted: ${verdict}`)
  return dialed ? host : certificate.subject
}

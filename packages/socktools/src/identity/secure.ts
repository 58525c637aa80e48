import { type Finished, type TlsCredentials, tlsSecurity } from '../net/tls.ts'
import type { Security } from '../net/security.ts'
import { pemOf, rawOf } from '../platform/node-keys.ts'
import { Identity } from './identity.ts'
import { ALPN, judgeTls, MAX_CERTIFICATE, type TlsFacts } from './judge.ts'

/** TLS 1.3 in which both sides prove that they have the key of their id. `current` is asked at each handshake. */
export function identityTls(current: () => Identity): Security {
  const made = new WeakMap<Identity, TlsCredentials>()
  return tlsSecurity({
    name: 'tls',
    id: () => current().id,
    credentials() {
      const identity = current()
      let credentials = made.get(identity)
      if (credentials === undefined) made.set(identity, (credentials = credentialsOf(identity)))
      return credentials
    },
    judge: (done) => ({ id: judgeTls(factsOf(done)) }),
  })
}

function credentialsOf(identity: Identity): TlsCredentials {
  const { key, certificate } = Identity.tlsOf(identity)
  return {
    namesHosts: false,
    options: {
      key,
      cert: pemOf('CERTIFICATE', certificate),
      // Nobody vouches for anybody: without a store the one right verdict is that of a certificate that stands for itself.
      ca: [],
      requestCert: true,
      // We judge ourselves, and more strictly: `authorized` can be true of one that showed nothing.
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
      maxVersion: 'TLSv1.3',
      ALPNProtocols: [ALPN],
    },
  }
}

function factsOf({ certificate, ...done }: Finished): TlsFacts {
  return { ...done, certificate: certificate && certificateFacts(certificate) }
}

function certificateFacts(shown: NonNullable<Finished['certificate']>): TlsFacts['certificate'] {
  const { length } = shown.raw
  // Not even looked at.
  if (length > MAX_CERTIFICATE) return { ...NOTHING, length }
  try {
    const key = shown.publicKey
    const keyType = key.asymmetricKeyType
    const isOurs = keyType === 'ed25519'
    return {
      length,
      keyType,
      publicKey: isOurs ? rawOf(key) : undefined,
      signsItself: isOurs && shown.verify(key),
      alone: shown.issuerCertificate === undefined,
    }
  } catch {
    // A key that cannot be read is of no type.
    return { ...NOTHING, length }
  }
}

const NOTHING = { keyType: undefined, publicKey: undefined, signsItself: false, alone: false }

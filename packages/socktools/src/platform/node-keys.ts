import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto'

/** An Ed25519 key pair. */
export interface KeyPair {
  /** 32 bytes. */
  readonly publicKey: Uint8Array
  /** 64 bytes. */
  sign(bytes: Uint8Array): Uint8Array
  /** The private key, as PKCS #8 in PEM. A secret. */
  readonly pem: string
}

export const newKeyPair = (): KeyPair => pairOf(generateKeyPairSync('ed25519').privateKey)

/** Throws, in words of our own, where it is none: what OpenSSL says of it helps nobody. */
export function keyPairOf(pem: string): KeyPair {
  const key = privateKeyOf(pem)
  if (key.asymmetricKeyType !== 'ed25519')
    throw new Error(`it is a key of ${key.asymmetricKeyType ?? 'no known kind'}, not ed25519`)
  return pairOf(key)
}

function privateKeyOf(pem: string): KeyObject {
  const [, label] = /^-----BEGIN ([A-Z0-9 ]+)-----/m.exec(pem) ?? []
  if (label === undefined) throw new Error('it has no "-----BEGIN PRIVATE KEY-----"')
  if (label.startsWith('ENCRYPTED') || /^Proc-Type: 4,ENCRYPTED/m.test(pem))
    throw new Error('it is encrypted: write it without a passphrase, by `openssl pkey -in FILE -out NEW`')
  if (label.startsWith('OPENSSH')) throw new Error('it is in the form of OpenSSH, and must be in PKCS #8')
  if (label.endsWith('PUBLIC KEY')) throw new Error('it is a public key')
  try {
    return createPrivateKey(pem)
  } catch {
    throw new Error('what stands in it is no key')
  }
}

function pairOf(key: KeyObject): KeyPair {
  return {
    publicKey: rawOf(createPublicKey(key)),
    sign: (bytes) => new Uint8Array(sign(null, bytes, key)),
    get pem() {
      return key.export({ type: 'pkcs8', format: 'pem' }) as string
    },
  }
}

/** The 32 bytes of a public key of Ed25519. */
export function rawOf(key: KeyObject): Uint8Array {
  return new Uint8Array(Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url'))
}

/** `info`: the SubjectPublicKeyInfo of the key. */
export function verified(info: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(info), format: 'der', type: 'spki' })
    return verify(null, bytes, key, signature)
  } catch {
    return false
  }
}

/** HMAC-SHA256: 32 bytes. */
export const hmac = (secret: Uint8Array | string, bytes: Uint8Array): Uint8Array =>
  new Uint8Array(createHmac('sha256', secret).update(bytes).digest())

/** As text of the characters that a URL takes. */
export const toBase64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')
export const fromBase64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64url'))

/** In a time that does not depend on what is in them. */
export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && timingSafeEqual(a, b)

/** DER as PEM. */
export const pemOf = (label: string, der: Uint8Array): string =>
  `-----BEGIN ${label}-----\n${Buffer.from(der).toString('base64').replace(/.{64}/g, '$&\n')}\n-----END ${label}-----\n`

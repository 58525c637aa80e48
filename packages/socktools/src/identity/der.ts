/*
 * The certificate of an identity: the smallest that TLS takes for an Ed25519 key. It says nothing but the key: name, number
 * and dates are the same in all. We write DER and never read it.
 */

/** 1.3.101.112, Ed25519, as an AlgorithmIdentifier. */
const ED25519 = der(0x30, der(0x06, [0x2b, 0x65, 0x70]))
const NAME = der(0x30, der(0x31, der(0x30, der(0x06, [0x55, 0x04, 0x03]), der(0x0c, ascii('socktools')))))
/** From 1970 on; 9999 stands for no end (RFC 5280, 4.1.2.5). Clocks that are wrong refuse nobody. */
const VALIDITY = der(0x30, der(0x17, ascii('700101000000Z')), der(0x18, ascii('99991231235959Z')))
const V3 = der(0xa0, der(0x02, [2]))
const SERIAL = der(0x02, [1])

/** What is signed of the certificate of a public key of 32 bytes. */
export const certificateBody = (publicKey: Uint8Array): Uint8Array =>
  der(0x30, V3, SERIAL, ED25519, NAME, VALIDITY, NAME, publicKeyInfo(publicKey))

/** SubjectPublicKeyInfo. */
export const publicKeyInfo = (publicKey: Uint8Array): Uint8Array =>
  der(0x30, ED25519, der(0x03, [0], publicKey))

/** `signature`: of `body`, by the key in it. */
export const certificate = (body: Uint8Array, signature: Uint8Array): Uint8Array =>
  der(0x30, body, ED25519, der(0x03, [0], signature))

/** Tag, length (below 64 KiB), value. */
function der(tag: number, ...parts: readonly ArrayLike<number>[]): Uint8Array {
  const value = parts.flatMap((part) => Array.from(part))
  const n = value.length
  const length = n < 0x80 ? [n] : n < 0x100 ? [0x81, n] : [0x82, n >> 8, n & 0xff]
  return Uint8Array.from([tag, ...length, ...value])
}

function ascii(text: string): number[] {
  return Array.from(text, (c) => c.charCodeAt(0))
}

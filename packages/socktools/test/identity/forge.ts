/** Certificates that nobody should take, and the keys to go with them. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { pemOf } from '../../src/platform/node-keys.ts'

export interface Forged {
  readonly key: string
  readonly cert: string
}

export interface Forgery {
  readonly kind?: 'ed25519' | 'rsa' | 'p256'
  /** Signed by another key than its own, which has the same name unless told. */
  readonly byOther?: boolean
  readonly issuer?: string
  /** One bit of the signature is another. */
  readonly damaged?: boolean
  /** Bytes of a name that is far too long. */
  readonly padding?: number
}

const KEYS = {
  ed25519: () => generateKeyPairSync('ed25519'),
  rsa: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  p256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
}
const ALGORITHMS = {
  ed25519: '300506032b6570',
  rsa: '300d06092a864886f70d01010b0500',
  p256: '300a06082a8648ce3d040302',
}

export function forged({
  kind = 'ed25519',
  byOther = false,
  issuer = 'x',
  damaged = false,
  padding = 1,
}: Forgery): Forged {
  const { privateKey, publicKey } = KEYS[kind]()
  const signer = byOther ? KEYS[kind]().privateKey : privateKey
  const algorithm = Buffer.from(ALGORITHMS[kind], 'hex')
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const validity = der(
    0x30,
    der(0x17, Buffer.from('700101000000Z')),
    der(0x18, Buffer.from('99991231235959Z')),
  )
  const body = der(
    0x30,
    der(0xa0, der(2, Buffer.of(2))),
    der(2, Buffer.of(1)),
    algorithm,
    name(issuer.repeat(padding)),
    validity,
    name('x'.repeat(padding)),
    spki,
  )
  const signature = sign(kind === 'ed25519' ? null : 'sha256', body, signer)
  if (damaged) signature[10] = (signature[10] ?? 0) ^ 1
  const whole = der(0x30, body, algorithm, der(3, Buffer.of(0), signature))
  return { key: pemOfKey(privateKey), cert: pemOf('CERTIFICATE', whole) }
}

const pemOfKey = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }) as string

const name = (text: string): Buffer =>
  der(0x30, der(0x31, der(0x30, Buffer.from('0603550403', 'hex'), der(0x0c, Buffer.from(text)))))

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const value = Buffer.concat(parts)
  const n = value.length
  const length = n < 0x80 ? [n] : n < 0x100 ? [0x81, n] : [0x82, n >> 8, n & 0xff]
  return Buffer.concat([Buffer.of(tag, ...length), value])
}

import { fail, reasonOf, unawaited } from '../errors.ts'
import { type KeyPair, keyPairOf, newKeyPair, verified } from '../platform/node-keys.ts'
import { createSecret, readSecret } from '../platform/node-secrets.ts'
import { certificate, certificateBody, publicKeyInfo } from './der.ts'
import { idOf, keyOfId } from './id.ts'

export interface LoadOptions {
  /** Where there is no file: make a key, and the file. Default false. */
  readonly create?: boolean
}

/** A key pair of Ed25519: who a sock is. Its `id` is its public key, for all to know. */
export class Identity {
  /** `sock1…`: the public key as text, with a checksum. */
  readonly id: string
  /** 32 bytes. */
  readonly publicKey: Uint8Array
  readonly #keys: KeyPair
  #pems: Pems | undefined

  private constructor(keys: KeyPair) {
    this.#keys = keys
    this.publicKey = keys.publicKey
    this.id = idOf(keys.publicKey)
  }

  /** A new one, kept nowhere but in memory. */
  static generate(): Identity {
    return new Identity(newKeyPair())
  }

  /**
   * The one in a file: PKCS #8 in PEM, as `openssl genpkey -algorithm ed25519` writes it. With `create` one is made where
   * there is none, readable by its owner alone. Throws NO_KEY_FILE, BAD_KEY_FILE, and UNSAFE_FILE where others could read it
   * or put another one in its place.
   */
  static async load(path: string, { create = false }: LoadOptions = {}): Promise<Identity> {
    const text = await readSecret(path)
    if (text !== undefined) return Identity.fromPem(text, path)
    if (!create) return fail('NO_KEY_FILE', `there is no file ${path}`)
    const made = Identity.generate()
    if (await createSecret(path, made.toPem())) return made
    // Another process was faster.
    return Identity.load(path)
  }

  /** From PKCS #8 in PEM. Throws BAD_KEY_FILE. */
  static fromPem(pem: string, path = 'this text'): Identity {
    try {
      return new Identity(keyPairOf(pem))
    } catch (cause) {
      // The reason alone, and no cause: nothing of the key may come into a log.
      return fail('BAD_KEY_FILE', `${path} holds no private key of Ed25519: ${reasonOf(cause)}`)
    }
  }

  /** The private key, as PKCS #8 in PEM. Whoever has it is this identity. */
  toPem(): string {
    return this.#keys.pem
  }

  /** Of 64 bytes. */
  sign(bytes: Uint8Array): Uint8Array {
    return this.#keys.sign(bytes)
  }

  /** The certificate of 230 bytes and the key, as TLS takes them. */
  static tlsOf(identity: Identity): Pems {
    const keys = identity.#keys
    const body = certificateBody(keys.publicKey)
    return (identity.#pems ??= { key: keys.pem, certificate: certificate(body, keys.sign(body)) })
  }

  /** What a log may show of it. */
  toString(): string {
    return this.id
  }

  toJSON(): string {
    return this.id
  }
}

/** Callers in JavaScript may pass anything. Throws BAD_OPTION. */
export function needIdentity(given: unknown, what: string): Identity {
  if (given instanceof Identity) return given
  return fail('BAD_OPTION', `${what} is what Identity.load() or Identity.generate() gave${unawaited(given)}`)
}

interface Pems {
  readonly key: string
  /** DER. */
  readonly certificate: Uint8Array
}

/** Whether the identity of this id signed these bytes. Throws BAD_ID. */
export function isSignedBy(id: string, bytes: Uint8Array, signature: Uint8Array): boolean {
  return verified(publicKeyInfo(keyOfId(id)), bytes, signature)
}

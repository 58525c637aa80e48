/** Keys and certificates of an attacker, as `openssl` makes them. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Identity } from '../../src/index.ts'

const runs = (tool: string, ...args: string[]): boolean => {
  try {
    execFileSync(tool, args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Why these attacks cannot be carried out here; false: they can. */
export const lacking: string | false =
  (!runs('openssl', 'version') && 'there is no openssl') ||
  (!runs('python3', '-c', 'import ssl; assert ssl.HAS_TLSv1_3') && 'there is no python3 with TLS 1.3') ||
  false

/** Paths of two files. */
export interface Pair {
  readonly key: string
  readonly cert: string
}

const KINDS = {
  ed25519: ['-algorithm', 'ed25519'],
  rsa: ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
  p256: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'],
} as const

const CONFIG = `
[req]
distinguished_name = name
[name]
[ca]
default_ca = own
[own]
database = index.txt
new_certs_dir = .
serial = serial
default_md = default
policy = any
unique_subject = no
[any]
commonName = supplied
`

/** A folder of keys, removed with the process at the latest. */
export class Certificates {
  readonly folder = mkdtempSync(join(tmpdir(), 'certificates-'))
  #made = 0

  constructor() {
    process.on('exit', () => {
      rmSync(this.folder, { recursive: true, force: true })
    })
    writeFileSync(this.#path('config'), CONFIG)
    writeFileSync(this.#path('index.txt'), '')
    writeFileSync(this.#path('serial'), '01\n')
  }

  /** A key of Ed25519, and a certificate of its own: what a socktools node shows. */
  honest(): Pair & { readonly identity: Identity } {
    const pair = this.selfSigned('ed25519')
    return { ...pair, identity: Identity.fromPem(readFileSync(pair.key, 'utf8')) }
  }

  selfSigned(kind: keyof typeof KINDS): Pair {
    const key = this.key(kind)
    const cert = this.#file('pem')
    this.#openssl('req', '-x509', '-new', '-key', key, '-subj', '/CN=x', '-days', '30', '-out', cert)
    return { key, cert }
  }

  /** Of this host, signed by itself; in PEM. */
  authority(host: string): { readonly key: string; readonly cert: string } {
    const key = this.key('ed25519')
    const cert = this.#file('pem')
    const names = ['-subj', `/CN=${host}`, '-addext', `subjectAltName=DNS:${host}`]
    this.#openssl('req', '-x509', '-new', '-key', key, ...names, '-days', '30', '-out', cert)
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
  }

  /** Of another name, by an authority, which comes along. */
  chain(): Pair {
    const authority = this.selfSigned('ed25519')
    const key = this.key('ed25519')
    const cert = this.#file('pem')
    const by = ['-CA', authority.cert, '-CAkey', authority.key, '-CAcreateserial', '-days', '30']
    this.#openssl('x509', '-req', '-in', this.#request(key, 'y'), ...by, '-out', cert)
    writeFileSync(cert, readFileSync(cert, 'utf8') + readFileSync(authority.cert, 'utf8'))
    return { key, cert }
  }

  /** Its own, and so many others, which cost whoever reads them. */
  crowd(count: number): Pair {
    const { key, cert } = this.selfSigned('ed25519')
    const other = readFileSync(this.selfSigned('ed25519').cert, 'utf8')
    writeFileSync(cert, readFileSync(cert, 'utf8') + other.repeat(count))
    return { key, cert }
  }

  /** Its own, for a time that does not include now. */
  dated(from: string, to: string): Pair {
    const key = this.key('ed25519')
    const cert = this.#file('pem')
    const dates = ['-startdate', `${from}0101000000Z`, '-enddate', `${to}0101000000Z`]
    const how = ['-selfsign', '-batch', '-notext', '-keyfile', key, '-in', this.#request(key)]
    this.#openssl('ca', '-config', 'config', ...how, ...dates, '-out', cert)
    return { key, cert }
  }

  /** One bit of its own signature is another. */
  damaged(): Pair {
    const { key, cert } = this.selfSigned('ed25519')
    const der = this.#file('der')
    this.#openssl('x509', '-in', cert, '-outform', 'DER', '-out', der)
    const bytes = readFileSync(der)
    bytes[bytes.length - 40] = (bytes[bytes.length - 40] ?? 0) ^ 1
    writeFileSync(der, bytes)
    this.#openssl('x509', '-inform', 'DER', '-in', der, '-out', cert)
    return { key, cert }
  }

  /** Readable by its owner alone, so that a node takes it for its own, too. */
  key(kind: keyof typeof KINDS): string {
    const key = this.#file('key')
    this.#openssl('genpkey', ...KINDS[kind], '-out', key)
    return key
  }

  #request(key: string, name = 'x'): string {
    const request = this.#file('csr')
    this.#openssl('req', '-new', '-key', key, '-subj', `/CN=${name}`, '-out', request)
    return request
  }

  #openssl(...args: string[]): void {
    const env = { ...process.env, OPENSSL_CONF: this.#path('config') }
    execFileSync('openssl', args, { cwd: this.folder, env, stdio: ['ignore', 'ignore', 'pipe'] })
  }

  #path(name: string): string {
    return join(this.folder, name)
  }

  #file(kind: string): string {
    return this.#path(`${++this.#made}.${kind}`)
  }
}

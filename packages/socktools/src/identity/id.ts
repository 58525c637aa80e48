/*
 * The one text form of a public key: Bech32m (BIP 350) with the prefix `sock`, in lower case.
 *
 *   sock1 · 32 bytes in groups of 5 bits, of which the last has 4 zero bits (52 characters) · checksum (6 characters)
 *
 * The checksum finds any four characters that are wrong. docs/decisions/0013 tells why this form.
 */
import { fail, printable } from '../errors.ts'

const DIGITS = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'
const PREFIX = 'sock'
const KEY = 32
const BODY = 52
const CHECK = 6
const LENGTH = PREFIX.length + 1 + BODY + CHECK
const BECH32M = 0x2bc8_30a3
const GENERATOR = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3]

/** `sock1…`, 63 characters. */
export function idOf(publicKey: Uint8Array): string {
  if (publicKey.length !== KEY) fail('BAD_ID', `a public key has ${KEY} bytes, not ${publicKey.length}`)
  const digits = toDigits(publicKey)
  return `${PREFIX}1${[...digits, ...checksum(digits)].map((digit) => DIGITS[digit]).join('')}`
}

/** The public key of an id. Throws BAD_ID for any text but the canonical one. */
export function keyOfId(id: string): Uint8Array {
  if (typeof id !== 'string') return fail('BAD_ID', `an id is a string, not a ${typeof id}`)
  const shown = printable(id, 80)
  if (id.length !== LENGTH || !id.startsWith(`${PREFIX}1`))
    return fail('BAD_ID', `"${shown}" is no id: an id is ${PREFIX}1 and ${BODY + CHECK} characters`)
  const digits = Array.from(id.slice(PREFIX.length + 1), (c) => DIGITS.indexOf(c))
  if (digits.includes(-1)) return fail('BAD_ID', `"${shown}" has a character that no id has`)
  const body = digits.slice(0, BODY)
  if (checksum(body).some((digit, i) => digit !== digits[BODY + i]))
    return fail('BAD_ID', `"${shown}" has a wrong checksum: look for a typing error`)
  const key = toBytes(body)
  // Bits that stand for nothing would give one key several texts.
  if (toDigits(key)[BODY - 1] !== body[BODY - 1])
    return fail('BAD_ID', `"${shown}" is not the canonical form`)
  return key
}

/** Whether it is an id, in its canonical form. */
export function isId(text: unknown): text is string {
  try {
    keyOfId(text as string)
    return true
  } catch {
    return false
  }
}

function toDigits(key: Uint8Array): number[] {
  const digits: number[] = []
  let bits = 0
  let held = 0
  for (const byte of key) {
    bits = ((bits << 8) | byte) & 0xfff
    for (held += 8; held >= 5; held -= 5) digits.push((bits >> (held - 5)) & 31)
  }
  if (held > 0) digits.push((bits << (5 - held)) & 31)
  return digits
}

function toBytes(digits: readonly number[]): Uint8Array {
  const key = new Uint8Array(KEY)
  let bits = 0
  let held = 0
  let n = 0
  for (const digit of digits) {
    bits = ((bits << 5) | digit) & 0xfff
    held += 5
    if (held < 8 || n === KEY) continue
    held -= 8
    key[n++] = (bits >> held) & 0xff
  }
  return key
}

const HEADER = [
  ...Array.from(PREFIX, (c) => c.charCodeAt(0) >> 5),
  0,
  ...Array.from(PREFIX, (c) => c.charCodeAt(0) & 31),
]

function checksum(body: readonly number[]): number[] {
  let sum = 1
  for (const value of [...HEADER, ...body, 0, 0, 0, 0, 0, 0]) {
    const top = sum >>> 25
    sum = ((sum & 0x1ff_ffff) << 5) ^ value
    for (const [i, term] of GENERATOR.entries()) if ((top >> i) & 1) sum ^= term
  }
  sum ^= BECH32M
  return Array.from({ length: CHECK }, (_, i) => (sum >>> (5 * (5 - i))) & 31)
}

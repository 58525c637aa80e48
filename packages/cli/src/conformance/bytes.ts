/** Bytes by hand. Nothing of the library's codecs is used here: they are what is under test. */

const utf8 = new TextEncoder()

export const utf8Bytes = (text: string): Uint8Array => utf8.encode(text)
export const jsonBytes = (value: unknown): Uint8Array => utf8Bytes(JSON.stringify(value))

export function jsonValue(data: Uint8Array): unknown {
  return data.length === 0 ? undefined : JSON.parse(Buffer.from(data).toString())
}

/** Hex, in which spaces mean nothing, '*' repeats and '+' joins: as in spec/vectors. */
export function octets(text: string): Uint8Array {
  const parts = text.split('+').map((part) => {
    const [digits = '', times = '1'] = part.split('*')
    const one = Buffer.from(digits.replaceAll(/\s/g, ''), 'hex')
    return Buffer.alloc(one.length * Number(times), one)
  })
  return join(...parts)
}

export const join = (...parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts))

export const toHex = (data: Uint8Array): string => Buffer.from(data).toString('hex')

export const same = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0

/** Big endian. */
export function uint(width: number, value: number | bigint): Uint8Array {
  return octets(
    BigInt(value)
      .toString(16)
      .padStart(2 * width, '0'),
  )
}

export const readUint = (data: Uint8Array): number =>
  data.length === 0 ? 0 : Number(BigInt(`0x${toHex(data)}`))

/** A length of so many bytes, and what it is the length of. */
export const sized = (width: number, data: Uint8Array): Uint8Array => join(uint(width, data.length), data)

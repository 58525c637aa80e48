/** MessagePack as PROTOCOL.md has it, read slowly and plainly. Shares no code with src, nor with msgpackr. */

interface Pair {
  readonly type: string | number
  readonly data: unknown
}

/** Undefined: refused. */
export function readMsgpack(bytes: Uint8Array, maxValues: number): Pair | undefined {
  const reader = new Reader(Buffer.from(bytes), maxValues)
  try {
    const pair = reader.value(64)
    if (reader.rest !== 0 || !Array.isArray(pair) || pair.length !== 2) return undefined
    const [type, data] = pair as [unknown, unknown]
    return typeof type === 'string' || Number.isSafeInteger(type) ? { type: type as string, data } : undefined
  } catch (refused) {
    if (refused instanceof Refused) return undefined
    throw refused
  }
}

class Refused extends Error {}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

class Reader {
  readonly #bytes: Buffer
  #at = 0
  #values: number

  constructor(bytes: Buffer, maxValues: number) {
    this.#bytes = bytes
    this.#values = maxValues
  }

  get rest(): number {
    return this.#bytes.length - this.#at
  }

  #take(n: number): Buffer {
    if (this.rest < n) throw new Refused()
    return this.#bytes.subarray(this.#at, (this.#at += n))
  }

  #uint(n: number): number {
    return this.#take(n).readUIntBE(0, n)
  }

  #text(n: number): string {
    try {
      return strict.decode(this.#take(n))
    } catch {
      throw new Refused()
    }
  }

  #integer(n: bigint): number | bigint {
    return n >= -(2n ** 53n) && n <= 2n ** 53n ? Number(n) : n
  }

  value(depth: number): unknown {
    const [token = 0] = this.#take(1)
    const range = (from: number, to: number): boolean => token >= from && token <= to
    if (range(0x00, 0x7f)) return token
    if (range(0xe0, 0xff)) return token - 256
    if (range(0x80, 0x8f)) return this.#map(token - 0x80, depth)
    if (range(0x90, 0x9f)) return this.#array(token - 0x90, depth)
    if (range(0xa0, 0xbf)) return this.#text(token - 0xa0)
    if (range(0xc4, 0xc6)) return new Uint8Array(this.#take(this.#uint(2 ** (token - 0xc4))))
    if (range(0xcc, 0xce)) return this.#uint(2 ** (token - 0xcc))
    if (range(0xd0, 0xd2)) return this.#take(2 ** (token - 0xd0)).readIntBE(0, 2 ** (token - 0xd0))
    if (range(0xd9, 0xdb)) return this.#text(this.#uint(2 ** (token - 0xd9)))
    const others: Record<number, () => unknown> = {
      0xc0: () => null,
      0xc2: () => false,
      0xc3: () => true,
      0xc7: () => this.#time(this.#uint(1)),
      0xca: () => this.#take(4).readFloatBE(),
      0xcb: () => this.#take(8).readDoubleBE(),
      0xcf: () => this.#integer(this.#take(8).readBigUInt64BE()),
      0xd3: () => this.#integer(this.#take(8).readBigInt64BE()),
      0xd6: () => this.#time(4),
      0xd7: () => this.#time(8),
      0xdc: () => this.#array(this.#uint(2), depth),
      0xdd: () => this.#array(this.#uint(4), depth),
      0xde: () => this.#map(this.#uint(2), depth),
      0xdf: () => this.#map(this.#uint(4), depth),
    }
    const other = others[token]
    if (other === undefined) throw new Refused()
    return other()
  }

  #enter(values: number, depth: number): void {
    this.#values -= values
    if (depth === 0 || this.#values < 0 || values > this.rest) throw new Refused()
  }

  #array(n: number, depth: number): unknown[] {
    this.#enter(n, depth)
    return Array.from({ length: n }, () => this.value(depth - 1))
  }

  #map(n: number, depth: number): object {
    this.#enter(2 * n, depth)
    const entries: [string, unknown][] = []
    for (let i = 0; i < n; i++) {
      const [token = 0] = this.#bytes.subarray(this.#at, this.#at + 1)
      const key = this.value(0)
      const isInteger =
        typeof key === 'bigint' || (typeof key === 'number' && token !== 0xca && token !== 0xcb)
      if ((typeof key !== 'string' && !isInteger) || key === '__proto__') throw new Refused()
      entries.push([String(key), this.value(depth - 1)])
    }
    return Object.fromEntries(entries)
  }

  #time(n: number): Date {
    if (this.#uint(1) !== 0xff || ![4, 8, 12].includes(n)) throw new Refused()
    const bytes = this.#take(n).toString('hex')
    let [nanos, seconds] = [0n, BigInt(`0x${bytes}`)]
    if (n === 8) [nanos, seconds] = [seconds >> 34n, seconds & (2n ** 34n - 1n)]
    if (n === 12) [nanos, seconds] = [seconds >> 64n, BigInt.asIntN(64, seconds)]
    if (nanos >= 10n ** 9n) throw new Refused()
    const date = new Date(Number(seconds) * 1000 + Number(nanos) / 1e6)
    if (Number.isNaN(date.getTime())) throw new Refused()
    return date
  }
}

/** Data that somebody may hand to a codec, good or bad, built as bytes say: for what looks through it before it is sent. */
import assert from 'node:assert/strict'
import { json } from '../../src/wire/codec.ts'
import { msgpack } from '../../src/wire/msgpack/msgpack.ts'
import { codeOf, toHex } from '../wire/bytes.ts'

interface Built {
  readonly value: unknown
  /** JSON would lose or alter it. */
  readonly isLost: boolean
  /** Arrays and objects within each other. */
  readonly depth: number
}

const fine = (value: unknown): Built => ({ value, isLost: false, depth: 0 })
const lost = (value: unknown): Built => ({ value, isLost: true, depth: 0 })

class Point {
  x: unknown
  constructor(x: unknown) {
    this.x = x
  }
}

const LEAVES: readonly ((n: number) => Built)[] = [
  () => fine(null),
  (n) => fine(n),
  (n) => fine('text'.repeat(n % 20)),
  () => fine(undefined),
  () => fine(NaN),
  () => fine(-0),
  (n) => fine(n % 2 === 0),
  (n) => fine(new Date(n)),
  (n) => fine(Object('boxed'.slice(n % 5))),
  (n) => fine({ toJSON: () => n }),
  () => fine('\ud800'),
  () => lost(() => 0),
  () => lost(Symbol('x')),
  (n) => lost(BigInt(n)),
  (n) => lost(new Uint8Array(n)),
  () => lost(new ArrayBuffer(2)),
  (n) => lost(new Map([[n, n]])),
  (n) => lost(new Set([n])),
  (n) => lost({ toJSON: () => new Set([n]) }),
  () => lost(new Error('x')),
  () => lost(Promise.resolve()),
  () => lost(Object.create({ inherited: 1 })),
]
const KEYS = ['a', '7', '', '__proto__', 'constructor', 'toString', 'ü', 'a b']

/** Reads one value from the bytes on; where there are none it is null. */
class Builder {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  #next(): number {
    return this.#bytes[this.#at++] ?? 0
  }

  value(): Built {
    const what = this.#next()
    if (what < 200) return LEAVES[what % LEAVES.length]!(this.#next())
    const parts = Array.from({ length: what % 4 }, () => this.value())
    const values = parts.map(({ value }) => value)
    return {
      value: this.#joined(what, values),
      isLost: parts.some(({ isLost }) => isLost),
      depth: 1 + Math.max(0, ...parts.map(({ depth }) => depth)),
    }
  }

  #joined(what: number, values: readonly unknown[]): unknown {
    if (what < 225) return values
    // A class without properties would be one that has nothing to say.
    if (what < 230) return new Point(values)
    const object = (what < 235 ? Object.create(null) : {}) as Record<string, unknown>
    values.forEach((value, i) => {
      const key = KEYS[(what + i) % KEYS.length]!
      Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true })
    })
    return object
  }
}

const codec = json()
const packed = msgpack()

/** What json() says to it. What msgpack() takes it can read. */
export function checkValue(bytes: Uint8Array): string {
  const { value, isLost, depth } = new Builder(bytes).value()
  let written = new Uint8Array(0)
  const code = codeOf(() => (written = new Uint8Array(codec.encode('x', value))))
  // A Point is of two levels. The pair is one.
  const deep = depth > 25
  if (!deep || code === undefined)
    assert.equal(code, isLost ? 'CANNOT_ENCODE' : undefined, `${toHex(bytes)} gives ${code}`)
  if (code === undefined) codec.decode(written)
  const other = codeOf(() => (written = new Uint8Array(packed.encode('x', value))))
  if (other === undefined) packed.decode(written)
  else assert.equal(other, 'CANNOT_ENCODE')
  return `${code ?? 'taken'}, ${other ?? 'taken'}`
}

export const valueSeeds = (): Uint8Array[] => [
  ...LEAVES.map((_, i) => Uint8Array.of(i, 3)),
  ...[201, 225, 229, 232, 238, 243].map((what) => Uint8Array.of(what, 1, 1, 4, 0, 7, 9)),
  new Uint8Array(70).fill(201),
]

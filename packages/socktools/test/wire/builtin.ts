/** Every framing that comes with the library, each with what reads it independently, for the suites. */
import fc from 'fast-check'
import type { Framing } from '../../src/wire/framing.ts'
import { type LengthPrefixedOptions, lengthPrefixed } from '../../src/wire/length-prefixed.ts'
import { lines } from '../../src/wire/lines.ts'
import { type Reference, readFixed, readLines, readVarint } from './reference.ts'

export interface Builtin {
  readonly name: string
  readonly framing: Framing
  readonly read: Reference
  /** Payloads that it carries. */
  readonly payloads: fc.Arbitrary<Uint8Array>
}

const anything = (most: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength: most })
/** What lines() can carry: no line feed, no carriage return at the end. */
const line = anything(300).map((bytes) =>
  bytes.map((byte, i) => (byte === 0x0a || (byte === 0x0d && i === bytes.length - 1) ? 0x20 : byte)),
)

const fixed = (options: Omit<LengthPrefixedOptions, 'length'> & { length?: 1 | 2 | 4 | 8 }): Builtin => {
  const framing = lengthPrefixed(options)
  return {
    name: `lengthPrefixed(${Object.keys(options).length === 0 ? '' : JSON.stringify(options).replaceAll('"', '')})`,
    framing,
    read: readFixed(options),
    payloads: anything(Math.min(300, framing.max)),
  }
}

/** Each way to write a length. */
export const lengths: readonly Builtin[] = [
  fixed({}),
  ...([1, 2, 4, 8] as const).flatMap((length) =>
    (['big', 'little'] as const).flatMap((endian) =>
      [false, true]
        .filter((inclusive) => inclusive || length !== 4 || endian !== 'big')
        .filter(() => length !== 1 || endian === 'big')
        .map((inclusive) => fixed({ length, endian, inclusive })),
    ),
  ),
  {
    name: 'lengthPrefixed({length:varint})',
    framing: lengthPrefixed({ length: 'varint' }),
    read: readVarint,
    payloads: anything(300),
  },
]

export const lineFramings: readonly Builtin[] = [false, true].map((crlf) => ({
  name: crlf ? 'lines({crlf:true})' : 'lines()',
  framing: lines({ crlf, max: 2 ** 40 }),
  read: readLines,
  payloads: line,
}))

export const builtins: readonly Builtin[] = [...lengths, ...lineFramings]

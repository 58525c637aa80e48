import { InvalidArgumentError } from 'commander'
import { type Framing, lengthPrefixed, lines } from 'socktools'

/** For --help and for whoever wrote another one. */
export const FRAMINGS = 'u8, u16be, u16le, u32be, u32le, u64be, u64le, varint, lines or crlf'

/** Makes the framing once the longest payload is known. */
export type MakeFraming = (max: number) => Framing

/**
 * The framing that a name stands for: the width of the length in bits and its order of bytes, with `,inclusive` if
 * the length counts itself; or one of lines. Throws commander's error for a wrong argument.
 */
export function framingNamed(name: string): MakeFraming {
  const fixed = /^u(8|16|32|64)(be|le)?(,inclusive)?$/.exec(name)
  if (fixed !== null && (fixed[1] === '8') === (fixed[2] === undefined)) {
    const length = (Number(fixed[1]) / 8) as 1 | 2 | 4 | 8
    const endian = fixed[2] === 'le' ? 'little' : 'big'
    return bounded((max) => lengthPrefixed({ length, endian, inclusive: fixed[3] !== undefined, ...max }))
  }
  if (name === 'varint') return bounded((max) => lengthPrefixed({ length: 'varint', ...max }))
  if (name === 'lines') return (max) => lines({ max })
  if (name === 'crlf') return (max) => lines({ max, crlf: true })
  throw new InvalidArgumentError(`It is ${FRAMINGS}; a width in bits can have ",inclusive" after it.`)
}

/** No more than the length can say, however much is allowed. */
function bounded(make: (max: { readonly max?: number }) => Framing): MakeFraming {
  const most = make({}).max
  return (max) => make({ max: Math.min(max, most) })
}

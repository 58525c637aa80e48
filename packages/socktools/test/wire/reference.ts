/** What a stream means, told from the whole of it, as PROTOCOL.md says. Shares no code with src. */
export interface Meaning {
  readonly frames: readonly Uint8Array[]
  /** Bytes of a frame that is not whole. */
  readonly partial: number
  /** After these frames comes one that is refused, and by which code. */
  readonly refused: false | 'FRAME_TOO_LARGE' | 'BAD_FRAME' | (string & {})
}

export type Reference = (stream: Uint8Array, max: number) => Meaning

/** The bytes of a header, and what they say; undefined: it is not whole; -1n: no length. */
type Header = (stream: Uint8Array, at: number) => { span: number; says: bigint } | undefined

function reading(header: Header): Reference {
  return (stream, max) => {
    const frames: Uint8Array[] = []
    for (let at = 0; ; ) {
      const head = header(stream, at)
      if (head === undefined) return { frames, partial: stream.length - at, refused: false }
      if (head.says < 0n || head.says >= 2n ** 53n) return { frames, partial: 0, refused: 'BAD_FRAME' }
      if (head.says > max) return { frames, partial: 0, refused: 'FRAME_TOO_LARGE' }
      const start = at + head.span
      if (stream.length - start < head.says) return { frames, partial: stream.length - at, refused: false }
      at = start + Number(head.says)
      frames.push(stream.subarray(start, at))
    }
  }
}

/** The digits of an integer, written in bytes. */
const integer = (bytes: readonly number[]): bigint => BigInt(`0x0${Buffer.from(bytes).toString('hex')}`)

export interface Fixed {
  readonly length?: 1 | 2 | 4 | 8
  readonly endian?: 'big' | 'little'
  readonly inclusive?: boolean
}

export const readFixed = ({ length = 4, endian = 'big', inclusive = false }: Fixed = {}): Reference =>
  reading((stream, at) => {
    const head = [...stream.subarray(at, at + length)]
    if (head.length < length) return undefined
    const said = integer(endian === 'big' ? head : head.reverse())
    if (!inclusive) return { span: length, says: said }
    // What would be beyond 2^53 - 1 with its header counted is beyond it without.
    return { span: length, says: said >= 2n ** 53n ? -1n : said - BigInt(length) }
  })

export const readVarint: Reference = reading((stream, at) => {
  const bytes = [...stream.subarray(at, at + 8)]
  const last = bytes.findIndex((byte) => byte < 0x80)
  if (last < 0) return bytes.length < 8 ? undefined : { span: 8, says: -1n }
  const groups = bytes.slice(0, last + 1).map((byte) => (byte & 0x7f).toString(2).padStart(7, '0'))
  const says = BigInt(`0b${groups.reverse().join('')}`)
  const shortest = Math.max(1, Math.ceil(says.toString(2).length / 7))
  return { span: last + 1, says: shortest === last + 1 ? says : -1n }
})

/** A carriage return at the end of a line is part of its ending: at the very end of the stream it may yet be. */
export const readLines: Reference = (stream, max) => {
  const frames: Uint8Array[] = []
  let from = 0
  for (let at = 0; at <= stream.length; at++) {
    if (at < stream.length && stream[at] !== 0x0a) continue
    const end = at > from && stream[at - 1] === 0x0d ? at - 1 : at
    if (end - from > max) return { frames, partial: 0, refused: 'FRAME_TOO_LARGE' }
    if (at === stream.length) break
    frames.push(stream.subarray(from, end))
    from = at + 1
  }
  return { frames, partial: stream.length - from, refused: false }
}

/** What a stream means, told from the whole of it, as PROTOCOL.md says. Shares no code with src. */
export interface Meaning {
  readonly frames: readonly Uint8Array[]
  /** Bytes of a frame that is not whole. */
  readonly partial: number
  /** After these frames comes one that is over the limit. */
  readonly refused: boolean
}

export type Reference = (stream: Uint8Array, max: number) => Meaning

export const readLengthPrefixed: Reference = (stream, max) => {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.length)
  const frames: Uint8Array[] = []
  let at = 0
  while (stream.length - at >= 4) {
    const n = view.getUint32(at)
    if (n > max) return { frames, partial: 0, refused: true }
    if (stream.length - at - 4 < n) break
    frames.push(stream.subarray(at + 4, at + 4 + n))
    at += 4 + n
  }
  return { frames, partial: stream.length - at, refused: false }
}

/** A carriage return at the end of a line is part of its ending: at the very end of the stream it may yet be. */
export const readLines: Reference = (stream, max) => {
  const frames: Uint8Array[] = []
  let from = 0
  for (let at = 0; at <= stream.length; at++) {
    if (at < stream.length && stream[at] !== 0x0a) continue
    const end = at > from && stream[at - 1] === 0x0d ? at - 1 : at
    if (end - from > max) return { frames, partial: 0, refused: true }
    if (at === stream.length) break
    frames.push(stream.subarray(from, end))
    from = at + 1
  }
  return { frames, partial: stream.length - from, refused: false }
}

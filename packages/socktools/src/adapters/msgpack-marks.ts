/** U+FEFF in UTF-8. At the beginning of text some take it for a mark of the byte order, and drop it. */
export const MARK = [0xef, 0xbb, 0xbf] as const

/** The longest text in bytes that msgpackr reads by itself, and right; what is longer it leaves to a TextDecoder. */
export const SHORT = 64

/** Text that begins with a mark: where its token and its first byte stand, and how long it is. */
export interface MarkedText {
  readonly token: number
  readonly from: number
  readonly length: number
}

/** From this token on: the length in 32 bits, then so many bytes of text. */
const STR_32 = 0xdb

/**
 * A copy of `bytes` in which each of these texts, in the order of the message, begins with one mark more: for a decoder
 * that drops the first.
 */
export function markedTwice(bytes: Uint8Array, texts: readonly MarkedText[]): Uint8Array {
  // At the most four bytes more for the length, and the mark.
  const copy = new Uint8Array(bytes.length + texts.length * (4 + MARK.length))
  const view = new DataView(copy.buffer)
  let [at, done] = [0, 0]
  const take = (to: number): void => {
    copy.set(bytes.subarray(done, to), at)
    at += to - done
    done = to
  }
  for (const { token, from, length } of texts) {
    take(token)
    copy[at] = STR_32
    view.setUint32(at + 1, length + MARK.length)
    copy.set(MARK, at + 5)
    at += 5 + MARK.length
    done = from
    take(from + length)
  }
  take(bytes.length)
  return copy.subarray(0, at)
}

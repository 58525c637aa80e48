/** Text of a message: for what is short a call into the engine takes longer than to put it together here. */

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const { fromCharCode } = String

/** From this length in bytes on the engine is faster. */
const LONG = 48

/** The text that `bytes[from, to)` are; undefined: they are not UTF-8. */
export function readText(bytes: Uint8Array, from: number, to: number): string | undefined {
  if (to - from < LONG) {
    const text = readAscii(bytes, from, to)
    if (text !== undefined) return text
  }
  try {
    return strict.decode(bytes.subarray(from, to))
  } catch {
    return undefined
  }
}

/** Undefined: there is more than ASCII in it. In as few pieces as the lengths of most texts need. */
function readAscii(b: Uint8Array, from: number, to: number): string | undefined {
  let text = ''
  let at = from
  /** All bits of all bytes. */
  let bits = 0
  while (at + 8 <= to) {
    const [c0, c1, c2, c3] = [b[at]!, b[at + 1]!, b[at + 2]!, b[at + 3]!]
    const [c4, c5, c6, c7] = [b[at + 4]!, b[at + 5]!, b[at + 6]!, b[at + 7]!]
    bits |= c0 | c1 | c2 | c3 | c4 | c5 | c6 | c7
    text += fromCharCode(c0, c1, c2, c3, c4, c5, c6, c7)
    at += 8
  }
  if (at + 4 <= to) {
    const [c0, c1, c2, c3] = [b[at]!, b[at + 1]!, b[at + 2]!, b[at + 3]!]
    bits |= c0 | c1 | c2 | c3
    text += fromCharCode(c0, c1, c2, c3)
    at += 4
  }
  if (at < to) {
    const [c0, c1, c2] = [b[at]!, at + 1 < to ? b[at + 1]! : 0, at + 2 < to ? b[at + 2]! : 0]
    bits |= c0 | c1 | c2
    const left = to - at
    text += left === 1 ? fromCharCode(c0) : left === 2 ? fromCharCode(c0, c1) : fromCharCode(c0, c1, c2)
  }
  return bits < 0x80 ? text : undefined
}

/** The longest key in bytes that is kept, and how many are: a power of two. */
const LONGEST_KEY = 32
const KEYS = 1024

/**
 * The keys that came last, each in the one place that its bytes give it: a key that is there already is a text that the
 * engine knows, and costs no memory. What a peer makes up takes the place of others, and no more room than there is.
 */
export class Keys {
  readonly #texts: string[] = Array<string>(KEYS).fill('')

  /** As readText has it. */
  read(bytes: Uint8Array, from: number, to: number): string | undefined {
    const n = to - from
    if (n > LONGEST_KEY || n === 0) return readText(bytes, from, to)
    // Of some of the bytes: to look at all takes longer than what it saves. Of one alone also what is before it, which is
    // a token.
    const [first, middle] = [bytes[from]!, bytes[from + (n >> 1)]!]
    const [last, other] = [bytes[to - 1]!, bytes[to - 2]!]
    const place = (last * 5 + other * 67 + middle * 401 + first * 211 + n * 13) & (KEYS - 1)
    const known = this.#texts[place]!
    if (known.length === n && isSame(known, bytes, from)) return known
    const text = readText(bytes, from, to)
    // What is not ASCII has fewer characters than bytes, and would not be found again.
    if (text === undefined || text.length !== n) return text
    return (this.#texts[place] = text)
  }
}

function isSame(text: string, bytes: Uint8Array, from: number): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[from + i]) return false
  return true
}

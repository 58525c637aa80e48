import { printable } from 'socktools'

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The text of a payload, or undefined where it is not UTF-8. */
export function textOf(payload: Uint8Array): string | undefined {
  try {
    return utf8.decode(payload)
  } catch {
    return undefined
  }
}

/** How much is escaped at a time: a few milliseconds of work at the worst. */
const PIECE = 16 * 1024

/** What JSON.stringify leaves as it is and `printable` does not. */
const UNPRINTABLE_JSON = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/gu

/** On one line and harmless to a terminal, whoever wrote it; a tab stays a tab. In pieces, so that others can have a turn between them. */
export const terminalPieces = (text: string): Iterable<string> =>
  replaced(text, /[^\t]+/g, (run) => printable(run, Infinity))

export const forTerminal = (text: string): string => [...terminalPieces(text)].join('')

/** A payload for a terminal; bytes that are no text as `\xNN`. */
export function payloadPieces(payload: Uint8Array): Iterable<string> {
  const text = textOf(payload)
  return text === undefined ? bytePieces(payload) : terminalPieces(text)
}

function* bytePieces(payload: Uint8Array): Generator<string> {
  for (let at = 0; at < payload.length; at += PIECE) {
    yield Array.from(payload.subarray(at, at + PIECE), (byte) => BYTES[byte]).join('')
  }
}

const BYTES = Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`,
)

/** One line of JSON that is harmless to a terminal as well; it parses to the same value. */
export const jsonPieces = (value: unknown): Iterable<string> =>
  replaced(JSON.stringify(value), UNPRINTABLE_JSON, (c) => c.split('').map(jsonEscape).join(''))

export const jsonLine = (value: object): string => [...jsonPieces(value)].join('')

/** One UTF-16 unit, as JSON escapes them. */
const jsonEscape = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`

function* replaced(text: string, pattern: RegExp, escape: (c: string) => string): Generator<string> {
  for (let at = 0; at < text.length; ) {
    let end = at + PIECE
    // Never between the halves of a pair.
    if (isHigh(text, end - 1) && isLow(text, end)) end++
    yield text.slice(at, end).replace(pattern, escape)
    at = end
  }
}

const isHigh = (text: string, at: number): boolean => (text.charCodeAt(at) & 0xfc00) === 0xd800
const isLow = (text: string, at: number): boolean => (text.charCodeAt(at) & 0xfc00) === 0xdc00

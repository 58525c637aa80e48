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

/** On one line and harmless to a terminal, whoever wrote it. A tab stays a tab. */
export const forTerminal = (text: string): string =>
  text
    .split('\t')
    .map((part) => printable(part, Infinity))
    .join('\t')

/** A payload for a terminal; bytes that are no text as `\xNN`. */
export function payloadForTerminal(payload: Uint8Array): string {
  const text = textOf(payload)
  if (text !== undefined) return forTerminal(text)
  let shown = ''
  for (const byte of payload) {
    const ascii = byte >= 0x20 && byte < 0x7f
    shown += ascii ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`
  }
  return shown
}

/** What JSON.stringify leaves as it is and `printable` does not. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/gu

/** One line of JSON that is harmless to a terminal as well; it parses to the same value. */
export const jsonLine = (value: object): string =>
  JSON.stringify(value).replace(UNPRINTABLE, (c) => c.split('').map(jsonEscape).join(''))

/** One UTF-16 unit, as JSON escapes them. */
const jsonEscape = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`

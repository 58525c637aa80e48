/** The extension of type -1. Apart, since this is the one place in wire/ that makes a Date: see eslint.seams.js. */
import type { Slab } from './slab.ts'
import { EXT_8, FIXEXT_4, FIXEXT_8, TIMESTAMP } from './tokens.ts'

/** Milliseconds on either side of 1970 that a Date can say. */
const DATE_RANGE = 8.64e15

/** Writes a time, in milliseconds since 1970, in its shortest form. False: it is none. */
export function putTime(slab: Slab, ms: number): boolean {
  if (!(Math.abs(ms) <= DATE_RANGE)) return false
  const seconds = Math.floor(ms / 1000)
  const nanos = (ms - seconds * 1000) * 1e6
  const n = seconds < 0 || seconds >= 2 ** 32 ? 12 : nanos > 0 ? 8 : 4
  const bytes = slab.room(15)
  let at = slab.at
  bytes[at++] = n === 4 ? FIXEXT_4 : n === 8 ? FIXEXT_8 : EXT_8
  if (n === 12) bytes[at++] = n
  bytes[at++] = TIMESTAMP
  // Of 8 bytes, 30 bits, and behind them the two highest ones of the seconds, which are 0.
  if (n > 4) at = put32(bytes, at, n === 8 ? nanos * 4 : nanos)
  if (n === 12) at = put32(bytes, at, Math.floor(seconds / 2 ** 32))
  slab.at = put32(bytes, at, seconds)
  return true
}

/** The lowest 32 bits of an integer. */
function put32(bytes: Uint8Array, at: number, n: number): number {
  bytes[at++] = n >>> 24
  bytes[at++] = n >>> 16
  bytes[at++] = n >>> 8
  bytes[at++] = n
  return at
}

/** The time that the first `n` bytes of `view` are; undefined: there is no such time. */
export function readTime(view: DataView, n: number): Date | undefined {
  if (n === 4) return new Date(view.getUint32(0) * 1000)
  if (n !== 8 && n !== 12) return undefined
  const first = view.getUint32(0)
  const nanos = n === 8 ? first >>> 2 : first
  const high = n === 8 ? first & 3 : view.getInt32(4)
  const ms = (high * 2 ** 32 + view.getUint32(n - 4)) * 1000 + nanos / 1e6
  return nanos < 1e9 && Math.abs(ms) <= DATE_RANGE ? new Date(ms) : undefined
}

import assert from 'node:assert/strict'
import type { Decoder, Framing } from '../../src/wire/framing.ts'
import type { Meaning } from './reference.ts'
import type { SockError } from '../../src/errors.ts'

/** `00 00 00 02 | 68 69` as bytes. */
export const hex = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replaceAll(/[\s|]/g, ''), 'hex'))

/** The first 300 bytes: enough to tell what differs. */
export const toHex = (bytes: Uint8Array): string =>
  Buffer.from(bytes.subarray(0, 300)).toString('hex') +
  (bytes.length > 300 ? `… (${bytes.length} bytes)` : '')

/** One byte for each character. */
export const latin1 = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'))

export const join = (chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> =>
  new Uint8Array(Buffer.concat(chunks))

/** Bytes that differ from their neighbours, so that a shift or a swap shows. */
export function pattern(n: number, salt = 0): Uint8Array {
  const bytes = new Uint8Array(n)
  for (let i = 0; i < n; i++) bytes[i] = (i * 31 + (i >>> 8) * 7 + salt) & 0xff
  return bytes
}

/** A payload that every framing carries: no control characters in it. */
export const textual = (n: number): Uint8Array => pattern(n).map((byte) => (byte & 0x5f) | 0x20)

/** One payload, framed. */
export function frame(framing: Framing, payload: Uint8Array): Uint8Array {
  const into = new Uint8Array(framing.size(payload.length))
  return into.subarray(0, framing.write(into, 0, payload))
}

export const frames = (framing: Framing, payloads: readonly Uint8Array[]): Uint8Array =>
  join(payloads.map((payload) => frame(framing, payload)))

/** What a decoder makes of `chunks`. */
export function decode(framing: Framing, max: number, chunks: readonly Uint8Array[]): Meaning {
  const got: Uint8Array[] = []
  const decoder = framing.decoder((payload) => got.push(payload), max)
  try {
    for (const chunk of chunks) decoder.push(chunk)
  } catch (error) {
    return { frames: got, partial: 0, refused: asCoded(error).code }
  }
  return { frames: got, partial: decoder.partial, refused: false }
}

/** By name, not by class: what an example throws comes from the built package. */
function asCoded(error: unknown): SockError {
  assert.equal((error as Error).name, 'SockError', `only SockErrors come out, not ${String(error)}`)
  return error as SockError
}

/** The decoder of `framing`, and the frames that it has handed out so far, as text. */
export function reading(framing: Framing, max = 1024): { decoder: Decoder; got: string[] } {
  const got: string[] = []
  const decoder = framing.decoder((payload) => got.push(Buffer.from(payload).toString('latin1')), max)
  return { decoder, got }
}

/** Much faster than deepEqual, for a million cases. What is refused may also have been recognised for what it is. */
export function same(got: Meaning, want: Meaning): boolean {
  if (got.partial !== want.partial || got.frames.length !== want.frames.length) return false
  if (got.refused !== want.refused && !(got.refused === 'FOREIGN_PROTOCOL' && want.refused !== false))
    return false
  return got.frames.every((payload, i) => equal(payload, want.frames[i]!))
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  if (a.length > 64) return Buffer.compare(a, b) === 0
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** Fails with both, fit to be read; `what` is only asked then. */
export function assertSame(got: Meaning, want: Meaning, what: () => string): void {
  if (same(got, want)) return
  assert.deepEqual(readable(got), readable(want), what())
  assert.fail(`the same at a glance, but not the same: ${what()}`)
}

const readable = ({ frames, partial, refused }: Meaning): object => ({
  frames: frames.map(toHex),
  partial,
  refused,
})

/** The code of the SockError that `fn` throws; `undefined` if it throws nothing. */
export function codeOf(fn: () => unknown): string | undefined {
  try {
    fn()
  } catch (error) {
    return asCoded(error).code
  }
  return undefined
}

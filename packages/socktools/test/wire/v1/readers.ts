/**
 * What the fuzzing of v1 and the corpus hold against each reader of bytes: each of these gives `taken`, or the code under which it
 * refuses them, and throws if anything else comes out, or if what was taken is not written as it was read.
 */
import assert from 'node:assert/strict'
import * as decoders from '../../../src/wire/v1/bodies.ts'
import { Header, HEADER, isKnown, MAX_CHUNK, writeHeader } from '../../../src/wire/v1/frame.ts'
import { decodeHello, decodeWelcome, encodeHello, encodeWelcome } from '../../../src/wire/v1/hello-bytes.ts'
import { codeOf, join, toHex } from '../bytes.ts'

export const TAKEN = 'taken'

/** Whether `read` takes `bytes`, or under which of these codes it refuses them. Nothing else may come out. */
function tried(bytes: Uint8Array, codes: readonly string[], read: () => unknown): string {
  const before = toHex(bytes)
  const code = codeOf(read)
  if (code !== undefined && !codes.includes(code)) assert.fail(`${code}: ${before}`)
  if (toHex(bytes) !== before) assert.fail(`it was written into: ${before}`)
  return code ?? TAKEN
}

const BROKEN = ['PROTOCOL_ERROR']

const reused = new Header()

export function checkHeader(payload: Uint8Array): string {
  const verdict = tried(payload, BROKEN, () => {
    reused.read(payload)
  })
  if (verdict !== TAKEN) return verdict
  assert.ok(payload.length >= HEADER && payload.length <= HEADER + MAX_CHUNK)
  if (!isKnown(reused.kind)) return verdict
  const again = payload.slice()
  const { kind, flags, type, lane, seq, ack } = reused
  writeHeader(again, 0, kind, flags, type, lane, seq, ack)
  if (toHex(again) !== toHex(payload)) assert.fail(`it is written as ${toHex(again)}: ${toHex(payload)}`)
  return verdict
}

/** Reads a body and writes what it meant. */
const readers: Record<string, (payload: Uint8Array, flags: number) => Uint8Array[]> = {
  prefix(payload, flags) {
    const { deadline, headers, at } = decoders.decodePrefix(payload, flags)
    const again = decoders.encodePrefix(deadline, headers)
    // Keys such as "7" change places in an object. All else must be the same.
    const moved = headers !== undefined && Object.keys(headers).some((key) => /^\d/.test(key))
    return [moved ? payload.subarray(HEADER, at) : again, payload.subarray(at)]
  },
  fault(payload) {
    const { code, text, data } = decoders.decodeFault(payload)
    return [decoders.encodeFault(code, text, data)]
  },
  DONE: (payload) => [decoders.encodeDone(decoders.decodeDone(payload))],
  CREDIT: (payload) => [decoders.encodeCredit(decoders.decodeCredit(payload))],
  TABLE: (payload) => [decoders.encodeTable(decoders.decodeTable(payload))],
  PING: (payload) => [decoders.encodePing(decoders.decodePing(payload))],
  GOAWAY: (payload) => [decoders.encodeGoaway(decoders.decodeGoaway(payload))],
  GOODBYE: (payload) => [decoders.encodeGoodbye(decoders.decodeGoodbye(payload))],
}
export const bodies = Object.keys(readers)

export function checkBody(of: string, flags: number, bytes: Uint8Array): string {
  const payload = new Uint8Array(HEADER + bytes.length)
  payload.set(bytes, HEADER)
  let again: Uint8Array[] = []
  const verdict = tried(payload, BROKEN, () => (again = readers[of]!(payload, flags)))
  if (verdict === TAKEN && toHex(join(again)) !== toHex(bytes))
    assert.fail(`${of} is written as ${toHex(join(again))}: ${toHex(bytes)}`)
  return verdict
}

const HELLO_CODES = ['WIRE_MISMATCH', 'BAD_HELLO', 'VERSION_MISMATCH', 'UNSUPPORTED']
const WELCOME_CODES = ['PEER_NOT_SESSION', 'BAD_HELLO', 'UNSUPPORTED']

export function checkHello(payload: Uint8Array): string {
  let got: ReturnType<typeof decodeHello> | undefined
  const verdict = tried(payload, HELLO_CODES, () => (got = decodeHello(payload)))
  if (got !== undefined) same(got, decodeHello(encodeHello(got)), payload)
  return verdict
}

export function checkWelcome(payload: Uint8Array): string {
  let got: ReturnType<typeof decodeWelcome> | undefined
  const verdict = tried(payload, WELCOME_CODES, () => (got = decodeWelcome(payload)))
  if (got !== undefined) same(got, decodeWelcome(encodeWelcome(got)), payload)
  return verdict
}

/** Without fields that nobody knows a handshake is written as it was read. */
function same(got: object, again: object, payload: Uint8Array): void {
  const [a, b] = [got, again].map((one) =>
    JSON.stringify(one, (_, x: unknown) => (typeof x === 'bigint' ? `${x}` : x)),
  )
  if (a !== b) assert.fail(`${a} became ${b}: ${toHex(payload)}`)
}

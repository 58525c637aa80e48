/**
 * Cases for fuzz.test.ts and fuzz.full.test.ts: random bytes, and the payloads of spec/vectors/v1.json damaged. A case is
 * told whole by its number: `FUZZ=bodies:123 npm test -- wire/v1/fuzz.test` runs that one alone.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { xoshiro128 } from '../../../src/testing/sim-platform.ts'
import * as bodies from '../../../src/wire/v1/bodies.ts'
import { Header, HEADER, isKnown, MAX_CHUNK, writeHeader } from '../../../src/wire/v1/frame.ts'
import { decodeHello, decodeWelcome, encodeHello, encodeWelcome } from '../../../src/wire/v1/hello-bytes.ts'
import { codeOf, join, toHex } from '../bytes.ts'
import { casesOf, octets } from './vectors.ts'

// Most cases end in a refusal, and nobody looks at its stack.
Error.stackTraceLimit = 0

const kinds = { header, bodies: anyBody, hello, welcome }
type Kind = keyof typeof kinds

/** Registers a test that runs the cases of `kind` from `first` on, or only that of FUZZ. At least some are taken. */
export function fuzz(kind: Kind, first: number, count: number): void {
  const [only, number] = (process.env['FUZZ'] ?? '').split(':')
  test(`fuzz: ${kind}, ${count.toLocaleString('en')} cases`, {
    skip: only !== '' && only !== kind && `FUZZ asks for a case of ${only} alone`,
  }, () => {
    const [from, to] = only === '' ? [first, first + count] : [Number(number), Number(number) + 1]
    let taken = 0
    for (let n = from; n < to; n++) {
      try {
        if (kinds[kind](diceOf(n))) taken++
      } catch (error) {
        const replay = `FUZZ=${kind}:${n} npm test -- wire/v1/fuzz.test`
        throw new Error(`case ${n}; replay: ${replay}\n${(error as Error).message}`, { cause: error })
      }
    }
    // One where nothing gets through, or everything, would show little.
    const share = taken / (to - from)
    assert.ok(only !== '' || (share > 0.02 && share < 0.9), `${taken} of ${count} were taken`)
  })
}

type Dice = (below: number) => number

function diceOf(seed: number): Dice {
  const random = xoshiro128(seed)
  return (below) => Math.floor(random() * below)
}

/** What `read` makes of `bytes`; undefined if it refuses them under one of these codes. Nothing else may come out. */
function taken<T>(bytes: Uint8Array, codes: readonly string[], read: () => T): T | undefined {
  const before = toHex(bytes)
  let got: T | undefined
  const code = codeOf(() => (got = read()))
  if (code !== undefined && !codes.includes(code)) assert.fail(`${code}: ${before}`)
  if (toHex(bytes) !== before) assert.fail(`it was written into: ${before}`)
  return got
}

const BROKEN = ['PROTOCOL_ERROR']

const seedsOf = (group: string, key: string): Uint8Array[] =>
  casesOf(group)
    .map((one) => octets(one[key] as string))
    .filter(({ length }) => length < 600)

const frames = seedsOf('frame', 'payload')
const handshakes = [...seedsOf('hello', 'payload'), ...seedsOf('welcome', 'payload')]
const bodySeeds = casesOf('body').map((one) => ({
  of: one['of'] as string,
  flags: (one['flags'] ?? 0) as number,
  body: octets(one['body'] as string),
}))

/** Random bytes now and then, else a seed with up to three damages: cut, put, changed, doubled. */
function damaged(dice: Dice, seed: Uint8Array): Uint8Array {
  if (dice(20) === 0) return Uint8Array.from({ length: dice(80) }, () => dice(256))
  let bytes = seed
  for (let times = dice(4); times > 0; times--) {
    const at = dice(bytes.length + 1)
    switch (dice(6)) {
      case 0:
        bytes = bytes.subarray(0, at)
        break
      case 1:
        bytes = join([bytes.subarray(0, at), Uint8Array.of(dice(256)), bytes.subarray(at)])
        break
      case 2:
        bytes = join([bytes.subarray(0, at), bytes.subarray(at + 1 + dice(4))])
        break
      case 3:
        bytes = join([bytes, bytes.subarray(at)])
        break
      default:
        bytes = bytes.slice()
        // Most of what decides stands in single bits, and where numbers have their borders.
        if (at < bytes.length)
          bytes[at] = dice(2) === 0 ? bytes[at]! ^ (1 << dice(8)) : [0, 1, 0x7f, 0x80, 0xff][dice(5)]!
    }
  }
  return bytes
}

const reused = new Header()

function header(dice: Dice): boolean {
  const payload = damaged(dice, frames[dice(frames.length)]!)
  const got = taken(payload, BROKEN, () => {
    reused.read(payload)
    return reused
  })
  if (got === undefined) return false
  assert.ok(payload.length >= HEADER && payload.length <= HEADER + MAX_CHUNK)
  if (!isKnown(got.kind)) return true
  const again = payload.slice()
  writeHeader(again, 0, got.kind, got.flags, got.type, got.lane, got.seq, got.ack)
  if (toHex(again) !== toHex(payload)) assert.fail(`it is written as ${toHex(again)}: ${toHex(payload)}`)
  return true
}

/** Reads a body and writes what it meant. */
const readers: Record<string, (payload: Uint8Array, flags: number) => Uint8Array[]> = {
  prefix(payload, flags) {
    const { deadline, headers, at } = bodies.decodePrefix(payload, flags)
    const again = bodies.encodePrefix(deadline, headers)
    // Keys such as "7" change places in an object. All else must be the same.
    const moved = headers !== undefined && Object.keys(headers).some((key) => /^\d/.test(key))
    return [moved ? payload.subarray(HEADER, at) : again, payload.subarray(at)]
  },
  fault(payload) {
    const { code, text, data } = bodies.decodeFault(payload)
    return [bodies.encodeFault(code, text, data)]
  },
  DONE: (payload) => [bodies.encodeDone(bodies.decodeDone(payload))],
  CREDIT: (payload) => [bodies.encodeCredit(bodies.decodeCredit(payload))],
  TABLE: (payload) => [bodies.encodeTable(bodies.decodeTable(payload))],
  PING: (payload) => [bodies.encodePing(bodies.decodePing(payload))],
  GOAWAY: (payload) => [bodies.encodeGoaway(bodies.decodeGoaway(payload))],
  GOODBYE: (payload) => [bodies.encodeGoodbye(bodies.decodeGoodbye(payload))],
}
const names = Object.keys(readers)

function anyBody(dice: Dice): boolean {
  const seed = bodySeeds[dice(bodySeeds.length)]!
  const bytes = damaged(dice, seed.body)
  const payload = new Uint8Array(HEADER + bytes.length)
  payload.set(bytes, HEADER)
  // Now and then as another kind than it is of.
  const of = dice(10) === 0 ? names[dice(names.length)]! : seed.of
  const again = taken(payload, BROKEN, () => readers[of]!(payload, dice(10) === 0 ? dice(8) : seed.flags))
  if (again === undefined) return false
  if (toHex(join(again)) !== toHex(bytes))
    assert.fail(`${of} is written as ${toHex(join(again))}: ${toHex(bytes)}`)
  return true
}

const HELLO_CODES = ['WIRE_MISMATCH', 'BAD_HELLO', 'VERSION_MISMATCH', 'UNSUPPORTED']
const WELCOME_CODES = ['PEER_NOT_SESSION', 'BAD_HELLO', 'UNSUPPORTED']

function hello(dice: Dice): boolean {
  const payload = damaged(dice, handshakes[dice(handshakes.length)]!)
  const got = taken(payload, HELLO_CODES, () => decodeHello(payload))
  if (got !== undefined) same(got, decodeHello(encodeHello(got)), payload)
  return got !== undefined
}

function welcome(dice: Dice): boolean {
  const payload = damaged(dice, handshakes[dice(handshakes.length)]!)
  const got = taken(payload, WELCOME_CODES, () => decodeWelcome(payload))
  if (got !== undefined) same(got, decodeWelcome(encodeWelcome(got)), payload)
  return got !== undefined
}

/** Without fields that nobody knows a handshake is written as it was read. */
function same(got: object, again: object, payload: Uint8Array): void {
  const [a, b] = [got, again].map((one) =>
    JSON.stringify(one, (_, x: unknown) => (typeof x === 'bigint' ? `${x}` : x)),
  )
  if (a !== b) assert.fail(`${a} became ${b}: ${toHex(payload)}`)
}

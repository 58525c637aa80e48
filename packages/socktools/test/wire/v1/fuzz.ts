/**
 * Cases for fuzz.test.ts and fuzz.full.test.ts: random bytes, and the payloads of spec/vectors/v1.json damaged. A case is
 * told whole by its number: `FUZZ=bodies:123 npm test -- wire/v1/fuzz.test` runs that one alone.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Dice, diceOf } from '../../support/dice.ts'
import { join } from '../bytes.ts'
import { bodies, checkBody, checkHeader, checkHello, checkWelcome, TAKEN } from './readers.ts'
import { casesOf, octets } from './vectors.ts'

// Most cases end in a refusal, and nobody looks at its stack.
Error.stackTraceLimit = 0

const handshake = (dice: Dice): Uint8Array => damaged(dice, handshakes[dice(handshakes.length)]!)

const kinds = {
  header: (dice: Dice) => checkHeader(damaged(dice, frames[dice(frames.length)]!)),
  bodies: anyBody,
  hello: (dice: Dice) => checkHello(handshake(dice)),
  welcome: (dice: Dice) => checkWelcome(handshake(dice)),
}
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
        if (kinds[kind](diceOf(n)) === TAKEN) taken++
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
export function damaged(dice: Dice, seed: Uint8Array): Uint8Array {
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

function anyBody(dice: Dice): string {
  const seed = bodySeeds[dice(bodySeeds.length)]!
  const bytes = damaged(dice, seed.body)
  // Now and then as another kind than it is of.
  const of = dice(10) === 0 ? bodies[dice(bodies.length)]! : seed.of
  return checkBody(of, dice(10) === 0 ? dice(8) : seed.flags, bytes)
}

/**
 * Cases for fuzz.test.ts and fuzz.full.test.ts. A case is told whole by its number:
 * `FUZZ=framing:123 npm test -- wire/fuzz.test` runs that one alone.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { xoshiro128 } from '../../src/testing/sim-platform.ts'
import { type Codec, json } from '../../src/wire/codec.ts'
import { type Builtin, lengths, lineFramings } from './builtin.ts'
import { assertSame, codeOf, decode, toHex } from './bytes.ts'
import type { Meaning } from './reference.ts'

// Most cases end in a refusal, and nobody looks at its stack.
Error.stackTraceLimit = 0

type Case = (n: number) => void
const cases: Record<'framing' | 'stop' | 'json', Case> = { framing, stop, json: jsonCase }

/** Registers a test that runs the cases of `kind` from `first` on, or only that of FUZZ. */
export function fuzz(kind: 'framing' | 'stop' | 'json', first: number, count: number): void {
  const run = cases[kind]
  const [only, number] = (process.env['FUZZ'] ?? '').split(':')
  test(`fuzz: ${kind}, ${count.toLocaleString('en')} cases`, {
    skip: only !== '' && only !== kind && `FUZZ asks for a case of ${only} alone`,
  }, () => {
    const [from, to] = only === '' ? [first, first + count] : [Number(number), Number(number) + 1]
    for (let n = from; n < to; n++) {
      try {
        run(n)
      } catch (error) {
        const replay = `FUZZ=${kind}:${n} npm test -- wire/fuzz.test`
        throw new Error(`case ${n}; replay: ${replay}\n${(error as Error).message}`, { cause: error })
      }
    }
  })
}

/** Small numbers from one seed: `below(n)` is 0 to n - 1. */
function dice(seed: number): { below: (n: number) => number; pick: <T>(items: readonly T[]) => T } {
  const random = xoshiro128(seed)
  const below = (n: number): number => Math.floor(random() * n)
  return { below, pick: (items) => items[below(items.length)]! }
}
type Dice = ReturnType<typeof dice>

const scratch = new Uint8Array(4096)
const pool = Uint8Array.from({ length: 4096 }, (_, i) => xoshiro128(i)() * 256)
const LIMITS = [0, 1, 2, 5, 16, 60, 255, 256, 1000, 0xffff_ffff]

type Fuzzed = Builtin & { readonly fill: (d: Dice, max: number) => number }

const [plain, ...others] = lengths.map((one): Fuzzed => ({ ...one, fill: fillLengths(one) })) as [
  Fuzzed,
  ...Fuzzed[],
]
const text: Fuzzed = { ...lineFramings[0]!, fill: fillLines }
/** The default in half of the cases, lines in a quarter, any other way to write a length in the rest. */
const wires: readonly (readonly Fuzzed[])[] = [[plain], [plain], [text], others]

/** Frames, most with a header that says their length, some with none or one that says anything. */
function fillLengths({ framing }: Builtin): Fuzzed['fill'] {
  return (d, max) => {
    let at = 0
    for (let pieces = d.below(6); pieces >= 0 && at < 400; pieces--) {
      const n = lengthOf(d, max)
      // Beyond what can be said, or less than nothing, which a length that counts itself can say.
      const said = [d.below(2 ** 32) * d.below(2 ** 32), -1 - d.below(4)][d.below(40)] ?? n
      if (d.below(12) > 0) at = framing.around!.before(scratch, at, said)
      at = putAny(at, d, d.below(10) > 0 ? n : d.below(40))
    }
    return d.below(3) > 0 ? at : d.below(at + 1)
  }
}

function fillLines(d: Dice, max: number): number {
  let at = 0
  for (let pieces = d.below(6); pieces >= 0 && at < 400; pieces--) {
    const end = putAny(at, d, lengthOf(d, max))
    if (d.below(4) === 0) while (at < end) scratch[at++] = d.pick([0x0a, 0x0d, 0x61])
    at = end
    for (const byte of d.pick([[0x0a], [0x0d, 0x0a], [0x0d], [0x0d, 0x0d, 0x0a], []])) scratch[at++] = byte
  }
  return at
}

/** Short ones, those around the limit, and any. */
function lengthOf(d: Dice, max: number): number {
  const choice = d.below(12)
  if (choice < 6) return d.below(choice < 4 ? 6 : 50)
  return [max, max, max + 1, Math.max(0, max - 1), 0xffff_ffff, d.below(2 ** 32)][choice - 6]!
}

/** Any bytes; of a long body only the beginning comes. */
function putAny(at: number, d: Dice, n: number): number {
  const from = d.below(pool.length - 300)
  const any = pool.subarray(from, from + Math.min(n, 300))
  scratch.set(any, at)
  return at + any.length
}

/** Pieces of any size, empty ones too; some in memory of their own, most within something larger. */
function cut(stream: Uint8Array, d: Dice): Uint8Array[] {
  const step = d.pick(stream.length < 100 || d.below(16) === 0 ? [1, 3, 9, 30] : [20, 60, 200, 5000])
  const chunks: Uint8Array[] = []
  for (let at = 0; at < stream.length; ) {
    const chunk = stream.subarray(at, at + step + d.below(step) - d.below(2))
    chunks.push(d.below(8) === 0 ? chunk.slice() : chunk)
    at += chunk.length
  }
  return chunks
}

function framing(n: number): void {
  const d = dice(n)
  const { name, framing, read, fill } = d.pick(d.pick(wires))
  const max = d.pick(LIMITS)
  const stream = scratch.subarray(0, fill(d, max))
  assertSame(
    decode(framing, max, cut(stream, d)),
    read(stream, max),
    () => `${name}, limit ${max}: ${toHex(stream)}`,
  )
}

/** `stop` in the middle: the frames up to there, and none after it. */
function stop(n: number): void {
  const d = dice(n)
  const { name, framing, read, fill } = d.pick(d.pick(wires))
  const max = d.pick(LIMITS)
  const stream = scratch.subarray(0, fill(d, max))
  const want = read(stream, max)
  const until = d.below(want.frames.length + 1)
  const frames: Uint8Array[] = []
  const decoder = framing.decoder((payload) => {
    frames.push(payload)
    if (frames.length === until) decoder.stop()
  }, max)
  if (until === 0) decoder.stop()
  for (const chunk of cut(stream, d)) codeOf(() => decoder.push(chunk))
  codeOf(() => decoder.finish?.())
  const stopped: Meaning = { frames: want.frames.slice(0, until), partial: 0, refused: false }
  assertSame(
    { frames, partial: 0, refused: false },
    stopped,
    () => `${name}, stop at ${until}: ${toHex(stream)}`,
  )
}

const codec: Codec<unknown> = json()
const SNIPPETS = [
  '[',
  ']',
  '{',
  '}',
  '"',
  ',',
  ':',
  '0',
  '-1',
  '1.5',
  '1e999',
  'null',
  'true',
  '"a"',
  '\\',
  '\\u0000',
  '\ufeff',
]
const SEEDS = [
  '["say",{"text":"hi"}]',
  '[7,null]',
  '[[],[]]',
  '["\\ud800",["\u2028"]]',
  '{"0":1}',
  '["__proto__",{"__proto__":[]}]',
]

/** Broken, odd and deep JSON: the codec says what JSON.parse, looked at from outside, says. */
function jsonCase(n: number): void {
  const d = dice(n)
  let text = d.pick(SEEDS)
  if (d.below(4) === 0) text = `["x",${'['.repeat(d.below(70))}${d.pick(SNIPPETS)}${']'.repeat(d.below(70))}]`
  for (let times = d.below(4); times > 0; times--) {
    const at = d.below(text.length + 1)
    text = text.slice(0, at) + d.pick(SNIPPETS) + text.slice(at + d.below(3))
  }
  const payload = new TextEncoder().encode(text)
  if (d.below(5) === 0 && payload.length > 0) payload[d.below(payload.length)] = d.below(256)
  checkJson(payload)
}

/** Gives `taken`, or the code under which it is refused; throws if JSON.parse, looked at from outside, says otherwise. */
export function checkJson(payload: Uint8Array): string {
  const want = readJson(payload)
  let got: unknown
  const code = codeOf(() => (got = codec.decode(payload)))
  const text = Buffer.from(payload).toString()
  if (code !== (want === undefined ? 'BAD_MESSAGE' : undefined)) assert.fail(`${code ?? 'no error'}: ${text}`)
  if (JSON.stringify(got) !== JSON.stringify(want)) assert.deepEqual(got, want, text)
  return code ?? 'taken'
}

function readJson(payload: Uint8Array): { type: string | number; data: unknown } | undefined {
  const text = Buffer.from(payload).toString('utf8')
  // Not UTF-8, if writing it again gives other bytes.
  if (Buffer.compare(Buffer.from(text), payload) !== 0) return undefined
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!Array.isArray(value) || value.length !== 2 || depth(text) > 64) return undefined
  const [type, data] = value as [unknown, unknown]
  return typeof type === 'string' || Number.isSafeInteger(type) ? { type: type as string, data } : undefined
}

/** Of valid JSON. */
function depth(text: string): number {
  let deepest = 0
  let now = 0
  for (const c of text.replaceAll(/"(?:\\.|[^"\\])*"/g, '')) {
    if ('[{'.includes(c)) deepest = Math.max(deepest, ++now)
    else if (']}'.includes(c)) now--
  }
  return deepest
}

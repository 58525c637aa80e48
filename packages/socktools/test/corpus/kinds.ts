/** The pure readers that the corpus is for: what each makes of any bytes, and what to begin with. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { msgpack } from '../../src/wire/msgpack/msgpack.ts'
import { builtins } from '../wire/builtin.ts'
import { assertSame, codeOf, decode, hex, latin1, toHex } from '../wire/bytes.ts'
import { checkJson } from '../wire/fuzz.ts'
import { readMsgpack } from '../wire/msgpack/reference.ts'
import { bodies, checkBody, checkHeader, checkHello, checkWelcome } from '../wire/v1/readers.ts'
import { casesOf, octets } from '../wire/v1/vectors.ts'

import { checkValue, valueSeeds } from './values.ts'

export interface Reader {
  /** What comes of it: `taken`, or a code. Throws if that is wrong, as far as an independent reader can tell. */
  readonly run: (bytes: Uint8Array) => string
  /** From the vectors of the specification. */
  readonly seeds: () => Uint8Array[]
}

const LIMITS = [16, 0, 1, 5, 255, 1000, 0xffff_ffff]

/** The first three bytes say which framing, which limit, and into what pieces the rest is cut. */
function framing(bytes: Uint8Array): string {
  const [which = 0, limit = 0, step = 0] = bytes
  const { name, framing, read } = builtins[which % builtins.length]!
  const max = LIMITS[limit % LIMITS.length]!
  const stream = bytes.subarray(3)
  const chunks: Uint8Array[] = []
  for (let at = 0; at < stream.length; at += 1 + step) chunks.push(stream.subarray(at, at + 1 + step))
  const got = decode(framing, max, chunks)
  assertSame(got, read(stream, max), () => `${name}, limit ${max}: ${toHex(stream)}`)
  return got.refused === false ? `${got.frames.length} frames, ${got.partial} bytes left` : got.refused
}

const FEW = 1000
const packed = msgpack({ maxValues: FEW })

/** What is taken can be written, and is the same then. */
function packs(bytes: Uint8Array): string {
  const want = readMsgpack(bytes, FEW)
  let got: ReturnType<typeof packed.decode> | undefined
  const code = codeOf(() => (got = packed.decode(bytes)))
  if (code !== (want === undefined ? 'BAD_MESSAGE' : undefined)) assert.fail(`${code}: ${toHex(bytes)}`)
  if (got === undefined) return code ?? ''
  assert.deepEqual(got, want, toHex(bytes))
  const again = packed.encode(got.type, got.data)
  assert.deepEqual(packed.decode(again), got, toHex(bytes))
  return 'taken'
}

const vectorsOf = (file: string): readonly Record<string, any>[] => {
  const url = new URL(`../../../../spec/vectors/${file}`, import.meta.url)
  const { cases } = JSON.parse(readFileSync(url, 'utf8')) as { cases: readonly Record<string, any>[] }
  return cases
}

const short = (all: readonly Uint8Array[]): Uint8Array[] => all.filter(({ length }) => length < 600)
const payloads = (...groups: readonly string[]): Uint8Array[] =>
  short(groups.flatMap((group) => casesOf(group).map((one) => octets(one['payload'] as string))))

export const readers = {
  framing: {
    run: framing,
    seeds: () =>
      builtins.flatMap((_, i) =>
        ['000000026869', '0568656c6c6f0a', '6869 0d0a 0a', 'ffffffffffffffffff'].map((text) =>
          hex(`${i.toString(16).padStart(2, '0')}00ff${text}`),
        ),
      ),
  },
  json: {
    run: checkJson,
    seeds: () =>
      ['["say",{"text":"hi"}]', '[7,null]', '["\\ud800",[1.5e3,-0]]', '["__proto__",{"__proto__":[]}]'].map(
        latin1,
      ),
  },
  msgpack: {
    run: packs,
    seeds: () => short(vectorsOf('msgpack.json').map((one) => octets(one['bytes'] as string))),
  },
  values: { run: checkValue, seeds: valueSeeds },
  header: { run: checkHeader, seeds: () => payloads('frame') },
  body: {
    /** The first byte says of what kind of frame, the second which flags it has. */
    run: (bytes) => checkBody(bodies[(bytes[0] ?? 0) % bodies.length]!, bytes[1] ?? 0, bytes.subarray(2)),
    seeds: () =>
      short(
        casesOf('body').map((one) => {
          const head = Uint8Array.of(bodies.indexOf(one['of'] as string), Number(one['flags'] ?? 0))
          return Uint8Array.from([...head, ...octets(one['body'] as string)])
        }),
      ),
  },
  hello: { run: checkHello, seeds: () => payloads('hello', 'welcome') },
  welcome: { run: checkWelcome, seeds: () => payloads('hello', 'welcome') },
} satisfies Record<string, Reader>

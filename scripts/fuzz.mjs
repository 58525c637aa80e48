/**
 * npm run fuzz -- [KIND …] [--minutes M] [--seed S]   looks for inputs that reach code which none before reached, for M minutes in all (1), and
 *                                                     keeps them in packages/socktools/test/corpus/KIND.jsonl
 *
 * It changes what is in the corpus and in the vectors of the specification, a little or much, and keeps what covers another block,
 * as V8 counts them, or ends under another code. At last few are kept that cover as much together, as short as they can be. An
 * input for which a reader is wrong is printed, and ends it with 1.
 *
 * Of `session` and `tls-accept`, which are slow and depend on more than their input, it keeps short cases of the fuzzing by rules
 * that end for a reason for which none before did.
 */
import { existsSync, writeFileSync } from 'node:fs'
import { Session } from 'node:inspector'
import { parseArgs } from 'node:util'

const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(Date.now() % 1e6) },
  },
})
/** Runs between two looks at the coverage, which cost more than a run. */
const BATCH = 500
/** Bytes: what is longer shows no more. */
const LONGEST = 400
/** Of a case that is drawn. */
const LONGEST_CASE = 2_000
const TRIES = 80
const LOOKED_AT = /\/packages\/socktools\/src\/wire\//

// Before the readers are loaded: V8 counts blocks only of what it compiles after that.
const session = new Session()
session.connect()
const post = (method, params) => {
  let result
  // Answered within the call.
  session.post(method, params, (error, answer) => {
    if (error) throw new Error(error.message)
    result = answer
  })
  return result
}
post('Profiler.enable')
post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
const { readers } = await import('../packages/socktools/test/corpus/kinds.ts')
const { corpusText, fileOf, readCorpus } = await import('../packages/socktools/test/corpus/corpus.ts')
const { xoshiro128 } = await import('../packages/socktools/src/testing/sim-platform.ts')

const random = xoshiro128(Number(given.seed))
const dice = (below) => Math.floor(random() * below)
const pick = (items) => items[dice(items.length)]

const NUMBERS = [
  0n,
  1n,
  4n,
  16n,
  127n,
  128n,
  255n,
  256n,
  65_535n,
  65_536n,
  2n ** 31n,
  2n ** 32n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
]
const any = (n) => Uint8Array.from({ length: n }, () => dice(256))
const join = (...parts) => new Uint8Array(Buffer.concat(parts))
const reasonOf = ({ code, why }) => `${code} ${String(why)}`
const nameOf = (verdict) => `verdict ${verdict.replaceAll(/\d+/g, 'n')}`
const hexOf = (bytes) => Buffer.from(bytes).toString('hex')

const kinds = positionals.length > 0 ? positionals : Object.keys(readers)
let wrong = 0
for (const kind of kinds) {
  const ms = (Number(given.minutes) / kinds.length) * 60_000
  if (Object.hasOwn(readers, kind)) search(kind, ms)
  else await draw(kind, ms)
}
process.exitCode = wrong > 0 ? 1 : 0

function search(kind, ms) {
  const { run, seeds } = readers[kind]
  const kept = existsSync(fileOf(kind)) ? readCorpus(kind) : []
  const known = new Set()
  const seen = new Set()
  const pool = []
  const began = Date.now()
  let runs = 0

  const judge = (bytes) => {
    runs++
    try {
      return run(bytes)
    } catch (error) {
      wrong++
      console.log(`${kind}: ${hexOf(bytes)}\n  ${error.message}`)
      return undefined
    }
  }
  /** What one input covers, and what comes of it. */
  const look = (bytes) => {
    const verdict = judge(bytes)
    const reached = covered()
    if (verdict !== undefined) reached.add(nameOf(verdict))
    return { bytes, verdict, reached }
  }
  const add = (bytes) => {
    const one = look(bytes)
    if (one.verdict === undefined || [...one.reached].every((what) => known.has(what))) return
    for (const what of one.reached) known.add(what)
    pool.push(one)
  }

  /** Adds those of them that show something new, by halves: most have nothing. */
  const sift = (batch) => {
    if (batch.length === 1) return add(batch[0])
    const verdicts = batch.map((bytes) => judge(bytes)).filter((verdict) => verdict !== undefined)
    const reached = [...covered(), ...verdicts.map(nameOf)].filter(
      (what) => !known.has(what) && !seen.has(what),
    )
    if (reached.length === 0) return
    const half = batch.length >> 1
    sift(batch.slice(0, half))
    sift(batch.slice(half))
    // V8 counts neighbours that ran equally often as one, so many runs together may show what no single one does.
    for (const what of reached) seen.add(what)
  }

  covered()
  for (const { bytes } of kept) add(bytes)
  for (const bytes of seeds()) add(bytes)
  const first = known.size
  while (Date.now() - began < ms && wrong < 20) {
    sift(Array.from({ length: BATCH }, () => changed(pool)))
  }

  const few = fewest(pool).map((one) => shortest(one, look))
  const found = kept.filter(({ was }) => was !== undefined)
  const names = new Map(kept.map(({ name, bytes }) => [hexOf(bytes), name]))
  const fresh = new Set(found.map(({ bytes }) => hexOf(bytes)))
  const entries = few.filter(({ bytes }) => !fresh.has(hexOf(bytes)))
  writeFileSync(
    fileOf(kind),
    corpusText([
      ...found,
      ...entries.map(({ bytes, verdict }, i) => ({
        name: names.get(hexOf(bytes)) ?? `${given.seed}.${i}`,
        bytes,
        want: verdict,
      })),
    ]),
  )
  console.log(
    `${kind}: ${runs} runs; ${first} blocks by the seeds, ${known.size} now; ${few.length} inputs kept`,
  )
}

async function draw(kind, ms) {
  const { drawn } = await import('../packages/socktools/test/corpus/drawn.ts')
  const endings = []
  const run = await drawn[kind].open({ after: (fn) => endings.push(fn) })
  const entries = existsSync(fileOf(kind)) ? readCorpus(kind) : []
  const reasons = new Set()
  for (const { bytes } of entries) reasons.add(reasonOf(await run(bytes)))
  const first = Number(given.seed) * 1_000_000
  const began = Date.now()
  let n = first
  for (; Date.now() - began < ms; n++) {
    const bytes = await drawn[kind].draw(n)
    if (bytes.length > LONGEST_CASE) continue
    const end = await run(bytes)
    const reason = reasonOf(end)
    if (reasons.has(reason)) continue
    reasons.add(reason)
    entries.push({
      name: `case ${n}: ${String(end.why ?? end.code).split(' (', 1)[0]}`,
      bytes,
      want: end.code,
    })
  }
  for (const fn of endings) await fn()
  writeFileSync(fileOf(kind), corpusText(entries))
  console.log(`${kind}: ${n - first} cases; ${entries.length} inputs kept`)
}

/** Blocks that ran since the last call. */
function covered() {
  const reached = new Set()
  for (const { url, scriptId, functions } of post('Profiler.takePreciseCoverage').result) {
    if (!LOOKED_AT.test(url)) continue
    // Where it ends depends on what ran as often as it did.
    for (const { ranges } of functions)
      for (const { startOffset, count } of ranges) if (count > 0) reached.add(`${scriptId} ${startOffset}`)
  }
  return reached
}

/** Short ones first, each that covers what none before does. */
function fewest(pool) {
  const known = new Set()
  const few = []
  for (const one of pool.toSorted((a, b) => a.bytes.length - b.bytes.length)) {
    const own = [...one.reached].filter((what) => !known.has(what))
    if (own.length === 0) continue
    for (const what of one.reached) known.add(what)
    few.push({ ...one, own })
  }
  return few
}

/** Without what it does not need to cover what is its own. */
function shortest({ own, ...one }, look) {
  let best = one
  let tries = TRIES
  for (let step = best.bytes.length >> 1; step > 0; step >>= 1) {
    for (let at = 0; at < best.bytes.length && tries > 0; ) {
      tries--
      const next = look(join(best.bytes.subarray(0, at), best.bytes.subarray(at + step)))
      if (next.verdict === best.verdict && own.every((what) => next.reached.has(what))) best = next
      else at += step
    }
  }
  return best
}

/** One of the pool, changed one to eight times. */
function changed(pool) {
  let bytes = pick(pool).bytes
  for (let times = 1 + dice(pick([1, 2, 4, 8])); times > 0; times--) {
    const at = dice(bytes.length + 1)
    const before = bytes.subarray(0, at)
    switch (dice(9)) {
      case 0:
        bytes = before
        break
      case 1:
        bytes = join(before, any(1 + dice(4)), bytes.subarray(at))
        break
      case 2:
        bytes = join(before, bytes.subarray(at + 1 + dice(4)))
        break
      case 3:
        bytes = join(before, bytes.subarray(at, at + 1 + dice(20)), bytes.subarray(at))
        break
      case 4: {
        const { bytes: other } = pick(pool)
        const from = dice(other.length + 1)
        bytes = join(
          before,
          other.subarray(from, from + 1 + dice(40)),
          bytes.subarray(dice(2) ? at : bytes.length),
        )
        break
      }
      case 5: {
        const number = Buffer.alloc(8)
        number.writeBigUInt64BE(BigInt.asUintN(64, pick(NUMBERS) + BigInt(dice(3) - 1)))
        const width = pick([1, 2, 4, 8])
        bytes = join(before, number.subarray(8 - width), bytes.subarray(at + (dice(2) ? width : 0)))
        break
      }
      default:
        bytes = bytes.slice()
        if (at < bytes.length) bytes[at] = dice(2) ? bytes[at] ^ (1 << dice(8)) : dice(256)
    }
  }
  return bytes.subarray(0, LONGEST)
}

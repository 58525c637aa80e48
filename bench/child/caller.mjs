// The asking side: calls at a fixed number in flight, and calls beside a feed on the same pipe.
import { Buffer } from 'node:buffer'
import { quantile } from '../goals.mjs'
import { print } from './control.mjs'

/** @typedef {Required<import('../contenders/index.mjs').End>} End */
/** @typedef {import('../workloads.mjs').Job} Job */

/** Goes on asking for a while after the window, so that it is full to its end. */
const TAIL_MS = 20
/** Calls before a feed begins are the measure of those beside it. */
const IDLE_SHARE = 0.5
const WARM_BYTES = 16 * 1024 * 1024

/** @type {(end: End, job: Job) => Promise<void>} */
export async function runCalls(end, job) {
  const payload = Buffer.alloc(job.size, job.fill)
  const result = job.inFlight === 1 ? await oneByOne(end, payload, job) : await many(end, payload, job)
  print(result)
}

/**
 * @param {Uint8Array} answer
 * @param {Job} job
 */
function check(answer, { size, fill }) {
  if (answer.length !== size || answer[0] !== fill) throw new Error('an answer is not what was sent')
}

/** @type {(end: End, payload: Buffer, job: Job) => Promise<object>} */
async function oneByOne({ call }, payload, job) {
  const { warmMs, measureMs } = job
  /** @type {number[]} */
  const took = []
  const from = performance.now() + warmMs
  const until = from + measureMs
  let sent = 0
  for (let now = performance.now(); now < until; ) {
    const asked = now
    check(await call(payload), job)
    sent++
    now = performance.now()
    if (asked >= from) took.push((now - asked) * 1000)
  }
  return { sent, p50: quantile(took, 0.5), p99: quantile(took, 0.99) }
}

/** @type {(end: End, payload: Buffer, job: Job) => Promise<object>} */
async function many({ call }, payload, job) {
  const { warmMs, measureMs, inFlight } = job
  const from = performance.now() + warmMs
  const until = from + measureMs
  let sent = 0
  let windowCount = 0
  let first = 0
  let last = 0
  const ask = async () => {
    for (;;) {
      sent++
      check(await call(payload), job)
      const now = performance.now()
      if (now >= until + TAIL_MS) return
      if (now < from || now > until) continue
      if (first === 0) first = now
      else windowCount++
      last = now
    }
  }
  await Promise.all(Array.from({ length: inFlight }, ask))
  return { sent, callsPerSecond: (windowCount / (last - first)) * 1000 }
}

/**
 * Calls one after another with nothing beside them, then the same while a feed runs on the same pipe.
 * @type {(end: End, job: Job) => Promise<void>}
 */
export async function runFeed(end, job) {
  const payload = Buffer.alloc(job.size, job.fill)
  await drained(end.flood(WARM_BYTES))
  const calm = /** @type {any} */ (
    await oneByOne(end, payload, { ...job, measureMs: job.measureMs * IDLE_SHARE })
  )
  const before = process.memoryUsage.rss()
  let most = before
  const watch = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss())
  }, 20)
  /** @type {number[]} */
  const took = []
  let sent = calm.sent
  let got = 0
  let over = false
  const began = performance.now()
  const ask = async () => {
    while (!over) {
      const asked = performance.now()
      check(await end.call(payload), job)
      sent++
      took.push((performance.now() - asked) * 1000)
    }
  }
  const read = async () => {
    got = await drained(end.flood(job.bytes))
    over = true
  }
  await Promise.all([read(), ask()])
  const seconds = (performance.now() - began) / 1000
  clearInterval(watch)
  if (got !== job.bytes) throw new Error(`${got} bytes of the feed arrived of ${job.bytes}`)
  print({
    sent,
    gigabytesPerSecond: got / seconds / 1e9,
    p99: quantile(took, 0.99),
    timesCalm: quantile(took, 0.99) / calm.p99,
    grewBy: most - before,
  })
}

/** @param {AsyncIterable<Uint8Array>} feed */
async function drained(feed) {
  let got = 0
  for await (const item of feed) got += item.length
  return got
}

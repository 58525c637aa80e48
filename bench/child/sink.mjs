// The receiving side: counts every message, and reads the rate off a window in the middle.
import { print, readNumber, until } from './control.mjs'

const COUNT = 0
const BYTES = 1
const SUM = 2
/** How long after the source's end the last message may take. */
const REST_MS = 5000

/**
 * The same for every contender: a count, the bytes, and the first byte of each payload. Kept in a typed array, where
 * numbers above 2^31 cost nothing extra.
 */
export function makeCounter() {
  const totals = new Float64Array(3)
  /** @type {import('../contenders/index.mjs').OnMessage} */
  const onMessage = (payload) => {
    totals[COUNT]++
    totals[BYTES] += payload.length
    totals[SUM] += payload[0]
  }
  return { totals, onMessage }
}

/**
 * A timer looks at the totals; when it is late, the window is longer by as much, and the rate stays true.
 * @param {Float64Array} totals
 * @param {import('../workloads.mjs').Job} job
 */
async function measureWindow(totals, { warmMs, measureMs }) {
  await until(() => totals[COUNT] > 0)
  const first = performance.now()
  await until(() => performance.now() - first >= warmMs)
  const [fromCount, fromBytes, from] = [totals[COUNT], totals[BYTES], performance.now()]
  await until(() => performance.now() - from >= measureMs)
  return {
    windowCount: totals[COUNT] - fromCount,
    windowBytes: totals[BYTES] - fromBytes,
    windowMs: performance.now() - from,
    windowEnd: totals[COUNT],
  }
}

/**
 * @param {(onMessage: import('../contenders/index.mjs').OnMessage) => Promise<unknown>} open
 * @param {import('../workloads.mjs').Job} job
 */
export async function runSink(open, job) {
  const { totals, onMessage } = makeCounter()
  const measured = measureWindow(totals, job)
  await open(onMessage)
  const expected = await readNumber()
  const deadline = performance.now() + REST_MS
  await until(() => totals[COUNT] >= expected || performance.now() > deadline)
  print({ count: totals[COUNT], bytes: totals[BYTES], sum: totals[SUM], ...(await measured) })
}

// The answering side: the contender answers by itself; here it is counted what it was asked, and what memory that took.
import { print, readNumber, until } from './control.mjs'
import { makeCounter } from './sink.mjs'

const REST_MS = 5000

/**
 * @param {(onMessage: import('../contenders/index.mjs').OnMessage) => Promise<unknown>} open
 * @param {boolean} isWeighed
 */
export async function runAnswerer(open, isWeighed) {
  const { totals, onMessage } = makeCounter()
  await open(onMessage)
  await until(() => totals[0] > 0)
  const before = process.memoryUsage.rss()
  let most = before
  // Only where it is asked for: each look takes long enough to be seen in the latency of a call.
  const watch = isWeighed
    ? setInterval(() => {
        most = Math.max(most, process.memoryUsage.rss())
      }, 20)
    : undefined
  const expected = await readNumber()
  clearInterval(watch)
  const deadline = performance.now() + REST_MS
  await until(() => totals[0] >= expected || performance.now() > deadline)
  const [count, bytes, sum] = totals
  print({ count, bytes, sum, grewBy: most - before })
}

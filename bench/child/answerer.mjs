// The answering side: the contender answers by itself; here it is counted what it was asked, and what memory that took.
import { print, readNumber, until } from './control.mjs'
import { makeCounter } from './sink.mjs'

const REST_MS = 5000

/**
 * @param {(onMessage: import('../contenders/index.mjs').OnMessage) => Promise<unknown>} open
 */
export async function runAnswerer(open) {
  const { totals, onMessage } = makeCounter()
  await open(onMessage)
  await until(() => totals[0] > 0)
  const before = process.memoryUsage.rss()
  let most = before
  const watch = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss())
  }, 20)
  const expected = await readNumber()
  clearInterval(watch)
  const deadline = performance.now() + REST_MS
  await until(() => totals[0] >= expected || performance.now() > deadline)
  const [count, bytes, sum] = totals
  print({ count, bytes, sum, grewBy: most - before })
}

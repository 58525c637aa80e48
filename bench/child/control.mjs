// How a child talks with the bench: lines of JSON out, lines with one number in.
import { createInterface } from 'node:readline'

// When the bench is gone, so is stdin: no child outlives it.
const input = createInterface({ input: process.stdin }).on('close', () => process.exit())
const lines = input[Symbol.asyncIterator]()

/** @returns {Promise<number>} */
export const readNumber = async () => Number((await lines.next()).value)

/** @param {object} message */
export const print = (message) => process.stdout.write(`${JSON.stringify(message)}\n`)

/** @param {number} ms */
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** @param {() => boolean} isTrue  looked at every millisecond; how long that may go on is the bench's business */
export async function until(isTrue) {
  while (!isTrue()) await sleep(1)
}

const DIALS_AT_ONCE = 100

/**
 * @param {import('../contenders/index.mjs').Dial} dial
 * @param {number} port
 * @param {number} count
 * @param {import('../contenders/index.mjs').OnMessage} onMessage
 * @param {import('../workloads.mjs').Job} job
 */
export async function dialMany(dial, port, count, onMessage, job) {
  let left = count
  /** @type {import('../contenders/index.mjs').End[]} */
  const ends = []
  const dialSome = async () => {
    while (left-- > 0) ends.push(await dial(port, onMessage, job))
  }
  await Promise.all(Array.from({ length: DIALS_AT_ONCE }, dialSome))
  return ends
}

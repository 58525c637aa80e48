import { describe, test } from 'node:test'
import { crosses } from './lossy.ts'

// They wait for the network most of the time.
describe('a network that loses packets', { concurrency: 8 }, () => {
  for (const mbit of [1, 10]) {
    for (const percent of [1, 3, 5, 10]) {
      test(`${percent} % at ${mbit} Mbit/s: ${mbit} MB come whole, once`, (t) =>
        crosses(t, percent / 100, mbit, mbit * 1_000_000))
    }
  }
})

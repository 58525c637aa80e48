import { test } from 'node:test'
import { noCrashes } from '../../support/crashes.ts'
import { resets } from './resets.ts'

noCrashes()
for (const direction of ['up', 'down'] as const) {
  test(`real TCP, cut ${direction} after exactly 1 to 2,048 bytes, then at random: 100,000 messages each way`, (t) =>
    resets(t, { messages: 100_000, from: 1, to: 2048, direction }))
}

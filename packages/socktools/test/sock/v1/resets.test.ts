import { test } from 'node:test'
import { noCrashes } from '../../support/crashes.ts'
import { GUARD } from '../../support/tcp.ts'
import { resets } from './resets.ts'

noCrashes()
for (const direction of ['up', 'down'] as const) {
  test(
    `real TCP, cut ${direction} after exactly 280 to 400 bytes, then at random: all comes, once, in order`,
    GUARD,
    (t) => resets(t, { messages: 4000, from: 280, to: 400, direction, most: 64 * 1024 }),
  )
}

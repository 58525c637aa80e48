/** Nothing is left behind by what is over: memory, handles, timers, listeners. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Child } from '../../support/child.ts'
import type { Remains } from '../../support/children/leaks.ts'

const MIB = 1024 * 1024

/** `scale`: 1 for the figures of the plan. */
export function leaks(scale: number): void {
  describe('what is left in a process of its own', { timeout: 280_000 * Math.max(1, 10 * scale) }, () => {
    for (const [phase, count] of [
      ['connects', 100_000],
      ['requests', 1_000_000],
      ['streams', 100_000],
      ['aborts', 100_000],
    ] as const) {
      test(`by ${count * scale} ${phase}`, async (t) => {
        const child = Child.start(t, 'leaks', phase, String(count * scale))
        const { heap, buffers, before, after } = await child.hear<Remains>()
        assert.deepEqual(after, before)
        t.diagnostic(`heap ${heap}, buffers ${buffers}`)
        assert.ok(heap <= 2 * MIB, `the heap grew by ${heap} bytes`)
        assert.ok(buffers <= 2 * MIB, `its buffers grew by ${buffers} bytes`)
        // It ends by itself: nothing keeps the loop.
        assert.deepEqual(await child.exit, { code: 0, signal: null })
      })
    }
  })
}

/** What an idle connection keeps of the heap of who listens. What the bench weighs is the memory of the process, which varies more. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { bytes, msg } from '../../src/index.ts'
import { Child } from '../support/child.ts'
import { make, Plain } from '../support/tcp.ts'

const FIRST = 200
const ALL = 800

/** Bytes of each, beyond the first few hundred. */
async function weighed(
  t: TestContext,
  wire: 'plain' | 'v1',
  dial: (address: string) => Promise<unknown>,
): Promise<number> {
  const child = Child.start(t, 'idle.mjs', wire)
  const { address } = await child.hear<{ address: string }>()
  const weigh = async (from: number, to: number): Promise<number> => {
    for (let i = from; i < to; i++) await dial(address)
    child.tell(String(to))
    return (await child.hear<{ heap: number }>()).heap
  }
  const before = await weigh(0, FIRST)
  return ((await weigh(FIRST, ALL)) - before) / (ALL - FIRST)
}

describe('an idle connection', () => {
  test('of the plain wire keeps no more than 4.8 KB of heap: 4.0, and a copy of the options would be one', async (t) => {
    const each = await weighed(t, 'plain', (address) => Plain.dial(t, address))
    assert.ok(each > 1000 && each < 4800, `${each} bytes`)
  })

  test('of v1 keeps no more than 18.5 KB: 17.3, and what its handshake had would be three', async (t) => {
    const protocol = { say: msg(bytes()) }
    const each = await weighed(t, 'v1', (address) =>
      make<never>(t, { protocol } as object).connectTo(address),
    )
    assert.ok(each > 1000 && each < 18_500, `${each} bytes`)
  })
})

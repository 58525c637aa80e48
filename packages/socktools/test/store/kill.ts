import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { Store } from '../../src/store/index.ts'
import { xoshiro128 } from '../../src/testing/sim-platform.ts'
import { Child } from '../support/child.ts'
import { content, textOf } from '../support/store.ts'

export function temporary(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'socktools-store-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return folder
}

/** So many processes, one after another on one store, each killed while it appends. Gives what was told in all. */
export async function kills(t: TestContext, count: number, seed: number): Promise<number> {
  const directory = temporary(t)
  const random = xoshiro128(seed)
  const told = new Map<number, string>()
  const settled = new Set<number>()
  for (let i = 0; i < count; i++) {
    const child = Child.start(t, 'store', directory, String(i * 1_000_000))
    assert.equal(await child.hear(), 'ready')
    for (let left = Math.floor(random() * 200); left >= 0; left--) note(await child.hear())
    child.process.kill('SIGKILL')
    // What it said before it died was true.
    for (;;) {
      const word = await child.hear<Word>().catch(() => undefined)
      if (word === undefined) break
      note(word)
    }
    await child.exit
    const store = await Store.open(directory)
    const found = new Map<number, string>()
    for await (const { n, type, payload, redelivered } of store.pending('far')) {
      assert.ok(redelivered)
      found.set(n, textOf(type, payload))
    }
    for (const [n, text] of told) {
      // Its outcome was perhaps on its way.
      const may = n % 3 === 0 && !found.has(n)
      assert.equal(found.get(n), settled.has(n) || may ? undefined : text, `kill ${i}, message ${n}`)
    }
    // Those that nobody was told of, or whose outcome was on its way, are settled here: the next one begins with few.
    for (const n of found.keys()) await store.settle('far', n, 'delivered')
    for (const n of [...told.keys()]) settled.add(n)
    await store.close()
  }
  return told.size

  interface Word {
    readonly n?: number
    readonly serial?: number
    readonly settled?: number
  }

  function note({ n, serial = 0, settled: over }: Word): void {
    if (over !== undefined) settled.add(over)
    if (n === undefined) return
    const { text } = content(serial, serial % 400)
    assert.equal(told.has(n), false, `n ${n} was given out twice`)
    told.set(n, text)
  }
}

/** Every input of the corpus, each with what must come of it. */
import assert from 'node:assert/strict'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { noCrashes } from '../support/crashes.ts'
import { GUARD } from '../support/tcp.ts'
import { readCorpus } from './corpus.ts'
import { drawn } from './drawn.ts'
import { readers } from './kinds.ts'

noCrashes()

for (const [kind, { run }] of Object.entries(readers)) {
  test(`corpus: ${kind}`, () => {
    const entries = readCorpus(kind)
    assert.ok(entries.length > 0)
    for (const { name, bytes, want, was } of entries)
      assert.equal(run(bytes), want, `${name}: ${was ?? want}`)
  })
}

for (const [kind, one] of Object.entries(drawn)) {
  test(`corpus: ${kind}`, GUARD, async (t) => {
    const entries = readCorpus(kind)
    assert.ok(entries.length > 0)
    const run = await one.open(t)
    for (const { name, bytes, want, was } of entries)
      assert.equal((await run(bytes)).code, want, `${name}: ${was ?? want}`)
  })
}

test('there is no file that nobody reads, and all of them are small', () => {
  const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.jsonl'))
  const known = [...Object.keys(readers), ...Object.keys(drawn), 'tls'].map((kind) => `${kind}.jsonl`)
  assert.deepEqual(files.sort(), known.sort())
  const bytes = files.reduce((sum, name) => sum + statSync(join(import.meta.dirname, name)).size, 0)
  assert.ok(bytes < 300_000, `${bytes} bytes`)
})

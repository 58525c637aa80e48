/** The planted bugs as text. That each is found: planted.full.test.ts. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, test } from 'node:test'

const root = resolve(import.meta.dirname, '..')
const folder = join(import.meta.dirname, 'planted')
const patches = readdirSync(folder).filter((name) => name.endsWith('.patch'))

describe('planted bugs', () => {
  test('there are 15 at least that are looked for', () => {
    const wanted = patches.filter((name) => /^Finder: /m.test(readFileSync(join(folder, name), 'utf8')))
    assert.ok(wanted.length >= 15, wanted.join(' '))
  })

  for (const name of patches) {
    test(`${name} applies, and says who finds it`, () => {
      const patch = join(folder, name)
      assert.match(readFileSync(patch, 'utf8'), /^(Finder: (sim|model|test .+)|Unseen: .+)$/m)
      execFileSync('git', ['apply', '--check', patch], { cwd: root, stdio: 'pipe' })
    })
  }
})

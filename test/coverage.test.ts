import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { keepWhatWasWritten } from '../scripts/coverage.mjs'

test('coverage that a process was ended in the middle of writing is left out, and the rest counts', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'coverage-'))
  t.after(() => {
    rmSync(folder, { recursive: true })
  })
  const ours = { url: 'file:///x/packages/socktools/src/errors.ts', functions: [{ functionName: 'fail' }] }
  const others = { url: 'file:///x/packages/cli/src/main.ts', functions: [] }
  const whole = JSON.stringify({ result: [ours, others] })
  writeFileSync(join(folder, 'whole.json'), whole)
  writeFileSync(join(folder, 'cut.json'), whole.slice(0, whole.length / 2))
  writeFileSync(join(folder, 'empty.json'), '')
  assert.equal(keepWhatWasWritten(folder), 2)
  assert.deepEqual(readdirSync(folder), ['whole.json'])
  assert.deepEqual(JSON.parse(readFileSync(join(folder, 'whole.json'), 'utf8')), { result: [ours] })
})

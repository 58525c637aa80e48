/** The command as a clone and an installed package have it. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { bin, temporary } from './cli.ts'

interface Manifest {
  readonly bin: { readonly socktools: string }
  readonly files: readonly string[]
}

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8')
const manifest = JSON.parse(read('../package.json')) as Manifest

describe('the bin', () => {
  test('is there before anything is built, and part of the package', () => {
    assert.equal(new URL(`../${manifest.bin.socktools}`, import.meta.url).pathname, bin)
    assert.match(read(`../${manifest.bin.socktools}`), /^#!\/usr\/bin\/env node\n/)
    assert.ok(manifest.files.includes(manifest.bin.socktools.replace(/\/.*/, '')))
    assert.doesNotMatch(manifest.bin.socktools, /dist/)
  })

  test('is the one that the lock file has', () => {
    const lock = JSON.parse(read('../../../package-lock.json')) as { packages: Record<string, Manifest> }
    assert.deepEqual(lock.packages['packages/cli']?.bin, manifest.bin)
  })

  test('says in one line what to do where nothing is built', (t) => {
    const folder = temporary(t)
    cpSync(bin, join(folder, manifest.bin.socktools))
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [join(folder, manifest.bin.socktools), '--help'],
      { encoding: 'utf8', timeout: 30_000 },
    )
    assert.equal(status, 1)
    assert.equal(stdout, '')
    assert.match(stderr, /^socktools: [^\n]*`npm run build`\n$/)
  })
})

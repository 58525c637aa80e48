import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import { errorCodes } from 'socktools'
import { PROGRAMS, writeBlocks } from './support/blocks.ts'

const run = promisify(execFile)
const root = resolve(import.meta.dirname, '..')
const scratch = join(root, 'test', '.blocks')
after(() => rm(scratch, { recursive: true, force: true }))

test('docs/errors.md has one heading per code, in order, and no other', async () => {
  const text = await readFile(join(root, 'docs/errors.md'), 'utf8')
  const headings = [...text.matchAll(/^## (.+)$/gm)].map(([, code]) => code)
  assert.deepEqual(headings, [...errorCodes])
})

test('every code is raised somewhere in the source', async () => {
  const source = join(root, 'packages/socktools/src')
  // The list of codes is no use of them: there each is a key, and not quoted.
  const files = (await readdir(source, { recursive: true })).filter((name) => name.endsWith('.ts'))
  const text = (await Promise.all(files.map((name) => readFile(join(source, name), 'utf8')))).join('\n')
  for (const code of errorCodes)
    assert.match(text, new RegExp(`'${code}'`), `${code} is documented, but nothing raises it`)
})

const guides = (await readdir(join(root, 'docs'))).filter((name) => name.endsWith('.md'))
const documents = [
  'README.md',
  'packages/socktools/README.md',
  'ARCHITECTURE.md',
  ...guides.map((name) => `docs/${name}`),
]
for (const document of documents) {
  if (PROGRAMS.includes(document)) continue
  for (const [i, path] of (await writeBlocks(scratch, document)).entries()) {
    test(`${document}: TypeScript block ${i + 1} runs and ends by itself`, async () => {
      await run(process.execPath, ['--import', 'tsx', path], { cwd: root, timeout: 30_000 })
    })
  }
}

test('every TypeScript block compiles, under strict options and as the library sees itself', async () => {
  const written = await Promise.all(documents.map((document) => writeBlocks(scratch, document)))
  assert.ok(written.flat().length > 10)
  const config = join(scratch, 'tsconfig.json')
  // Readers import `./protocol.js`, as compiled code does; the rest is what tests are checked with.
  await writeFile(config, JSON.stringify({ extends: '../../tsconfig.base.json', include: ['**/*.ts'] }))
  const { stdout } = await run('npx', ['tsc', '-p', config], { cwd: root, timeout: 120_000 }).catch(
    (failed: unknown) => failed as { stdout: string },
  )
  assert.equal(stdout, '')
})

test('links between the documents lead somewhere', async () => {
  const top = (await readdir(root)).filter((name) => name.endsWith('.md'))
  for (const file of [...top, ...guides.map((name) => `docs/${name}`)]) {
    const text = await readFile(join(root, file), 'utf8')
    for (const [, target = ''] of text.matchAll(/\]\((?!https?:)([^)#]+)\)/g)) {
      await assert.doesNotReject(
        readFile(join(root, dirname(file), target)).catch((e: unknown) => {
          if ((e as NodeJS.ErrnoException).code !== 'EISDIR') throw e
        }),
        `${file} links to ${target}`,
      )
    }
  }
})

/** The library as npm would install it: packed, unpacked elsewhere, and used by what the guide tells to write. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { writeBlocks } from './support/blocks.ts'

const run = promisify(execFile)
const root = resolve(import.meta.dirname, '..')
// Within the checkout: what else the guide installs is found further up.
const scratch = await mkdtemp(join(import.meta.dirname, '.packed-'))
const installed = join(scratch, 'node_modules', 'socktools')
after(() => rm(scratch, { recursive: true, force: true }))

describe('the packed library', () => {
  before(async () => {
    await mkdir(installed, { recursive: true })
    const pack = ['pack', '--json', '--workspace', 'socktools', '--pack-destination', scratch]
    const { stdout } = await run('npm', pack, { cwd: root })
    const { filename } = (JSON.parse(stdout) as [{ readonly filename: string }])[0]
    await run('tar', ['-xzf', join(scratch, filename), '-C', installed, '--strip-components=1'])
    await writeFile(join(scratch, 'package.json'), '{ "type": "module" }')
    for (const document of ['docs/typed-chat.md', 'docs/contracts.md', 'README.md'])
      await writeBlocks(scratch, document)
  })

  test('has what it needs, and nothing of its source', async () => {
    await assert.doesNotReject(readFile(join(installed, 'LICENSE')))
    await assert.rejects(readFile(join(installed, 'src', 'index.ts')))
  })

  for (const [module, moduleResolution] of [
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ] as const) {
    test(`its types hold under strict and ${moduleResolution}, those of the library checked as well`, async () => {
      const config = join(scratch, `tsconfig.${moduleResolution}.json`)
      const strict = { strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true }
      const compilerOptions = { ...strict, module, moduleResolution, target: 'es2022', types: ['node'] }
      const checked = {
        ...compilerOptions,
        lib: ['es2023', 'esnext.disposable'],
        skipLibCheck: false,
        noEmit: true,
      }
      await writeFile(config, JSON.stringify({ compilerOptions: checked, include: ['*/*.ts'] }))
      const { stdout } = await run('npx', ['tsc', '-p', config], { cwd: scratch, timeout: 120_000 }).catch(
        (failed: unknown) => failed as { stdout: string },
      )
      assert.equal(stdout, '')
    })
  }

  test('runs in plain JavaScript, without tsx', async () => {
    await writeFile(
      join(scratch, 'app.js'),
      `import { call, nothing, TcpSock } from 'socktools'
       import { msgpack } from 'socktools/msgpack'
       const options = { protocol: { ping: call(nothing(), nothing()) }, codec: msgpack() }
       const server = await TcpSock.open({ ...options, bind: 'memory:app', handlers: { ping: () => undefined } })
       const client = await TcpSock.open(options)
       console.log(await (await client.connectTo('memory:app')).request('ping'))
       await client.drain()
       await server.drain()`,
    )
    // Node's own loader alone: what this process was started with is not handed on.
    const env = { ...process.env, NODE_OPTIONS: '' }
    const { stdout } = await run(process.execPath, ['app.js'], { cwd: scratch, env })
    assert.equal(stdout, 'undefined\n')
  })
})

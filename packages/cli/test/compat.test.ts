/** `compat`: two modules, what differs, and the exit code. */
import assert from 'node:assert/strict'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { run, temporary } from './cli.ts'

const modules = fileURLToPath(new URL('../../../node_modules', import.meta.url))

/** A project with these files, which has some packages, and the command that compares two of them. */
function project(t: TestContext, files: Record<string, string>, packages = ['socktools', 'zod', 'tsx']) {
  const folder = temporary(t)
  mkdirSync(join(folder, 'node_modules'))
  for (const name of packages) symlinkSync(join(modules, name), join(folder, 'node_modules', name))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return async (before: string, after: string, ...options: string[]) =>
    run(t, ['compat', ...options, join(folder, before), join(folder, after)])
}

const HEAD = `import { call, msg } from 'socktools'\nimport { z } from 'zod'\n`
const OLD = `${HEAD}export const protocol = { say: msg(z.object({ text: z.string() })), old: msg(z.string()) }\n`
const FINE = `${HEAD}export default {
  say: msg(z.object({ text: z.string(), at: z.number().optional() })), old: msg(z.string()), more: msg(z.string()),
}\n`
const BAD = `${HEAD}export const protocol = { say: msg(z.object({ text: z.number() })) }\n`
const DIM = `${HEAD}export const protocol = { say: msg(z.date()), old: msg(z.string()) }\n`

describe('compat', () => {
  test('0, and what was added, where the protocols fit', async (t) => {
    const compare = project(t, { 'old.mjs': OLD, 'new.mjs': FINE })
    const { code, stdout, stderr } = await compare('old.mjs', 'new.mjs')
    assert.equal(stderr, '')
    assert.deepEqual(stdout.split('\n'), [
      'more   ok   added: old peers do not have it',
      'ok: peers with the old protocol and peers with the new one understand each other',
      '',
    ])
    assert.equal(code, 0)
  })

  test('1, and what breaks, in a table', async (t) => {
    const { code, stdout } = await project(t, { 'old.mjs': OLD, 'new.mjs': BAD })('old.mjs', 'new.mjs')
    assert.deepEqual(stdout.split('\n'), [
      'old   breaking   removed: old peers still use it',
      'say   breaking   input.text: old peers may send a string, new peers take a number',
      'say   breaking   input.text: new peers may send a number, old peers take a string',
      'breaking: peers with the old protocol and peers with the new one do not understand each other',
      '',
    ])
    assert.equal(code, 1)
  })

  test('3 where it cannot be told', async (t) => {
    const { code, stdout } = await project(t, { 'old.mjs': DIM, 'new.mjs': DIM })('old.mjs', 'new.mjs')
    assert.match(
      stdout,
      /^say {3}unknown {3}input: its schema does not tell its structure: give .* a version\nunknown: /,
    )
    assert.equal(code, 3)
  })

  test('--json: one object a line, the verdict last', async (t) => {
    const compare = project(t, {
      'old.mjs': OLD,
      'new.mjs': BAD,
      'esc.mjs': OLD.replace('old:', '"\\u202e\\x1b":'),
    })
    const { code, stdout } = await compare('old.mjs', 'new.mjs', '--json')
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    assert.deepEqual(lines[0], {
      ...{ event: 'finding', type: 'old', verdict: 'breaking', what: 'removed: old peers still use it' },
    })
    assert.deepEqual(lines.at(-1), { event: 'verdict', verdict: 'breaking' })
    assert.equal(code, 1)
    for (const options of [[], ['--json']]) {
      const odd = await compare('esc.mjs', 'old.mjs', ...options)
      assert.equal(odd.code, 1)
      assert.doesNotMatch(odd.stdout, /\u202e|\x1b/)
    }
  })

  test('TypeScript runs by the tsx of the project', async (t) => {
    const typed = `${OLD}export type Chat = typeof protocol\nexport const n: number = 1\n`
    const compare = project(t, { 'old.ts': typed, 'new.ts': FINE, 'package.json': '{ "type": "module" }' })
    const { code, stdout, stderr } = await compare('old.ts', 'new.ts')
    assert.equal(stderr, '')
    assert.match(stdout, /^more +ok/)
    assert.equal(code, 0)
    const plain = project(t, { 'old.ts': typed, 'new.mts': BAD })
    assert.equal(
      (await plain('old.ts', 'new.mts')).code,
      1,
      'in a project that says nothing of modules as well',
    )
  })

  test('TypeScript without tsx: by Node itself, or told what to do', async (t) => {
    const compare = project(t, { 'old.ts': OLD, 'new.ts': FINE, 'package.json': '{ "type": "module" }' }, [
      'socktools',
      'zod',
    ])
    const { code, stdout, stderr } = await compare('old.ts', 'new.ts')
    if ((process.features as { typescript?: unknown }).typescript) {
      assert.equal(code, 0)
      return
    }
    assert.equal(code, 2)
    assert.equal(stdout, '')
    assert.match(
      stderr,
      /^socktools: \S+old\.ts is TypeScript, and Node \S+ cannot run that: run `npm install --save-dev tsx`[^\n]+\n$/,
    )
  })

  test('CommonJS exports a protocol, too', async (t) => {
    const common = OLD.replace(/^import (.*) from (.*)$/gm, 'const $1 = require($2)').replace(
      'export const protocol =',
      'module.exports.protocol =',
    )
    const whole = common.replace('module.exports.protocol', 'module.exports')
    const compare = project(t, { 'old.cjs': common, 'new.cjs': whole })
    assert.equal((await compare('old.cjs', 'new.cjs')).code, 0)
  })

  const wrong: Record<string, [text: string, message: RegExp]> = {
    'exports nothing': [
      'export const chat = {}',
      /exports no protocol: write `export const protocol = \{ say: msg\(…\) \}` in it/,
    ],
    'exports something else': [
      `export default { say: 'hi' }`,
      /new\.mjs: "say" of the protocol is not what msg\(\)/,
    ],
    'exports a text': [`export const protocol = 'hi'`, /new\.mjs: a protocol is a plain object of msg\(\)/],
    'exports null': ['export const protocol = null', /new\.mjs: a protocol is a plain object of msg\(\)/],
    throws: [
      'throw new Error("boom\\u001b")',
      /new\.mjs cannot be loaded: boom\\u\{1b\} \(at \S*new\.mjs:1:7\)\n$/,
    ],
    'is no JavaScript': ['export const = 1', /new\.mjs cannot be loaded: Unexpected token/],
    'imports what is not there': [
      `import 'nowhere'`,
      /new\.mjs cannot be loaded: Cannot find package 'nowhere'/,
    ],
    'declares wrongly': [
      `${HEAD}msg(String)`,
      /cannot be loaded: msg\(schema\) takes a schema.* \[BAD_OPTION\]/,
    ],
  }
  for (const [what, [text, message]] of Object.entries(wrong)) {
    test(`2 for a module that ${what}`, async (t) => {
      const compare = project(t, { 'old.mjs': OLD, 'new.mjs': text })
      const { code, stdout, stderr } = await compare('old.mjs', 'new.mjs')
      assert.equal(code, 2)
      assert.equal(stdout, '')
      assert.match(stderr, message)
      assert.match(stderr, /^socktools: [^\n]+\n$/)
      const json = await compare('old.mjs', 'new.mjs', '--json')
      assert.equal((JSON.parse(json.stderr) as { event: string }).event, 'error')
    })
  }
})

/** `serve`: modules of every make, what is wrong with one, and how it ends. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { describe, test } from 'node:test'
import { Cli, freeAddress, run } from './cli.ts'
import { CHAT, project, serving } from './served.ts'

/** Of a whole suite, each test of which starts several processes. */
const GUARD = { timeout: 600_000 }

const HEAD = `import { call, nothing } from 'socktools'\nimport { z } from 'zod'\n`
const PING = `${HEAD}export const protocol = { ping: call(nothing(), z.string()) }\n`
const GOOD = `${PING}export const handlers = { ping: () => 'pong' }\n`

describe('a module', GUARD, () => {
  const modules: Record<string, string> = {
    'a.js': GOOD,
    'a.mjs': GOOD,
    'a.ts': `${PING}export const handlers = { ping: (): string => 'pong' }\ntype Unused = number\nexport type { Unused }\n`,
    'a.mts': GOOD.replace("'pong'", "'pong' as string"),
    'a.cjs': `const { call, nothing } = require('socktools')
const { z } = require('zod')
module.exports = { protocol: { ping: call(nothing(), z.string()) }, handlers: { ping: () => 'pong' } }\n`,
    'named.cjs': `const { call, nothing } = require('socktools')
const { z } = require('zod')
exports.protocol = { ping: call(nothing(), z.string()) }
exports.handlers = { ping: () => 'pong' }\n`,
    'default.mjs': `${PING}export default { protocol, handlers: { ping: () => 'pong' } }\n`,
  }
  for (const [name, text] of Object.entries(modules)) {
    test(`${name} is served, and is the contract of a call`, async (t) => {
      const file = project(t, { 'package.json': '{ "type": "module" }', [name]: text })(name)
      const { server, address } = await serving(t, file)
      assert.equal((await run(t, ['call', address, 'ping', '-p', file])).stdout, '"pong"\n')
      server.kill('SIGTERM')
      const { code, stdout, stderr } = await server.ended
      assert.deepEqual([code, stdout], [0, ''])
      assert.match(stderr, /^listening on tcp:\S+\nserving ping \(call\)\n\S+ joined\n\S+ left\nSIGTERM: /)
    })
  }

  test('may say where it listens and what it speaks; --bind and --codec are asked first', async (t) => {
    const [own, asked] = [freeAddress(t), freeAddress(t)]
    const text = `${GOOD}export const options = { bind: '${own}' }\n`
    const file = project(t, { 'a.mjs': text })('a.mjs')
    const first = new Cli(t, ['serve', file])
    assert.equal(await first.address(), own)
    assert.equal((await run(t, ['call', own, 'ping'])).stdout, '"pong"\n')
    const second = new Cli(t, ['serve', file, '--bind', asked, '--codec', 'json'])
    assert.equal(await second.address(), asked)
    assert.equal((await run(t, ['call', asked, 'ping'])).stdout, '"pong"\n')
    for (const [cli, path] of [
      [first, own],
      [second, asked],
    ] as const) {
      cli.kill('SIGINT')
      const { code } = await cli.ended
      assert.equal(code, 0)
      assert.ok(!existsSync(path.replace('unix:', '')), 'the socket file is gone')
    }
  })

  const bad: Record<string, [text: string, why: RegExp]> = {
    'has no protocol': ['export const handlers = {}', /a\.mjs exports no protocol: write /],
    'has no handlers': [PING, /a\.mjs exports no handlers: write /],
    'has a handler too many': [
      `${PING}export const handlers = { pong: () => 1 }`,
      /a handler for "pong", and its protocol has no such type$/,
    ],
    'has a handler that is none': [
      `${PING}export const handlers = { ping: 1 }`,
      /the handler for "ping" is no function$/,
    ],
    'has a protocol that is none': [
      `export const protocol = { a: 1 }\nexport const handlers = {}`,
      /a\.mjs: .*"?a"?/,
    ],
    'has options that are none': [`${GOOD}export const options = 1`, /exports options that are no object$/],
    'has an option that does not exist': [
      `${GOOD}export const options = { port: 1 }`,
      /"port".*\[BAD_OPTION\]$/,
    ],
    'does not parse': ['export const = 1', /a\.mjs cannot be loaded: .* \(at .*a\.mjs:1\)$/],
    throws: [
      "\nthrow new Error('a\\u001b[2J\\nb')",
      /cannot be loaded: a\\u\{1b\}\[2J\\u\{a\}b \(at .*a\.mjs:2:7\)$/,
    ],
  }
  for (const [what, [text, why]] of Object.entries(bad)) {
    test(`that ${what} is wrong usage, told in one line`, async (t) => {
      const { code, stdout, stderr } = await run(t, ['serve', project(t, { 'a.mjs': text })('a.mjs')])
      assert.deepEqual([code, stdout], [2, ''])
      assert.match(stderr, /^socktools: [^\n]+\n$/)
      assert.match(stderr.trimEnd(), why)
    })
  }

  test('that is not there, or none, is wrong usage; so is an address or a codec that is none', async (t) => {
    const file = project(t, { 'a.mjs': GOOD, 'a.txt': '' })
    for (const [why, ...args] of [
      [/none\.mjs does not exist/, file('none.mjs')],
      [/a\.txt is no module/, file('a.txt')],
      [/\[BAD_ADDRESS\]/, file('a.mjs'), '--bind', 'nonsense'],
      [/Allowed choices are json, msgpack/, file('a.mjs'), '--codec', 'xml'],
    ] as const) {
      const { code, stdout, stderr } = await run(t, ['serve', ...args])
      assert.deepEqual([code, stdout], [2, ''])
      assert.match(stderr, why)
    }
  })

  test('an address that is taken is 1', async (t) => {
    const file = project(t, { 'a.mjs': GOOD })('a.mjs')
    const { address } = await serving(t, file)
    const { code, stderr } = await run(t, ['serve', file, '--bind', address])
    assert.equal(code, 1)
    assert.match(stderr, /^socktools: could not listen: .* \[ADDRESS_IN_USE\]\n$/)
  })
})

describe('serve tells', GUARD, () => {
  test('with --json one object a line, with --quiet nothing', async (t) => {
    const file = project(t, { 'chat.mjs': CHAT })('chat.mjs')
    const loud = new Cli(t, ['serve', file, '--json'])
    const [, address = ''] = await loud.shows(/"address":"([^"]+)"/, 'stderr')
    const quietAt = freeAddress(t)
    const quiet = new Cli(t, ['serve', file, '--quiet', '--bind', quietAt])
    for (;;) if ((await run(t, ['call', quietAt, 'fails'])).stderr.includes('REMOTE_ERROR')) break
    for (const type of ['fails', 'add']) await run(t, ['call', address, type])
    for (const cli of [loud, quiet]) cli.kill('SIGINT')
    assert.equal((await quiet.ended).stderr, '')
    const events = (await loud.ended).stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    assert.deepEqual(
      events.map(({ event }) => event),
      ['listening', 'serving', 'peer', 'fault', 'gone', 'peer', 'invalid', 'gone', 'interrupted'],
    )
    const [, serves, , fault, left] = events
    assert.ok(serves.types.includes('chat'))
    assert.match(fault.at, /chat\.mjs:\d+:\d+$/)
    assert.equal(left.code, undefined)
  })
})

describe('a signal', GUARD, () => {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    test(`${signal} waits for what was begun; a second one ends it at once with ${code}, and who waits is told`, async (t) => {
      const { server, address } = await serving(t, project(t, { 'chat.mjs': CHAT })('chat.mjs'))
      const asking = run(t, ['call', address, 'never'])
      await server.shows(/asked/, 'stderr')
      server.kill(signal)
      await server.shows(/once more to leave at once/, 'stderr')
      server.kill(signal)
      assert.equal((await server.ended).code, code)
      const { code: asked, stderr } = await asking
      assert.equal(asked, 1)
      assert.match(stderr, /no answer to never came .*\[OUTCOME_UNKNOWN\]\n$/)
    })
  }

  test('ends feeds, and who watches one ends in good order', async (t) => {
    const { server, address } = await serving(t, project(t, { 'chat.mjs': CHAT })('chat.mjs'))
    const watcher = new Cli(t, ['watch', address, 'idle'])
    await watcher.shows(/^1\n/)
    server.kill('SIGINT')
    assert.equal((await server.ended).code, 0)
    const { stdout } = await watcher.ended
    assert.equal(stdout, '1\n')
  })
})

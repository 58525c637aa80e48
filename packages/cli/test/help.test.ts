import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { run } from './cli.ts'

describe('help', () => {
  test('teaches: addresses, exit codes, where to start', async (t) => {
    const { code, stdout, stderr } = await run(t, ['--help'])
    assert.equal(code, 0)
    assert.equal(stderr, '')
    assert.match(stdout, /tcp:\/\/\[::1\]:4000/)
    assert.match(stdout, /Exit codes:\n +0 .*\n +1 .*\n +2 .*\n +130 /)
    assert.match(stdout, /Start here:\n +socktools demo/)
    assert.doesNotMatch(stdout, /demo-party/, 'what is not for people is not shown')
  })

  for (const command of ['listen', 'connect', 'demo']) {
    test(`of ${command} has examples and fits a terminal of 120 columns`, async (t) => {
      const { code, stdout } = await run(t, [command, '--help'])
      assert.equal(code, 0)
      assert.match(stdout, new RegExp(`Examples:\n +socktools ${command}`))
      assert.ok(stdout.split('\n').every((line) => line.length <= 120))
    })
  }

  test('tells what becomes of a CR, and of a peer that takes nothing', async (t) => {
    assert.match((await run(t, ['--help'])).stdout, /a CR before the LF is\s+stripped/)
    assert.match(
      (await run(t, ['listen', '--help'])).stdout,
      /--stall <seconds> +close a peer that takes nothing/,
    )
  })

  test('is on stderr, and wrong usage, when nothing was asked', async (t) => {
    const { code, stdout, stderr } = await run(t, [])
    assert.equal(code, 2)
    assert.equal(stdout, '')
    assert.match(stderr, /^Usage: socktools/)
  })

  test('tells the version of the package', async (t) => {
    const manifest = new URL('../package.json', import.meta.url)
    const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }
    assert.equal((await run(t, ['--version'])).stdout, `${version}\n`)
  })
})

describe('wrong usage ends with 2 and one line that says what to do', () => {
  const MEMORY =
    /"memory:a"[^\n]*: write tcp:\/\/host:port, tcp:\/\/\[::1\]:port or unix:\/path \[BAD_ADDRESS\]/
  const wrong: Record<string, RegExp> = {
    lisen: /unknown command 'lisen' \(Did you mean listen\?\): see socktools --help/,
    listen: /missing required argument 'address'/,
    'listen --lnes tcp://127.0.0.1:0': /unknown option '--lnes' \(Did you mean --lines\?\)/,
    'listen tcp://127.0.0.1:0 more': /too many arguments/,
    'listen --wait soon tcp://127.0.0.1:0': /'soon' is invalid. It must be a whole number/,
    'listen 127.0.0.1:4000':
      /did you mean "tcp:\/\/127.0.0.1:4000"\?: write tcp:\/\/host:port.* \[BAD_ADDRESS\]/,
    'listen tcp://127.0.0.1:0 --connect tcp://127.0.0.1': /names no port/,
    'listen tcp://127.0.0.1:0 --connect foo': /"foo" names no scheme/,
    'listen --max-frame 0 tcp://127.0.0.1:0': /'0' is invalid. It must be 1 or more/,
    'listen --stall soon tcp://127.0.0.1:0': /'soon' is invalid. It must be a whole number/,
    'listen memory:a': MEMORY,
    'listen tcp://127.0.0.1:0 --connect memory:a': MEMORY,
    'connect memory:a': MEMORY,
    'connect tcp://127.0.0.1:9 foo': /"foo" names no scheme/,
    'listen --max-frame 9999999999 tcp://127.0.0.1:0': /\[BAD_OPTION\]/,
    'connect tcp://127.0.0.1': /names no port/,
    'connect --retry tcp://127.0.0.1': /names no port/,
    'connect http://127.0.0.1:80': /needs a transport that is not here/,
  }
  for (const [args, message] of Object.entries(wrong)) {
    test(args, async (t) => {
      const { code, stdout, stderr } = await run(t, args.split(' '))
      assert.equal(code, 2)
      assert.equal(stdout, '')
      assert.match(stderr, message)
      assert.match(stderr, /^socktools: [^\n]+\n$/, 'and nothing was begun')
      assert.doesNotMatch(stderr, /memory:name/)
    })
  }
})

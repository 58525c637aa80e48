import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { run } from './cli.ts'

describe('help', () => {
  test('teaches: addresses, exit codes, where to start', async (t) => {
    const { code, stdout, stderr } = await run(t, ['--help'])
    assert.equal(code, 0)
    assert.equal(stderr, '')
    for (const address of ['tcp://[::1]:4000', 'unix:/tmp/room.sock', 'udp://127.0.0.1:4000'])
      assert.ok(stdout.includes(address), address)
    assert.ok(stdout.split('\n').every((line) => line.length <= 120))
    assert.match(stdout, /Exit codes:\n +0 .*\n +1 .*\n.*\n.*\n +2 .*\n.*\n +3 .*\n +130 /)
    assert.match(stdout, /Start here:\n +socktools demo/)
    assert.doesNotMatch(stdout, /demo-/, 'what is not for people is not shown')
  })

  for (const command of ['listen', 'connect', 'demo', 'compat', 'outbox', 'conformance']) {
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

  test('tells the names and the defaults of what is on the wire', async (t) => {
    for (const command of ['listen', 'connect']) {
      const help = (await run(t, [command, '--help'])).stdout.replaceAll(/\s+/g, ' ')
      assert.match(help, /--framing <name> [^-]*u8, u16be, [^-]*varint, lines or crlf \(default: u32be\)/)
      assert.match(help, /choices: "raw", "json", "msgpack"/)
      assert.match(help, /\(default: 16 MiB; of JSON 1 MiB; over UDP 1,472\)/)
      assert.match(help, /Over UDP each message is one datagram/)
      assert.match(help, /\{"base64":"aGk="\}/)
    }
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
    /"memory:a"[^\n]*: write tcp:\/\/host:port, tcp:\/\/\[::1\]:port, unix:\/path or udp:\/\/host:port \[BAD_ADDRESS\]/
  const wrong: Record<string, RegExp> = {
    lisen: /unknown command 'lisen' \(Did you mean listen\?\): see socktools --help/,
    listen: /missing required argument 'addresses'/,
    'listen --lnes tcp://127.0.0.1:0': /unknown option '--lnes' \(Did you mean --lines\?\)/,
    'outbox ls': /missing required argument 'directory'/,
    'outbox rm x': /'rm' is invalid for argument 'action'. Allowed choices are ls, verify, export/,
    'outbox ls nowhere': /^socktools: nowhere cannot be read: [^\n]*\[STORE_FAILED\]/,
    'compat a.ts': /missing required argument 'new'/,
    'compat a.toml b.toml': /^socktools: a.toml is no module: give a .ts, .js or .mjs file\n/,
    'compat nowhere.ts b.ts': /^socktools: nowhere.ts does not exist\n/,
    'listen tcp://127.0.0.1:0 more': /"more" names no scheme/,
    'listen tcp://127.0.0.1:0 udp://127.0.0.1': /udp:\/\/127.0.0.1 names no port/,
    'listen tcp://127.0.0.1:0 --connect udp://127.0.0.1:0': /has port 0, where nobody is/,
    'connect tcp://127.0.0.1:9 udp://127.0.0.1': /udp:\/\/127.0.0.1 names no port/,
    'listen --framing u24be tcp://127.0.0.1:0':
      /'u24be' is invalid. It is u8, u16be, u16le, u32be, u32le, u64be, u64le, varint, lines or crlf;/,
    'listen --lines --framing u8 tcp://127.0.0.1:0': /--lines is --framing lines: give one of the two/,
    'connect --hex --codec json tcp://127.0.0.1:9': /--hex is for bytes, and --codec json is for values/,
    'connect --codec xml tcp://127.0.0.1:9': /'xml' is invalid. Allowed choices are raw, json, msgpack/,
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
    'listen --max-frame 9999999999 tcp://127.0.0.1:0': /: lower --max-frame, or [^\n]*\[BAD_OPTION\]/,
    'listen --max-frame 256 --framing u8 tcp://127.0.0.1:0': /carries 255 bytes at the most.*\[BAD_OPTION\]/,
    'connect tcp://127.0.0.1': /names no port/,
    'connect --retry tcp://127.0.0.1': /names no port/,
    'connect http://127.0.0.1:80': /needs a transport that is not here/,
  }
  for (const [args, message] of Object.entries(wrong)) {
    // One that is not refused would listen for ever.
    test(args, { timeout: 60_000 }, async (t) => {
      const { code, stdout, stderr } = await run(t, args.split(' '))
      assert.equal(code, 2)
      assert.equal(stdout, '')
      assert.match(stderr, message)
      assert.match(stderr, /^socktools: [^\n]+\n$/, 'and nothing was begun')
      assert.doesNotMatch(stderr, /memory:name/)
    })
  }
})

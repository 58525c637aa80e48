/** `call`, `watch` and `send`: one question to a peer under wire v1. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type net from 'node:net'
import { type TestContext, describe, test } from 'node:test'
import { TcpSock } from 'socktools'
import { ANY, Cli, freeAddress, rawServer, run } from './cli.ts'
import { CHAT, project, serving } from './served.ts'

/** Of a whole suite, each test of which starts several processes. */
const GUARD = { timeout: 600_000 }

/** The module, a process that serves it, and how it is asked. */
async function chat(t: TestContext, ...options: string[]) {
  const file = project(t, { 'chat.mjs': CHAT, 'none.mjs': 'export const handlers = {}' })
  const { server, address } = await serving(t, file('chat.mjs'), ...options)
  const ask = (command: string, type: string, ...more: string[]) => run(t, [command, address, type, ...more])
  return { server, address, protocol: file('chat.mjs'), none: file('none.mjs'), ask }
}

const good = (stdout: string) => ({ code: 0, signal: null, stdout, stderr: '' })

describe('call', GUARD, () => {
  test('prints the answer as one line of JSON', async (t) => {
    const { ask, address, protocol } = await chat(t)
    assert.deepEqual(await ask('call', 'add', '{"a":1,"b":2}'), good('3\n'))
    assert.deepEqual(await ask('call', 'add', '{"a":1,"b":2}', '--protocol', protocol), good('3\n'))
    assert.deepEqual(await run(t, ['call', address, 'add', '-'], '{"a":\n40,"b":2}\n'), good('42\n'))
    const headers = ['-H', 'trace=17', '-H', 'user=me=you']
    assert.deepEqual(await ask('call', 'who', ...headers), good('{"trace":"17","user":"me=you"}\n'))
  })

  for (const codec of ['json', 'msgpack']) {
    test(`bytes stand as base64, and with --raw as they are, over ${codec}`, async (t) => {
      const { ask, protocol } = await chat(t, '--codec', codec)
      const bytes = '{"base64":"aGkh"}'
      for (const knows of [[], ['-p', protocol]]) {
        assert.deepEqual(await ask('call', 'thumb', bytes, ...knows), good('{"base64":"IWlo"}\n'))
        assert.deepEqual(await ask('call', 'thumb', bytes, '--raw', ...knows), good('!ih'))
        assert.deepEqual(
          await ask('call', 'nested', `{"in":[${bytes}]}`, ...knows),
          good(`{"in":[${bytes}]}\n`),
        )
      }
    })
  }

  test('what comes is harmless to a terminal', async (t) => {
    const { ask } = await chat(t)
    const { stdout } = await ask('call', 'evil')
    assert.equal(stdout, '"\\u001b[2J\\u0007\\n\\u202e"\n')
  })

  test('an error that the contract declares is 1, with its data where the contract is known', async (t) => {
    const { ask, protocol } = await chat(t)
    const asked = ['call', 'add', '{"a":-1,"b":2}'] as const
    const known = await ask(...asked, '-p', protocol)
    assert.deepEqual(known, {
      ...{ code: 1, signal: null, stdout: '' },
      stderr: 'socktools: the far side answered NEGATIVE: too \\u{1b}[31mcold: {"of":"a\\u001b[2J"}\n',
    })
    const { code, stderr } = await ask(...asked, '-p', protocol, '--json')
    assert.equal(code, 1)
    assert.match(stderr, /^[\x20-\x7e]+\n$/)
    const { event, code: errorCode, data } = JSON.parse(stderr)
    assert.deepEqual([event, errorCode, data], ['error', 'NEGATIVE', { of: 'a\u001b[2J' }])
    const unknown = await ask(...asked)
    assert.deepEqual([unknown.code, unknown.stdout], [1, ''])
    assert.match(
      unknown.stderr,
      /^socktools: the far side answered NEGATIVE: too \\u\{1b\}\[31mcold [^\n]*\[REMOTE_ERROR\]\n$/,
    )
  })

  test('any other error of the far side is 1: its code and text, and nothing of what only the far side knows', async (t) => {
    const { ask, protocol, server } = await chat(t)
    for (const knows of [[], ['-p', protocol]]) {
      const undeclared = await ask('call', 'undeclared', ...knows)
      assert.deepEqual([undeclared.code, undeclared.stdout], [1, ''])
      assert.match(undeclared.stderr, /answered UNDECLARED: for people .*\[REMOTE_ERROR\]\n$/)
      assert.doesNotMatch(undeclared.stderr, /secret/)
      const fails = await ask('call', 'fails', ...knows)
      assert.match(fails.stderr, /answered HANDLER_FAILED: the handler failed /)
      assert.doesNotMatch(fails.stderr, /disk/)
    }
    const [, told = ''] = await server.shows(/^(handler of "fails".*)$/m, 'stderr')
    assert.match(told, /the disk\\u\{1b\}\[2J\\u\{a\}is full \(at .*chat\.mjs:\d+:\d+\) \[HANDLER_FAILED\]$/)
  })

  test('data that the far side does not take, and an answer that the contract does not: both are 1', async (t) => {
    const { ask, protocol } = await chat(t)
    const refused = await ask('call', 'add', '{"a":"x"}')
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /answered BAD_MESSAGE: not what the schema takes: a: expected number/)
    assert.deepEqual(await ask('call', 'wrong'), good('"text"\n'))
    const wrong = await ask('call', 'wrong', '-p', protocol)
    assert.deepEqual([wrong.code, wrong.stdout], [1, ''])
    assert.match(wrong.stderr, /expected number.*\[BAD_MESSAGE\]\n$/)
  })

  test('data that are none are wrong usage', async (t) => {
    const { ask, protocol } = await chat(t)
    for (const [what, ...args] of [
      [/the data are no JSON/, 'add', '{a:1}'],
      [/"base64" that is none/, 'thumb', '{"base64":"a*"}'],
      [/"add" does not give bytes: leave --raw out/, 'add', '1', '--raw', '-p', protocol],
    ] as const) {
      const { code, stdout, stderr } = await ask('call', ...(args as [string, ...string[]]))
      assert.deepEqual([code, stdout], [2, ''])
      assert.match(stderr, what)
      assert.match(stderr, /^socktools: [^\n]+\n$/)
    }
  })

  test('--timeout: the answer must be there by then', async (t) => {
    const { ask, address } = await chat(t)
    const { code, stdout, stderr } = await ask('call', 'never', '--timeout', '0.2')
    assert.deepEqual([code, stdout], [1, ''])
    assert.match(stderr, /^socktools: no answer to never within 200 ms .*raise --timeout \[CALL_TIMEOUT\]\n$/)
    for (const bad of ['soon', '-1', '0.0001', '2147484']) {
      const { code } = await run(t, ['call', address, 'never', `--timeout=${bad}`])
      assert.equal(code, 2, bad)
    }
  })
})

describe('a type that is not there', GUARD, () => {
  test('is answered with those that the far side has', async (t) => {
    const { ask } = await chat(t)
    for (const command of ['call', 'watch', 'send']) {
      const { code, stdout, stderr } = await ask(command, 'nope')
      assert.deepEqual([code, stdout], [1, ''])
      assert.match(
        stderr,
        /^socktools: the far side has no type "nope"; it has add \(call\), .*chat \(channel\), .* \[UNKNOWN_TYPE\]\n$/,
      )
      assert.doesNotMatch(stderr, /HANDSHAKE|PIPE/)
    }
  })

  test('nor in the contract of --protocol: wrong usage, with those that it has, and nobody is asked', async (t) => {
    const file = project(t, { 'chat.mjs': CHAT })
    for (const command of ['call', 'watch', 'send']) {
      const { code, stderr } = await run(t, [command, freeAddress(t), 'nope', '-', '-p', file('chat.mjs')])
      assert.equal(code, 2)
      assert.match(stderr, /^socktools: the contract has no type "nope"; it has say \(msg\), add \(call\), /)
    }
  })

  test('or is of another kind: which command is for which is told', async (t) => {
    const { ask, protocol } = await chat(t)
    for (const [command, type, is] of [
      ['call', 'say', 'msg'],
      ['watch', 'add', 'call'],
      ['send', 'count', 'feed'],
      ['call', 'chat', 'channel'],
    ] as const) {
      const there = await ask(command, type, '1')
      assert.equal(there.code, 1)
      assert.match(there.stderr, new RegExp(`"${type}" is a \\w+ here and a ${is} there .*watch for feeds`))
      const here = await ask(command, type, '1', '-p', protocol)
      assert.equal(here.code, 2)
      assert.match(here.stderr, new RegExp(`"${type}" is a ${is}, not a \\w+: call is for calls`))
    }
  })

  test('a file without a protocol is wrong usage', async (t) => {
    const { ask, none } = await chat(t)
    const { code, stderr } = await ask('call', 'add', '1', '-p', none)
    assert.equal(code, 2)
    assert.match(stderr, /^socktools: .*none\.mjs exports no protocol: write /)
  })
})

describe('watch', GUARD, () => {
  test('prints each item on a line of its own, until the feed ends or there were enough', async (t) => {
    const { ask, server, protocol } = await chat(t)
    assert.deepEqual(await ask('watch', 'count', '3'), good('0\n1\n2\n'))
    assert.deepEqual(await ask('watch', 'count', '0', '-p', protocol), good(''))
    assert.deepEqual(await ask('watch', 'blocks', '-n', '2'), good('{"base64":"AP8="}\n{"base64":"Af8="}\n'))
    const { code, stdout } = await ask('watch', 'flood', '-n', '3')
    assert.deepEqual([code, stdout.split('\n').length], [0, 4])
    await server.shows(/the feed is over/, 'stderr')
  })

  test('--raw: nothing stands between them', async (t) => {
    const { address } = await chat(t)
    const cli = new Cli(t, ['watch', '--raw', address, 'blocks'], { redirect: "| od -An -tx1 | tr -d ' '" })
    assert.equal((await cli.ended).stdout, '00ff01ff02ff\n')
  })

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    test(`${signal} ends it, on the far side too, and exits with 0`, async (t) => {
      const { address, server } = await chat(t)
      const cli = new Cli(t, ['watch', address, 'idle'])
      await cli.shows(/^1\n/)
      cli.kill(signal)
      assert.deepEqual(await cli.ended, good('1\n'))
      await server.shows(/the feed is over[^]* left\n/, 'stderr')
    })
  }

  test('`| head` may have enough: that is no failure, and the far side is told', async (t) => {
    const { address, server } = await chat(t)
    const cli = new Cli(t, ['watch', address, 'flood'])
    await cli.shows(/\n/)
    cli.closeStdout()
    const { code, stderr } = await cli.ended
    assert.deepEqual([code, stderr], [0, ''])
    const [told] = await server.shows(/joined\n[^]*(left|is gone).*\n/, 'stderr')
    assert.doesNotMatch(told, /is gone|PIPE_FAILED/)
  })

  test('a stdout that is not read holds the far side back; a signal ends the feed there, a second one all of it', async (t) => {
    const { address, server, ask } = await chat(t)
    const cli = new Cli(t, ['watch', address, 'flood'])
    await cli.shows(/\n/)
    cli.stallStdout()
    // What the pipe, the sockets and the windows hold is made, and no more than that.
    for (let before = '', now = ''; before === '' || now !== before; ) {
      before = now
      now = (await ask('call', 'flooded')).stdout
    }
    cli.kill('SIGINT')
    await server.shows(/the feed is over/, 'stderr')
    cli.kill('SIGINT')
    assert.equal((await cli.ended).code, 130)
    await server.shows(/the feed is over[^]* left\n/, 'stderr')
  })
})

describe('send', GUARD, () => {
  test('ends when it is there', async (t) => {
    const { ask, address, server, protocol } = await chat(t)
    assert.deepEqual(await ask('send', 'say', '{"text":"one"}'), good(''))
    assert.deepEqual(await ask('send', 'say', '{"text":"two"}', '-p', protocol), good(''))
    assert.deepEqual(await run(t, ['send', address, 'say', '-'], '{"text":"three"}'), good(''))
    await server.shows(/said one\n[^]*said two\n[^]*said three\n/, 'stderr')
  })
})

describe('a far side that does not speak wire v1', GUARD, () => {
  const commands = ['call', 'watch', 'send']

  test('nobody is there', async (t) => {
    for (const command of commands) {
      const { code, stderr } = await run(t, [command, freeAddress(t), 'add', '1'])
      assert.equal(code, 1)
      assert.match(
        stderr,
        /^socktools: could not connect: .*start the other side first.* \[CONNECT_FAILED\]\n$/,
      )
    }
  })

  test('an address that can never be right is wrong usage', async (t) => {
    for (const address of ['nonsense', 'http://127.0.0.1', 'udp://127.0.0.1:4000', 'tcp://127.0.0.1']) {
      const { code, stderr } = await run(t, ['call', address, 'add', '1'])
      assert.equal(code, 2, address)
      assert.match(stderr, /^socktools: [^\n]*\[BAD_ADDRESS\]\n$/)
    }
  })

  test('it speaks the plain wire', async (t) => {
    const sock = await TcpSock.open({ bind: ANY, handlers: { 0: () => undefined } })
    t.after(() => sock.close())
    for (const command of commands) {
      const { code, stderr } = await run(t, [command, sock.address!, 'add', '1'])
      assert.equal(code, 1)
      assert.match(stderr, /use socktools connect \[PEER_NOT_SESSION\]\n$/)
    }
  })

  test('it speaks HTTP', async (t) => {
    const server = createServer((_, response) => response.end('hi')).listen(0, '127.0.0.1')
    t.after(() => server.close())
    await once(server, 'listening')
    const { port } = server.address() as net.AddressInfo
    const { code, stderr } = await run(t, ['call', `tcp://127.0.0.1:${port}`, 'add', '1'])
    assert.equal(code, 1)
    assert.match(
      stderr,
      /^socktools: this looks like an HTTP response .*check the port; .* wire v1 \[FOREIGN_PROTOCOL\]\n$/,
    )
  })

  test('it says nothing: that it does not speak wire v1 is told, or that --timeout has passed', async (t) => {
    const { address } = await rawServer(t)
    const [silent, late] = await Promise.all([
      run(t, ['call', address, 'add', '1']),
      run(t, ['call', '--timeout', '0.3', address, 'add', '1']),
    ])
    assert.deepEqual([silent.code, late.code], [1, 1])
    assert.match(silent.stderr, /the other side does not speak wire v1; .* \[HANDSHAKE_TIMEOUT\]\n$/)
    assert.match(late.stderr, /no connection within 300 ms .* \[CONNECT_TIMEOUT\]\n$/)
  })
})

describe('a signal', GUARD, () => {
  test('gives up a call: 1, and the far side is told', async (t) => {
    const { address, server } = await chat(t)
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      const cli = new Cli(t, ['call', address, 'never', '--json'])
      await server.shows(signal === 'SIGINT' ? /asked/ : /asked[^]*asked/, 'stderr')
      cli.kill(signal)
      const { code, stdout, stderr } = await cli.ended
      assert.deepEqual([code, stdout], [1, ''])
      assert.equal(JSON.parse(stderr).code, 'ABORTED')
    }
    server.kill('SIGINT')
    const { stderr } = await server.ended
    assert.doesNotMatch(stderr, /is gone/)
  })

  test('gives up the dial', async (t) => {
    const { address, server } = await rawServer(t)
    const cli = new Cli(t, ['call', address, 'add', '1'])
    await once(server, 'connection')
    cli.kill('SIGINT')
    const { code, stderr } = await cli.ended
    assert.equal(code, 1)
    assert.match(stderr, /the dial was given up .*\[ABORTED\]\n$/)
  })
})

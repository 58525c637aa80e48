/** What the command line prints: for people, for terminals, for programs. */
import assert from 'node:assert/strict'
import { type TestContext, describe, test } from 'node:test'
import { TcpSock } from 'socktools'
import { ANY, Cli, freeAddress, run } from './cli.ts'

describe('what is printed', () => {
  /** What a listener prints of these messages. */
  async function printed(t: TestContext, options: string[], payloads: (string | Uint8Array)[]) {
    const listener = new Cli(t, ['listen', ...options, ANY])
    const [, address = ''] = await listener.shows(/(tcp:[^\s"]+)/, 'stderr')
    const sock = new TcpSock()
    const peer = await sock.connectTo(address)
    for (const payload of payloads) await peer.sendMsg(0, payload)
    await sock.drain()
    await listener.shows(/left|"gone"/, 'stderr')
    listener.kill('SIGINT')
    return listener.ended
  }

  test('is one line for each message and harmless to a terminal', async (t) => {
    const { stdout } = await printed(
      t,
      [],
      ['\x1b[2J\x07', 'a\nb\r', 'tab\there', 'abc\u202ecba', 'grüße 👋', ''],
    )
    const texts = stdout.split('\n').map((line) => line.replace(/^\[tcp:[^\]]+\] /, ''))
    assert.deepEqual(texts, [
      '\\u{1b}[2J\\u{7}',
      'a\\u{a}b\\u{d}',
      'tab\there',
      'abc\\u{202e}cba',
      'grüße 👋',
      '',
      '',
    ])
  })

  test('a long message is one line, and the lines of others that come meanwhile are whole as well', async (t) => {
    const listener = new Cli(t, ['listen', ANY])
    const address = await listener.address()
    const [slow, quick] = [new TcpSock(), new TcpSock()]
    const [a, b] = [await slow.connectTo(address), await quick.connectTo(address)]
    await a.sendMsg(0, '\u200b'.repeat(1_000_000))
    await a.sendMsg(0, 'after it')
    for (let i = 0; i < 50; i++) await b.sendMsg(0, `line ${i}`)
    await Promise.all([slow.drain(), quick.drain()])
    await listener.shows(/after it\n/)
    listener.kill('SIGINT')
    const { stdout } = await listener.ended
    const texts = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.replace(/^\[tcp:[^\]]+\] /, ''))
    assert.equal(texts.length, 52)
    assert.ok(texts.indexOf('after it') > texts.indexOf('\\u{200b}'.repeat(1_000_000)))
    assert.deepEqual(
      texts.filter((text) => text.startsWith('line')),
      Array.from({ length: 50 }, (_, i) => `line ${i}`),
    )
  })

  test('bytes that are no text are shown as such', async (t) => {
    const { stdout } = await printed(t, [], [Uint8Array.of(0x68, 0x69, 0xff, 0x00)])
    assert.match(stdout, /\] hi\\xff\\x00\n$/)
  })

  test('--json: one object a line; text, or base64 for what is none; status on stderr', async (t) => {
    const { code, stdout, stderr } = await printed(
      t,
      ['--json'],
      ['hi', 'a\n"\u009b\u{e0041}', Uint8Array.of(0xff, 0x00)],
    )
    const parse = (text: string) =>
      text
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line))
    const messages = parse(stdout)
    const [{ address }] = messages
    assert.match(address, /^tcp:\/\/127\.0\.0\.1:\d+$/)
    assert.deepEqual(messages, [
      { event: 'message', peer: 'p1', address, text: 'hi' },
      { event: 'message', peer: 'p1', address, text: 'a\n"\u009b\u{e0041}' },
      { event: 'message', peer: 'p1', address, base64: '/wA=' },
    ])
    assert.ok(!stdout.includes('\u009b'), 'and JSON is harmless to a terminal too')
    const events = parse(stderr).map(({ event }) => event)
    assert.deepEqual(events, ['listening', 'peer', 'gone', 'interrupted'])
    assert.equal(code, 0)
  })

  test('--json tells errors as objects, too', async (t) => {
    const { code, stderr } = await run(t, ['connect', '--json', freeAddress(t)])
    assert.equal(code, 1)
    const { event, code: errorCode, message } = JSON.parse(stderr)
    assert.deepEqual([event, errorCode], ['error', 'CONNECT_FAILED'])
    assert.match(message, /add --retry/)
  })
})

/** `--framing`, `--codec` and `--hex`: what is on the wire, and what is printed of it. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { type TestContext, describe, test } from 'node:test'
import { type Codec, TcpSock, json } from 'socktools'
import { msgpack } from 'socktools/msgpack'
import { ANY, Cli, portOf, run } from './cli.ts'

/** Takes all that one connection brings, and answers with `answer` when it has ended. */
async function sink(t: TestContext, answer: Uint8Array = new Uint8Array(0)) {
  const server = net.createServer({ allowHalfOpen: true })
  const received: Buffer[] = []
  server.on('connection', (socket) => {
    socket.on('data', (chunk) => received.push(chunk)).on('end', () => socket.end(answer))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const address = `tcp://127.0.0.1:${(server.address() as net.AddressInfo).port}`
  return { address, hex: () => Buffer.concat(received).toString('hex') }
}

describe('--framing', () => {
  const wires: Record<string, string> = {
    'u16le,inclusive': '04006869' + '0200',
    varint: '026869' + '00',
    crlf: '68690d0a' + '0d0a',
  }
  for (const [name, wire] of Object.entries(wires)) {
    test(`${name}: what is sent, and an answer`, async (t) => {
      const far = await sink(t, Buffer.from(wire, 'hex'))
      const { code, stdout } = await run(t, ['connect', '-q', '--framing', name, far.address], 'hi\n\n')
      assert.equal(code, 0)
      assert.equal(far.hex(), wire)
      assert.equal(stdout, `[${far.address}] hi\n[${far.address}] \n`)
    })
  }

  test('u8: a line of 256 bytes is told with its number, the others are sent', async (t) => {
    const far = await sink(t)
    const input = `a\n${'x'.repeat(256)}\nb\n`
    const { code, stderr } = await run(t, ['connect', '-q', '-f', 'u8', far.address], input)
    assert.equal(code, 1)
    assert.match(
      stderr,
      /^socktools: line 2 of stdin: a message of 256 bytes, and 255 is the most [^\n]*\[TOO_LARGE\]\n$/,
    )
    assert.equal(far.hex(), '01610162')
  })

  test('lines: one that ends in CR is told with its number, the others are sent', async (t) => {
    const far = await sink(t)
    const { code, stderr } = await run(t, ['connect', '-q', '-f', 'lines', far.address], 'a\r\nb\r\r\nc\n')
    assert.equal(code, 1)
    assert.match(
      stderr,
      /^socktools: line 2 of stdin: [^\n]*carriage return[^\n]*--framing \[CANNOT_FRAME\]\n$/,
    )
    assert.equal(far.hex(), '610a630a')
  })

  test('what is wrong with a line is told once, however many peers there are', async (t) => {
    const [a, b] = [await sink(t), await sink(t)]
    const { code, stderr } = await run(t, ['connect', '-q', '--lines', a.address, b.address], 'a\r\r\nb\n')
    assert.equal(code, 1)
    assert.match(stderr, /^socktools: line 1 [^\n]*\n$/)
    assert.deepEqual([a.hex(), b.hex()], ['620a', '620a'])
  })
})

describe('--hex', () => {
  test('in and out, as text and as JSON', async (t) => {
    const far = await sink(t, Buffer.from('0000000200ff', 'hex'))
    const { code, stdout } = await run(t, ['connect', '-q', '--hex', far.address], '00 FF\n')
    assert.deepEqual(
      { code, stdout, sent: far.hex() },
      { code: 0, stdout: `[${far.address}] 00ff\n`, sent: '0000000200ff' },
    )
    const { stdout: object } = await run(t, ['connect', '-q', '--hex', '--json', far.address], '')
    assert.deepEqual(JSON.parse(object), { event: 'message', peer: 'p1', address: far.address, hex: '00ff' })
  })

  test('a line that is none is told with its number, the others are sent', async (t) => {
    const far = await sink(t)
    const { code, stderr } = await run(t, ['connect', '-q', '-x', far.address], '61\nzz\n62')
    assert.equal(code, 1)
    assert.equal(
      stderr,
      'socktools: line 2 of stdin is not hex: write two digits for each byte, as in 68 69\n',
    )
    assert.equal(far.hex(), '00000001610000000162')
  })
})

describe('--codec', () => {
  /** Sends back, after what it was sent, whatever `more` says. */
  async function echo(t: TestContext, codec: Codec<unknown>, more: readonly unknown[] = []) {
    const got: unknown[] = []
    const sock = await TcpSock.open({ bind: ANY, codec })
    sock.use(async ({ type, data }, { peer }) => {
      got.push([type, data])
      await peer.sendMsg(type, data)
      for (const one of more) await peer.sendMsg('more', one)
    })
    t.after(() => sock.close())
    return { address: sock.address ?? '', got }
  }

  test('json: lines are messages, a bad one is told with its number', async (t) => {
    const far = await echo(t, json())
    const input = '["say",{"base64":"aGk="}]\nhello\n["\\u001b[2J",[1]]\n'
    const { code, stdout, stderr } = await run(t, ['connect', '-q', '--codec', 'json', far.address], input)
    assert.equal(code, 1)
    assert.match(
      stderr,
      /^socktools: line 2 of stdin is not a message: write \[type, data\] as JSON[^\n]*\n$/,
    )
    assert.deepEqual(far.got, [
      ['say', { base64: 'aGk=' }],
      ['\u001b[2J', [1]],
    ])
    assert.equal(stdout, `[${far.address}] say {"base64":"aGk="}\n[${far.address}] \\u{1b}[2J [1]\n`)
  })

  test('msgpack: bytes and integers beyond 2^53, as objects of --json', async (t) => {
    const far = await echo(t, msgpack(), [2n ** 60n])
    const args = ['connect', '-q', '--json', '--codec', 'msgpack', far.address]
    const { code, stdout } = await run(t, args, '["\\u009b",{"b":{"base64":"/w=="}}]\n')
    assert.equal(code, 0)
    assert.deepEqual(far.got, [['\u009b', { b: Uint8Array.of(0xff) }]])
    assert.ok(!stdout.includes('\u009b'))
    const facts = { event: 'message', peer: 'p1', address: far.address }
    assert.deepEqual(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
      [
        { ...facts, type: '\u009b', data: { b: { base64: '/w==' } } },
        { ...facts, type: 'more', data: '1152921504606846976' },
      ],
    )
  })

  test('what the other codec sends is told, and ends nobody', async (t) => {
    const listener = new Cli(t, ['listen', '--codec', 'json', ANY])
    const address = await listener.address()
    assert.ok(portOf(address) > 0)
    await run(t, ['connect', '-q', address], 'no JSON\n["a",1]\n')
    await listener.shows(/cannot be read: .*both sides must use the same --codec \[BAD_MESSAGE\]/, 'stderr')
    await listener.shows(/\] a 1\n/)
  })
})

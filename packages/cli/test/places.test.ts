/** Several addresses in one node, and UDP. */
import assert from 'node:assert/strict'
import dgram from 'node:dgram'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { type TestContext, describe, test } from 'node:test'
import { TcpSock, UdpSock } from 'socktools'
import { ANY, Cli, freeAddress, run, textOf } from './cli.ts'

const ANY_UDP = 'udp://127.0.0.1:0'

/** Someone over UDP: what came, and from where. */
async function someone(t: TestContext, onMessage: (text: string, answer: (text: string) => void) => void) {
  const socket = dgram.createSocket('udp4')
  socket.on('message', (bytes, { port }) => {
    onMessage(bytes.toString(), (text) => socket.send(text, port, '127.0.0.1'))
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.after(() => socket.close())
  return { socket, address: `udp://127.0.0.1:${socket.address().port}` }
}

describe('several addresses', () => {
  test('are one node: a line goes to whoever came by TCP, a Unix socket or UDP, and each has its own id', async (t) => {
    const listener = new Cli(t, ['listen', '--json', ANY, freeAddress(t), ANY_UDP])
    await listener.shows(/("listening"[^]*){3}/, 'stderr')
    const find = async (scheme: string): Promise<string> =>
      (await listener.shows(new RegExp(`"listening","address":"(${scheme}:[^"]+)"`), 'stderr'))[1] ?? ''
    const guests: { heard: AsyncIterator<[Uint8Array, unknown]> }[] = []
    for (const scheme of ['tcp', 'unix', 'udp']) {
      const sock = scheme === 'udp' ? new UdpSock() : new TcpSock()
      t.after(() => sock.close())
      const heard = sock.messages()
      const peer = await sock.connectTo(await find(scheme))
      await peer.sendMsg(0, scheme)
      await listener.shows(new RegExp(`"text":"${scheme}"`))
      guests.push({ heard })
    }
    listener.stdin.write('to all\n')
    for (const { heard } of guests) assert.equal(textOf((await heard.next()).value![0]), 'to all')
    const messages = listener.lines.map((line) => JSON.parse(line))
    assert.deepEqual(
      messages.map(({ peer, text }) => [peer, text]),
      [
        ['p1', 'tcp'],
        ['p2', 'unix'],
        ['p3', 'udp'],
      ],
    )
    listener.kill('SIGINT')
    assert.equal((await listener.ended).code, 0)
  })

  for (const bind of [ANY, ANY_UDP]) {
    test(`of which one (${bind.slice(0, 3)}) is taken: an error, and nothing of it stays`, async (t) => {
      const taken = bind === ANY ? await TcpSock.open({ bind }) : await UdpSock.open({ bind })
      const free = freeAddress(t)
      const { code, stdout, stderr } = await run(t, ['listen', '-q', free, ANY, ANY_UDP, taken.address ?? ''])
      assert.deepEqual({ code, stdout }, { code: 1, stdout: '' })
      assert.match(stderr, /^socktools: [^\n]+ listen on port 0 [^\n]+ \[ADDRESS_IN_USE\]\n$/)
      assert.equal(existsSync(free.slice('unix:'.length)), false, 'its socket file is gone')
      await taken.close()
    })
  }
})

describe('UDP', () => {
  test('connect sends each line as one datagram, and prints answers until --wait seconds of silence', async (t) => {
    const got: string[] = []
    const { address } = await someone(t, (text, answer) => {
      got.push(text)
      answer(`${text}!`)
    })
    const { code, stdout, stderr } = await run(t, ['connect', '--wait', '1', address], 'one\n\ntwo')
    assert.equal(code, 0)
    assert.deepEqual(got, ['one', '', 'two'])
    assert.equal(stdout, ['one!', '!', 'two!'].map((text) => `[${address}] ${text}\n`).join(''))
    assert.equal(stderr, `sending to ${address}\n${address} is let go\n`)
  })

  test('SIGINT ends that wait at once, with 0', async (t) => {
    const { address } = await someone(t, (_text, answer) => answer('here'))
    const cli = new Cli(t, ['connect', '--wait', '600', address])
    cli.stdin.end('hi')
    await cli.shows(/here/)
    cli.kill('SIGINT')
    const { code, signal } = await cli.ended
    assert.deepEqual({ code, signal }, { code: 0, signal: null })
  })

  test('one that ends is told so at once, though another one is heard by UDP', {
    timeout: 30_000,
  }, async (t) => {
    const { address } = await someone(t, () => undefined)
    const sock = await TcpSock.open({ bind: ANY })
    t.after(() => sock.close())
    const ended = new Promise((resolve) => sock.on('ended', resolve))
    const cli = new Cli(t, ['connect', '--wait', '600', sock.address!, address])
    cli.stdin.end('hi')
    await ended
    cli.kill('SIGINT')
    assert.equal((await cli.ended).code, 0)
  })

  test('connect takes nothing from a stranger who finds its port, and sends it nothing', {
    timeout: 30_000,
  }, async (t) => {
    let from = 0
    const far = await someone(t, () => undefined)
    far.socket.once('message', (_bytes, { port }) => (from = port))
    const cli = new Cli(t, ['connect', far.address])
    cli.stdin.write('first\n')
    await once(far.socket, 'message')
    const heard: string[] = []
    const stranger = await someone(t, (text) => heard.push(text))
    stranger.socket.send('let me in', from, '127.0.0.1')
    await cli.shows(/refused/, 'stderr')
    cli.stdin.write('second\n')
    await once(far.socket, 'message')
    cli.kill('SIGINT')
    const { stdout } = await cli.ended
    assert.equal(stdout, '')
    assert.deepEqual(heard, [])
  })

  test('a line too long for a datagram is told with its number, the others are sent', async (t) => {
    const got: string[] = []
    const { address, socket } = await someone(t, (text) => got.push(text))
    const input = `a\n${'x'.repeat(1473)}\nb\n`
    const { code, stderr } = await run(t, ['connect', '-q', '--wait', '0', address], input)
    assert.equal(code, 1)
    assert.match(
      stderr,
      /^socktools: line 2 of stdin: a message of 1473 bytes, and 1472 is the most [^\n]*\[TOO_LARGE\]\n$/,
    )
    while (!got.includes('b')) await once(socket, 'message')
    assert.deepEqual(got, ['a', 'b'])
  })

  test('--max-frame allows more, whatever the framing of the streams', async (t) => {
    const lengths: number[] = []
    const { address, socket } = await someone(t, (text) => lengths.push(text.length))
    const args = ['connect', '-q', '--wait', '0', '--framing', 'u8', '--max-frame', '99999', address]
    assert.equal((await run(t, args, 'x'.repeat(3000))).code, 0)
    if (lengths.length === 0) await once(socket, 'message')
    assert.deepEqual(lengths, [3000])
  })

  test('what the system refuses to send is a failure', async (t) => {
    const args = ['connect', '-q', '--wait', '0', 'udp://255.255.255.255:9']
    const { code, stderr } = await run(t, args, 'hi')
    assert.equal(code, 1)
    assert.match(stderr, /^socktools: line 1 of stdin: [^\n]* \[(BROADCAST_OFF|SEND_FAILED)\]\n$/)
  })

  test('a name without an address is an error that says so', async (t) => {
    const { code, stderr } = await run(t, ['connect', 'udp://nobody.invalid:9'], 'hi')
    assert.equal(code, 1)
    assert.match(
      stderr,
      /^socktools: no address is known for nobody.invalid: [^\n]*: check the name \[CONNECT_FAILED\]\n$/,
    )
  })

  test('listen --connect sends from the port that it listens on; without one, from a port of its own', async (t) => {
    for (const bind of [ANY_UDP, ANY]) {
      const far = await someone(t, () => undefined)
      const listener = new Cli(t, ['listen', bind, '--connect', far.address])
      const address = await listener.address()
      listener.stdin.write('hello\n')
      const [, { port }] = (await once(far.socket, 'message')) as [Buffer, { port: number }]
      assert.equal(address === `udp://127.0.0.1:${port}`, bind === ANY_UDP)
      far.socket.send('and back', port, '127.0.0.1')
      await listener.shows(/\] and back\n/)
      listener.kill('SIGTERM')
      assert.equal((await listener.ended).code, 0)
    }
  })

  test('listen --connect tries a name again, and listens meanwhile', async (t) => {
    for (const bind of [ANY_UDP, ANY]) {
      const listener = new Cli(t, ['listen', bind, '--connect', 'udp://nobody.invalid:9'])
      await listener.address()
      await listener.shows(/nobody.invalid[^\n]*, next try in/, 'stderr')
      listener.kill('SIGTERM')
      assert.equal((await listener.ended).code, 0)
    }
  })
})

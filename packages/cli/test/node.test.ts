/** `listen` and `connect`: what goes in on one side comes out on the other. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { describe, test } from 'node:test'
import { TcpSock, lines } from 'socktools'
import { ANY, Cli, freeAddress, portOf, run, textOf } from './cli.ts'

describe('between two nodes', () => {
  test('each line of stdin arrives as one message and is printed with its sender, the last one unended', async (t) => {
    const listener = new Cli(t, ['listen', ANY])
    const sender = await run(t, ['connect', await listener.address()], 'one\r\n\ntwo\nlast')
    assert.equal(sender.code, 0)
    await listener.shows(/last\n/)
    const [, me] = await listener.shows(/(\S+) joined/, 'stderr')
    assert.deepEqual(
      listener.lines,
      ['one', '', 'two', 'last'].map((line) => `[${me}] ${line}`),
    )
    assert.deepEqual(sender.stderr.match(/joined|left/g), ['joined', 'left'])
  })

  test('lines wait on stdin until there is a peer, and the end of stdin does not end a listener', async (t) => {
    const address = freeAddress(t)
    const listener = new Cli(t, ['listen', address])
    listener.stdin.end('early\nbird')
    await listener.address()
    const sock = new TcpSock()
    const heard = sock.messages()
    await sock.connectTo(address)
    assert.equal(textOf((await heard.next()).value![0]), 'early')
    assert.equal(textOf((await heard.next()).value![0]), 'bird')
    await sock.drain()
    await listener.shows(/left/, 'stderr')
    listener.kill('SIGTERM')
    assert.equal((await listener.ended).code, 0)
  })

  test('a node that listens also keeps up the connections of --connect', async (t) => {
    const [a, b] = [freeAddress(t), freeAddress(t)]
    const hub = new Cli(t, ['listen', a, '--connect', b])
    // The first delay is 100 ms at the most.
    await hub.shows(/, next try in [1-9]\d* ms\n/, 'stderr')
    const leaf = new Cli(t, ['listen', b])
    await hub.shows(/joined/, 'stderr')
    await run(t, ['connect', a], 'to the hub')
    await hub.shows(/to the hub/)
    hub.stdin.write('to the leaf\n')
    await leaf.shows(/to the leaf/)
  })

  test('--quiet leaves stderr empty', async (t) => {
    const address = freeAddress(t)
    const sock = await TcpSock.open({
      bind: address,
      handlers: { 0: (bytes, { peer }) => peer.sendMsg(0, bytes) },
    })
    const { code, stdout, stderr } = await run(t, ['connect', '--quiet', address], 'echo')
    assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: `[${address}] echo\n`, stderr: '' })
    await sock.close()
  })
})

describe('without a connection', () => {
  test('connect fails at once, with one line that says what to do', async (t) => {
    const { code, stdout, stderr } = await run(t, ['connect', freeAddress(t)], 'hi')
    assert.equal(code, 1)
    assert.equal(stdout, '')
    assert.match(
      stderr,
      /^socktools: could not connect: [^\n]+: start the other side first, or add --retry \[CONNECT_FAILED\]\n$/,
    )
  })

  test('connect to two of which one is missing sends to neither', async (t) => {
    const got: string[] = []
    const sock = await TcpSock.open({ bind: ANY, handlers: { 0: (bytes) => void got.push(textOf(bytes)) } })
    const { code } = await run(t, ['connect', sock.address!, freeAddress(t)], 'hi')
    assert.equal(code, 1)
    assert.deepEqual(got, [])
    await sock.close()
  })

  test('connect --retry waits for the other side, and comes back to it', async (t) => {
    const address = freeAddress(t)
    const cli = new Cli(t, ['connect', '--retry', address])
    cli.stdin.write('as soon as you are up\n')
    await cli.shows(/next try in/, 'stderr')
    for (const line of ['as soon as you are up', 'and again']) {
      const sock = new TcpSock({ bind: address })
      const heard = sock.messages()
      await sock.start()
      if (line === 'and again') {
        await cli.shows(/joined[^]*joined/, 'stderr')
        cli.stdin.write(`${line}\n`)
      }
      assert.equal(textOf((await heard.next()).value![0]), line)
      await sock.drain()
      await cli.shows(/left/, 'stderr')
    }
    cli.kill('SIGTERM')
    assert.equal((await cli.ended).code, 0)
  })

  test('listen on an address in use fails', async (t) => {
    const sock = await TcpSock.open({ bind: ANY })
    const { code, stderr } = await run(t, ['listen', sock.address!])
    assert.equal(code, 1)
    assert.match(stderr, /^socktools: [^\n]+ listen on port 0 [^\n]+ \[ADDRESS_IN_USE\]\n$/)
    await sock.close()
  })
})

describe('--lines', () => {
  test('talks with netcat: LF and CR LF in, LF out, the last line unended', async (t) => {
    const listener = new Cli(t, ['listen', '--lines', ANY])
    const socket = net.connect({
      port: portOf(await listener.address()),
      host: '127.0.0.1',
      allowHalfOpen: true,
    })
    t.after(() => socket.destroy())
    await listener.shows(/joined/, 'stderr')
    listener.stdin.write('welcome\n\n')
    const [welcome] = (await once(socket, 'data')) as [Buffer]
    assert.match(welcome.toString(), /^welcome\n/)
    socket.end('one\r\ntwo\nhi')
    await listener.shows(/\] one\n.*\] two\n.*\] hi\n/)
    await once(socket.resume(), 'end')
  })

  test('`printf hi | socktools connect --lines` speaks to a server of lines', async (t) => {
    const sock = await TcpSock.open({
      bind: ANY,
      framing: lines(),
      handlers: { 0: (line, { peer }) => peer.sendMsg(0, `${textOf(line)} to you`) },
    })
    const { stdout } = await run(t, ['connect', '--lines', sock.address!], 'hi')
    assert.equal(stdout, `[${sock.address!}] hi to you\n`)
    await sock.close()
  })

  test('on one side only is an error that names it', async (t) => {
    const listener = new Cli(t, ['listen', ANY])
    await run(t, ['connect', '--lines', await listener.address()], 'GET / HTTP/1.1')
    await listener.shows(/is gone: .*\[FOREIGN_PROTOCOL\]/, 'stderr')
  })
})

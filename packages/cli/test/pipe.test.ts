/** `listen` and `connect` among other programs: pipes that end, break or stop reading, and signals. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { TcpSock } from 'socktools'
import { ANY, Cli, portOf, rawServer, run, temporary, textOf } from './cli.ts'

describe('in a pipe', () => {
  test('`printf hi | socktools connect` gets the answers that come after it has ended', async (t) => {
    const { address, server } = await rawServer(t)
    server.on('connection', (socket) => {
      socket
        .resume()
        .on('end', () => socket.end(Buffer.from('000000026f6b' + '00000000' + '00000003627965', 'hex')))
    })
    const { code, stdout } = await run(t, ['connect', address], 'hi')
    assert.equal(code, 0)
    assert.equal(stdout, ['ok', '', 'bye'].map((text) => `[${address}] ${text}\n`).join(''))
  })

  test('100,000 lines reach each of two peers whole and in order, the slower one setting the pace', async (t) => {
    const COUNT = 100_000
    const receiver = async (pause: boolean) => {
      let count = 0
      let wrong = 0
      const sock = await TcpSock.open({
        bind: ANY,
        handlers: {
          0: (bytes) => {
            if (textOf(bytes) !== `line ${++count}`) wrong++
            return pause && count % 100 === 0 ? new Promise((resolve) => setImmediate(resolve)) : undefined
          },
        },
      })
      t.after(() => sock.close())
      return { sock, result: () => ({ count, wrong }) }
    }
    const [fast, slow] = [await receiver(false), await receiver(true)]
    const input = Array.from({ length: COUNT }, (_, i) => `line ${i + 1}\n`).join('')
    const { code } = await run(t, ['connect', '-q', fast.sock.address!, slow.sock.address!], input)
    assert.equal(code, 0)
    assert.deepEqual(fast.result(), { count: COUNT, wrong: 0 })
    assert.deepEqual(slow.result(), { count: COUNT, wrong: 0 })
  })

  test('it ends when every far side has ended, though stdin is open', async (t) => {
    const sock = await TcpSock.open({ bind: ANY })
    const cli = new Cli(t, ['connect', sock.address!])
    await cli.shows(/joined/, 'stderr')
    await sock.drain()
    assert.equal((await cli.ended).code, 0)
  })

  // More than the kernel, the queue and a chunk of stdin hold.
  const TOO_MUCH = 'x'.repeat(999).concat('\n').repeat(32_000)

  test('a connection that breaks is a failure', async (t) => {
    const { address, server } = await rawServer(t)
    server.on('connection', (socket) => socket.once('data', () => socket.resetAndDestroy()).resume())
    const { code, stderr } = await run(t, ['connect', '-q', address], TOO_MUCH)
    assert.equal(code, 1)
    assert.match(stderr, /^socktools: the connection broke: .* \[PIPE_FAILED\]\n/)
  })

  // From a file, in which more always lies ready: a pipe may be empty while its writer is held up.
  const endings: Record<string, [input: string, end: (socket: net.Socket) => void]> = {
    'after it got some': [TOO_MUCH, (socket) => socket.once('data', () => socket.end()).resume()],
    // Not one line is in hand when it ends.
    'within a long line': ['x'.repeat(2 ** 23) + TOO_MUCH, (socket) => socket.resume().end()],
  }
  for (const [when, [input, end]] of Object.entries(endings)) {
    test(`lines that are left when the far side ends ${when} are a failure`, async (t) => {
      const { address, server } = await rawServer(t)
      server.on('connection', end)
      const file = join(temporary(t), 'lines')
      writeFileSync(file, input)
      const cli = new Cli(t, ['connect', '-q', address], { redirect: `< '${file}'` })
      const { code, stderr } = await cli.ended
      assert.equal(code, 1)
      assert.match(stderr, /^socktools: the far side ended: [1-9]\d* lines of stdin were not sent\n$/)
    })
  }

  test('a directory as stdin is an error', async (t) => {
    for (const command of ['connect', 'listen']) {
      const { code, stdout, stderr } = await new Cli(t, [command, ANY], { redirect: '< /' }).ended
      assert.deepEqual({ code, stdout }, { code: 1, stdout: '' })
      assert.equal(stderr, 'socktools: stdin is a directory: give it a file or a pipe\n')
    }
  })

  test('a stdout that takes nothing is an error', {
    skip: !existsSync('/dev/full') && 'there is no /dev/full',
  }, async (t) => {
    const redirect = '> /dev/full'
    const WHY = /^socktools: stdout cannot be written: ENOSPC[^\n]*\n$/
    for (const args of [['--help'], ['demo', '--numbered', '1', '--mebibytes', '0']]) {
      const { code, stderr } = await new Cli(t, args, { redirect }).ended
      assert.equal(code, 1)
      assert.match(stderr, WHY)
    }
    const { address, server } = await rawServer(t)
    server.on('connection', (socket) => socket.write(Buffer.from('00000002', 'hex')) && socket.write('hi'))
    const { code, stderr } = await new Cli(t, ['connect', '-q', address], { redirect }).ended
    assert.equal(code, 1)
    assert.match(stderr, WHY)
  })

  test('--stall: one that takes nothing is closed, and the others get all', async (t) => {
    const listener = new Cli(t, ['listen', '--stall', '1', ANY])
    const address = await listener.address()
    const deaf = net.connect(portOf(address), '127.0.0.1').on('error', () => undefined)
    t.after(() => deaf.destroy())
    await listener.shows(/joined/, 'stderr')
    let bytes = 0
    let onAll = (): void => undefined
    const all = new Promise<void>((resolve) => (onAll = resolve))
    const sock = new TcpSock({
      handlers: {
        0: (line) => {
          bytes += line.length + 1
          if (bytes === TOO_MUCH.length) onAll()
        },
      },
    })
    await sock.connectTo(address)
    await listener.shows(/joined[^]*joined/, 'stderr')
    listener.stdin.write(TOO_MUCH)
    const [, who] = await listener.shows(/(\S+) took nothing for 1 s: closed/, 'stderr')
    assert.equal(portOf(who ?? ''), deaf.localPort)
    await all
    await sock.close()
  })

  test('a far side that does not end is left after a silence of --wait seconds, all being sent', async (t) => {
    const { address, server } = await rawServer(t)
    const connection = once(server, 'connection') as Promise<[net.Socket]>
    const ended = run(t, ['connect', '--wait', '0', address], 'hi')
    const [socket] = await connection
    const received: Buffer[] = []
    socket.on('data', (chunk) => received.push(chunk)).resume()
    await once(socket, 'end')
    const { code, stderr } = await ended
    assert.equal(code, 0)
    assert.match(stderr, /does not end: left/)
    assert.equal(Buffer.concat(received).toString('hex'), '000000026869')
  })

  test('`| head` may have enough: that is no failure, and no noise', async (t) => {
    const listener = new Cli(t, ['listen', ANY])
    const sock = new TcpSock()
    const peer = await sock.connectTo(await listener.address())
    await peer.sendMsg(0, 'first')
    await listener.shows(/first/)
    listener.closeStdout()
    // It notices when it writes.
    while (peer.state === 'open') await peer.sendMsg(0, 'more').catch(() => undefined)
    const { code, stderr } = await listener.ended
    assert.equal(code, 0)
    assert.doesNotMatch(stderr, /EPIPE|socktools:/)
    await sock.close()
  })

  test('a line of stdin over --max-frame is an error, after the lines before it were sent', async (t) => {
    const got: string[] = []
    const sock = await TcpSock.open({ bind: ANY, handlers: { 0: (bytes) => void got.push(textOf(bytes)) } })
    const { code, stderr } = await run(
      t,
      ['connect', '-q', '--max-frame', '8', sock.address!],
      'short\n123456789\nx',
    )
    assert.equal(code, 1)
    assert.equal(
      stderr,
      'socktools: a line of stdin is longer than 8 bytes: split it, or raise --max-frame\n',
    )
    assert.deepEqual(got, ['short'])
    await sock.close()
  })
})

describe('a signal', () => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    test(`${signal} sends what is left, ends in good order and exits with 0`, async (t) => {
      const COUNT = 20_000
      const listener = new Cli(t, ['listen', ANY])
      let count = 0
      let onFirst = (): void => undefined
      const first = new Promise<void>((resolve) => (onFirst = resolve))
      const sock = new TcpSock({
        handlers: {
          0: () => {
            if (++count === COUNT) onFirst()
          },
        },
      })
      const gone = new Promise((resolve) => sock.on('gone', resolve))
      await sock.connectTo(await listener.address())
      listener.stdin.write('a line\n'.repeat(COUNT))
      await first
      listener.kill(signal)
      assert.equal((await listener.ended).code, 0)
      assert.equal(((await gone) as { error: unknown }).error, undefined)
      await sock.close()
    })
  }

  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    test(`a second ${signal} ends it at once with ${code}`, async (t) => {
      const { address, server, sockets } = await rawServer(t)
      const cli = new Cli(t, ['connect', '--wait', '600', address])
      await cli.shows(/joined/, 'stderr')
      if (sockets.length === 0) await once(server, 'connection')
      cli.kill(signal)
      await cli.shows(/once more to leave at once/, 'stderr')
      cli.kill(signal)
      assert.equal((await cli.ended).code, code)
    })
  }
})

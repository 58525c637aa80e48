/** The chat as its users meet it: a process, with raw sockets (as telnet and netcat are) and socks in one room. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import { createInterface } from 'node:readline'
import { type TestContext, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { TcpSock, lines } from 'socktools'

/** A room of its own for each test, and what joins it. */
async function openRoom(t: TestContext) {
  const chat = fileURLToPath(new URL('chat.ts', import.meta.url))
  const room = spawn(process.execPath, ['--import', 'tsx', chat, 'tcp://127.0.0.1:0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => room.kill('SIGKILL'))
  const [hello] = (await once(createInterface({ input: room.stdout }), 'line')) as [string]
  const port = Number(/:(\d+)$/.exec(hello)?.[1])

  /** Someone with netcat: an address, and the lines they see, one by one. */
  const join = async () => {
    const socket = net.connect(port, '127.0.0.1')
    t.after(() => socket.destroy())
    const seen = createInterface({ input: socket })[Symbol.asyncIterator]()
    const next = async (): Promise<string | undefined> => (await seen.next()).value
    await once(socket, 'connect')
    const me = `tcp://127.0.0.1:${socket.localPort ?? '?'}`
    assert.equal(await next(), `* welcome, ${me}; /who tells who is here`)
    return { me, socket, next }
  }
  return { room, port, join }
}

describe('the chat', () => {
  test('sends a line to everyone else, prefixed with its sender', async (t) => {
    const { join } = await openRoom(t)
    const ann = await join()
    const bob = await join()
    assert.equal(await ann.next(), `* ${bob.me} joined`)
    ann.socket.write('hello\r\n')
    assert.equal(await bob.next(), `${ann.me}: hello`)
    bob.socket.write('hi\n')
    assert.equal(await ann.next(), `${bob.me}: hi`, 'and not their own line before it')
    bob.socket.end()
    assert.equal(await ann.next(), `* ${bob.me} left`)
    ann.socket.end()
    assert.equal(await ann.next(), undefined, 'the room ends the connection as well')
  })

  test('answers `printf /who | nc`, which has ended its side already and sent no line feed', async (t) => {
    const { join } = await openRoom(t)
    const ann = await join()
    const bob = await join()
    bob.socket.end('/who')
    assert.equal(await bob.next(), `* here: ${ann.me}, ${bob.me}`)
    assert.equal(await bob.next(), undefined)
  })

  test('has socks and netcat in one room', async (t) => {
    const { port, join } = await openRoom(t)
    const ann = await join()
    const sock = new TcpSock({ framing: lines() })
    const heard = sock.messages(0)
    const peer = await sock.connectTo(`tcp://127.0.0.1:${port}`)
    const joined = await ann.next()
    await peer.sendMsg(0, 'from a sock')
    assert.equal(await ann.next(), joined?.replace('* ', '').replace(' joined', ': from a sock'))
    ann.socket.write('from netcat\n')
    await heard.next() // the welcome
    const { value } = await heard.next()
    assert.equal(Buffer.from(value?.[0] ?? []).toString(), `${ann.me}: from netcat`)
    await sock.drain()
  })

  test('passes no control characters on to the terminals of others', async (t) => {
    const { join } = await openRoom(t)
    const ann = await join()
    const bob = await join()
    await ann.next()
    ann.socket.write('\x1b[2Jgone\x07\n')
    assert.equal(await bob.next(), `${ann.me}: ?[2Jgone?`)
  })

  test('sends everyone home in good order when it is told to end', async (t) => {
    const { room, join } = await openRoom(t)
    const ann = await join()
    room.kill('SIGTERM')
    assert.equal(await ann.next(), undefined)
    assert.deepEqual(await once(room, 'exit'), [0, null])
  })
})

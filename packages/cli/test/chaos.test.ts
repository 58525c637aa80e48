/** `chaos`: a proxy as a command, what it writes, and how it ends. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { type TestContext, describe, test } from 'node:test'
import { ANY, Cli, portOf, rawServer, run, temporary } from './cli.ts'

async function proxied(t: TestContext, ...flags: string[]) {
  const { address, server, sockets } = await rawServer(t)
  const cli = new Cli(t, ['chaos', '--listen', ANY, '--to', address, ...flags])
  const [, at = ''] = await cli.shows(/"event":"listening","address":"([^"]+)"/)
  const connect = async () => {
    const coming = once(server, 'connection')
    const near = net.connect({ port: portOf(at), host: '127.0.0.1', allowHalfOpen: true })
    near.on('error', () => undefined)
    t.after(() => near.destroy())
    await coming
    const far = sockets.at(-1)!
    far.on('error', () => undefined)
    return { near, far }
  }
  return { cli, connect }
}

const bytesOf = async (socket: net.Socket): Promise<number> => {
  let bytes = 0
  socket.on('data', (piece: Buffer) => (bytes += piece.length))
  await Promise.race(
    ['end', 'close', 'error'].map((event) => new Promise((resolve) => socket.once(event, resolve))),
  )
  return bytes
}

describe('chaos', () => {
  test('cuts where it is told to, says so in JSON, and ends with 0 on a signal', async (t) => {
    const { cli, connect } = await proxied(
      t,
      '--cut-after',
      '100',
      '--only',
      'up',
      '--slice',
      '7',
      '--seed',
      '3',
    )
    const { near, far } = await connect()
    const up = bytesOf(far)
    near.write(Buffer.alloc(500))
    far.resume()
    assert.equal(await up, 100)
    await cli.shows(/"event":"close"/)
    cli.kill('SIGTERM')
    const { code, stderr } = await cli.ended
    assert.deepEqual([code, stderr], [0, ''])
    const events = cli.lines.map((line) => JSON.parse(line) as { event: string; up?: number; at: number })
    assert.deepEqual(
      events.map(({ event }) => event),
      ['listening', 'open', 'cut', 'close', 'stopped'],
    )
    assert.equal(events[2]?.up, 100)
    assert.ok(events.every(({ at }) => at >= 0))
  })

  test('SIGUSR1 freezes and releases', async (t) => {
    const { cli, connect } = await proxied(t)
    const { near, far } = await connect()
    cli.kill('SIGUSR1')
    await cli.shows(/"event":"freeze"/)
    near.end(Buffer.alloc(1000))
    const up = bytesOf(far)
    far.resume()
    cli.kill('SIGUSR1')
    await cli.shows(/"event":"release"/)
    assert.equal(await up, 1000)
  })

  test('takes its options from a file, those of the command first', async (t) => {
    const file = join(temporary(t), 'chaos.json')
    writeFileSync(file, JSON.stringify({ up: { cutAfter: 50 }, both: { latency: 1 }, seed: 4 }))
    const { connect } = await proxied(t, '--config', file, '--latency', '2')
    const { near, far } = await connect()
    const up = bytesOf(far)
    near.write(Buffer.alloc(500))
    far.resume()
    assert.equal(await up, 50)
  })

  test('what is wrong with how it is called is 2', async (t) => {
    const bad: [string[], RegExp][] = [
      [['--to', ANY], /--listen/],
      [['--listen', 'nonsense', '--to', ANY], /BAD_ADDRESS/],
      [['--listen', ANY, '--to', ANY, '--latency', 'x'], /must be a number/],
      [['--listen', ANY, '--to', ANY, '--config', '/nowhere.json'], /no JSON that can be read/],
    ]
    for (const [flags, text] of bad) {
      const { code, stderr } = await run(t, ['chaos', ...flags])
      assert.match(stderr, text)
      assert.equal(code, 2)
    }
  })

  test('a place that is taken is 1', async (t) => {
    const { address } = await rawServer(t)
    const { code, stderr } = await run(t, ['chaos', '--listen', address, '--to', ANY])
    assert.match(stderr, /ADDRESS_IN_USE/)
    assert.equal(code, 1)
  })
})

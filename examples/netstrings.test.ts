/** The framing of netstrings.ts: what holds of every framing, what is its own, and over real connections. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { TcpSock } from 'socktools'
import { assertSame, decode, frame, latin1 } from '../packages/socktools/test/wire/bytes.ts'
import { framingSuite } from '../packages/socktools/test/wire/framing-suite.ts'
import type { Reference } from '../packages/socktools/test/wire/reference.ts'
import { netstrings } from './netstrings.ts'

framingSuite('netstrings()', netstrings(), fc.uint8Array({ maxLength: 300 }))

/** The whole stream, read with regular expressions. */
const read: Reference = (stream, max) => {
  const all = Buffer.from(stream).toString('latin1')
  const frames: Uint8Array[] = []
  for (let at = 0; ; ) {
    const rest = all.slice(at)
    const [digits] = /^\d*/.exec(rest) as unknown as [string]
    if (/^0\d/.test(rest)) return { frames, partial: 0, refused: 'BAD_FRAME' }
    if (Number(digits) > max) return { frames, partial: 0, refused: 'FRAME_TOO_LARGE' }
    const start = at + digits.length + 1
    const comma = start + Number(digits)
    if (rest === digits) return { frames, partial: rest.length, refused: false }
    if (!/^\d+:/.test(rest)) return { frames, partial: 0, refused: 'BAD_FRAME' }
    if (comma >= all.length) return { frames, partial: rest.length, refused: false }
    if (all[comma] !== ',') return { frames, partial: 0, refused: 'BAD_FRAME' }
    frames.push(stream.subarray(start, comma))
    at = comma + 1
  }
}

describe('netstrings', () => {
  const streams: [stream: string, frames: string[], rest: number | 'BAD_FRAME' | 'FRAME_TOO_LARGE'][] = [
    ['5:hello,', ['hello'], 0],
    ['0:,12:hello world!,', ['', 'hello world!'], 0],
    ['3:1:,,', ['1:,'], 0],
    ['5:hel', [], 5],
    ['5:hello', [], 7],
    ['5', [], 1],
    ['100:', [], 4],
    ['101:', [], 'FRAME_TOO_LARGE'],
    ['1:a,999999999999999999999999', ['a'], 'FRAME_TOO_LARGE'],
    ['5:hello;', [], 'BAD_FRAME'],
    ['1:a,05:hello,', ['a'], 'BAD_FRAME'],
    ['00:,', [], 'BAD_FRAME'],
    [':,', [], 'BAD_FRAME'],
    ['-1:,', [], 'BAD_FRAME'],
    ['5 :hello,', [], 'BAD_FRAME'],
  ]
  for (const [stream, frames, rest] of streams) {
    test(`${stream} is ${JSON.stringify(frames)}, then ${rest}, in one piece and byte by byte`, () => {
      const bytes = latin1(stream)
      for (const chunks of [[bytes], Array.from(bytes, (byte) => Uint8Array.of(byte))]) {
        const want = {
          frames: frames.map(latin1),
          partial: typeof rest === 'number' ? rest : 0,
          refused: typeof rest === 'number' ? false : rest,
        } as const
        assertSame(decode(netstrings(), 100, chunks), want, () => stream)
        assertSame(read(bytes, 100), want, () => 'the reference')
      }
    })
  }

  test('any stream means the same, in however many pieces', () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 20 }).map((payload) => frame(netstrings(), payload)),
      fc.stringMatching(/^[0-9:,a]{0,4}$/).map(latin1),
    )
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 6 }),
        fc.array(fc.nat(30)),
        fc.nat(25),
        (pieces, sizes, max) => {
          const stream = new Uint8Array(Buffer.concat(pieces))
          let at = 0
          const chunks = sizes.map((n) => stream.subarray(at, (at += n)))
          const want = read(stream, max)
          assertSame(decode(netstrings(), max, [...chunks, stream.subarray(at)]), want, () => String(pieces))
        },
      ),
      { numRuns: 20_000, seed: 1 },
    )
  })

  test('two socks talk in them, in messages short and long', async (t) => {
    const got: number[] = []
    const server = await TcpSock.open({
      bind: 'tcp://127.0.0.1:0',
      framing: netstrings(),
      handlers: { 0: (bytes, { peer }) => peer.sendMsg(0, bytes) },
    })
    t.after(() => server.close())
    const client = await TcpSock.open({
      framing: netstrings(),
      handlers: { 0: (bytes) => got.push(bytes.length) },
    })
    t.after(() => client.close())
    const peer = await client.connectTo(server.address ?? '')
    const sizes = [0, 1, 10, 16_385, 99_999, 1_000_000, 5]
    for (const n of sizes) await peer.sendMsg(0, new Uint8Array(n))
    await client.drain()
    assert.deepEqual(got, sizes)
  })

  test('the example answers netcat, and says why it hung up', async (t) => {
    const script = fileURLToPath(new URL('netstrings.ts', import.meta.url))
    const child = spawn(process.execPath, ['--import', 'tsx', script, 'tcp://127.0.0.1:0'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    t.after(() => child.kill('SIGKILL'))
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const hello = (await lines.next()).value as string
    const port = Number(/:(\d+)$/.exec(hello)?.[1])
    const ask = async (bytes: string): Promise<string> => {
      const socket = net.connect(port, '127.0.0.1')
      socket.end(bytes)
      return text(socket)
    }
    assert.equal(await ask('5:hello,0:,'), '4:5 in,4:0 in,')
    assert.match((await lines.next()).value as string, /left$/)
    // Cut off in the middle, its connection is reset: what netcat sees of that does not matter.
    await ask('5:hello,GET / HTTP/1.1\r\n').catch(() => undefined)
    assert.match((await lines.next()).value as string, /left: a length is digits and a colon$/)
    child.kill('SIGTERM')
    assert.deepEqual(await once(child, 'exit'), [0, null])
  })
})

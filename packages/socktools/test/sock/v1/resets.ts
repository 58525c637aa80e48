/**
 * Real TCP whose connections are cut, by the chaos proxy: connection i after exactly i bytes, then each after a number
 * that chance draws. What comes must be what was sent.
 */
import assert from 'node:assert/strict'
import { createHash, type Hash } from 'node:crypto'
import type { TestContext } from 'node:test'
import { bytes, msg, type Peer, type RawCodec, TcpSock } from '../../../src/index.ts'
import { chaos, type ChaosEvent } from '../../../src/testing/index.ts'
import { xoshiro128 } from '../../../src/testing/sim-platform.ts'
import { next, signal } from '../../support/events.ts'
import { ANY, at } from '../../support/tcp.ts'

const protocol = { say: msg(bytes()) }
type Sock = TcpSock<RawCodec, typeof protocol>

const MIB = 1024 * 1024

export interface Resets {
  /** Each way. */
  readonly messages: number
  /** Connection i is cut after exactly i bytes of `direction`, i from `from` to `to` … */
  readonly from: number
  readonly to: number
  readonly direction: 'up' | 'down'
  /** … and those behind it at random, up to this. */
  readonly most?: number
}

/** What one side sent, or what came to the other: how many, and a digest of all of it in its order. */
class Account {
  count = 0
  bytes = 0
  readonly #hash: Hash = createHash('sha256')

  add(message: Uint8Array): void {
    this.count++
    this.bytes += message.length
    this.#hash.update(new Uint8Array(new Uint32Array([message.length]).buffer)).update(message)
  }

  /** Once, at the end. */
  digest(): string {
    return `${this.count} messages, ${this.bytes} bytes, ${this.#hash.digest('hex')}`
  }
}

export async function resets(
  t: TestContext,
  { messages, from, to, direction, most = MIB }: Resets,
): Promise<void> {
  const random = xoshiro128(from + to)
  const all = signal()
  const sides = { up: new Account(), down: new Account() }
  const came = { up: new Account(), down: new Account() }
  const take = (way: 'up' | 'down') => (data: Uint8Array) => {
    // Its number is in it: the first that is missing, or comes twice, is told.
    assert.equal(new DataView(data.buffer, data.byteOffset).getUint32(0), came[way].count, way)
    came[way].add(data)
    if (came.up.count === messages && came.down.count === messages) all.give()
  }
  const broken: string[] = []
  const watch = (sock: Sock): void => {
    sock.on('gone', ({ error }) => broken.push(`gone ${error?.code}`))
    sock.on('sessionLost', ({ reason }) => broken.push(`lost ${reason}`))
    sock.on('dropped', ({ reason }) => broken.push(`dropped ${reason}`))
    sock.on('fault', ({ error }) => {
      broken.push((error.cause as Error | undefined)?.message ?? error.message)
      all.give()
    })
  }
  const common = { protocol, backoff: { first: 1, max: 5, healthy: 1 }, highWaterMark: 16 * 1024 }
  const server = await TcpSock.open({ ...common, bind: ANY, handlers: { say: take('up') } })
  t.after(() => server.close())
  const cuts: ChaosEvent[] = []
  const proxy = await chaos({
    listen: ANY,
    to: at(server),
    // The first brings them together, and the next is that of i = from.
    [direction]: {
      cutAfter: (connection: number) => {
        const i = connection - 2 + from
        return i < from ? Infinity : i <= to ? i : 1 + Math.floor(random() * most)
      },
    },
    log: (event) => {
      if (event.event === 'cut') cuts.push(event)
    },
  })
  t.after(() => proxy.close())
  const client = await TcpSock.open({ ...common, handlers: { say: take('down') } })
  t.after(() => client.close())
  for (const sock of [server, client]) watch(sock)
  const accepted = next(server, 'peer')
  const there = await client.connectTo(proxy.address)
  const { peer: here } = await accepted
  proxy.cut()

  const talk = async (peer: Peer<RawCodec, typeof protocol>, own: Account, seed: number): Promise<void> => {
    const draw = xoshiro128(seed)
    for (let n = 0; n < messages; n++) {
      const data = content(n, lengthOf(draw, cuts.length > to - from), draw)
      own.add(data)
      await peer.sendMsg('say', data)
    }
  }
  await Promise.race([
    all.promise,
    Promise.all([talk(there, sides.up, 1), talk(here, sides.down, 2), all.promise]),
  ])
  assert.deepEqual(broken, [])
  assert.equal(came.up.digest(), sides.up.digest())
  assert.equal(came.down.digest(), sides.down.digest())
  // Nothing comes behind the last.
  await Promise.all([there.flushed(), here.flushed()])
  assert.deepEqual([came.up.count, came.down.count], [messages, messages])
  const exact = cuts.filter(({ direction: way }) => way === direction)
  const wanted = Array.from({ length: to - from + 1 }, (_, i) => from + i)
  assert.deepEqual(
    exact.slice(0, wanted.length).map((event) => event[direction]),
    wanted,
  )
  assert.ok(exact.length > wanted.length, 'some were cut at random')
  t.diagnostic(
    `${exact.length} cuts, ${wanted.length} of them exact; ${sides.up.bytes + sides.down.bytes} bytes`,
  )
}

/** Small at first, since no frame that is longer than its connection ever gets through. */
function lengthOf(random: () => number, large: boolean): number {
  if (!large) return Math.floor(random() * 60)
  return Math.floor(random() * (random() < 0.002 ? 200_000 : 600))
}

function content(n: number, length: number, random: () => number): Uint8Array {
  const data = new Uint8Array(4 + length).fill(Math.floor(random() * 256))
  new DataView(data.buffer).setUint32(0, n)
  return data
}

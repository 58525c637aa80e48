/**
 * Three whole socks for ten virtual minutes, from the seed in argv: kept connections between all of them, one that
 * restarts, ticks that broadcast, async gates and handlers, on a network that delays and slices. Says a hash of all
 * events, and how many there were.
 */
import { createHash } from 'node:crypto'
import { PipeSock, json, memory, type SockError, type SockOptions } from '../../../src/index.ts'
import { SimPlatform } from '../../../src/testing/index.ts'
import { say } from './say.ts'

const [seed = '1'] = process.argv.slice(2)
const TEN_MINUTES = 600_000

const sim = new SimPlatform(Number(seed))
const { random } = sim
const transports = [memory(sim, { latency: () => random() * 40, slice: () => 1 + random() * 300 })]
const hash = createHash('sha256')
let events = 0
const counts: Record<string, number> = {}

function note(...what: unknown[]): void {
  events++
  counts[String(what[1])] = (counts[String(what[1])] ?? 0) + 1
  hash.update(`${sim.now()} ${JSON.stringify(what)}\n`)
}

const codec = json<{ n: number; text: string }>()
type Chat = typeof codec

/** A node, which tells all that happens to it. */
function node(name: string, options: SockOptions<Chat>): PipeSock<Chat> {
  let n = 0
  const sock: PipeSock<Chat> = new PipeSock<Chat>(
    {
      codec,
      bind: `memory:${name}`,
      tickInterval: 500,
      timeout: 20_000,
      concurrency: 2,
      readMark: 5_000,
      goodPeer: async () => {
        await sim.sleep(random() * 50)
        return random() < 0.95
      },
      tick: (tick) => {
        note(name, 'tick', tick)
        if (random() < 0.5) void sock.sendMsg('say', { n: n++, text: 'x'.repeat(random() * 1_000) })
      },
      handlers: {
        say: async (data, { peer }) => {
          note(name, 'say', peer.address, data)
          await sim.sleep(random() * 30)
          if (random() < 0.3)
            await peer
              .sendMsg('re', data)
              .catch((error: unknown) => note(name, 'failed', (error as SockError).code))
        },
        re: (data) => {
          note(name, 're', data)
          if (random() < 0.01) throw new Error('now and then')
        },
      },
      ...options,
    },
    { platform: sim, transports },
  )
  for (const event of ['peer', 'gone', 'refused', 'dialFailed', 'dropped', 'fault', 'closed'] as const) {
    sock.on(event, (facts) => {
      const { peer, error, ...rest } = facts as {
        peer?: { id: string; address: string }
        error?: { code: string }
      }
      note(name, event, peer?.id, peer?.address, error?.code, rest)
    })
  }
  return sock
}

await sim.run(async () => {
  const a = node('a', { connect: ['memory:b'] })
  const c = node('c', { connect: ['memory:a', 'memory:b'] })
  await Promise.all([a.start(), c.start()])
  while (sim.now() < TEN_MINUTES) {
    const b = node('b', { connect: 'memory:a' })
    await b.start()
    await sim.sleep(random() * 60_000)
    await (random() < 0.5 ? b.close() : b.drain())
    await sim.sleep(random() * 10_000)
  }
  await Promise.all([a.drain(), c.drain()])
  note('stats', 'a', a.stats())
  note('stats', 'c', c.stats())
})
say({ hash: hash.digest('hex'), events, counts, time: sim.now() })

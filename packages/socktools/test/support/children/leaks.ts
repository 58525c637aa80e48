/**
 * What is left behind by so many of something over wire v1: `connects`, `requests`, `streams` or `aborts`, and how many.
 * A tenth of them goes before, so that what is made once is made. Says what it found, as `Remains`.
 */
import { getEventListeners, setMaxListeners } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { z } from 'zod'
import { type SockError, call, channel, feed, msg, TcpSock } from '../../../src/index.ts'
import { say } from './say.ts'

export interface Remains {
  /** Bytes more than before, behind a collection: of the heap, and of what it only points to. */
  readonly heap: number
  readonly buffers: number
  /** Handles, timers and the like that keep the loop, by kind; listeners of a signal that all share. */
  readonly before: Counts
  readonly after: Counts
}

type Counts = Readonly<Record<string, number>>

const [phase = '', count = ''] = process.argv.slice(2)

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

const protocol = {
  add: call(z.number(), z.number()),
  slow: call(z.number(), z.number()),
  count: feed(z.number(), z.number()),
  echo: channel(z.string(), z.string()),
  say: msg(z.string()),
}

// Unix sockets: of TCP the system keeps the ports of those that ended for a minute.
const dir = mkdtempSync(join(tmpdir(), 'leaks-'))
const bind = phase === 'connects' ? `unix:${join(dir, 'a')}` : 'tcp://127.0.0.1:0'
const server = await TcpSock.open({
  protocol,
  bind,
  // What is given up here is given up on purpose.
  maxResetRate: Infinity,
  maxSessionsPerNode: 1e6,
  handlers: {
    add: (n) => n + 1,
    slow: (n, { signal }) =>
      new Promise((resolve, reject) => {
        if (n % 2 === 0) setImmediate(resolve, n)
        signal.addEventListener('abort', () => reject(signal.reason as Error))
      }),
    async *count(n, { signal }) {
      signal.addEventListener('abort', () => undefined)
      for (let i = 0; i < n; i++) yield i
    },
    async echo(ch) {
      for await (const text of ch) await ch.send(text)
    },
    say: () => undefined,
  },
})
const client = await TcpSock.open({ protocol })
const address = server.address as string
const peer = await client.connectTo(address)
/** Lives as long as the program, as that of an application may. */
const shared = new AbortController()
setMaxListeners(0, shared.signal)

const phases: Readonly<Record<string, (i: number) => Promise<unknown>>> = {
  connects: async (i) => {
    const one = await client.connectTo(address)
    await one.request('add', i)
    await one.sendMsg('say', 'hello')
    if (i % 2 === 0) await one.drain()
    else client.closePeer(one)
  },
  requests: (i) =>
    peer.request('add', i, {
      signal: shared.signal,
      ...(i % 3 === 0 ? { headers: { trace: String(i) } } : {}),
      ...(i % 5 === 0 ? { timeout: 1000 + (i % 64) } : {}),
    }),
  streams: async (i) => {
    if (i % 2 === 0) {
      for await (const n of peer.stream('count', 8, { signal: shared.signal }))
        if (i % 4 === 0 && n === 3) break
      return
    }
    const ch = peer.channel('echo', { signal: shared.signal })
    await ch.send('a')
    for await (const _ of ch) {
      if (i % 4 === 1) break
      await ch.end()
    }
  },
  aborts: async (i) => {
    const aborter = new AbortController()
    const { signal } = aborter
    // Odd ones never come by themselves; of the even ones some have come already.
    const asked =
      i % 3 === 0 ? peer.stream('count', 1000, { signal }).next() : peer.request('slow', i, { signal })
    // What is given up ends at the other side when that comes to it: more than it allows may be open until then.
    const over = asked.then(
      () => undefined,
      (thrown: unknown) =>
        (thrown as SockError).code === 'TOO_MANY_STREAMS' ? new Promise(setImmediate) : undefined,
    )
    if (i % 4 === 0) await new Promise(setImmediate)
    if (i % 8 === 0) await Promise.race([over, new Promise(setImmediate)])
    aborter.abort()
    await over
  },
}
const run = phases[phase]
if (run === undefined) throw new Error(`there is no phase ${phase}`)

/** So many at once. */
const WIDE = 32

async function times(n: number): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < n) await run!(next++)
  }
  await Promise.all(Array.from({ length: WIDE }, worker))
}

function counts(): Counts {
  const found: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) found[kind] = (found[kind] ?? 0) + 1
  // These come and go with the loop itself.
  delete found['Immediate']
  found['listeners of a signal'] = getEventListeners(shared.signal, 'abort').length
  found['listeners of the process'] = process
    .eventNames()
    .reduce((sum, name) => sum + process.listenerCount(name), 0)
  found['peers'] = server.knownPeers.length + client.knownPeers.length
  return found
}

/** What is still ending is waited for; what stays is told. */
async function settled(like?: Counts): Promise<Counts> {
  for (let i = 0; i < 2000; i++) {
    await new Promise((resolve) => setTimeout(resolve, 1))
    const now = counts()
    if (like !== undefined && JSON.stringify(now) === JSON.stringify(like)) return now
    if (like === undefined && i > 1200) return now
  }
  return counts()
}

/** The least of two seconds: what the far side has yet to hear or to end is on its way for a while, and not left behind. */
async function memory(): Promise<{ heapUsed: number; arrayBuffers: number }> {
  const least = { heapUsed: Infinity, arrayBuffers: Infinity }
  for (let i = 0; i < 20; i++) {
    await new Promise((resolve) => setTimeout(resolve, 100))
    gc()
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    least.heapUsed = Math.min(least.heapUsed, heapUsed)
    least.arrayBuffers = Math.min(least.arrayBuffers, arrayBuffers)
  }
  return least
}

const n = Number(count)
await times(Math.max(1000, n / 10))
const before = await settled()
const least = await memory()
await times(n)
const after = await settled(before)
const most = await memory()
const remains: Remains = {
  heap: most.heapUsed - least.heapUsed,
  buffers: most.arrayBuffers - least.arrayBuffers,
  before,
  after,
}
say(remains)
await client.close()
await server.close()
rmSync(dir, { recursive: true })

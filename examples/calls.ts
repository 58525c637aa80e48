/**
 * Calls: a question and its answer, an error that is part of the contract, one that is not, a deadline that travels,
 * a call that is given up, and what is known when the connection breaks.
 *
 *   npx tsx examples/calls.ts
 */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { CallError, call, nothing, RemoteError, SockError, TcpSock } from 'socktools'
import { z } from 'zod'

const protocol = {
  divide: call(z.object({ a: z.number(), b: z.number() }), z.number(), {
    errors: { BY_ZERO: z.object({ a: z.number() }) },
  }),
  buggy: call(nothing(), z.string()),
  /** Takes so many milliseconds. Who names no time itself waits for 200. */
  work: call(z.int().min(0), z.string(), { deadline: 200 }),
  hang: call(nothing(), nothing()),
}

const server = await TcpSock.open({
  protocol,
  bind: 'tcp://127.0.0.1:0',
  handlers: {
    divide({ a, b }) {
      if (b === 0) throw new CallError('BY_ZERO', { a }, 'nothing is divided by zero')
      return a / b
    },
    buggy: () => {
      throw new Error('a secret of the server')
    },
    async work(ms, { signal, timeLeft = Infinity }) {
      console.log(`  work of ${ms} ms; whoever asked ${timeLeft <= 200 ? 'waits 200 ms' : 'has time'}`)
      try {
        await sleep(ms, undefined, { signal })
        return 'done'
      } finally {
        if (signal.aborted) console.log('  work is stopped')
      }
    },
    async hang(_nothing, { signal }) {
      await once(signal, 'abort')
    },
  },
})
// A bug of a handler is told here, and nobody else hears its text.
server.on('fault', ({ error }) => {
  console.log(`  fault: ${(error.cause as Error).message}`)
})

const client = await TcpSock.open({ protocol })
const peer = await client.connectTo(server.address ?? '')

/** What an error tells, by where it comes from. */
function told(error: unknown): string {
  if (error instanceof CallError) return `${error.code} ${JSON.stringify(error.data)}`
  if (error instanceof RemoteError) return `${error.code}: ${error.remote.code}, ${error.remote.text}`
  return error instanceof SockError ? error.code : String(error)
}
const ask = async (answer: Promise<unknown>): Promise<void> => {
  console.log(await answer.catch(told))
}

console.log('answers')
await ask(peer.request('divide', { a: 1, b: 4 }))
await ask(peer.request('divide', { a: 1, b: 0 }))
await ask(peer.request('buggy'))
await ask(peer.request('work', -1)) // the server's schema says no, and its handler is not asked

console.log('many at once')
const all = Array.from({ length: 100 }, (_, i) => peer.request('divide', { a: i, b: 1 }))
console.log((await Promise.all(all)).reduce((sum, n) => sum + n))

console.log('a deadline')
await ask(peer.request('work', 60_000))
await ask(peer.request('work', 300, { timeout: 10_000 }))

console.log('given up')
const controller = new AbortController()
const given = peer.request('work', 60_000, { timeout: 0, signal: controller.signal })
setTimeout(() => {
  controller.abort()
}, 50)
await ask(given)

console.log('the connection breaks, with 70 calls under way')
// 64 at once is what the server takes (`maxCalls`): the others wait here for their turn.
const cut = Array.from({ length: 70 }, () => peer.request('hang', undefined, { timeout: 0 }).catch(told))
setTimeout(() => void server.close(), 50)
const codes = await Promise.all(cut)
for (const code of ['OUTCOME_UNKNOWN', 'NOT_SENT'])
  console.log(`${codes.filter((one) => one === code).length} ${code}`)
await client.close()

/** A sock that is attacked: `plain` or `v1`, and its options as JSON. Says where it listens; each line on stdin asks for a Report. */
import { openSync, closeSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createInterface } from 'node:readline'
import { json, TcpSock, type SockOptions } from '../../../src/index.ts'
import { LIMITS, protocol, type Report } from '../attacked.ts'
import { say } from './say.ts'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

const [wire = '', given = '{}'] = process.argv.slice(2)
let lines: string[] = []
let running = 0
let most = 0
const line = (text: string): void => void lines.push(text)
const run = (): void => {
  running++
  most = Math.max(most, running)
}
const shared = {
  bind: 'tcp://127.0.0.1:0',
  ...LIMITS,
  logger: { warn: line, error: line },
  ...(JSON.parse(given) as SockOptions),
}
const block = (ms: number): void => {
  const until = performance.now() + ms
  while (performance.now() < until);
}

const sock =
  wire === 'plain'
    ? await TcpSock.open({
        ...shared,
        codec: json(),
        handlers: { echo: (data, { peer }) => peer.sendMsg('echo', data) },
      })
    : await TcpSock.open({
        ...shared,
        protocol,
        handlers: {
          echo: (text) => text,
          boom: () => {
            throw new Error('a handler that fails')
          },
          hang: () => {
            run()
            return new Promise<void>(() => undefined)
          },
          slow: () => new Promise<void>(() => undefined),
          say: () => {
            block(0.05)
          },
          async *pour() {
            for (;;) yield new Uint8Array(60_000)
          },
          wait: async (_channel, { signal }) => {
            run()
            await new Promise((resolve) => signal.addEventListener('abort', resolve))
            running--
          },
        },
      })

let peak = 0
setInterval(() => {
  peak = Math.max(peak, process.memoryUsage.rss())
}, 5)
say(sock.address)

createInterface(process.stdin).on('line', (asked) => {
  // Whether the process can still open files of its own.
  if (asked === 'files') closeSync(openSync('/dev/null', 'r'))
  gc()
  const rss = process.memoryUsage.rss()
  say({ stats: sock.stats(), rss, peak: Math.max(peak, rss), running, most, lines } satisfies Report)
  peak = rss
  most = running
  lines = []
})

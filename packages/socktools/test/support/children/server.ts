/** A server that does as the test tells: its options come as JSON; `memory` asks for what it takes, `stats` for its stats. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createInterface } from 'node:readline'
import { type SockOptions, TcpSock } from '../../../src/index.ts'
import { say } from './say.ts'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

const options = JSON.parse(process.argv[2] ?? '{}') as SockOptions
const sock = await TcpSock.open({ bind: 'tcp://127.0.0.1:0', handlers: { 0: () => undefined }, ...options })
let peak = 0
setInterval(() => {
  peak = Math.max(peak, process.memoryUsage.rss())
}, 5)
say(sock.address)

createInterface(process.stdin).on('line', (line) => {
  if (line === 'stats') say(sock.stats())
  else {
    gc()
    const { rss, heapUsed, external } = process.memoryUsage()
    say({ rss, peak: Math.max(peak, rss), used: heapUsed + external })
    peak = rss
  }
})

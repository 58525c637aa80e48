/** Broadcasts 256 MB to all who have come when told to, and says what memory that took. */
import { TcpSock } from '../../../src/index.ts'
import { say, told } from './say.ts'

const MARK = 4 * 1024 * 1024
const SIZE = 65_532
const TOTAL = 256_000_000
const PEERS = 20

const sock = await TcpSock.open({ bind: 'tcp://127.0.0.1:0', maxQueue: MARK })
say(sock.address)
// The one that stalls came first.
await told()
// They know of their connections before we have accepted them all.
while (sock.knownPeers.length < PEERS) await new Promise((resolve) => setImmediate(resolve))
const [stalled, ...others] = sock.knownPeers
const payload = new Uint8Array(SIZE)
const number = new DataView(payload.buffer)

/** Payloads are lent until they are written, so each has its own: this is what an application would do. */
async function send(from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) {
    number.setUint32(0, i)
    await sock.sendMsg(0, payload.slice())
    // As much at once as the queue of any of them holds; the one that stalls is not waited for.
    if (i % 16 === 15) await Promise.all(others.map((peer) => peer.flushed()))
  }
}

const messages = Math.ceil(TOTAL / SIZE)
// A tenth, to reach what such a process takes anyway; the kernel's buffers of the one that stalls are full by then.
await send(0, messages / 10)
const before = process.memoryUsage().rss
let peak = 0
const watch = setInterval(() => {
  peak = Math.max(peak, process.memoryUsage().rss)
}, 2)
await send(Math.ceil(messages / 10), messages)
await new Promise((resolve) => setImmediate(resolve))
// The last few as well: close() drops what the system has not taken.
await Promise.all(others.map((peer) => peer.flushed()))
clearInterval(watch)
say({
  peers: sock.knownPeers.length,
  mark: MARK,
  grown: peak - before,
  offered: messages,
  stalled: stalled?.stats(),
  others: others.map((peer) => peer.stats().dropped),
})
await sock.close()

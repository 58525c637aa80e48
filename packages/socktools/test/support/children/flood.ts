/**
 * One of two that send each other 64 MiB at once and drain: `listen`, or the address to dial. Says what it sent and
 * what it received, as counts and hashes.
 */
import { createHash } from 'node:crypto'
import { TcpSock } from '../../../src/index.ts'
import { xoshiro128 } from '../../../src/testing/sim-platform.ts'
import { say, told } from './say.ts'

const [role = '', seed = '1'] = process.argv.slice(2)
const TOTAL = 64 * 1024 * 1024

class Tally {
  messages = 0
  bytes = 0
  readonly #hash = createHash('sha256')

  add(data: Uint8Array): void {
    this.messages++
    this.bytes += data.length
    // The length as well: where one message ends and the next begins is part of what must arrive.
    this.#hash.update(`${data.length};`).update(data)
  }

  toJSON(): object {
    return { messages: this.messages, bytes: this.bytes, sha256: this.#hash.copy().digest('hex') }
  }
}

const received = new Tally()
const sock = new TcpSock({ maxQueue: 2 * TOTAL, handlers: { 0: (data) => received.add(data) } })
const up = new Promise((resolve) => sock.on('peer', resolve))
if (role === 'listen') say(await sock.startServer({ bind: 'tcp://127.0.0.1:0' }))
else await sock.connectTo(role)
await up

const random = xoshiro128(Number(seed))
const sent = new Tally()
while (sent.bytes < TOTAL) {
  // From nothing to 1 MiB, small ones the most.
  const data = new Uint8Array(random() ** 8 * 1024 * 1024)
  for (let i = 0; i < data.length; i += 61) data[i] = random() * 256
  sent.add(data)
  void sock.sendMsg(0, data)
}
say(sock.stats().queued)
await told()
await sock.drain({ timeout: 60_000 })
say({ sent, received, stats: sock.stats() })

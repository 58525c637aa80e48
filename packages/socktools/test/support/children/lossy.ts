/**
 * Two socks over the loopback of a network namespace whose devices lose packets and are slow: one sends so many messages of SIZE
 * bytes, the other answers each. Says what came of it, as `Crossed`.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { bytes, msg, TcpSock } from '../../../src/index.ts'
import { z } from 'zod'
import { signal } from '../events.ts'
import { pattern } from '../tcp.ts'
import { say } from './say.ts'

export const SIZE = 2000

export interface Crossed {
  /** Digests of what was sent, and of what came. */
  readonly sent: string
  readonly came: string
  /** Messages there, and their answers here. */
  readonly messages: number
  readonly answers: number
  /** Those of them that came out of order, or twice. */
  readonly wrong: number
  /** Times that a side gave a connection up. */
  readonly deaths: number
  /** Events that must not be: gone, sessionLost, dropped. */
  readonly broken: readonly string[]
  readonly ms: number
  /** TCP segments sent, and those of them that were sent again. */
  readonly segments: number
  readonly again: number
}

const count = Number(process.argv[2])
const protocol = { data: msg(bytes()), got: msg(z.number()) }
/** A side asks after two seconds of silence, and gives the connection up after six. */
const limits = { heartbeat: 2000, timeout: 6000 }
const [sent, came] = [createHash('sha256'), createHash('sha256')]
let [messages, answers, wrong, deaths] = [0, 0, 0, 0]
const broken: string[] = []
const all = signal()

const server = await TcpSock.open({
  protocol,
  ...limits,
  bind: 'tcp://127.0.0.1:0',
  handlers: {
    data: async (data, { peer }) => {
      if (new DataView(data.buffer, data.byteOffset).getUint32(0) !== messages++) wrong++
      came.update(data)
      await peer.sendMsg('got', messages)
    },
  },
})
const client = await TcpSock.open({
  protocol,
  ...limits,
  handlers: {
    got: (n) => {
      if (n !== ++answers) wrong++
      if (n === count) all.give()
    },
  },
})
for (const sock of [server, client]) {
  sock.on('detached', () => deaths++)
  sock.on('gone', ({ error }) => broken.push(`gone ${error?.code}`))
  sock.on('sessionLost', ({ reason }) => broken.push(`lost ${reason}`))
  sock.on('dropped', ({ reason }) => broken.push(`dropped ${reason}`))
}
const began = performance.now()
const peer = await client.connectTo(server.address ?? '')
for (let n = 0; n < count; n++) {
  const data = pattern(SIZE, n)
  new DataView(data.buffer).setUint32(0, n)
  sent.update(data)
  await peer.sendMsg('data', data)
}
await Promise.race([all.promise, new Promise((resolve) => server.on('gone', resolve))])
const ms = performance.now() - began
// What came twice would come by now.
await peer.flushed()
const { OutSegs = 0, RetransSegs = 0 } = tcp()
const crossed: Crossed = {
  ...{ sent: sent.digest('hex'), came: came.digest('hex') },
  ...{ messages, answers, wrong, deaths, broken: [...broken], ms },
  ...{ segments: OutSegs, again: RetransSegs },
}
await client.close()
await server.close()
say(crossed)

/** What the system counted of TCP, in this namespace. */
function tcp(): Record<string, number> {
  const [names = [], values = []] = readFileSync('/proc/self/net/snmp', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('Tcp:'))
    .map((line) => line.split(' ').slice(1))
  return Object.fromEntries(names.map((name, i) => [name, Number(values[i])]))
}

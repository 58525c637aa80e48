/**
 * A sock to which others connect: `WIRE`, plain or v1. Told a number it waits for so many peers, then says the bytes of its heap. It runs
 * what was built.
 */
import { createInterface } from 'node:readline'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { bytes, msg, TcpSock } from 'socktools'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc')
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`)

let peers = 0
let onPeer = () => undefined
const sock = new TcpSock({
  bind: 'tcp://127.0.0.1:0',
  ...(process.argv[2] === 'v1' && { protocol: { say: msg(bytes()) }, handlers: { say: () => undefined } }),
})
sock.on('peer', () => {
  peers++
  onPeer()
})
say({ address: await sock.startServer() })
for await (const line of createInterface(process.stdin)) {
  await new Promise((resolve) => {
    onPeer = () => peers >= Number(line) && resolve()
    onPeer()
  })
  // What is not over yet, of those that came last.
  for (let i = 0; i < 3; i++) {
    await new Promise(setImmediate)
    collect()
  }
  say({ heap: process.memoryUsage().heapUsed })
}

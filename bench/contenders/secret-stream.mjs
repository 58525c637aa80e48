// @hyperswarm/secret-stream over TCP: Noise XX and libsodium, between two keys made for the trial. It carries whole
// messages: what is one write is one `data` event at the far side. Its calls are in tagged.mjs.
import { once } from 'node:events'
import { createRequire } from 'node:module'
import net from 'node:net'
import { caller, echo } from './tagged.mjs'

const SecretStream = createRequire(new URL('../rivals/', import.meta.url))('@hyperswarm/secret-stream')

/** @type {import('./index.mjs').Listen} */
export async function listen(onMessage, job) {
  let peers = 0
  const server = net.createServer({ noDelay: true }, (socket) => {
    const stream = new SecretStream(false, socket)
    stream.on('connect', () => peers++)
    stream.on('data', job.kind === 'call' ? echo((message) => stream.write(message), onMessage) : onMessage)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { peers: () => peers, port: /** @type {net.AddressInfo} */ (server.address()).port }
}

/** @type {import('./index.mjs').Dial} */
export async function dial(port, onMessage, job) {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
  const stream = new SecretStream(true, socket)
  const calls = job.kind === 'call' ? caller((message) => stream.write(message)) : undefined
  stream.on('data', calls?.onMessage ?? onMessage)
  await stream.opened
  let hasRoom = true
  return {
    peers: () => 1,
    push(payload) {
      hasRoom = stream.write(payload)
    },
    settle: () => (hasRoom ? undefined : once(stream, 'drain')),
    flush: () => stream.flush(),
    ...(calls && { call: calls.call }),
  }
}

// socket.io: events with acknowledgements, over a WebSocket from the start.
import { createServer } from 'node:http'
import { once } from 'node:events'
import { createRequire } from 'node:module'

const rival = createRequire(new URL('../rivals/', import.meta.url))

/** @type {import('./index.mjs').Listen} */
export async function listen(onMessage) {
  const { Server } = rival('socket.io')
  const http = createServer()
  const server = new Server(http, { transports: ['websocket'], serveClient: false })
  server.on('connection', (/** @type {any} */ socket) => {
    socket.on('echo', (/** @type {Buffer} */ payload, /** @type {(answer: Buffer) => void} */ answer) => {
      onMessage(payload)
      answer(payload)
    })
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  return { peers: () => 1, port: /** @type {import('node:net').AddressInfo} */ (http.address()).port }
}

/** @type {import('./index.mjs').Dial} */
export async function dial(port) {
  const { io } = rival('socket.io-client')
  const socket = io(`http://127.0.0.1:${port}`, { transports: ['websocket'] })
  await new Promise((resolve, reject) => {
    socket.on('connect', resolve)
    socket.on('connect_error', reject)
  })
  return {
    peers: () => 1,
    call: (payload) => new Promise((resolve) => socket.emit('echo', payload, resolve)),
  }
}

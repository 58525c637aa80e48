// ws as its README advises: no compression, binary Buffers, and a look at bufferedAmount before more is sent. Its calls
// are in tagged.mjs.
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { caller, echo } from './tagged.mjs'

const { WebSocket, WebSocketServer } = createRequire(new URL('../rivals/', import.meta.url))('ws')

const HIGH_WATER_MARK = 1024 * 1024
const OPTIONS = { perMessageDeflate: false, maxPayload: 16 * 1024 * 1024 }

/** @type {import('./index.mjs').Listen} */
export async function listen(onMessage, job) {
  /** @type {Outlet[]} */
  const outlets = []
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, ...OPTIONS })
  server.on('connection', (/** @type {any} */ socket) => {
    outlets.push(outlet(socket))
    socket.on('message', job.kind === 'call' ? echo((message) => socket.send(message), onMessage) : onMessage)
  })
  await once(server, 'listening')
  return { ...end(outlets), port: server.address().port }
}

/** @type {import('./index.mjs').Dial} */
export async function dial(port, onMessage, job) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, OPTIONS)
  const calls = job.kind === 'call' ? caller((message) => socket.send(message)) : undefined
  socket.on('message', calls?.onMessage ?? onMessage)
  await once(socket, 'open')
  return { ...end([outlet(socket)]), ...(calls && { call: calls.call }) }
}

/** @typedef {ReturnType<typeof outlet>} Outlet */

/**
 * A socket to send by. `room()` is a promise while too much is buffered, kept by the callback of a later write.
 * @param {any} socket
 */
function outlet(socket) {
  /** @type {((value?: unknown) => void) | undefined} */
  let wake
  const isFull = () => socket.bufferedAmount > HIGH_WATER_MARK
  const onWritten = () => {
    if (wake === undefined || isFull()) return
    wake()
    wake = undefined
  }
  return {
    socket,
    /** @param {Buffer} payload */
    send: (payload) => socket.send(payload, onWritten),
    room: () => (isFull() ? new Promise((resolve) => (wake = resolve)) : undefined),
  }
}

/**
 * @param {Outlet[]} outlets
 * @returns {import('./index.mjs').End}
 */
function end(outlets) {
  return {
    peers: () => outlets.length,
    push: (payload) => outlets[0].send(payload),
    pushAll(payload) {
      for (const { send } of outlets) send(payload)
    },
    settle() {
      const waits = outlets.map(({ room }) => room()).filter((wait) => wait !== undefined)
      return waits.length > 0 ? Promise.all(waits) : undefined
    },
    sendAwaited: (payload) => new Promise((resolve) => outlets[0].socket.send(payload, resolve)),
  }
}

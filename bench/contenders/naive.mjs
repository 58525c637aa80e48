// What someone writes by hand in ten minutes: header and payload corked, Buffer.concat on receive, wait for 'drain'.
import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import net from 'node:net'

/** @type {import('./index.mjs').Listen} */
export async function listen(onMessage) {
  /** @type {net.Socket[]} */
  const sockets = []
  const server = net.createServer((socket) => {
    sockets.push(socket)
    receive(socket, onMessage)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { ...end(sockets), port: /** @type {net.AddressInfo} */ (server.address()).port }
}

/** @type {import('./index.mjs').Dial} */
export async function dial(port, onMessage) {
  const socket = net.connect(port, '127.0.0.1')
  receive(socket, onMessage)
  await once(socket, 'connect')
  return end([socket])
}

/**
 * @param {net.Socket} socket
 * @param {import('./index.mjs').OnMessage} onMessage
 */
function receive(socket, onMessage) {
  let rest = Buffer.alloc(0)
  socket.setNoDelay(true)
  socket.on('data', (chunk) => {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= 4) {
      const length = rest.readUInt32BE(0)
      if (rest.length < 4 + length) return
      onMessage(rest.subarray(4, 4 + length))
      rest = rest.subarray(4 + length)
    }
  })
}

/** @param {Buffer} payload */
function headerOf(payload) {
  const header = Buffer.allocUnsafe(4)
  header.writeUInt32BE(payload.length)
  return header
}

/**
 * @param {net.Socket[]} sockets
 * @returns {import('./index.mjs').End}
 */
function end(sockets) {
  /** @type {(payload: Buffer, done?: () => void) => void} */
  const send = (payload, done) => {
    const [socket] = sockets
    socket.cork()
    socket.write(headerOf(payload))
    socket.write(payload, done)
    socket.uncork()
  }
  return {
    peers: () => sockets.length,
    push: send,
    pushAll(payload) {
      const frame = Buffer.concat([headerOf(payload), payload])
      for (const socket of sockets) socket.write(frame)
    },
    settle: () => drained(sockets),
    sendAwaited: (payload) => new Promise((resolve) => send(payload, () => resolve(undefined))),
  }
}

/**
 * What the stream's own answer asks for: 'drain' on each socket whose write returned false.
 * @param {net.Socket[]} sockets
 */
export function drained(sockets) {
  const full = sockets.filter((socket) => socket.writableNeedDrain)
  return full.length > 0 ? Promise.all(full.map((socket) => once(socket, 'drain'))) : undefined
}

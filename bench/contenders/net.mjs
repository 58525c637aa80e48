// The floor of one message per turn: one `socket.write` of a buffer that was framed beforehand.
// Its listener is also the bare `net` server of the idle-memory workload.
import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import net from 'node:net'
import { drained } from './naive.mjs'

/** @type {import('./index.mjs').Listen} */
export async function listen(onMessage) {
  let peers = 0
  const server = net.createServer((socket) => {
    peers++
    receive(socket, onMessage)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { peers: () => peers, port: /** @type {net.AddressInfo} */ (server.address()).port }
}

/** @type {import('./index.mjs').Dial} */
export async function dial(port, onMessage, job) {
  const socket = net.connect(port, '127.0.0.1')
  const sockets = [socket]
  const frame = Buffer.alloc(4 + job.size, job.fill)
  frame.writeUInt32BE(job.size)
  receive(socket, onMessage)
  await once(socket, 'connect')
  return {
    peers: () => 1,
    push: () => socket.write(frame),
    settle: () => drained(sockets),
  }
}

/**
 * Copies only the frame that a chunk's end cuts off.
 * @param {net.Socket} socket
 * @param {import('./index.mjs').OnMessage} onMessage
 */
function receive(socket, onMessage) {
  /** @type {Buffer | undefined} */
  let rest
  socket.setNoDelay(true)
  socket.on('data', (data) => {
    const chunk = rest ? Buffer.concat([rest, data]) : data
    let at = 0
    while (chunk.length - at >= 4) {
      const end = at + 4 + chunk.readUInt32BE(at)
      if (end > chunk.length) break
      onMessage(chunk.subarray(at + 4, end))
      at = end
    }
    rest = at < chunk.length ? chunk.subarray(at) : undefined
  })
}

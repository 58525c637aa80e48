// The floor of one message per turn: one `socket.write` of a buffer that was framed beforehand.
// Its listener is also the bare `net` server of the idle-memory workload.
import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import net from 'node:net'
import { drained } from './naive.mjs'
import { caller, echo } from './net-calls.mjs'

/** @type {import('./index.mjs').Listen} */
export async function listen(onMessage, job) {
  let peers = 0
  const server = net.createServer((socket) => {
    peers++
    receive(socket, job.kind === 'call' ? echo(socket, onMessage) : onMessage)
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
  const calls = job.kind === 'call' ? caller(socket) : undefined
  receive(socket, calls?.onFrame ?? onMessage)
  await once(socket, 'connect')
  return {
    peers: () => 1,
    ...(calls && { call: calls.call }),
    push: () => socket.write(frame),
    settle: () => drained(sockets),
  }
}

/**
 * Copies only the frame that a chunk's end cuts off.
 * @param {net.Socket} socket
 * @param {(payload: Buffer) => void} onMessage
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

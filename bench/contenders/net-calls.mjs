// Calls on bare `net`, the floor of what Node gives: u32be length, u32be id, payload; a promise for each, and what is
// sent in one turn leaves in one write.
import { Buffer } from 'node:buffer'

const HEADER = 8

/**
 * @param {import('node:net').Socket} socket
 * @returns {(payload: Uint8Array, id: number) => void}
 */
function sender(socket) {
  const slab = Buffer.alloc(256 * 1024)
  let to = 0
  const flush = () => {
    socket.write(Buffer.from(slab.subarray(0, to)))
    to = 0
  }
  return (payload, id) => {
    if (to === 0) process.nextTick(flush)
    slab.writeUInt32BE(payload.length + 4, to)
    slab.writeUInt32BE(id, to + 4)
    slab.set(payload, to + HEADER)
    to += HEADER + payload.length
  }
}

/**
 * @param {import('node:net').Socket} socket
 * @param {import('./index.mjs').OnMessage} onMessage
 * @returns {(frame: Buffer) => void} takes what comes: an id and a payload
 */
export function echo(socket, onMessage) {
  const send = sender(socket)
  return (frame) => {
    const payload = frame.subarray(4)
    onMessage(payload)
    send(payload, frame.readUInt32BE(0))
  }
}

/**
 * @param {import('node:net').Socket} socket
 */
export function caller(socket) {
  const send = sender(socket)
  /** @type {((answer: Uint8Array) => void)[]} */
  const waiting = []
  /** @type {number[]} */
  const free = []
  return {
    /** @param {Buffer} frame */
    onFrame(frame) {
      const id = frame.readUInt32BE(0)
      free.push(id)
      waiting[id](frame.subarray(4))
    },
    /** @type {(payload: Uint8Array) => Promise<Uint8Array>} */
    call: (payload) =>
      new Promise((resolve) => {
        const id = free.pop() ?? waiting.length
        waiting[id] = resolve
        send(payload, id)
      }),
  }
}

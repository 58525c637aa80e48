// Calls where a rival has messages and no calls: what everybody writes, a u32 before the payload that comes back with the
// answer, and a Map.
import { Buffer } from 'node:buffer'

const TAG = 4

/**
 * What the answering side does with each message.
 * @param {(message: Buffer) => unknown} send
 * @param {import('./index.mjs').OnMessage} onMessage
 * @returns {(message: Buffer) => void}
 */
export function echo(send, onMessage) {
  return (message) => {
    onMessage(message.subarray(TAG))
    send(message)
  }
}

/** @param {(message: Buffer) => unknown} send */
export function caller(send) {
  /** @type {Map<number, (answer: Uint8Array) => void>} */
  const waiting = new Map()
  let id = 0
  return {
    /** @param {Buffer} message */
    onMessage(message) {
      const asked = message.readUInt32BE(0)
      waiting.get(asked)?.(message.subarray(TAG))
      waiting.delete(asked)
    },
    /** @type {(payload: Buffer) => Promise<Uint8Array>} */
    call: (payload) =>
      new Promise((resolve) => {
        const request = Buffer.allocUnsafe(TAG + payload.length)
        id = (id + 1) >>> 0
        request.writeUInt32BE(id)
        request.set(payload, TAG)
        waiting.set(id, resolve)
        send(request)
      }),
  }
}

// zeromq.js: a PUSH socket that dials a PULL socket; for calls a DEALER that dials a ROUTER, with a frame of four bytes
// that comes back with the answer. Its sends must not overlap, so each one is awaited.
import { Buffer } from 'node:buffer'
import { createRequire } from 'node:module'

const { Dealer, Pull, Push, Router } = createRequire(new URL('../rivals/', import.meta.url))('zeromq')

/** @type {import('./index.mjs').Listen} */
export async function listen(onMessage, job) {
  if (job.kind === 'call') return serve(onMessage)
  const pull = new Pull({ receiveHighWaterMark: highWaterMark(job.size) })
  await pull.bind('tcp://127.0.0.1:*')
  const pump = async () => {
    for await (const [payload] of pull) onMessage(payload)
  }
  void pump()
  return { peers: () => 1, port: Number(new URL(pull.lastEndpoint).port) }
}

/** @type {import('./index.mjs').Dial} */
export async function dial(port, _onMessage, job) {
  if (job.kind === 'call') return caller(port)
  const push = new Push({ sendHighWaterMark: highWaterMark(job.size) })
  push.connect(`tcp://127.0.0.1:${port}`)
  /** @type {Promise<void> | undefined} */
  let last
  return {
    peers: () => 1,
    batch: 1,
    push: (payload) => {
      last = push.send(payload)
    },
    settle: () => last,
    sendAwaited: (payload) => push.send(payload),
  }
}

/**
 * Counts messages, not bytes: its default for small ones, about 16 MiB of large ones.
 * @param {number} size
 */
function highWaterMark(size) {
  return Math.max(4, Math.min(1000, Math.floor((16 * 1024 * 1024) / size)))
}

/**
 * @param {import('./index.mjs').OnMessage} onMessage
 * @returns {Promise<import('./index.mjs').End>}
 */
async function serve(onMessage) {
  const router = new Router()
  await router.bind('tcp://127.0.0.1:*')
  const send = sender(router)
  const pump = async () => {
    for await (const frames of router) {
      onMessage(frames[2])
      send(frames)
    }
  }
  void pump()
  return { peers: () => 1, port: Number(new URL(router.lastEndpoint).port) }
}

/**
 * @param {number} port
 * @returns {import('./index.mjs').End}
 */
function caller(port) {
  const dealer = new Dealer()
  dealer.connect(`tcp://127.0.0.1:${port}`)
  const send = sender(dealer)
  /** @type {Map<number, (answer: Uint8Array) => void>} */
  const waiting = new Map()
  let last = 0
  const pump = async () => {
    for await (const [tag, answer] of dealer) {
      const id = tag.readUInt32BE(0)
      waiting.get(id)?.(answer)
      waiting.delete(id)
    }
  }
  void pump()
  return {
    peers: () => 1,
    call: (payload) =>
      new Promise((resolve) => {
        const tag = Buffer.allocUnsafe(4)
        last = (last + 1) >>> 0
        tag.writeUInt32BE(last)
        waiting.set(last, resolve)
        send([tag, payload])
      }),
  }
}

/**
 * Sends one after another, whoever asks meanwhile.
 * @param {any} socket
 */
function sender(socket) {
  /** @type {Buffer[][]} */
  let queue = []
  let sending = false
  const run = async () => {
    sending = true
    while (queue.length > 0) {
      const batch = queue
      queue = []
      for (const frames of batch) await socket.send(frames)
    }
    sending = false
  }
  return (/** @type {Buffer[]} */ frames) => {
    queue.push(frames)
    if (!sending) void run()
  }
}

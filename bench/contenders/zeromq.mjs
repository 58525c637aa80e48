// zeromq.js: a PUSH socket that dials a PULL socket. Its sends must not overlap, so each one is awaited.
import { createRequire } from 'node:module'

const { Pull, Push } = createRequire(new URL('../rivals/', import.meta.url))('zeromq')

/** @type {import('./index.mjs').Listen} */
export async function listen(onMessage, job) {
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

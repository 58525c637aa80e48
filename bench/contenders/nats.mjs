// nats: a publisher and a subscriber with a callback, on one nats-server started for the trial.
// `flush()` (a round trip to the server) after each MiB is its way to wait for room.
import { createRequire } from 'node:module'

const { connect } = createRequire(new URL('../rivals/', import.meta.url))('@nats-io/transport-node')

const SUBJECT = 'bench'
const FLUSH_EVERY = 1024 * 1024

/** @type {import('./index.mjs').Listen} */
export async function listen(onMessage, job) {
  const connection = await connect({ servers: `127.0.0.1:${job.broker}`, reconnect: false })
  connection.subscribe(SUBJECT, {
    callback: (/** @type {unknown} */ _error, /** @type {any} */ message) => onMessage(message.data),
  })
  await connection.flush()
  return { peers: () => 1, port: job.broker }
}

/** @type {import('./index.mjs').Dial} */
export async function dial(port) {
  const connection = await connect({ servers: `127.0.0.1:${port}`, reconnect: false })
  let since = 0
  return {
    peers: () => 1,
    push(payload) {
      connection.publish(SUBJECT, payload)
      since += payload.length
    },
    settle() {
      if (since < FLUSH_EVERY) return undefined
      since = 0
      return connection.flush()
    },
    flush: () => connection.flush(),
  }
}

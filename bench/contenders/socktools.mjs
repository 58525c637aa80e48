// Ours: the plain wire with the raw codec, through the public API of the built package. What needs a contract is in v1.mjs.
import { fileURLToPath } from 'node:url'

const entry = new URL('../../packages/socktools/dist/index.js', import.meta.url)
export const library = fileURLToPath(entry)

/**
 * TLS 1.3 between two that prove a key each and let everybody in who does.
 * @param {any} library
 * @param {import('../workloads.mjs').Job} job
 */
export const security = ({ Identity }, { secure }) =>
  secure ? { identity: Identity.generate(), trust: () => true } : {}

/** @type {import('./index.mjs').Listen} */
export async function listen(onMessage, job) {
  if (job.wire === 'v1') return (await import('./v1.mjs')).listen(onMessage, job)
  const library = await import(entry.href)
  let peers = 0
  /** @type {any} */
  let first
  /** @type {Promise<void>} */
  let last
  const sock = new library.TcpSock({
    bind: 'tcp://127.0.0.1:0',
    handlers: { 0: onMessage },
    ...security(library, job),
  })
  sock.on('peer', (/** @type {any} */ { peer }) => {
    peers++
    first ??= peer
  })
  await sock.startServer()
  return {
    peers: () => peers,
    port: Number(new URL(sock.address).port),
    push(payload) {
      last = first.sendMsg(0, payload)
    },
    pushAll(payload) {
      last = sock.sendMsg(0, payload)
    },
    settle: () => last,
    flush: () => first?.flushed(),
  }
}

/**
 * One sock dials all.
 * @type {any}
 */
let dialer

/** @type {import('./index.mjs').Dial} */
export async function dial(port, onMessage, job) {
  if (job.wire === 'v1') return (await import('./v1.mjs')).dial(port, onMessage, job)
  const library = await import(entry.href)
  dialer ??= new library.TcpSock({ handlers: { 0: onMessage }, ...security(library, job) })
  const peer = await dialer.connectTo(`tcp://127.0.0.1:${port}`)
  /** @type {Promise<void>} */
  let last
  return {
    peers: () => 1,
    push(payload) {
      last = peer.sendMsg(0, payload)
    },
    settle: () => last,
    sendAwaited: (payload) => peer.sendMsg(0, payload),
    flush: () => peer.flushed(),
  }
}

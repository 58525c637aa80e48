// libp2p with TCP, Noise and yamux: one stream, u32be length and payload, one `send` for each message. Its calls are in
// tagged.mjs, on that one stream; a stream for each call is what its documentation shows, and slower.
import { Buffer } from 'node:buffer'
import { caller, echo } from './tagged.mjs'

// Node 20 has none, and libp2p 3 cannot do without.
const makesPromises = /** @type {any} */ (Promise)
makesPromises.withResolvers ??= () => {
  /** @type {any} */
  const deferred = {}
  deferred.promise = new Promise((resolve, reject) => Object.assign(deferred, { resolve, reject }))
  return deferred
}

const PROTOCOL = '/bench/1.0.0'
const HEADER = 4

/** @param {string[]} addresses */
async function node(addresses) {
  const parts = await import(new URL('../rivals/libp2p.mjs', import.meta.url).href)
  const started = await parts.createLibp2p({
    addresses: { listen: addresses },
    transports: [parts.tcp()],
    connectionEncrypters: [parts.noise()],
    streamMuxers: [parts.yamux()],
  })
  return { started, multiaddr: parts.multiaddr }
}

/** @type {import('./index.mjs').Listen} */
export async function listen(onMessage, job) {
  const { started } = await node(['/ip4/127.0.0.1/tcp/0'])
  let peers = 0
  await started.handle(PROTOCOL, (/** @type {any} */ stream) => {
    peers++
    receive(stream, job.kind === 'call' ? echo(sender(stream), onMessage) : onMessage)
  })
  const [address] = started.getMultiaddrs()
  return { peers: () => peers, port: Number(/\/tcp\/(\d+)/.exec(String(address))?.[1]) }
}

/** @type {import('./index.mjs').Dial} */
export async function dial(port, onMessage, job) {
  const { started, multiaddr } = await node([])
  const stream = await started.dialProtocol(multiaddr(`/ip4/127.0.0.1/tcp/${port}`), PROTOCOL)
  const send = sender(stream)
  const calls = job.kind === 'call' ? caller(send) : undefined
  receive(stream, calls?.onMessage ?? onMessage)
  let hasRoom = true
  return {
    peers: () => 1,
    push(payload) {
      hasRoom = send(payload)
    },
    settle: () => (hasRoom ? undefined : stream.onDrain()),
    ...(calls && { call: calls.call }),
  }
}

/**
 * @param {any} stream
 * @returns {(payload: Uint8Array) => boolean}  false: wait for room
 */
function sender(stream) {
  return (payload) => {
    const frame = Buffer.allocUnsafe(HEADER + payload.length)
    frame.writeUInt32BE(payload.length)
    frame.set(payload, HEADER)
    return stream.send(frame)
  }
}

/**
 * Joins chunks once, when there are enough of them for a frame.
 * @param {any} stream
 * @param {(payload: Buffer) => void} onMessage
 */
function receive(stream, onMessage) {
  /** @type {Buffer[]} */
  let parts = []
  let have = 0
  let wanted = HEADER
  stream.addEventListener('message', (/** @type {any} */ { data }) => {
    const bytes = data.subarray() // a Uint8Array, or a list of them that this joins
    parts.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    have += bytes.byteLength
    if (have < wanted) return
    const [only] = parts
    const chunk = parts.length > 1 ? Buffer.concat(parts) : only
    let at = 0
    for (;;) {
      const left = chunk.length - at
      wanted = left < HEADER ? HEADER : HEADER + chunk.readUInt32BE(at)
      if (left < wanted) break
      onMessage(chunk.subarray(at + HEADER, at + wanted))
      at += wanted
    }
    have = chunk.length - at
    parts = have > 0 ? [chunk.subarray(at)] : []
  })
}

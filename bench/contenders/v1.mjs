// Ours over wire v1: one contract, through the public API of the built package. What is raw is declared as bytes(),
// what is typed as an object that zod checks on arrival.
import { Buffer } from 'node:buffer'
import { z } from 'zod'
import { msgpack } from '../../packages/socktools/dist/wire/msgpack/msgpack.js'
import { bytes, call, feed, Identity, json, msg, TcpSock } from '../../packages/socktools/dist/index.js'
import { security } from './socktools.mjs'

/** What a typed message carries: 64 bytes as MessagePack, 74 as JSON. */
const Line = z.object({ id: z.number(), room: z.string(), text: z.string(), fill: z.number() })
const makeLine = (/** @type {number} */ fill) => ({
  id: 123_456,
  room: 'lobby',
  text: 'the quick brown fox jumps',
  fill,
})

const protocol = {
  bytes: msg(bytes()),
  line: msg(Line),
  echo: call(bytes(), bytes()),
  echoLine: call(Line, Line),
  flood: feed(z.number(), bytes()),
}

/** What one item of the feed carries. */
const ITEM = 64 * 1024

/**
 * @param {import('./index.mjs').OnMessage} onMessage
 * @param {import('../workloads.mjs').Job} job
 */
function options(onMessage, job) {
  const { codec, maxCalls, sessions, size } = job
  // Typed data stand for the payload that they are counted as.
  const counted = Buffer.alloc(size)
  /** @type {(line: z.infer<typeof Line>) => void} */
  const count = ({ fill }) => {
    counted[0] = fill
    onMessage(counted)
  }
  return {
    protocol,
    codec: codec === 'json' ? json() : msgpack(),
    ...(maxCalls !== undefined && { maxCalls }),
    ...(sessions !== undefined && { sessions }),
    ...security({ Identity }, job),
    handlers: {
      bytes: onMessage,
      line: count,
      echo(/** @type {Uint8Array} */ payload) {
        onMessage(payload)
        return payload
      },
      echoLine(/** @type {z.infer<typeof Line>} */ line) {
        count(line)
        return line
      },
      *flood(/** @type {number} */ items) {
        const item = Buffer.alloc(ITEM, 0x5a)
        for (let i = 0; i < items; i++) yield item
      },
    },
  }
}

/** @type {import('./index.mjs').Listen} */
export async function listen(onMessage, job) {
  const sock = new TcpSock(/** @type {any} */ ({ bind: 'tcp://127.0.0.1:0', ...options(onMessage, job) }))
  let peers = 0
  sock.on('peer', () => {
    peers++
  })
  await sock.startServer()
  return { peers: () => peers, port: Number(new URL(/** @type {string} */ (sock.address)).port) }
}

/**
 * One sock dials all.
 * @type {TcpSock<any> | undefined}
 */
let dialer

/** @type {import('./index.mjs').Dial} */
export async function dial(port, onMessage, job) {
  // A node has few sessions with another one: those that stay idle are of as many nodes.
  const sock =
    job.kind === 'idle' || dialer === undefined
      ? new TcpSock(/** @type {any} */ (options(onMessage, job)))
      : dialer
  dialer ??= sock
  const peer = /** @type {any} */ (await sock.connectTo(`tcp://127.0.0.1:${port}`))
  const typed = job.codec !== undefined
  const line = makeLine(job.fill)
  const answer = Buffer.alloc(job.size)
  /** @type {Promise<void>} */
  let last
  return {
    peers: () => 1,
    push: typed
      ? () => {
          last = peer.sendMsg('line', line)
        }
      : (payload) => {
          last = peer.sendMsg('bytes', payload)
        },
    settle: () => last,
    flush: () => peer.flushed(),
    call: typed
      ? async () => {
          answer[0] = (await peer.request('echoLine', line)).fill
          return answer
        }
      : (payload) => peer.request('echo', payload),
    flood: (length) => peer.stream('flood', Math.ceil(length / ITEM)),
  }
}

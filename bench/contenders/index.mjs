// Who takes part, and the tiny interface that each contender's file exports.

/** @typedef {(payload: Uint8Array) => void} OnMessage */

/**
 * One end of a contender: the listening one (with its port) or a dialing one.
 * @typedef {object} End
 * @property {number} [port]  of the listening end
 * @property {() => number} peers  how many are connected now
 * @property {(payload: Buffer) => unknown} [push]  sends to the one peer without waiting
 * @property {(payload: Buffer) => unknown} [pushAll]  sends to every peer without waiting
 * @property {() => Promise<unknown> | undefined} [settle]  what a well-behaved sender waits for after a batch of
 *   pushes: nothing while there is room, else a promise of room
 * @property {(payload: Buffer) => Promise<unknown>} [sendAwaited]  sends to the one peer, settles when the next may go
 * @property {() => Promise<unknown>} [flush]  settles once everything pushed has been handed on
 * @property {(payload: Buffer) => Promise<Uint8Array>} [call]  asks the one peer, which answers with what it was sent
 * @property {(bytes: number) => AsyncIterable<Uint8Array>} [flood]  has the one peer send so many bytes, in pieces
 * @property {number} [batch]  pushes between two `settle()`, where the contender cannot take the usual 256
 */

/** @typedef {(onMessage: OnMessage, job: import('../workloads.mjs').Job) => Promise<End>} Listen */
/** @typedef {(port: number, onMessage: OnMessage, job: import('../workloads.mjs').Job) => Promise<End>} Dial */

/**
 * @typedef {object} Contender
 * @property {string} file  in this folder
 * @property {(job: import('../workloads.mjs').Job) => boolean} [sourceListens]  one way, whether the listening side
 *   is the one that sends; absent: the dialing side sends
 */

/** @type {Record<string, Contender>} */
export const contenders = {
  // A socket that we dialed reads up to 256 KiB at a time, which pays for all but tiny messages.
  socktools: { file: 'socktools.mjs', sourceListens: (job) => job.wire === undefined && job.size > 125 },
  'sessions off': { file: 'sessions-off.mjs' },
  C: { file: 'c.mjs' },
  naive: { file: 'naive.mjs' },
  'net single write': { file: 'net.mjs' },
  store: { file: 'store.mjs' }, // to a directory, without a sock
  'bare append': { file: 'append.mjs' }, // to a file: it has no other side
  net: { file: 'net.mjs' }, // the same, under the name it has where nothing is written
  // A WebSocket client masks what it sends, and so copies it into one buffer with the header: faster for tiny
  // payloads, slower for all others. Each size goes from the side where ws is best.
  ws: { file: 'ws.mjs', sourceListens: (job) => job.size > 125 },
  zeromq: { file: 'zeromq.mjs' },
  nats: { file: 'nats.mjs' },
  'grpc-js': { file: 'grpc.mjs' },
  'socket.io': { file: 'socket-io.mjs' },
  'secret-stream': { file: 'secret-stream.mjs' },
  libp2p: { file: 'libp2p.mjs' },
}

/**
 * @param {string} name
 * @returns {Promise<{ listen: Listen, dial: Dial }>}
 */
export function load(name) {
  return import(new URL(contenders[name].file, import.meta.url).href)
}

/**
 * A framing of one's own: netstrings, `5:hello,`. docs/framings.md explains each part of one.
 *
 *   npx tsx examples/netstrings.ts [tcp://127.0.0.1:31338]   answers each with its length
 *   printf '5:hello,0:,' | nc 127.0.0.1 31338                5:5 in,4:0 in, …
 */
import { type Decoder, type Framing, Held, SockError, TcpSock } from 'socktools'

const [ZERO, NINE, COLON, COMMA] = [0x30, 0x39, 0x3a, 0x2c]

export interface NetstringOptions {
  /** The longest payload in bytes. Default 16 MiB. */
  readonly max?: number
}

/** The payload's length in decimal digits, a colon, the payload, a comma. A length has no zeros in front. */
export function netstrings({ max = 16 * 1024 * 1024 }: NetstringOptions = {}): Framing {
  return {
    name: 'netstrings',
    max,
    size: (n) => digitsOf(n) + 1 + n + 1,
    write(into, at, payload) {
      const start = before(into, at, payload.length)
      into.set(payload, start)
      return after(into, start + payload.length)
    },
    around: { before, after },
    decoder: (onFrame, limit) => new NetstringDecoder(onFrame, Math.min(limit, max)),
  }
}

function digitsOf(n: number): number {
  let digits = 1
  for (let left = n; left >= 10; left = Math.floor(left / 10)) digits++
  return digits
}

function before(into: Uint8Array, at: number, n: number): number {
  const colon = at + digitsOf(n)
  for (let i = colon - 1, left = n; i >= at; i--, left = Math.floor(left / 10)) into[i] = ZERO + (left % 10)
  into[colon] = COLON
  return colon + 1
}

function after(into: Uint8Array, at: number): number {
  into[at] = COMMA
  return at + 1
}

/** LENGTH ──":"──▶ PAYLOAD ──n bytes──▶ COMMA ──","──▶ onFrame, LENGTH */
class NetstringDecoder implements Decoder {
  readonly #onFrame: (payload: Uint8Array) => void
  readonly #max: number
  readonly #held = new Held()
  /** Bytes of the length that have come, its colon included, and what they say so far. */
  #head = 0
  #length = 0
  #inPayload = false
  #stopped = false

  constructor(onFrame: (payload: Uint8Array) => void, max: number) {
    this.#onFrame = onFrame
    this.#max = max
  }

  get partial(): number {
    return this.#head + this.#held.length
  }

  stop(): void {
    this.#stopped = true
  }

  push(chunk: Uint8Array): void {
    let at = 0
    while (at < chunk.length && !this.#stopped) {
      at = this.#inPayload ? this.#readPayload(chunk, at) : this.#readLength(chunk[at] ?? 0, at)
    }
  }

  #readLength(byte: number, at: number): number {
    if (byte === COLON && this.#head > 0) this.#inPayload = true
    else {
      if (byte < ZERO || byte > NINE) this.#refuse('BAD_FRAME', 'a length is digits and a colon')
      if (this.#head > 0 && this.#length === 0) this.#refuse('BAD_FRAME', 'a length begins with no zero')
      this.#length = this.#length * 10 + byte - ZERO
      // Before any more of it is read, and long before memory is taken for it.
      if (this.#length > this.#max) this.#refuse('FRAME_TOO_LARGE', `more than ${this.#max} bytes`)
    }
    this.#head++
    return at + 1
  }

  #readPayload(chunk: Uint8Array, at: number): number {
    const missing = this.#length - this.#held.length
    const comma = at + missing
    if (comma >= chunk.length) {
      this.#held.add(chunk, at, chunk.length, missing)
      return chunk.length
    }
    if (chunk[comma] !== COMMA) this.#refuse('BAD_FRAME', 'a netstring ends with a comma')
    // A view where the payload came in one chunk: nothing is copied then.
    const payload = this.#held.length === 0 ? chunk.subarray(at, comma) : this.#held.take(chunk, at, comma)
    this.#head = this.#length = 0
    this.#inPayload = false
    this.#onFrame(payload)
    return comma + 1
  }

  #refuse(code: 'BAD_FRAME' | 'FRAME_TOO_LARGE', what: string): never {
    this.#stopped = true
    throw new SockError(code, what)
  }
}

if (process.argv[1] === import.meta.filename) {
  const sock = new TcpSock({
    bind: process.argv[2] ?? 'tcp://127.0.0.1:31338',
    framing: netstrings({ max: 1024 }),
    handlers: { 0: (bytes, { peer }) => peer.sendMsg(0, `${bytes.length} in`) },
  })
  sock.on('listening', ({ address }) => {
    console.log(`netstrings at ${address}`)
  })
  sock.on('gone', ({ peer, error }) => {
    console.log(`${peer.address} left${error === undefined ? '' : `: ${error.what}`}`)
  })
  process.once('SIGINT', () => void sock.drain()).once('SIGTERM', () => void sock.drain())
  await sock.start()
}

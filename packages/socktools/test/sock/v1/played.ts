/** The far side of one connection of wire v1, played by a test frame by frame. */
import assert from 'node:assert/strict'
import type { Pipe } from '../../../src/index.ts'
import type { Protocol } from '../../../src/contract/protocol.ts'
import { lengthPrefixed } from '../../../src/wire/length-prefixed.ts'
import { decodeGoodbye, encodePing } from '../../../src/wire/v1/bodies.ts'
import * as kinds from '../../../src/wire/v1/frame.ts'
import { decodeHello, encodeHello, encodeWelcome } from '../../../src/wire/v1/hello-bytes.ts'
import type { Offer } from '../../../src/wire/v1/hello.ts'
import { frame } from '../../wire/bytes.ts'
import { offerOf as offerOfFar } from './far.ts'
import type { World } from '../../support/world.ts'

const framing = lengthPrefixed()

/** A frame that came from the sock under test. */
export interface Came {
  readonly kind: number
  readonly name: string
  readonly flags: number
  readonly type: number
  readonly lane: number
  readonly seq: number
  readonly ack: number
  readonly body: Uint8Array
}

export interface FarOptions {
  readonly protocol: Protocol
  readonly limits: Omit<Offer, 'features' | 'nodeId' | 'incarnation' | 'fingerprint' | 'codecs'>
  /** Whether its contract is another one than `protocol`. */
  readonly stranger: boolean
}

export class Far {
  /** What came since the handshake. */
  readonly frames: Came[] = []
  /** The sock under test has ended its direction. */
  ended = false
  readonly #pipe: Pipe
  readonly #handshake: Uint8Array[] = []

  constructor(pipe: Pipe) {
    this.#pipe = pipe
    const decoder = framing.decoder((payload) => {
      if (this.#handshake.length === 0) this.#handshake.push(payload.slice())
      else this.frames.push(cameOf(payload))
    }, kinds.HEADER + kinds.MAX_CHUNK)
    const end = (): void => {
      this.ended = true
    }
    pipe.attach({ data: (chunk) => decoder.push(chunk), drain: () => undefined, end, close: end })
    pipe.resume()
  }

  /** Dials a sock that listens. */
  static async dial(world: World, address: string, options: FarOptions): Promise<Far> {
    const far = new Far(await world.transports[0]!.dial(new URL(address), {}))
    far.send(encodeHello({ low: 1, high: 1, ...offerOf(options), resume: undefined }))
    await world.quiet()
    return far
  }

  /** Is dialed by a sock. */
  static async dialed(
    world: World,
    sock: { connectTo(address: string): Promise<unknown> },
    options: FarOptions,
  ): Promise<Far> {
    const address = 'memory:far'
    let far: Far | undefined
    await world.transports[0]!.listen(new URL(address), {}, (pipe) => {
      far = new Far(pipe)
    })
    sock.connectTo(address).catch(() => undefined)
    await world.quiet()
    assert.ok(far !== undefined)
    decodeHello(far.#handshake[0]!)
    const offer = offerOf(options)
    far.send(encodeWelcome({ version: 1, result: 'new', ...offer, session: undefined }))
    await world.quiet()
    return far
  }

  send(payload: Uint8Array): void {
    this.#pipe.write([frame(framing, payload)])
  }

  end(): void {
    this.#pipe.end()
  }

  control(kind: number, body: Uint8Array, ack = 0): void {
    const payload = new Uint8Array(kinds.HEADER + body.length)
    kinds.writeHeader(payload, 0, kind, 0, 0, 0, 0, ack)
    payload.set(body, kinds.HEADER)
    this.send(payload)
  }

  ping(ack: number): void {
    this.control(kinds.PING, encodePing({ ttl: 1000, nonce: new Uint8Array(8) }), ack)
  }

  /** The code of its GOODBYE; undefined: it said none. */
  get farewell(): string | undefined {
    const last = this.frames.find(({ kind }) => kind === kinds.GOODBYE)
    return last && decodeGoodbye(Uint8Array.from([...new Uint8Array(kinds.HEADER), ...last.body]))
  }
}

export function cameOf(payload: Uint8Array): Came {
  const header = new kinds.Header()
  header.read(payload)
  const { kind, flags, type, lane, seq, ack } = header
  return {
    kind,
    name: kinds.nameOfKind(kind),
    flags,
    type,
    lane,
    seq,
    ack,
    body: payload.slice(kinds.HEADER),
  }
}

function offerOf({ protocol, limits, stranger }: FarOptions): Offer {
  const { fingerprint, ...offer } = offerOfFar(protocol)
  return { ...offer, ...limits, fingerprint: stranger ? fingerprint.map((byte) => byte ^ 0xff) : fingerprint }
}

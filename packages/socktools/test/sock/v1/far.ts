/** The far side of a connection of wire v1, frame by frame in the hands of the test. */
import type { SockOptions } from '../../../src/index.ts'
import { compile, type Protocol } from '../../../src/contract/protocol.ts'
import { fingerprint } from '../../../src/contract/fingerprint.ts'
import { nodePlatform } from '../../../src/platform/node.ts'
import type { PipeSock, RawCodec } from '../../../src/index.ts'
import { Header, HEADER, nameOfKind, writeHeader } from '../../../src/wire/v1/frame.ts'
import { encodeHello, encodeWelcome } from '../../../src/wire/v1/hello-bytes.ts'
import type { Hello, Offer } from '../../../src/wire/v1/hello.ts'
import type { Knocker, TestPipe } from '../../support/knock.ts'
import { frame } from '../../support/tcp.ts'
import type { World } from '../../support/world.ts'

export interface Said {
  readonly kind: string
  readonly flags: number
  readonly type: number
  readonly lane: number
  readonly seq: number
  readonly ack: number
  readonly body: Buffer
}

export const offerOf = (protocol: Protocol): Offer => ({
  features: 0n,
  maxMessage: 16 * 1024 * 1024,
  eventWindow: 1024 * 1024,
  laneWindow: 256 * 1024,
  maxCalls: 64,
  maxStreams: 256,
  heartbeat: 15_000,
  ttl: 45_000,
  nodeId: new Uint8Array(16).fill(0xa0),
  incarnation: new Uint8Array(16).fill(0xb0),
  fingerprint: fingerprint(compile(protocol), nodePlatform.hash),
  codecs: ['json'],
})

export const helloOf = (protocol: Protocol, more: Partial<Hello> = {}): Uint8Array =>
  encodeHello({ low: 1, high: 1, ...offerOf(protocol), ...more })

export const welcomeOf = (protocol: Protocol, more: Partial<Offer> = {}): Uint8Array =>
  encodeWelcome({ result: 'new', version: 1, ...offerOf(protocol), ...more })

/** Payloads of the frames in a stream of bytes; what is no whole frame at its end is left out. */
export function payloadsIn(bytes: Buffer): Buffer[] {
  const payloads: Buffer[] = []
  for (let at = 0; at + 4 <= bytes.length; ) {
    const n = bytes.readUInt32BE(at)
    if (at + 4 + n > bytes.length) break
    payloads.push(bytes.subarray(at + 4, at + 4 + n))
    at += 4 + n
  }
  return payloads
}

/** What it needs of a pipe. */
export interface Spoken {
  readonly written: readonly Buffer[]
  say(bytes: Uint8Array): void
}

export class Far<P extends Spoken = TestPipe> {
  readonly pipe: P
  /** Of the frame that it sends next. */
  seq = 1
  /** What it says to have received; undefined: all that came. */
  ack: number | undefined

  constructor(pipe: P) {
    this.pipe = pipe
  }

  /** A payload as it is. */
  raw(payload: Uint8Array): void {
    this.pipe.say(frame(payload))
  }

  /** A frame; its seq and ack are in order unless they are given. */
  send(...of: Parameters<Far['framed']>): void {
    this.raw(this.framed(...of))
  }

  /** The payload of one. */
  framed(
    kind: number,
    {
      lane = 0,
      type = 0,
      flags = 0,
      seq = kind < 0x10 ? this.seq++ : 0,
      ack = this.ack ?? this.received,
    } = {},
    body: Uint8Array | string = '',
  ): Uint8Array {
    const data = Buffer.from(body as Uint8Array)
    const payload = new Uint8Array(HEADER + data.length)
    writeHeader(payload, 0, kind, flags, type, lane, seq, ack)
    payload.set(data, HEADER)
    return payload
  }

  /** All that came behind the handshake. */
  get heard(): Said[] {
    const header = new Header()
    return payloadsIn(Buffer.concat(this.pipe.written))
      .slice(1)
      .map((payload) => {
        header.read(payload)
        const { kind, flags, type, lane, seq, ack } = header
        return { kind: nameOfKind(kind), flags, type, lane, seq, ack, body: payload.subarray(HEADER) }
      })
  }

  of(...kinds: readonly string[]): Said[] {
    return this.heard.filter(({ kind }) => kinds.includes(kind))
  }

  get received(): number {
    return this.heard.reduce((last, { seq }) => Math.max(last, seq), 0)
  }

  /** The code of an ERROR, RESET or GOODBYE. */
  static code({ body }: Pick<Said, 'body'>): string {
    return body.subarray(1, 1 + (body[0] ?? 0)).toString()
  }
}

/** A server with one peer, who dialed in and whose handshake is done. */
export async function far<P extends Protocol>(
  world: World,
  door: Knocker,
  protocol: P,
  options: SockOptions<RawCodec, P> = {},
  hello: Partial<Hello> = {},
): Promise<{ server: PipeSock<RawCodec, P>; far: Far; peer: PipeSock<RawCodec, P>['knownPeers'][number] }> {
  const server = await world.open<RawCodec, P>({ protocol, bind: 'knock:any', ...options })
  return { server, ...(await arrives(world, door, server, protocol, hello)) }
}

/** One more that dials in. */
export async function arrives<P extends Protocol>(
  world: World,
  door: Knocker,
  server: PipeSock<RawCodec, P>,
  protocol: P,
  hello: Partial<Hello> = {},
): Promise<{ far: Far; peer: PipeSock<RawCodec, P>['knownPeers'][number] }> {
  const dialer = new Far(door.knock())
  dialer.raw(helloOf(protocol, hello))
  await world.quiet()
  const peer = server.knownPeers.at(-1)
  if (peer === undefined) throw new Error('it was not let in')
  return { far: dialer, peer }
}

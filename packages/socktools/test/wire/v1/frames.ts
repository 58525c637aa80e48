/** What tests of lanes write frames with, and read them. */
import { type LaneSink, Outgoing } from '../../../src/wire/v1/lanes.ts'
import { Incoming } from '../../../src/wire/v1/arrivals.ts'
import {
  EVENT,
  HEADER,
  Header,
  HEADERS,
  ITEM,
  MORE,
  nameOfKind,
  TABLE,
  VOLATILE,
  writeHeader,
} from '../../../src/wire/v1/frame.ts'
import { Sequence } from '../../../src/wire/v1/session.ts'

export interface Frame {
  readonly kind: number
  readonly flags: number
  readonly type: number
  readonly lane: number
  readonly seq: number
  readonly body: Uint8Array
}

export function payload({ kind, flags, type, lane, seq, body }: Frame, ack = 0): Uint8Array {
  const bytes = new Uint8Array(HEADER + body.length)
  writeHeader(bytes, 0, kind, flags, type, lane, seq, ack)
  bytes.set(body, HEADER)
  return bytes
}

/** `n` bytes that differ from those of another salt. */
export function filled(n: number, salt = 0): Uint8Array {
  const bytes = new Uint8Array(n)
  for (let i = 0; i < n; i += 97) bytes[i] = (i * 7 + salt) & 0xff
  if (n > 0) bytes[n - 1] = salt & 0xff
  return bytes
}

/** A way out whose frames are looked at. */
export class Out implements LaneSink {
  readonly frames: Frame[] = []
  readonly rooms: number[] = []
  readonly sequence = new Sequence()
  readonly lanes = new Outgoing(this.sequence, this)
  /** How many frames may be written still. */
  takes = Infinity

  readonly frame: LaneSink['frame'] = (kind, flags, type, lane, seq, body, from, to) => {
    this.takes--
    this.frames.push({ kind, flags, type, lane, seq, body: body.subarray(from, to) })
  }

  room(): number {
    return Math.max(0, this.takes)
  }

  onRoom(lane: number): void {
    this.rooms.push(lane)
  }

  /** Sends an event of `n` bytes, unless another kind is named. */
  put(lane: number, n: number, kind = EVENT, flags = 0): ReturnType<Outgoing['put']> {
    return this.lanes.put(lane, kind, flags, 0, filled(n), 0)
  }

  pump(takes = Infinity): void {
    this.takes = takes
    this.lanes.pump(0)
  }

  /** What was written since the last look: `EVENT 1: 100`, with a `+` if more follows. */
  get log(): string[] {
    return this.frames
      .splice(0)
      .map(
        (one) =>
          `${nameOfKind(one.kind)} ${one.lane}: ${one.body.length}${(one.flags & MORE) === 0 ? '' : '+'}`,
      )
  }
}

/** A way in that is fed frame by frame, each checked by itself first, as they come from a pipe. */
export class In {
  readonly lanes: Incoming
  readonly sequence = new Sequence()
  readonly header = new Header()
  #seq = 0

  constructor(maxMessage = 1024 * 1024) {
    this.lanes = new Incoming(maxMessage)
  }

  take(bytes: Uint8Array): Uint8Array | undefined {
    this.header.read(bytes)
    return this.lanes.chunk(this.header, bytes)
  }

  /** A frame with `n` bytes of body comes. */
  got(lane: number, n: number, kind = EVENT, flags = 0, type = 0): Uint8Array | undefined {
    const seq = kind === VOLATILE || kind === TABLE ? 0 : ++this.#seq
    const body = (flags & HEADERS) === 0 ? filled(n, this.#seq) : new Uint8Array(n)
    return this.take(payload({ kind, flags, type, lane, seq, body }))
  }

  /** `n` bytes of body come in chunks of `chunk`; all but the last of them with MORE. */
  cut(lane: number, n: number, chunk: number, kind = EVENT): Uint8Array | undefined {
    for (let left = n; left > chunk; left -= chunk) this.got(lane, chunk, kind, MORE)
    return this.got(lane, n % chunk || chunk, kind)
  }

  /** The limits that are due. */
  get credits(): [lane: number, limit: number][] {
    const limits: [number, number][] = []
    this.lanes.credits((lane, limit) => limits.push([lane, limit]))
    return limits
  }
}

/** How long a chunk of `Far` is, header included. */
export const FAR_CHUNK = 32 * 1024

/** The far side: it knows the limits that it was told, and keeps to them. */
export class Far {
  readonly into: In
  readonly limits = new Map<number, number>()
  readonly #came = new Map<number, number>()

  constructor(lanes: readonly number[], window = 64 * 1024, maxMessage = 64 * 1024 * 1024) {
    this.into = new In(maxMessage)
    for (const lane of lanes) {
      this.into.lanes.open(lane, window)
      this.limits.set(lane, window)
    }
  }

  /** Hears what is due: the lanes, and what was told. */
  hear(): [lane: number, limit: number][] {
    const told = this.into.credits
    for (const [lane, limit] of told) this.limits.set(lane, limit)
    return told
  }

  /** One frame of so many bytes, header included. */
  frame(lane: number, bytes: number, kind = ITEM, flags = 0): Uint8Array | undefined {
    this.#came.set(lane, this.came(lane) + bytes)
    return this.into.got(lane, bytes - HEADER, kind, flags)
  }

  came(lane: number): number {
    return this.#came.get(lane) ?? 0
  }

  /** Chunks of one message, until no other fits. Returns how far the lane may go at last. */
  flood(lane: number, most = Infinity): number {
    const kind = lane < 4 ? EVENT : ITEM
    this.hear()
    for (let sent = 0; sent + FAR_CHUNK <= most; sent += FAR_CHUNK) {
      if (this.came(lane) + FAR_CHUNK > this.limit(lane)) break
      this.frame(lane, FAR_CHUNK, kind, MORE)
      this.hear()
    }
    return this.limit(lane)
  }

  limit(lane: number): number {
    return this.limits.get(lane) ?? 0
  }
}

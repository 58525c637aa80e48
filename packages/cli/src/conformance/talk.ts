/*
 * The scripted peer, from the handshake on. It sends what a case says, right or wrong, and holds whatever comes against
 * the rules that are the same in all cases: the table of frames, seq, ack, and that nothing stands behind a GOODBYE.
 */
import { jsonValue, readUint, same, uint } from './bytes.ts'
import { Failed } from './failed.ts'
import {
  codeIn,
  type Frame,
  frameOf,
  HEADER,
  KINDS,
  type KindName,
  MAX_BODY,
  misfit,
  MORE,
  nameOf,
  payloadOf,
  reason,
  shownFrame,
  type TypeEntry,
  typesIn,
} from './frame.ts'
import type { Greeting } from './hello.ts'
import type { Ending, Line } from './line.ts'

/** As the vectors have them, so that these can be sent as they are. */
export const TYPES: readonly TypeEntry[] = [
  ['call', 'add'],
  ['channel', 'chat'],
  ['feed', 'count'],
  ['msg', 'say'],
]
export const TYPE = { add: 0, chat: 1, count: 2, say: 3 } as const

export interface Sending {
  readonly flags?: number
  readonly type?: number
  /** As a dialer sees it: a listener has the even lane in the place of the odd one above it, and the other way round. */
  readonly lane?: number
  readonly body?: Uint8Array
  /** In the place of the next one. */
  readonly seq?: number
  /** In the place of what came last. */
  readonly ack?: number
}

/** What is carried over from one connection of a session to the next. */
export interface Counts {
  sent: number
  received: number
}

export class Talk {
  readonly line: Line
  /** HELLO or WELCOME of the other side. */
  readonly theirs: Greeting
  readonly counts: Counts
  /** All that came, but what was asked for by name. */
  readonly log: Frame[] = []
  their: readonly TypeEntry[] = TYPES
  /** Frames are not acknowledged, whatever comes. */
  mute = false
  readonly #dialed: boolean
  #acked: number
  #tellsTypes: boolean
  #tables: Uint8Array[] = []
  #saidGoodbye = false
  /** The first sequenced frame of a resumed session may be one that we have. */
  #again: boolean
  #ackSent = 0

  constructor(
    line: Line,
    theirs: Greeting,
    {
      dialed,
      tableDue,
      counts,
      acked = 0,
    }: { dialed: boolean; tableDue: boolean; counts?: Counts; acked?: number },
  ) {
    this.line = line
    this.theirs = theirs
    this.#dialed = dialed
    this.#tellsTypes = tableDue
    this.#again = counts !== undefined
    this.counts = counts ?? { sent: 0, received: 0 }
    this.#acked = acked
  }

  /** The highest ack that came. */
  get acked(): number {
    return this.#acked
  }

  lane(asDialer: number): number {
    return this.#dialed || asDialer < 4 ? asDialer : (asDialer ^ 1) >>> 0
  }

  // What is sent.

  send(kind: KindName | number, sending: Sending = {}): Frame {
    const frame = this.frame(kind, sending)
    this.#ackSent = frame.ack
    this.line.put(payloadOf(frame))
    return frame
  }

  frame(kind: KindName | number, { flags = 0, type = 0, lane = 0, body, seq, ack }: Sending = {}): Frame {
    const number = typeof kind === 'number' ? kind : KINDS[kind].number
    const sequenced = typeof kind === 'string' && KINDS[kind].sequenced
    const next = seq ?? (sequenced ? this.counts.sent + 1 : 0)
    // One that is out of order is not taken.
    if (next === this.counts.sent + 1) this.counts.sent = next
    return {
      kind: number,
      flags,
      type,
      lane: this.lane(lane),
      seq: next,
      ack: ack ?? (this.mute ? this.#ackSent : this.counts.received),
      body: body ?? new Uint8Array(0),
    }
  }

  ack(): void {
    this.send('ACK')
  }

  goodbye(code = ''): void {
    this.send('GOODBYE', { body: reason(code) })
    this.line.end()
  }

  // What comes.

  /** The next frame, or how the connection ended. */
  async next(what: string): Promise<Frame | Ending> {
    const payload = await this.line.payload(HEADER + MAX_BODY, what)
    if (typeof payload === 'string') return payload
    const frame = frameOf(payload)
    this.#check(frame)
    this.log.push(frame)
    return frame
  }

  /** The next frame that is one of these; others are passed by. Fails where the connection ends before. */
  async until<T>(what: string, pick: (frame: Frame) => T | undefined): Promise<T> {
    for (;;) {
      const frame = await this.next(what)
      if (typeof frame === 'string')
        throw new Failed(`${what} was due, and the connection ended${frame === 'end' ? '' : ' with a reset'}`)
      const found = pick(frame)
      if (found !== undefined) return found
      if (nameOf(frame) === 'GOODBYE')
        throw new Failed(`${what} was due, and GOODBYE ${codeIn(frame.body) || 'without a code'} came`)
    }
  }

  /** The next of these kinds, on this lane if one is given. */
  expect(kind: KindName | readonly KindName[], lane?: number): Promise<Frame> {
    const kinds: readonly string[] = typeof kind === 'string' ? [kind] : kind
    const on = lane === undefined ? undefined : this.lane(lane)
    const what = kinds.join(' or ') + (on === undefined ? '' : ` on lane ${on}`)
    return this.until(what, (frame) =>
      kinds.includes(nameOf(frame)) && (on === undefined || frame.lane === on) ? frame : undefined,
    )
  }

  /** A whole message of this kind on this lane: its body, chunks put together. */
  async message(kind: KindName, lane?: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = []
    for (;;) {
      const frame = await this.expect(kind, lane)
      parts.push(frame.body)
      if ((frame.flags & MORE) === 0) return Uint8Array.from(Buffer.concat(parts))
    }
  }

  /** What an event says; others than "say" are passed by. */
  async heard(): Promise<unknown> {
    const frame = await this.until('EVENT of the type "say"', (one) => {
      const named = nameOf(one) === 'EVENT' && this.their[one.type]?.[1] === 'say'
      return named ? one : undefined
    })
    return jsonValue(frame.body)
  }

  /** Whether it took all that came before: PING, and PONG with the same bytes. */
  async alive(): Promise<Frame> {
    const body = Uint8Array.from(Buffer.concat([uint(4, 0), uint(8, this.counts.sent + 1)]))
    this.send('PING', { body })
    return this.until('PONG with the bytes of the PING', (frame) =>
      nameOf(frame) === 'PONG' && same(frame.body, body) ? frame : undefined,
    )
  }

  /** It has to end the connection: GOODBYE with this code, then the end of its stream. */
  async ends(code: string | readonly string[] = 'PROTOCOL_ERROR'): Promise<void> {
    const codes = typeof code === 'string' ? [code] : code
    const due = `GOODBYE ${codes.map((one) => one || 'without a code').join(' or ')}`
    const bye = await this.until(due, (frame) => (nameOf(frame) === 'GOODBYE' ? frame : undefined))
    const got = codeIn(bye.body)
    if (!codes.includes(got)) throw new Failed(`${due} was due, and GOODBYE ${got || 'without a code'} came`)
    await this.streamEnds()
  }

  /** The end of its stream, and nothing before it. */
  async streamEnds(): Promise<void> {
    const after = await this.next('the end of the stream')
    if (typeof after !== 'string') throw new Failed(`${shownFrame(after)} came where the stream was to end`)
    if (after === 'reset') throw new Failed('the connection was reset where the stream was to end')
  }

  /** TABLEs are there, whole. */
  async tables(): Promise<readonly TypeEntry[]> {
    while (this.#tellsTypes) await this.expect('TABLE')
    return this.their
  }

  #check(frame: Frame): void {
    const wrong = (why: string): never => {
      throw new Failed(`${shownFrame(frame)} came: ${why}`)
    }
    const why = misfit(frame)
    if (why !== undefined) wrong(why)
    if (this.#saidGoodbye) wrong('it stands behind GOODBYE')
    const name = nameOf(frame)
    const { ack, seq, body } = frame
    if (ack < this.#acked) wrong(`its ack goes back, from ${this.#acked}`)
    if (ack > this.counts.sent)
      wrong(`it acknowledges ${ack}, and ${this.counts.sent} was the last that was sent`)
    this.#acked = ack
    if (name === 'GOODBYE') this.#saidGoodbye = true
    // Who gives up the connection says so before anything else.
    if (this.#tellsTypes && name !== 'TABLE' && name !== 'GOODBYE') wrong('a TABLE was due before it')
    if (!this.#tellsTypes && name === 'TABLE') wrong('no TABLE was due')
    if (name === 'TABLE') this.#onTable(frame)
    if (seq === 0) return
    if (this.#again && seq <= this.counts.received) wrong('it was received before')
    this.#again = false
    if (seq !== this.counts.received + 1) wrong(`the last seq was ${this.counts.received}`)
    this.counts.received = seq
    if (body.length > MAX_BODY) wrong('it is too long')
  }

  #onTable({ body, flags }: Frame): void {
    this.#tables.push(body)
    if ((flags & MORE) !== 0) return
    this.#tellsTypes = false
    this.their = typesIn(Uint8Array.from(Buffer.concat(this.#tables)))
  }
}

/** What CREDIT says: limits by lane. */
export function creditsIn({ body }: Frame): Map<number, number> {
  const limits = new Map<number, number>()
  for (let at = 0; at < body.length; at += 12)
    limits.set(readUint(body.subarray(at, at + 4)), readUint(body.subarray(at + 4, at + 12)))
  return limits
}

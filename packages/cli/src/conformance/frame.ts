/** The frames of PROTOCOL.md: the header of 24 bytes, and its table. */
import { join, readUint, sized, uint, utf8Bytes } from './bytes.ts'
import { Failed } from './failed.ts'

export const HEADER = 24
export const MAX_BODY = 65_536
export const [MORE, HEADERS, DEADLINE] = [1, 2, 4]

export interface Frame {
  readonly kind: number
  readonly flags: number
  readonly type: number
  readonly lane: number
  readonly seq: number
  readonly ack: number
  readonly body: Uint8Array
}

interface Row {
  readonly number: number
  readonly sequenced: boolean
  readonly lanes: 'none' | 'events' | 'own' | 'any'
  readonly flags: number
  readonly typed?: boolean
  readonly empty?: boolean
}

const row = (number: number, sequenced: boolean, lanes: Row['lanes'], flags: number): Row => ({
  number,
  sequenced,
  lanes,
  flags,
})

export const KINDS = {
  EVENT: { ...row(0x01, true, 'events', MORE | HEADERS), typed: true },
  REQUEST: { ...row(0x02, true, 'own', MORE | HEADERS | DEADLINE), typed: true },
  REPLY: row(0x03, true, 'own', MORE),
  ERROR: row(0x04, true, 'own', MORE),
  OPEN: { ...row(0x05, true, 'own', MORE | HEADERS | DEADLINE), typed: true },
  ITEM: row(0x06, true, 'own', MORE),
  END: { ...row(0x07, true, 'own', 0), empty: true },
  RESET: row(0x08, true, 'own', MORE),
  CANCEL: { ...row(0x09, true, 'own', 0), empty: true },
  DONE: row(0x0a, true, 'any', 0),
  ACK: { ...row(0x10, false, 'none', 0), empty: true },
  CREDIT: row(0x11, false, 'none', 0),
  TABLE: row(0x12, false, 'none', MORE),
  PING: row(0x18, false, 'none', 0),
  PONG: row(0x19, false, 'none', 0),
  GOAWAY: row(0x1a, false, 'none', 0),
  GOODBYE: row(0x1b, false, 'none', 0),
  VOLATILE: { ...row(0x1c, false, 'events', MORE | HEADERS), typed: true },
} as const satisfies Record<string, Row>

export type KindName = keyof typeof KINDS

const BY_NUMBER = new Map(Object.entries(KINDS).map(([name, one]) => [one.number, name as KindName]))

export const nameOf = ({ kind }: Frame): string => BY_NUMBER.get(kind) ?? `kind 0x${kind.toString(16)}`

export const payloadOf = ({ kind, flags, type, lane, seq, ack, body }: Frame): Uint8Array =>
  join(uint(1, kind), uint(1, flags), uint(2, type), uint(4, lane), uint(8, seq), uint(8, ack), body)

export function frameOf(payload: Uint8Array): Frame {
  if (payload.length < HEADER)
    throw new Failed(`a frame of ${payload.length} bytes came: a header has ${HEADER}`)
  const at = (from: number, to: number): number => readUint(payload.subarray(from, to))
  return {
    kind: at(0, 1),
    flags: at(1, 2),
    type: at(2, 4),
    lane: at(4, 8),
    seq: at(8, 16),
    ack: at(16, 24),
    body: payload.slice(HEADER),
  }
}

const LANES: Record<Row['lanes'], (lane: number) => boolean> = {
  none: (lane) => lane === 0,
  events: (lane) => lane <= 3,
  own: (lane) => lane >= 4,
  any: () => true,
}

/** What the table of frames has against this one, which came; nothing of what came before it. */
export function misfit(frame: Frame): string | undefined {
  const name = BY_NUMBER.get(frame.kind)
  if (name === undefined) return (frame.kind & 0x40) === 0 ? 'its kind is unknown' : undefined
  const table: Row = KINDS[name]
  if ((frame.flags & ~table.flags) !== 0) return `its flags are 0x${frame.flags.toString(16)}`
  if (table.sequenced !== frame.seq > 0) return `its seq is ${frame.seq}`
  if (table.typed !== true && frame.type !== 0) return `its type is ${frame.type}`
  if (!LANES[table.lanes](frame.lane)) return `its lane is ${frame.lane}`
  if (frame.body.length > MAX_BODY) return `its body has ${frame.body.length} bytes`
  if (table.empty === true && frame.body.length > 0) return 'its body is not empty'
  if ((frame.flags & MORE) !== 0 && frame.body.length === 0) return 'it is a chunk of nothing'
  return undefined
}

// Bodies.

export const reason = (code: string): Uint8Array => sized(1, utf8Bytes(code))
export const fault = (code: string, text = '', data: Uint8Array = new Uint8Array(0)): Uint8Array =>
  join(reason(code), sized(2, utf8Bytes(text)), data)
export const credit = (...pairs: readonly (readonly [lane: number, limit: number])[]): Uint8Array =>
  join(...pairs.map(([lane, limit]) => join(uint(4, lane), uint(8, limit))))
export const slot = (headers: Readonly<Record<string, string>>): Uint8Array =>
  sized(
    2,
    join(
      ...Object.entries(headers).map(([key, text]) =>
        join(sized(1, utf8Bytes(key)), sized(2, utf8Bytes(text))),
      ),
    ),
  )

const TYPE_KINDS = ['msg', 'call', 'feed', 'channel']
export type TypeEntry = readonly [kind: string, name: string]

export const table = (types: readonly TypeEntry[]): Uint8Array =>
  join(
    uint(2, types.length),
    ...types.map(([kind, name]) =>
      join(uint(1, TYPE_KINDS.indexOf(kind) + 1), sized(1, utf8Bytes(name)), new Uint8Array(8)),
    ),
  )

/** Of a TABLE that is whole. */
export function typesIn(body: Uint8Array): TypeEntry[] {
  const types: TypeEntry[] = []
  let at = 2
  while (at < body.length) {
    const length = body[at + 1] ?? 0
    const name = Buffer.from(body.subarray(at + 2, at + 2 + length)).toString()
    types.push([TYPE_KINDS[(body[at] ?? 0) - 1] ?? `kind ${String(body[at])}`, name])
    at += 2 + length + 8
  }
  if (types.length !== readUint(body.subarray(0, 2)) || at !== Math.max(2, body.length))
    throw new Failed('a TABLE came whose count and entries differ')
  return types
}

/** The code of a GOODBYE, or of the fault of an ERROR or RESET. */
export const codeIn = (body: Uint8Array): string =>
  Buffer.from(body.subarray(1, 1 + (body[0] ?? 0))).toString()

/** The data behind a fault. */
export function faultData(body: Uint8Array): Uint8Array {
  const at = 1 + (body[0] ?? 0)
  return body.subarray(at + 2 + readUint(body.subarray(at, at + 2)))
}

export const shownFrame = (frame: Frame): string => {
  const { lane, seq, ack, body } = frame
  const name = nameOf(frame)
  const end = name === 'GOODBYE' || name === 'ERROR' || name === 'RESET' ? ` ${codeIn(body)}` : ''
  return `${name}${end} (lane ${lane}, seq ${seq}, ack ${ack}, ${body.length} bytes)`
}

/** The body of GOAWAY. */
export const goaway = (delay: number, code: string): Uint8Array => join(uint(4, delay), reason(code))

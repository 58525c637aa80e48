import { fail, SockError } from '../../errors.ts'
import { Held } from '../../wire/held.ts'
import { decodeGoodbye, decodeTable, MAX_TYPES } from '../../wire/v1/bodies.ts'
import { GOODBYE, HEADER, Header, MAX_CHUNK, MORE, nameOfKind, TABLE } from '../../wire/v1/frame.ts'
import type { Offer } from '../../wire/v1/hello.ts'
import { equal, keyOf } from '../../wire/v1/resumption.ts'
import { FarTypes } from './far-types.ts'
import type { Terms } from './greeted.ts'
import { controlFrame, type HandshakePipe } from './handshake-pipe.ts'
import { Duplicate } from './twins.ts'

const NOTHING = new Uint8Array(0)

/** The longest TABLE, all chunks together: as many types as there may be, each with the longest name. */
const MAX_TABLE = 2 + MAX_TYPES * (1 + 1 + 255 + 8)

/** Up to where each side has received, as it told in the handshake: 0 in a new session. */
export interface Positions {
  readonly ours: number
  readonly theirs: number
}

/** Two that have different contracts tell each other what is in theirs. */
export async function exchangeTables(
  pipe: HandshakePipe,
  { contract, offer, table }: Terms,
  { fingerprint, nodeId }: Offer,
  { ours, theirs }: Positions,
  address: string,
): Promise<FarTypes> {
  if (equal(fingerprint, offer.fingerprint)) return new FarTypes(contract)
  await pipe.write(...tableFrames(table, ours))
  const header = new Header()
  const held = new Held()
  held.add(new Uint8Array(HEADER), 0, HEADER, MAX_TABLE)
  for (;;) {
    const payload = await pipe.frame(HEADER + MAX_CHUNK, (n) =>
      fail('PROTOCOL_ERROR', `a frame of ${n} bytes where TABLE is due`),
    )
    header.read(payload)
    if (header.kind === GOODBYE) left(nodeId, decodeGoodbye(payload), address)
    if (header.kind !== TABLE)
      fail('PROTOCOL_ERROR', `${nameOfKind(header.kind)} where TABLE is due`, { address })
    if (header.ack !== theirs)
      fail('PROTOCOL_ERROR', `a TABLE with the ack ${header.ack}, and ${theirs} had come`, { address })
    const room = HEADER + MAX_TABLE - held.length
    if (payload.length - HEADER > room) fail('PROTOCOL_ERROR', `a TABLE of more than ${MAX_TABLE} bytes`)
    // However many chunks it is in, they take what they hold.
    held.add(payload, HEADER, payload.length, room)
    if ((header.flags & MORE) === 0) break
  }
  return new FarTypes(contract, decodeTable(held.take(NOTHING, 0, 0)))
}

/** The far side said GOODBYE where something else was due. */
function left(nodeId: Uint8Array, code: string, address: string): never {
  if (code === 'DUPLICATE') throw new Duplicate(keyOf(nodeId), address)
  throw new SockError('PEER_GONE', `the far side ended the connection during the handshake: ${code}`, {
    address,
  })
}

/** A TABLE as payloads of frames. */
function tableFrames(table: Uint8Array, ack: number): Uint8Array[] {
  const frames: Uint8Array[] = []
  let at = 0
  do {
    const chunk = table.subarray(at, at + MAX_CHUNK)
    at += chunk.length
    frames.push(controlFrame(TABLE, at < table.length ? MORE : 0, ack, chunk))
  } while (at < table.length)
  return frames
}

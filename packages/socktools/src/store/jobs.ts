import type { SockError } from '../errors.ts'
import { type Account, type Entry, rangesOf } from './ledger.ts'
import { addCursor, addSettle, appendSize, type Names } from './payloads.ts'
import type { Batch } from './record.ts'

/** What is to be written down, and who waits for it. */
interface Settling {
  readonly reject: (error: SockError) => void
}

/** A class, since there are many of them: all of one shape. */
export class AppendJob implements Settling {
  readonly kind = 'append'
  /** Its number, and where it is in its segment: as long as its batch is on its way. */
  n = 0
  offset = 0
  /** It counts as queued. */
  waits = true
  readonly peer: string
  readonly peerBytes: Uint8Array
  readonly typeBytes: Uint8Array
  readonly payload: Uint8Array
  readonly at: number
  /** Of its whole record. */
  readonly bytes: number
  readonly due: number | undefined
  readonly resolve: (n: number) => void
  readonly reject: (error: SockError) => void

  constructor(
    peer: string,
    peerBytes: Uint8Array,
    typeBytes: Uint8Array,
    payload: Uint8Array,
    at: number,
    due: number | undefined,
    resolve: (n: number) => void,
    reject: (error: SockError) => void,
  ) {
    this.peer = peer
    this.peerBytes = peerBytes
    this.typeBytes = typeBytes
    this.payload = payload
    this.at = at
    this.bytes = appendSize(peerBytes, typeBytes, payload)
    this.due = due
    this.resolve = resolve
    this.reject = reject
  }
}

/** It is true in memory already: what is left is to write it down. */
export interface SettleJob extends Settling {
  readonly kind: 'settle'
  readonly account: Account
  readonly entry: Entry
  readonly resolve: () => void
}

export interface CursorJob extends Settling {
  readonly kind: 'cursor'
  readonly id: string
  readonly n: number
  readonly resolve: () => void
}

export type NoteJob = SettleJob | CursorJob
export type Job = AppendJob | NoteJob

/** Writes down outcomes and cursors: as few records as say all of it. */
export function addNotes(batch: Batch, notes: readonly NoteJob[], names: Names, salt: number): void {
  const settled = new Map<Account, number[]>()
  const cursors = new Map<string, number>()
  for (const note of notes) {
    if (note.kind === 'cursor') cursors.set(note.id, Math.max(note.n, cursors.get(note.id) ?? 0))
    else {
      const own = settled.get(note.account)
      if (own === undefined) settled.set(note.account, [note.entry.n])
      else own.push(note.entry.n)
    }
  }
  for (const [id, n] of cursors) addCursor(batch, id, n, salt)
  for (const [account, own] of settled) {
    const name = names.bytes(account.name)
    for (const [from, to] of rangesOf(own.sort((a, b) => a - b))) addSettle(batch, name, from, to, salt)
  }
}

import { fail } from '../errors.ts'
import type { Disk } from '../platform/disk.ts'
import { type Head, readHead } from './head.ts'
import { Ledger } from './ledger.ts'
import { readAppend, readCursor, readSettle } from './payloads.ts'
import { type Crc32, hasMark, type RawRecord, readRecord, RECORD } from './record.ts'

const SEGMENT = /^(\d{12})\.seg$/

export const segmentName = (number: number): string => `${String(number).padStart(12, '0')}.seg`

/** A segment that was found. */
export interface Found {
  readonly number: number
  readonly salt: number
  /** How many of its bytes count. */
  readonly end: number
  /** How many it has. */
  readonly size: number
}

export interface Recovered {
  readonly id: string
  readonly ledger: Ledger
  /** In their order; the last one is written to. */
  readonly segments: readonly Found[]
  /** Older ones in which nothing counts any more. */
  readonly garbage: readonly number[]
  /** What the last segment has after its end: zeros that were put there for later, or a write that was cut short. */
  readonly tail: 'nothing' | 'zeros' | 'torn'
}

/**
 * Reads a store and changes nothing. Undefined where there is none. Throws STORE_CORRUPT when what lies there is not
 * what was written: damage anywhere but in the last batch, which a crash may have cut short.
 */
export async function recover(disk: Disk, directory: string): Promise<Recovered | undefined> {
  const numbers = (await disk.list(directory))
    .flatMap((name) => SEGMENT.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b)
  const lastNumber = numbers.at(-1)
  if (lastNumber === undefined) return undefined

  const last = await readSegment(disk, directory, lastNumber)
  const { id, segments } = last.head
  const ledger = new Ledger()
  for (const [cursor, n] of last.head.cursors) ledger.cursors.set(cursor, n)
  const waiting = expected(last.head, ledger)

  // Of those before it, only the messages in them that are pending count.
  const ends = new Map(segments)
  const found: Found[] = []
  for (const number of numbers) {
    const end = ends.get(number)
    if (end === undefined) continue
    const older = await readSegment(disk, directory, number)
    if (older.head.id !== id) corrupt(number, 0, 'it is of another store')
    if (end > older.bytes.length) corrupt(number, older.bytes.length, `${end} bytes were written`)
    const read = readRecords(older, end, disk.crc32, (record) => {
      if (record.type === RECORD.append) waiting.place(number, record)
    })
    if (read !== end) corrupt(number, read, 'a record is damaged')
    found.push({ number, salt: older.head.salt, end, size: older.bytes.length })
  }

  waiting.enter()
  const end = readRecords(last, last.bytes.length, disk.crc32, (record) => {
    replay(ledger, waiting, lastNumber, record)
  })
  waiting.check()
  for (const account of ledger.peers.values()) account.recovered = account.last
  const tail = tailOf(last.bytes, end)
  if (tail === 'torn' && hasMark(last.bytes, end + 1, last.head.salt, disk.crc32))
    corrupt(lastNumber, end, 'a record is damaged, and others were written after it')
  found.push({ number: lastNumber, salt: last.head.salt, end, size: last.bytes.length })
  const garbage = numbers.filter((number) => number !== lastNumber && !ends.has(number))
  return { id, ledger, segments: found, garbage, tail }
}

export function corrupt(segment: number, at: number, what: string): never {
  fail('STORE_CORRUPT', `${segmentName(segment)}, at byte ${at}: ${what}`)
}

interface Segment {
  readonly bytes: Uint8Array
  readonly head: Head
  /** Where the head ends. */
  readonly from: number
}

async function readSegment(disk: Disk, directory: string, number: number): Promise<Segment> {
  const file = await disk.open(`${directory}/${segmentName(number)}`, 'read')
  try {
    const bytes = new Uint8Array(await file.size())
    const size = await file.read(bytes, 0)
    const read = readHead(bytes.subarray(0, size), disk.crc32)
    if (typeof read === 'string') corrupt(number, 0, read)
    if (read.head.number !== number) corrupt(number, 0, `it is segment ${read.head.number}`)
    return { bytes: bytes.subarray(0, size), head: read.head, from: read.end }
  } finally {
    await file.close()
  }
}

/** Gives each valid record up to `end`; returns where they end. */
function readRecords(
  { bytes, head, from }: Segment,
  end: number,
  crc32: Crc32,
  visit: (record: RawRecord) => void,
): number {
  const within = bytes.subarray(0, end)
  let at = from
  for (;;) {
    const record = readRecord(within, at, head.salt, crc32)
    if (record === undefined) return at
    visit(record)
    at = record.end
  }
}

function tailOf(bytes: Uint8Array, end: number): Recovered['tail'] {
  if (end === bytes.length) return 'nothing'
  return bytes.subarray(end).every((byte) => byte === 0) ? 'zeros' : 'torn'
}

type Waiting = ReturnType<typeof expected>

/** The messages that are pending by a head, and where they are found. */
function expected(head: Head, ledger: Ledger) {
  interface Place {
    readonly at: number
    readonly bytes: number
    readonly segment: number
    readonly offset: number
  }
  const places = new Map<string, Map<number, Place | undefined>>()
  for (const { name, last, pending } of head.peers) {
    ledger.account(name).last = last
    const own = new Map<number, Place | undefined>()
    for (const [from, to] of pending) for (let n = from; n <= to; n++) own.set(n, undefined)
    places.set(name, own)
  }
  /** Those that the older segments did not have: a later copy may still come. */
  const missing = new Map<string, Set<number>>()
  return {
    missing,
    place(segment: number, record: RawRecord): void {
      const append = readAppend(record)
      if (append === undefined) corrupt(segment, record.at, 'a message cannot be read')
      const own = places.get(append.peer)
      if (own?.has(record.n) === true)
        own.set(record.n, { at: append.at, bytes: record.end - record.at, segment, offset: record.at })
    },
    /** Into the ledger, in the order of n. */
    enter(): void {
      for (const [name, own] of places) {
        const account = ledger.account(name)
        for (const [n, place] of own) {
          if (place === undefined) {
            let lost = missing.get(name)
            if (lost === undefined) missing.set(name, (lost = new Set()))
            lost.add(n)
            // It has its place among the others.
            ledger.add(account, { n, at: 0, bytes: 0, due: undefined, segment: 0, offset: 0 })
          } else ledger.add(account, { n, ...place, due: undefined })
        }
      }
    },
    check(): void {
      for (const [name, lost] of missing) {
        const [n] = lost
        if (n !== undefined)
          fail('STORE_CORRUPT', `message ${n} to ${name} is pending, and the segment that had it is gone`)
      }
    },
  }
}

/** A record of the last segment, on top of what its head says. */
function replay(ledger: Ledger, waiting: Waiting, segment: number, record: RawRecord): void {
  const { type, n } = record
  if (type === RECORD.append) {
    const append = readAppend(record)
    if (append === undefined) corrupt(segment, record.at, 'a message cannot be read')
    const account = ledger.account(append.peer)
    const place = { bytes: record.end - record.at, segment, offset: record.at }
    const entry = { n, at: append.at, due: undefined, ...place }
    if (n === account.last + 1) ledger.add(account, entry)
    else if (n > account.last) corrupt(segment, record.at, `after message ${account.last} comes ${n}`)
    else {
      // Moved here from an older segment.
      const old = account.pending.get(n)
      if (old === undefined) return
      ledger.pendingBytes += entry.bytes - old.bytes
      account.pending.set(n, entry)
      waiting.missing.get(append.peer)?.delete(n)
    }
  } else if (type === RECORD.settle) {
    const settle = readSettle(record)
    if (settle === undefined) corrupt(segment, record.at, 'an outcome cannot be read')
    const account = ledger.account(settle.peer)
    for (let i = n; i <= Math.min(settle.to, account.last); i++) {
      ledger.settle(account, i)
      waiting.missing.get(settle.peer)?.delete(i)
    }
  } else if (type === RECORD.cursor) {
    const id = readCursor(record)
    if (id === undefined) corrupt(segment, record.at, 'a cursor cannot be read')
    ledger.advance(id, n)
  } else if (type !== RECORD.mark) corrupt(segment, record.at, `nobody knows a record of type ${type}`)
}

import type { Disk } from '../platform/disk.ts'
import { nodeDisk } from '../platform/node-disk.ts'
import { fail, type SockError } from '../errors.ts'
import { MessageReader } from './read.ts'
import { recover, type Recovered, segmentName } from './recover.ts'
import { codeOf } from './segments.ts'
import type { PeerStats, Stored } from './types.ts'

export interface InspectedSegment {
  readonly name: string
  /** Bytes that count, and bytes that it has. */
  readonly bytes: number
  readonly size: number
  /** Messages in it that are pending. */
  readonly pending: number
}

/** A store, as it lies on the disk. */
export interface Inspection {
  /** 32 hex digits. */
  readonly id: string
  /** In the order of their names. */
  readonly peers: readonly PeerStats[]
  /** By the id of the sending store: the highest n taken from it. */
  readonly cursors: ReadonlyMap<string, number>
  readonly segments: readonly InspectedSegment[]
  /** Bytes at its end of a write that was cut short: nobody was told that it is durable. */
  readonly torn: number
  /** What is pending for a peer, in order. */
  readonly pending: (peer: string) => AsyncIterableIterator<Stored>
}

/**
 * Looks at a store without opening it: takes no lock and changes nothing, so a process may have it open; then what is
 * told is of some moment in between. Every record is verified. Throws STORE_CORRUPT when it is damaged, UNSUPPORTED
 * when another version wrote it, STORE_FAILED when there is none or it cannot be read.
 */
export async function inspect(
  directory: string,
  { disk = nodeDisk }: { disk?: Disk } = {},
): Promise<Inspection> {
  const found = await read(disk, directory)
  const { id, ledger, segments, tail } = found
  const last = segments.at(-1)
  const counts = new Map<number, number>()
  const peers = Array.from(ledger.peers.values(), ({ name, last, pending }): PeerStats => {
    let pendingBytes = 0
    for (const { bytes, segment } of pending.values()) {
      pendingBytes += bytes
      counts.set(segment, (counts.get(segment) ?? 0) + 1)
    }
    return { peer: name, pending: pending.size, pendingBytes, last }
  })
  return {
    id,
    peers: peers.sort((a, b) => (a.peer < b.peer ? -1 : 1)),
    cursors: ledger.cursors,
    segments: segments.map(({ number, end, size }) => ({
      ...{ name: segmentName(number), bytes: end, size },
      pending: counts.get(number) ?? 0,
    })),
    torn: last !== undefined && tail === 'torn' ? last.size - last.end : 0,
    pending: (peer) => messages(disk, directory, found, peer),
  }
}

/**
 * A process that has it open may remove a file that we are about to read, or write two batches while we read one piece:
 * then all is read anew. What is damaged looks the same twice.
 */
async function read(disk: Disk, directory: string): Promise<Recovered> {
  let before: unknown
  for (let left = 5; ; left--) {
    try {
      const found = await recover(disk, directory)
      if (found !== undefined) return found
    } catch (error) {
      const again = codeOf(error) === 'ENOENT' && (await isThere(disk, directory))
      if (codeOf(error) === 'STORE_CORRUPT') {
        const { message } = error as SockError
        if (left === 0 || message === before) throw error
        before = message
      } else if (codeOf(error) === 'UNSUPPORTED') throw error
      else if (left === 0 || !again) fail('STORE_FAILED', `${directory} cannot be read`, { cause: error })
      continue
    }
    fail('STORE_FAILED', `there is no store in ${directory}`)
  }
}

const isThere = (disk: Disk, directory: string): Promise<boolean> =>
  disk.list(directory).then(
    () => true,
    () => false,
  )

async function* messages(
  disk: Disk,
  directory: string,
  { ledger, segments }: Recovered,
  peer: string,
): AsyncGenerator<Stored, undefined, undefined> {
  const reader = new MessageReader(async (segment, offset, length) => {
    const file = await disk.open(`${directory}/${segmentName(segment)}`, 'read')
    try {
      const end = segments.find(({ number }) => number === segment)?.end ?? offset
      const into = new Uint8Array(Math.min(length, end - offset))
      return into.subarray(0, await file.read(into, offset))
    } finally {
      await file.close()
    }
  }, disk.crc32)
  const salts = new Map(segments.map(({ number, salt }) => [number, salt]))
  for (const [n, entry] of ledger.peers.get(peer)?.pending ?? []) {
    const salt = salts.get(entry.segment) ?? 0
    const { type, payload } = await reader.message(peer, n, entry, salt)
    yield { n, type, payload: payload.slice(), at: entry.at, redelivered: true }
  }
  return undefined
}

import { SockError } from '../errors.ts'
import type { Platform } from '../platform/platform.ts'
import type { Ledger } from './ledger.ts'
import { addAppend, type Names, readAppend } from './payloads.ts'
import { addMark, type Batch, readRecord, RECORD } from './record.ts'
import type { Segment, Segments } from './segments.ts'

/*
 * Some message that waits for long keeps each segment, of which most no longer counts: the messages of the emptiest
 * one move to the end. Their ids stay.
 */

interface CompactParts {
  readonly segments: Segments
  readonly ledger: Ledger
  readonly names: Names
  readonly platform: Pick<Platform, 'disk'>
}

/** Of those that are not written to any more, where more than half no longer counts. */
export const emptiest = (segments: Segments): Segment | undefined =>
  [...segments.all.values()]
    .filter((one) => one !== segments.current && one.liveBytes < one.size / 2)
    .sort((a, b) => a.liveBytes / a.size - b.liveBytes / b.size)[0]

/** Moves all messages of a segment that wait to the end of the current one, with one sync. Throws DiskFull. */
export async function moveOut(
  from: Segment,
  { segments, ledger, names, platform }: CompactParts,
  batch: Batch,
): Promise<void> {
  const { current } = segments
  const entries = [...ledger.peers.values()].flatMap(({ pending }) =>
    [...pending.values()].filter(({ segment }) => segment === from.number),
  )
  const bytes = await segments.read(from.number, 0, from.end)
  batch.clear()
  addMark(batch, current.end, current.salt)
  const offsets = entries.map(({ n, offset }) => {
    const record = readRecord(bytes, offset, from.salt, platform.disk.crc32)
    const append = record?.type === RECORD.append ? readAppend(record) : undefined
    if (append === undefined) throw new SockError('STORE_CORRUPT', `message ${n} was damaged on the disk`)
    const { peer, type, at, payload } = append
    const added = current.end + batch.length
    addAppend(batch, n, at, names.bytes(peer), names.bytes(type), payload, current.salt)
    return added
  })
  await segments.append(batch.bytes)
  for (const [i, entry] of entries.entries()) {
    entry.segment = current.number
    entry.offset = offsets[i] ?? 0
    from.live--
    from.liveBytes -= entry.bytes
    current.live++
    current.liveBytes += entry.bytes
  }
}

import { asSockError, fail, SockError } from '../errors.ts'
import type { DiskLock } from '../platform/disk.ts'
import type { Platform } from '../platform/platform.ts'
import { newSalt, writeHead } from './head.ts'
import { Ledger } from './ledger.ts'
import { ID_BYTES, idText } from './payloads.ts'
import { recover } from './recover.ts'
import { codeOf, DiskFull, isFull, Segments } from './segments.ts'

export interface Opened {
  readonly id: string
  readonly ledger: Ledger
  readonly segments: Segments
  readonly lock: DiskLock
}

/** Takes the lock of a directory, and the store in it, or makes one. */
export async function openFiles(
  platform: Pick<Platform, 'disk' | 'randomBytes'>,
  directory: string,
): Promise<Opened> {
  const { disk } = platform
  const lock = await locked(platform, directory)
  const segments = new Segments(disk, directory)
  try {
    for (const name of await disk.list(directory))
      if (name.endsWith('.tmp')) await disk.remove(`${directory}/${name}`)
    const found = await recover(disk, directory)
    if (found === undefined) return { lock, segments, ...(await made(platform, segments)) }
    const { id, ledger, tail, garbage } = found
    await segments.takeOver(found.segments, tail)
    await segments.remove(garbage)
    for (const { pending } of ledger.peers.values()) {
      for (const { segment, bytes } of pending.values()) {
        const own = segments.all.get(segment)
        if (own === undefined) continue
        own.live++
        own.liveBytes += bytes
      }
    }
    await segments.sweep()
    return { lock, segments, id, ledger }
  } catch (error) {
    await segments.close().catch(() => undefined)
    await lock.release().catch(() => undefined)
    throw error instanceof DiskFull ? full(directory) : failed(error, directory)
  }
}

async function locked({ disk }: Pick<Platform, 'disk'>, directory: string): Promise<DiskLock> {
  try {
    await disk.makeDirectory(directory)
    return await disk.lock(directory)
  } catch (error) {
    if (isFull(error))
      throw new SockError('OUTBOX_FULL', `the disk is full, and ${directory} cannot be locked`)
    if (codeOf(error) !== 'ELOCKED') throw failed(error, directory)
    return fail('STORE_LOCKED', `${directory} is open already`, { cause: error })
  }
}

async function made(
  { disk, randomBytes }: Pick<Platform, 'disk' | 'randomBytes'>,
  segments: Segments,
): Promise<{ id: string; ledger: Ledger }> {
  const id = idText(randomBytes(ID_BYTES))
  const salt = newSalt(randomBytes)
  const head = { id, number: 1, salt, segments: [], cursors: [], peers: [] }
  await segments.begin(1, salt, writeHead(head, disk.crc32))
  return { id, ledger: new Ledger() }
}

const failed = (error: unknown, directory: string): SockError =>
  asSockError(error, 'STORE_FAILED', `${directory} cannot be opened`)

const full = (directory: string): SockError =>
  new SockError('OUTBOX_FULL', `the disk is full, and there is no store in ${directory} yet`)

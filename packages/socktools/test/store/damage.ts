/** A log that was damaged at rest: cut at every byte, each bit of it flipped. */
import assert from 'node:assert/strict'
import { type Disk, inspect, type Store } from '../../src/store/index.ts'
import { nodeDisk } from '../../src/platform/node-disk.ts'
import { SimDisk } from '../../src/testing/index.ts'
import { content, DIR, FAR, openOn, PEERS, pendingOf, sizes, xoshiro128 } from '../support/store.ts'

export interface Log {
  readonly files: ReadonlyMap<string, Uint8Array>
  /** Each message that was ever accepted. */
  readonly sent: ReadonlyMap<string, Map<number, string>>
  /** Those that are pending. */
  readonly pending: ReadonlyMap<string, Map<number, string>>
  readonly cursor: number
}

/** A log of some `bytes`, in several segments if it is large; not closed: as a killed process leaves it. */
export async function makeLog(seed: number, bytes: number, closed: boolean): Promise<Log> {
  const random = xoshiro128(seed)
  const disk = new SimDisk({ random })
  const store = await openOn(disk, random)
  const sent = new Map<string, Map<number, string>>(PEERS.map((peer) => [peer, new Map()]))
  let [serial, cursor] = [0, 0]
  while (logSize(disk) < bytes) {
    const peer = PEERS[Math.floor(random() * 3)] ?? PEERS[0]
    const { type, payload, text } = content(++serial, Math.min(sizes(random), bytes / 4))
    const n = await store.append(peer, type, payload)
    sent.get(peer)?.set(n, text)
    if (random() < 0.4) await store.settle(peer, n, 'delivered')
    if (random() < 0.1) await store.advance(FAR, (cursor += 3))
  }
  const pending = await pendingOf(store)
  if (closed) await store.close()
  else disk.kill()
  return { files: filesOf(disk), sent, pending, cursor }
}

const filesOf = (disk: SimDisk): Map<string, Uint8Array> =>
  new Map(disk.names().flatMap((name) => [[name, disk.content(name) ?? new Uint8Array()]]))

const logSize = (disk: SimDisk): number =>
  disk.names().reduce((sum, name) => sum + (name.endsWith('.seg') ? (disk.content(name)?.length ?? 0) : 0), 0)

/** Each file in turn, as `damaged` leaves it: `check` says what may be found. */
export async function damage(
  log: Log,
  cases: (bytes: Uint8Array) => Iterable<Uint8Array>,
  check: (found: Map<string, Map<number, string>>, cursor: number, what: string) => void,
): Promise<{ cases: number; refused: number }> {
  const total = { cases: 0, refused: 0 }
  for (const [name, bytes] of log.files) {
    if (!name.endsWith('.seg')) continue
    const files = new Map(log.files)
    let number = 0
    for (const damaged of cases(bytes)) {
      total.cases++
      const what = `${name}, case ${number++}`
      files.set(name, damaged)
      try {
        await look(files, number % 16 === 0, (found, cursor) => check(found, cursor, what))
      } catch (error) {
        if ((error as { code?: string }).code !== 'STORE_CORRUPT') throw error
        total.refused++
      }
    }
  }
  return total
}

/** By reading alone, which is what is done first, or by opening it as well. */
async function look(
  files: ReadonlyMap<string, Uint8Array>,
  open: boolean,
  check: (found: Map<string, Map<number, string>>, cursor: number) => void,
): Promise<void> {
  const read = await inspect(DIR, { disk: readOnly(files) })
  const view = { peers: () => [...read.peers], pending: read.pending } as unknown as Store
  check(await pendingOf(view), read.cursors.get(FAR) ?? 0)
  if (!open) return
  const disk = new SimDisk({ random: xoshiro128(1) })
  for (const [name, bytes] of files) disk.put(name, bytes)
  const store = await openOn(disk, xoshiro128(2))
  check(await pendingOf(store), store.cursor(FAR))
  await store.close()
}

/** Copies nothing, since there are half a million of them. Whatever else is asked of it throws. */
function readOnly(files: ReadonlyMap<string, Uint8Array>): Disk {
  const disk: Pick<Disk, 'wallClock' | 'crc32' | 'list' | 'open'> = {
    wallClock: () => 0,
    crc32: nodeDisk.crc32,
    list: (path) => Promise.resolve([...files.keys()].map((name) => name.slice(path.length + 1))),
    open: (path, how) => {
      const bytes = files.get(path)
      assert.ok(how === 'read' && bytes !== undefined, `${how} ${path}`)
      return Promise.resolve({
        size: () => Promise.resolve(bytes.length),
        read: (into: Uint8Array, position: number) => {
          const found = bytes.subarray(position, position + into.length)
          into.set(found)
          return Promise.resolve(found.length)
        },
        close: () => Promise.resolve(),
      } as Awaited<ReturnType<Disk['open']>>)
    },
  }
  return disk as Disk
}

export function* flips(bytes: Uint8Array): Generator<Uint8Array> {
  const damaged = bytes.slice()
  for (let i = 0; i < bytes.length; i++) {
    for (let bit = 1; bit < 256; bit <<= 1) {
      damaged[i] = (bytes[i] ?? 0) ^ bit
      yield damaged
    }
    damaged[i] = bytes[i] ?? 0
  }
}

export function* cuts(bytes: Uint8Array): Generator<Uint8Array> {
  for (let length = 0; length < bytes.length; length++) yield bytes.subarray(0, length)
}

/** What is there is what was sent. */
export function unaltered({ sent }: Log, found: Map<string, Map<number, string>>, what: string): void {
  for (const [peer, own] of found)
    for (const [n, text] of own) assert.equal(text, sent.get(peer)?.get(n), `${what}: ${peer} ${n}`)
}

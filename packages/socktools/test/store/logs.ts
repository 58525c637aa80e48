/** A log on its own, for the tests of it. */
import assert from 'node:assert/strict'
import type { SockError } from '../../src/errors.ts'
import { writeHead } from '../../src/store/head.ts'
import { AppendJob } from '../../src/store/jobs.ts'
import { Ledger } from '../../src/store/ledger.ts'
import { Log } from '../../src/store/log.ts'
import { appendSize, Names } from '../../src/store/payloads.ts'
import { recover } from '../../src/store/recover.ts'
import { Segments } from '../../src/store/segments.ts'
import type { SimDisk } from '../../src/testing/index.ts'
import { DIR, still, xoshiro128 } from '../support/store.ts'
import { bytes, ID, newDisk, saltOf } from './written.ts'

export const RESERVE = `${DIR}/reserve`

/** A log over a disk in memory, with all that it works on. */
export interface World {
  readonly disk: SimDisk
  readonly log: Log
  readonly ledger: Ledger
  readonly segments: Segments
  readonly accepted: (readonly [count: number, due: number])[]
  readonly failures: SockError[]
  readonly append: (payload: number | Uint8Array, peer?: string, due?: number) => Promise<number>
  /** An append whose record has so many bytes. */
  readonly appendRecord: (length: number) => Promise<number>
  readonly settle: (n: number, peer?: string) => Promise<void>
}

export async function world(segmentBytes = 16 * 1024): Promise<World> {
  const disk = newDisk()
  await disk.makeDirectory(DIR)
  const segments = new Segments(disk, DIR)
  const empty = { id: ID, number: 1, salt: saltOf(1), segments: [], cursors: [], peers: [] }
  await segments.begin(1, saltOf(1), writeHead(empty, disk.crc32))
  const [ledger, names] = [new Ledger(), new Names()]
  const accepted: (readonly [number, number])[] = []
  const failures: SockError[] = []
  const log = new Log({
    ...{ platform: still(disk, xoshiro128(3)), id: ID, segments, ledger, names, segmentBytes },
    onAccepted: (count, due) => accepted.push([count, due]),
    onFailed: (error) => failures.push(error),
  })
  const append: World['append'] = (payload, peer = 'anna', due?) =>
    new Promise((resolve, reject) => {
      const body = typeof payload === 'number' ? new Uint8Array(payload) : payload
      log.push(new AppendJob(peer, bytes(peer), bytes('x'), body, 7, due, resolve, reject))
    })
  const bare = appendSize(bytes('anna'), bytes('x'), new Uint8Array(0))
  return {
    ...{ disk, log, ledger, segments, accepted, failures, append },
    appendRecord: (length) => append(length - bare),
    settle: (n, peer = 'anna') => {
      const account = ledger.account(peer)
      const entry = ledger.settle(account, n)
      assert.ok(entry)
      return new Promise((resolve, reject) => {
        log.push({ kind: 'settle', account, entry, resolve, reject })
      })
    },
  }
}

/** What a crash now would leave of the messages to anna. */
export async function afterCrash({ disk }: World): Promise<number[]> {
  const found = await recover(disk.afterCrash('lost'), DIR)
  return [...(found?.ledger.peers.get('anna')?.pending.keys() ?? [])]
}

import { asSockError, SockError } from '../errors.ts'
import type { Platform } from '../platform/platform.ts'
import { emptiest, moveOut } from './compact.ts'
import { headOf, newSalt, writeHead } from './head.ts'
import { addNotes, type AppendJob, type Job, type NoteJob } from './jobs.ts'
import type { Account, Ledger } from './ledger.ts'
import { addAppend, type Names } from './payloads.ts'
import { addMark, Batch } from './record.ts'
import { DiskFull, type Segment, type Segments, unlessFull } from './segments.ts'

export interface LogParts {
  readonly platform: Pick<Platform, 'disk' | 'defer' | 'randomBytes'>
  readonly id: string
  readonly segments: Segments
  readonly ledger: Ledger
  readonly names: Names
  /** A segment that has so many bytes is the last one no longer. */
  readonly segmentBytes: number
  /** These were accepted; one of them may expire at `due`, and none before. */
  readonly onAccepted: (count: number, due: number) => void
  /** The end: nothing is written after it. */
  readonly onFailed: (error: SockError) => void
}

/** What leaves in one write, but for one message that is larger. */
const BATCH_BYTES = 8 * 1024 * 1024
/** Held back at the most, beside twice what a head takes. */
const RESERVE_BYTES = 64 * 1024

/**
 * Writes down what is asked for, in order, all of a turn with one sync: the next batch gathers while one is on its way.
 * A batch is in the ledger when it is durable.
 */
export class Log {
  commits = 0
  full = false
  failed: SockError | undefined
  /** Appends that wait, and the bytes that they will take. */
  queued = 0
  queuedBytes = 0
  #queue: Job[] = []
  /** What could not be written down on a full disk, and is with the next batch. */
  #owed: NoteJob[] = []
  #running: Promise<void> | undefined
  #headBytes = 0
  readonly #reserveBytes: number
  readonly #parts: LogParts
  readonly #batch: Batch

  constructor(parts: LogParts) {
    this.#parts = parts
    this.#reserveBytes = Math.min(RESERVE_BYTES, parts.segmentBytes / 4)
    this.#batch = new Batch(parts.platform.disk.crc32)
  }

  push(job: Job): void {
    if (this.failed !== undefined) {
      job.reject(this.failed)
      return
    }
    this.#queue.push(job)
    if (job.kind === 'append') {
      this.queued++
      this.queuedBytes += job.bytes
    }
    this.#running ??= new Promise((resolve) => {
      this.#parts.platform.defer(() => {
        void this.#run().then(resolve)
      })
    })
  }

  /** Resolves when nothing is on its way any more. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  /** Writes a last mark, so that damage to any batch before it is found. */
  async seal(): Promise<void> {
    const { segments } = this.#parts
    if (this.failed !== undefined) return
    try {
      this.#batch.clear()
      addMark(this.#batch, segments.current.end, segments.current.salt)
      await segments.append(this.#batch.bytes)
    } catch (error) {
      if (!(error instanceof DiskFull)) this.fail(error)
    }
  }

  fail(thrown: unknown): SockError {
    if (this.failed !== undefined) return this.failed
    const error = asSockError(thrown, 'STORE_FAILED', 'the disk failed')
    this.failed = error
    this.#rejectAll(this.#queue, error)
    this.#queue = []
    this.#parts.onFailed(error)
    return error
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      const jobs = this.#take()
      try {
        await this.#commit(jobs)
        await this.#parts.segments.sweep()
        await this.#tidy()
      } catch (error) {
        this.#rejectAll(jobs, this.fail(error))
      }
    }
    this.#running = undefined
  }

  #take(): Job[] {
    let bytes = 0
    let count = 0
    for (const job of this.#queue) {
      if (job.kind === 'append' && (bytes += job.bytes) > BATCH_BYTES && count > 0) break
      count++
    }
    const taken = count === this.#queue.length ? this.#queue : this.#queue.slice(0, count)
    this.#queue = this.#queue.slice(count)
    return taken
  }

  async #commit(jobs: readonly Job[]): Promise<void> {
    const { segments, segmentBytes } = this.#parts
    const notes: NoteJob[] = []
    const appends: AppendJob[] = []
    for (const job of jobs) {
      if (job.kind === 'append') appends.push(job)
      else notes.push(job)
    }
    if (segments.current.end >= segmentBytes) await unlessFull(this.#rotate('begin'))
    if (await this.#attempt(notes, appends)) return
    // Outcomes first: they may be what makes room.
    await this.#note(notes)
    if (appends.length > 0 && (await this.#reclaim()) && (await this.#attempt([], appends))) return
    this.#refuse(appends)
  }

  /** False: the disk is full, and nothing of it was written. */
  async #attempt(notes: readonly NoteJob[], appends: readonly AppendJob[]): Promise<boolean> {
    if (appends.length > 0) {
      const reserve = this.#reserveBytes + 2 * this.#headBytes
      if (!(await unlessFull(this.#parts.segments.holdBack(reserve)))) return false
    }
    return unlessFull(this.#write(notes, appends))
  }

  /** On a full disk, with the space held back if need be: a new head holds all that there is to write down. */
  async #note(notes: readonly NoteJob[]): Promise<void> {
    if (notes.length + this.#owed.length === 0 || (await unlessFull(this.#write(notes, [])))) return
    if (await unlessFull(this.#rotate('beginInReserve'))) {
      const all = [...this.#owed, ...notes]
      this.#owed = []
      this.#settled(all)
    } else {
      this.#owed.push(...notes)
      this.#rejectAll(notes, new SockError('OUTBOX_FULL', 'there is no space to write down an outcome'))
    }
  }

  /** On a full disk: whether there is less on it now, since what no longer counts was removed. */
  async #reclaim(): Promise<boolean> {
    const { segments } = this.#parts
    const before = segments.diskBytes
    const { end, liveBytes } = segments.current
    if (end - liveBytes > 2 * this.#reserveBytes) await unlessFull(this.#rotate('beginInReserve'))
    await segments.sweep()
    await this.#tidy(true)
    return segments.diskBytes < before
  }

  /** Throws DiskFull: then nothing has changed. */
  async #write(notes: readonly NoteJob[], appends: readonly AppendJob[]): Promise<void> {
    const { segments, ledger, names } = this.#parts
    const all = [...this.#owed, ...notes]
    const { current } = segments
    const { salt, end } = current
    const batch = this.#batch
    batch.clear()
    addMark(batch, end, salt)
    addNotes(batch, all, names, salt)
    // Most batches are for few peers: the last one is at hand.
    let [peer, n] = ['', 0]
    const given = new Map<string, number>()
    for (const job of appends) {
      if (job.peer !== peer) {
        given.set(peer, n)
        peer = job.peer
        n = given.get(peer) ?? ledger.peers.get(peer)?.last ?? 0
      }
      job.n = ++n
      job.offset = end + batch.length
      addAppend(batch, n, job.at, job.peerBytes, job.typeBytes, job.payload, salt)
    }
    await segments.append(batch.bytes)
    this.commits++
    if (appends.length > 0) this.full = false
    this.#owed = []
    this.#settled(all)
    this.#accept(appends, current)
  }

  #accept(appends: readonly AppendJob[], segment: Segment): void {
    const { ledger, onAccepted } = this.#parts
    const { number } = segment
    let first = Infinity
    let account: Account | undefined
    for (const job of appends) {
      const { n, at, bytes, due, offset } = job
      if (account?.name !== job.peer) account = ledger.account(job.peer)
      ledger.add(account, { n, at, bytes, due, segment: number, offset })
      segment.live++
      segment.liveBytes += bytes
      if (due !== undefined && due < first) first = due
      this.#leave(job)
    }
    onAccepted(appends.length, first)
    for (const job of appends) job.resolve(job.n)
  }

  /** What they say is durable. */
  #settled(notes: readonly NoteJob[]): void {
    const { all } = this.#parts.segments
    for (const note of notes) {
      if (note.kind === 'settle') {
        const segment = all.get(note.entry.segment)
        if (segment !== undefined) {
          segment.live--
          segment.liveBytes -= note.entry.bytes
        }
      }
      note.resolve()
    }
  }

  async #rotate(how: 'begin' | 'beginInReserve'): Promise<void> {
    const { segments, ledger, id, platform } = this.#parts
    const number = segments.current.number + 1
    const salt = newSalt(platform.randomBytes)
    const ends = Array.from(segments.all.values(), (one) => [one.number, one.end] as const)
    const head = writeHead(headOf(ledger, ends, { id, number, salt }), platform.disk.crc32)
    this.#headBytes = head.length
    await segments[how](number, salt, head)
  }

  /** Where much of what the segments hold no longer counts: makes one of them empty, and removes it. */
  async #tidy(always = false): Promise<void> {
    const { segments, ledger, segmentBytes } = this.#parts
    if (!always && segments.diskBytes <= 2 * ledger.pendingBytes + 4 * segmentBytes) return
    const from = emptiest(segments)
    if (from === undefined) return
    await unlessFull(moveOut(from, this.#parts, this.#batch))
    await segments.sweep()
  }

  #refuse(appends: readonly AppendJob[]): void {
    if (appends.length === 0) return
    this.full = true
    this.#rejectAll(appends, new SockError('OUTBOX_FULL', 'the disk is full'))
  }

  #rejectAll(jobs: readonly Job[], error: SockError): void {
    for (const job of jobs) {
      if (job.kind === 'append') this.#leave(job)
      job.reject(error)
    }
  }

  #leave(job: AppendJob): void {
    if (!job.waits) return
    job.waits = false
    this.queued--
    this.queuedBytes -= job.bytes
  }
}

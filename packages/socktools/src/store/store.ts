import { fail, SockError } from '../errors.ts'
import { Events, type Listener, type Off } from '../events.ts'
import type { Platform } from '../platform/platform.ts'
import { Expiry } from './expiry.ts'
import { AppendJob } from './jobs.ts'
import type { Account, Entry } from './ledger.ts'
import { Log } from './log.ts'
import type { Opened } from './open.ts'
import type { StoreSettings } from './options.ts'
import { appendSize, MAX_NAME, Names } from './payloads.ts'
import { MessageReader } from './read.ts'
import type {
  AppendOptions,
  Expired,
  Outbox,
  PeerStats,
  Stored,
  StoredOutcome,
  StoreEvents,
  StoreStats,
} from './types.ts'

export type StorePlatform = Pick<Platform, 'now' | 'setTimer' | 'defer' | 'randomBytes' | 'report' | 'disk'>

/** The longest record: what is read back in one piece. */
const MAX_RECORD = 256 * 1024 * 1024

export function needDirectory(directory: unknown): asserts directory is string {
  if (typeof directory !== 'string' || directory === '') fail('BAD_OPTION', 'a store lies in a directory')
}

/** A durable outbox, and the cursors of an inbox, in a directory. See {@link Outbox}. */
export class DurableStore implements Outbox {
  readonly id: string
  readonly #opened: Opened
  readonly #settings: StoreSettings
  readonly #platform: StorePlatform
  readonly #names = new Names()
  readonly #log: Log
  readonly #expiry: Expiry
  readonly #events: Events<StoreEvents>
  readonly #settled = { delivered: 0, 'not-delivered': 0, unknown: 0, expired: 0 }
  #accepted = 0
  #closing: Promise<void> | undefined

  constructor(opened: Opened, settings: StoreSettings, platform: StorePlatform) {
    const { id, segments, ledger } = opened
    const { segmentBytes, maxAge } = settings
    this.id = id
    this.#opened = opened
    this.#settings = settings
    this.#platform = platform
    this.#events = new Events((thrown, name) => {
      const what = `a listener of "${name}" threw`
      platform.report(new SockError('HANDLER_FAILED', what, { cause: thrown }))
    })
    this.#log = new Log({
      ...{ platform, id, segments, ledger, segmentBytes, names: this.#names },
      onAccepted: (count, due) => {
        this.#accepted += count
        if (due < Infinity) this.#expiry.watch(due)
      },
      onFailed: (error) => {
        this.#expiry.stop()
        this.#events.emit('failed', error)
      },
    })
    this.#expiry = new Expiry(platform, ledger, (account, entry) => {
      this.#expire(account, entry, 'age')
    })
    if (maxAge < Infinity) this.#setDue()
  }

  append(peer: string, type: string, payload: Uint8Array, { at }: AppendOptions = {}): Promise<number> {
    try {
      this.#needOpen()
      const peerBytes = this.#name(peer, 'a peer')
      const typeBytes = this.#name(type, 'a type')
      if (!(payload instanceof Uint8Array)) fail('BAD_OPTION', 'a payload is a Uint8Array')
      if (at !== undefined && !Number.isFinite(at)) fail('BAD_OPTION', 'at is milliseconds since 1970')
      this.#makeRoom(appendSize(peerBytes, typeBytes, payload))
      const wall = this.#platform.disk.wallClock()
      const made = at ?? wall
      const due = this.#dueOf(made, wall)
      return new Promise((resolve, reject) => {
        this.#log.push(new AppendJob(peer, peerBytes, typeBytes, payload, made, due, resolve, reject))
      })
    } catch (error) {
      return rejected(error as Error)
    }
  }

  async *pending(
    peer: string,
    { after = 0 }: { readonly after?: number } = {},
  ): AsyncGenerator<Stored, undefined, undefined> {
    const { ledger, segments } = this.#opened
    const account = ledger.peers.get(peer)
    const numbers = account === undefined ? [] : [...account.pending.keys()].filter((n) => n > after)
    const reader = new MessageReader(
      (segment, offset, length) => segments.read(segment, offset, length),
      this.#platform.disk.crc32,
    )
    for (const n of numbers) {
      // As long as it takes: it may be moved, or settled and removed, while it is read.
      for (;;) {
        if (this.#isClosed()) fail('CLOSED', 'this store is closed')
        const entry = account?.pending.get(n)
        if (entry === undefined) break
        const { segment, offset, at } = entry
        const isStill = (): boolean => account?.pending.get(n) === entry && entry.segment === segment
        try {
          const salt = segments.all.get(segment)?.salt ?? 0
          const place = { segment, offset, bytes: entry.bytes }
          const { type, payload } = await reader.message(peer, n, place, salt)
          if (!isStill()) continue
          yield { n, type, payload: payload.slice(), at, redelivered: n <= (account?.recovered ?? 0) }
          break
        } catch (error) {
          if (isStill() && !this.#isClosed()) throw this.#log.fail(error)
        }
      }
    }
    return undefined
  }

  settle(peer: string, n: number, outcome: StoredOutcome): Promise<void> {
    return this.#noted(() => {
      if (!Object.hasOwn(this.#settled, outcome))
        fail('BAD_OPTION', `an outcome is one of ${Object.keys(this.#settled).join(', ')}`)
      const account = this.#opened.ledger.peers.get(peer)
      if (account === undefined || !Number.isSafeInteger(n) || n < 1 || n > account.last)
        fail('BAD_OPTION', `no message ${String(n)} to ${peer} was ever accepted`)
      return this.#settle(account, n, outcome)
    })
  }

  cursor(storeId: string): number {
    return this.#opened.ledger.cursors.get(storeId) ?? 0
  }

  advance(storeId: string, n: number): Promise<void> {
    return this.#noted(() => {
      if (typeof storeId !== 'string' || !/^[0-9a-f]{32}$/.test(storeId))
        fail('BAD_OPTION', 'the id of a store is 32 hex digits')
      if (!Number.isSafeInteger(n) || n < 0) fail('BAD_OPTION', 'a cursor is a whole number from 0 on')
      // What is not above it may still be on its way to the disk, before what comes now.
      this.#opened.ledger.advance(storeId, n)
      const reached = this.cursor(storeId)
      if (reached === 0) return Promise.resolve()
      return new Promise((resolve, reject) => {
        this.#log.push({ kind: 'cursor', id: storeId, n: reached, resolve, reject })
      })
    })
  }

  on<K extends keyof StoreEvents>(name: K, listener: Listener<StoreEvents[K]>): Off {
    return this.#events.on(name, listener)
  }

  /** The peers to whom anything was ever sent. */
  peers(): PeerStats[] {
    return Array.from(this.#opened.ledger.peers.values(), ({ name, last, pending }) => {
      let pendingBytes = 0
      for (const { bytes } of pending.values()) pendingBytes += bytes
      return { peer: name, pending: pending.size, pendingBytes, last }
    })
  }

  stats(): StoreStats {
    const { ledger, segments } = this.#opened
    return {
      id: this.id,
      state: this.#isClosed() ? 'closed' : this.#log.failed !== undefined ? 'failed' : 'open',
      pending: ledger.pending,
      pendingBytes: ledger.pendingBytes,
      queued: this.#log.queued,
      diskBytes: segments.diskBytes,
      segments: segments.all.size,
      peers: ledger.peers.size,
      cursors: ledger.cursors.size,
      accepted: this.#accepted,
      settled: { ...this.#settled },
      commits: this.#log.commits,
      diskFull: this.#log.full,
    }
  }

  /** Writes what is on its way, and gives the directory back. Never rejects: what failed was told by each promise. */
  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #end(): Promise<void> {
    const { segments, lock } = this.#opened
    this.#expiry.stop()
    await this.#log.idle()
    await this.#log.seal()
    await segments.close().catch(() => undefined)
    await lock.release().catch(() => undefined)
  }

  /** A promise that nobody has to look at. */
  #noted(work: () => Promise<void>): Promise<void> {
    try {
      this.#needOpen()
      const noted = work()
      noted.catch(() => undefined)
      return noted
    } catch (error) {
      const noted = rejected(error as Error)
      noted.catch(() => undefined)
      return noted
    }
  }

  #settle(account: Account, n: number, outcome: StoredOutcome): Promise<void> {
    const entry = this.#opened.ledger.settle(account, n)
    if (entry === undefined) return Promise.resolve()
    this.#settled[outcome]++
    return new Promise((resolve, reject) => {
      this.#log.push({ kind: 'settle', account, entry, resolve, reject })
    })
  }

  #expire(account: Account, entry: Entry, reason: Expired['reason']): void {
    this.#settle(account, entry.n, 'expired').catch(() => undefined)
    this.#events.emit('expired', { peer: account.name, n: entry.n, at: entry.at, reason })
  }

  #makeRoom(bytes: number): void {
    const { ledger } = this.#opened
    const { maxBytes, whenFull } = this.#settings
    if (bytes > Math.min(MAX_RECORD, maxBytes))
      fail('TOO_LARGE', `a record of ${bytes} bytes: ${Math.min(MAX_RECORD, maxBytes)} is the most`)
    while (ledger.pendingBytes + this.#log.queuedBytes + bytes > maxBytes) {
      const oldest = whenFull === 'expire' ? this.#oldest() : undefined
      if (oldest === undefined) fail('OUTBOX_FULL', `${maxBytes} bytes are pending`)
      this.#expire(...oldest, 'room')
    }
  }

  #oldest(): [Account, Entry] | undefined {
    let oldest: [Account, Entry] | undefined
    for (const account of this.#opened.ledger.peers.values()) {
      const [first] = account.pending.values()
      if (first !== undefined && (oldest === undefined || first.at < oldest[1].at)) oldest = [account, first]
    }
    return oldest
  }

  /** What was found: its age is by the clock on the wall, this once. */
  #setDue(): void {
    const wall = this.#platform.disk.wallClock()
    for (const { pending } of this.#opened.ledger.peers.values()) {
      for (const entry of pending.values()) {
        entry.due = this.#dueOf(entry.at, wall)
        this.#expiry.watch(entry.due ?? Infinity)
      }
    }
  }

  #dueOf(at: number, wall: number): number | undefined {
    const { maxAge } = this.#settings
    return maxAge === Infinity ? undefined : this.#platform.now() + maxAge - Math.max(0, wall - at)
  }

  #name(name: unknown, what: string): Uint8Array {
    if (typeof name !== 'string' || name === '') fail('BAD_OPTION', `${what} is a text`)
    const bytes = this.#names.bytes(name)
    if (bytes.length > MAX_NAME) fail('BAD_OPTION', `the name of ${what} has ${MAX_NAME} bytes at the most`)
    return bytes
  }

  #isClosed(): boolean {
    return this.#closing !== undefined
  }

  #needOpen(): void {
    if (this.#isClosed()) fail('CLOSED', 'this store is closed')
    if (this.#log.failed !== undefined) throw this.#log.failed
  }
}

/** Whatever was thrown: ours, by how it came here. */
const rejected = (thrown: Error): Promise<never> => Promise.reject(thrown)

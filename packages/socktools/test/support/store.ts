import assert from 'node:assert/strict'
import { type Disk, Store, type StoreOptions, type StorePlatform } from '../../src/store/index.ts'
import type { DiskStep } from '../../src/testing/index.ts'
import { xoshiro128 } from '../../src/testing/sim-platform.ts'

export const DIR = '/outbox'
export const PEERS = ['anna', 'bert', 'çelik'] as const
export const FAR = 'f'.repeat(32)

/** A platform without time: what is deferred runs in this turn, and no timer fires. */
export function still(disk: Disk, random: () => number): StorePlatform {
  return {
    disk,
    now: () => 0,
    setTimer: () => ({ cancel: () => undefined }),
    defer: (fn) => process.nextTick(fn),
    randomBytes: (length) => Uint8Array.from({ length }, () => Math.floor(random() * 256)),
    report: (error) => {
      throw error
    },
  }
}

export const small: StoreOptions = { segmentBytes: 16 * 1024 }

export const openOn = (disk: Disk, random: () => number, options = small): Promise<Store> =>
  Store.open(DIR, { ...options, platform: still(disk, random) })

/** A disk as one process has it: once that has ended, it asks for nothing more, whatever it had in mind. */
export function ofOneLife(disk: Disk): { readonly disk: Disk; readonly end: () => void } {
  let over = false
  const own = Object.fromEntries(
    Object.entries(disk).map(([name, value]: [string, unknown]) => [
      name,
      typeof value === 'function' && name !== 'crc32' && name !== 'wallClock'
        ? (...args: unknown[]): unknown =>
            over ? new Promise(() => undefined) : Reflect.apply(value, disk, args)
        : value,
    ]),
  )
  return {
    disk: own as unknown as Disk,
    end: () => {
      over = true
    },
  }
}

/** What a store is to know, in thirty lines. */
export class Reference {
  readonly peers = new Map<string, { last: number; pending: Map<number, string> }>()
  readonly cursors = new Map<string, number>()

  of(peer: string) {
    let known = this.peers.get(peer)
    if (known === undefined) this.peers.set(peer, (known = { last: 0, pending: new Map() }))
    return known
  }

  append(peer: string, text: string): number {
    const known = this.of(peer)
    known.pending.set(++known.last, text)
    return known.last
  }

  settle(peer: string, n: number): void {
    this.of(peer).pending.delete(n)
  }

  advance(id: string, n: number): void {
    this.cursors.set(id, Math.max(n, this.cursors.get(id) ?? 0))
  }
}

/** A payload that nobody else has, of about so many bytes, with a type that goes with it. */
export function content(serial: number, size: number): { type: string; payload: Uint8Array; text: string } {
  const random = xoshiro128(serial)
  const payload = new Uint8Array(4 + size)
  new DataView(payload.buffer).setUint32(0, serial)
  for (let i = 4; i < payload.length; i++) payload[i] = Math.floor(random() * 256)
  const type = `type ${serial % 7}`
  return { type, payload, text: textOf(type, payload) }
}

export const textOf = (type: string, payload: Uint8Array): string =>
  `${type} ${Buffer.from(payload).toString('base64')}`

/** What is pending, by peer: n and content. */
export async function pendingOf(
  store: Pick<Store, 'pending' | 'peers'>,
): Promise<Map<string, Map<number, string>>> {
  const all = new Map<string, Map<number, string>>()
  for (const { peer } of store.peers()) {
    const own = new Map<number, string>()
    let before = 0
    for await (const { n, type, payload } of store.pending(peer)) {
      assert.ok(n > before, 'in order')
      before = n
      own.set(n, textOf(type, payload))
    }
    all.set(peer, own)
  }
  return all
}

export const CHANGES: readonly DiskStep['kind'][] = [
  ...(['open', 'write', 'truncate', 'sync', 'rename', 'remove', 'syncDirectory'] as const),
]

export const sizes = (random: () => number): number => {
  const kind = random()
  if (kind < 0.1) return 0
  return Math.floor(random() * (kind < 0.9 ? 300 : kind < 0.98 ? 3000 : 20_000))
}

export { xoshiro128 }

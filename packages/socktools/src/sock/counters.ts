import type { SockError } from '../errors.ts'
import type { DropReason, Lost, PeerStats, SockStats } from './types.ts'

type Totals = Omit<PeerStats, 'silent' | 'queued' | 'waiting'>

/** What a sock has counted since it was made. */
export class Counters {
  accepted = 0
  dialed = 0
  faults = 0
  invalid = 0
  unhandled = 0
  late = 0
  slowed = 0
  repeated = 0
  readonly #refused: Record<string, number> = Object.create(null) as Record<string, number>
  readonly #failed: Record<string, number> = Object.create(null) as Record<string, number>
  /** Of peers that are gone. */
  #past: Totals = { messagesIn: 0, bytesIn: 0, messagesOut: 0, bytesOut: 0, dropped: {} }
  /** Dropped before it was anyone's, or after its peer was gone. */
  readonly #nobodys: Partial<Record<DropReason, number>> = {}

  refused({ code }: Pick<SockError, 'code'>): void {
    this.#refused[code] = (this.#refused[code] ?? 0) + 1
  }

  failed({ code }: SockError): void {
    this.#failed[code] = (this.#failed[code] ?? 0) + 1
  }

  dropped(reason: DropReason, messages: number): void {
    this.#nobodys[reason] = (this.#nobodys[reason] ?? 0) + messages
  }

  peerGone(stats: PeerStats): void {
    this.#past = sum(this.#past, stats)
  }

  snapshot(peers: readonly PeerStats[], pending: number): SockStats {
    const now = peers.reduce<Totals>(sum, this.#past)
    return {
      ...now,
      dropped: added(now.dropped, this.#nobodys),
      queued: peers.reduce((total, { queued }) => total + queued, 0),
      waiting: peers.reduce((total, { waiting }) => total + waiting, 0),
      peers: peers.length,
      pending,
      accepted: this.accepted,
      dialed: this.dialed,
      refused: { ...this.#refused },
      failed: { ...this.#failed },
      faults: this.faults,
      invalid: this.invalid,
      unhandled: this.unhandled,
      late: this.late,
      slowed: this.slowed,
      repeated: this.repeated,
    }
  }
}

function sum(a: Totals, b: Totals): Totals {
  return {
    messagesIn: a.messagesIn + b.messagesIn,
    bytesIn: a.bytesIn + b.bytesIn,
    messagesOut: a.messagesOut + b.messagesOut,
    bytesOut: a.bytesOut + b.bytesOut,
    dropped: added(a.dropped, b.dropped),
  }
}

function added<K extends string>(
  a: Readonly<Partial<Record<K, number>>>,
  b: Readonly<Partial<Record<K, number>>>,
): Record<K, number> {
  const both = { ...a } as Record<K, number | undefined>
  for (const [reason, n] of Object.entries(b) as [K, number][]) both[reason] = (both[reason] ?? 0) + n
  return both as Record<K, number>
}

/** The sums over several socks. */
export function totalOf(all: readonly SockStats[]): SockStats {
  return all.reduce(
    (a, b) => ({
      ...sum(a, b),
      queued: a.queued + b.queued,
      waiting: a.waiting + b.waiting,
      peers: a.peers + b.peers,
      pending: a.pending + b.pending,
      accepted: a.accepted + b.accepted,
      dialed: a.dialed + b.dialed,
      refused: added<string>(a.refused, b.refused),
      failed: added<string>(a.failed, b.failed),
      faults: a.faults + b.faults,
      invalid: a.invalid + b.invalid,
      unhandled: a.unhandled + b.unhandled,
      late: a.late + b.late,
      slowed: a.slowed + b.slowed,
      repeated: a.repeated + b.repeated,
    }),
    new Counters().snapshot([], 0),
  )
}

export const NOTHING_LOST: Lost = { unsent: 0, unhandled: 0 }

export const bothLost = (a: Lost, b: Lost): Lost => ({
  unsent: a.unsent + b.unsent,
  unhandled: a.unhandled + b.unhandled,
})

import type { Platform, Timer } from '../platform/platform.ts'
import type { Account, Entry, Ledger } from './ledger.ts'

/** What a timer of the system can count. */
const LONGEST = 2 ** 31 - 1

/** Takes out what is too old. The messages to one peer go in their order: none before the one ahead of it. */
export class Expiry {
  #timer: Timer | undefined
  #at = Infinity
  readonly #platform: Pick<Platform, 'now' | 'setTimer'>
  readonly #ledger: Ledger
  readonly #expire: (account: Account, entry: Entry) => void

  constructor(
    platform: Pick<Platform, 'now' | 'setTimer'>,
    ledger: Ledger,
    expire: (account: Account, entry: Entry) => void,
  ) {
    this.#platform = platform
    this.#ledger = ledger
    this.#expire = expire
  }

  /** Something may be due at this time. */
  watch(due: number): void {
    if (due >= this.#at) return
    this.#timer?.cancel()
    this.#at = due
    this.#timer = this.#platform.setTimer(
      () => {
        this.#at = Infinity
        this.#look()
      },
      Math.min(LONGEST, Math.max(0, due - this.#platform.now())),
    )
  }

  stop(): void {
    this.#timer?.cancel()
    this.#at = -Infinity
  }

  #look(): void {
    const now = this.#platform.now()
    let next = Infinity
    for (const account of this.#ledger.peers.values()) {
      for (const entry of account.pending.values()) {
        if (entry.due === undefined) break
        if (entry.due > now) {
          next = Math.min(next, entry.due)
          break
        }
        this.#expire(account, entry)
      }
    }
    this.watch(next)
  }
}

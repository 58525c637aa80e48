import type { DropReason } from './types.ts'

interface Loss {
  readonly messages: number
  readonly bytes: number
}

/** Gathers what is dropped within one turn: a flood of losses is one event per peer and reason, not a flood of events. */
export class Drops<P> {
  readonly #soon: (fn: () => void) => void
  readonly #report: (peer: P, reason: DropReason, messages: number, bytes: number) => void
  #turn = new Map<P, Map<DropReason, Loss>>()

  constructor(
    soon: (fn: () => void) => void,
    report: (peer: P, reason: DropReason, messages: number, bytes: number) => void,
  ) {
    this.#soon = soon
    this.#report = report
  }

  add(peer: P, reason: DropReason, messages: number, bytes: number): void {
    if (this.#turn.size === 0) {
      this.#soon(() => {
        this.flush()
      })
    }
    let reasons = this.#turn.get(peer)
    if (reasons === undefined) this.#turn.set(peer, (reasons = new Map<DropReason, Loss>()))
    const sum = reasons.get(reason) ?? { messages: 0, bytes: 0 }
    reasons.set(reason, { messages: sum.messages + messages, bytes: sum.bytes + bytes })
  }

  flush(): void {
    const turn = this.#turn
    this.#turn = new Map()
    for (const [peer, reasons] of turn) {
      for (const [reason, { messages, bytes }] of reasons) this.#report(peer, reason, messages, bytes)
    }
  }
}

import { Waiter } from '../waiter.ts'

interface Open {
  /** Nothing is open. */
  readonly idle: boolean
}

/** Whoever waits for that nothing is open. */
export class Settling {
  #waiter: Waiter | undefined

  wait({ idle }: Open): Promise<void> {
    return idle ? Promise.resolve() : (this.#waiter ??= new Waiter()).promise
  }

  /** Something was closed. */
  check(open: Open): void {
    if (this.#waiter === undefined || !open.idle) return
    this.#waiter.resolve()
    this.#waiter = undefined
  }
}

import type { Codec, Protocol, Sock, SockEvents } from '../../src/index.ts'

/** The next event of that name (for which `match` holds). */
export function next<
  C extends Codec,
  K extends keyof SockEvents<C, P>,
  P extends Protocol | undefined = undefined,
>(
  sock: Sock<C, P>,
  name: K,
  match: (event: SockEvents<C, P>[K]) => boolean = () => true,
): Promise<SockEvents<C, P>[K]> {
  return new Promise((resolve) => {
    const off = sock.on(name, (event) => {
      if (!match(event)) return
      off()
      resolve(event)
    })
  })
}

/** Every event of that name from now on, in a list that grows. */
export function all<
  C extends Codec,
  K extends keyof SockEvents<C, P>,
  P extends Protocol | undefined = undefined,
>(sock: Sock<C, P>, name: K): SockEvents<C, P>[K][] {
  const events: SockEvents<C, P>[K][] = []
  sock.on(name, (event) => events.push(event))
  return events
}

/** What arrives, as text, in a list that grows and can be waited for. */
export class Arrivals {
  readonly list: string[] = []
  readonly #waiting: { n: number; resolve: () => void }[] = []

  readonly push = (data: Uint8Array): void => {
    this.list.push(Buffer.from(data).toString())
    for (const { resolve } of this.#waiting.filter(({ n }) => n <= this.list.length)) resolve()
  }

  /** Resolves when at least `n` have arrived, to all of them. */
  async atLeast(n: number): Promise<string[]> {
    if (this.list.length < n) await new Promise<void>((resolve) => this.#waiting.push({ n, resolve }))
    return this.list
  }
}

/** A promise with its resolve beside it. */
export interface Signal<T = void> {
  readonly promise: Promise<T>
  readonly give: (value: T) => void
}

export function signal<T = void>(): Signal<T> {
  let give: (value: T) => void = () => undefined
  const promise = new Promise<T>((resolve) => {
    give = resolve
  })
  return { promise, give }
}

/** Lets the loop look at its sockets and timers once. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

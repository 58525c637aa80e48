import { needFunction } from './errors.ts'

/** A listener's answer is not waited for; if it throws or rejects, `onThrow` hears of it and the others still run. */
export type Listener<A> = (event: A) => unknown
/** Takes back what gave it. Calling it twice is harmless. */
export type Off = () => void

/** One typed `on(name, fn) → off`. No name is special: an event nobody listens to ends no process. */
export class Events<M extends object> {
  readonly #listeners = new Map<keyof M, Set<Listener<never>>>()
  readonly #onThrow: (thrown: unknown, name: keyof M) => void

  constructor(onThrow: (thrown: unknown, name: keyof M) => void) {
    this.#onThrow = onThrow
  }

  on<K extends keyof M>(name: K, listener: Listener<M[K]>): Off {
    needFunction(listener, `a listener of "${String(name)}"`)
    let set = this.#listeners.get(name)
    if (set === undefined) this.#listeners.set(name, (set = new Set()))
    // Wrapped, so that the same function given twice is called twice and each off() takes back its own.
    const own: Listener<M[K]> = (event) => listener(event)
    set.add(own)
    return () => set.delete(own)
  }

  has(name: keyof M): boolean {
    return (this.#listeners.get(name)?.size ?? 0) > 0
  }

  emit<K extends keyof M>(name: K, event: M[K]): void {
    const set = this.#listeners.get(name)
    if (set === undefined) return
    // Those who listen as it begins: one that comes meanwhile hears of the next, one that leaves of no more.
    for (const listener of [...(set as Set<Listener<M[K]>>)]) {
      if (!set.has(listener)) continue
      try {
        const answer = listener(event)
        if (answer instanceof Promise) {
          answer.catch((thrown: unknown) => {
            this.#onThrow(thrown, name)
          })
        }
      } catch (thrown) {
        this.#onThrow(thrown, name)
      }
    }
  }
}

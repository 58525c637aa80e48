/** Every state that can be reached, breadth first: the way to a bad one that is reported is a shortest one. */

/** What can happen next. */
export interface Step<S> {
  readonly name: string
  /** It happens by itself, sooner or later, as long as nothing else goes wrong. */
  readonly fair: boolean
  /** The state afterwards; the one before is left as it is. Throws what must not happen. */
  readonly take: () => S
}

export interface Model<S> {
  readonly start: S
  readonly steps: (state: S) => readonly Step<S>[]
  /** Two with the same key behave alike from here on. */
  readonly key: (state: S) => string
  /** Throws what must not be. */
  readonly check: (state: S) => void
  /** All is as it should be in the end. */
  readonly isDone: (state: S) => boolean
}

export interface Explored {
  readonly states: number
  readonly transitions: number
  /** Of these, states in which all is done. */
  readonly done: number
  /** The most steps that a state is away from the beginning. */
  readonly depth: number
  /** How often each step was taken. */
  readonly taken: ReadonlyMap<string, number>
}

/** A state that must not be, and how it comes to be. */
export class Violation extends Error {
  constructor(what: string, way: readonly string[], cause?: unknown) {
    super(`${what}\n  ${way.join('\n  ')}`, { cause })
  }
}

/**
 * Looks at all states. Throws a Violation where a step throws, where `check` throws, and where fair steps alone do not lead
 * to a state in which all is done.
 */
export function explore<S>({ start, steps, key, check, isDone }: Model<S>): Explored {
  const known = new Map<string, number>()
  const cameFrom = new Numbers()
  const cameBy = new Numbers()
  const names = new Map<string, number>()
  const taken: number[] = []
  const fairFrom = new Numbers()
  const fairTo = new Numbers()
  const done: number[] = []
  let transitions = 0
  let depth = 0

  const wayTo = (state: number, last?: string): string[] => {
    const list = [...names.keys()]
    const way = last === undefined ? [] : [last]
    for (let at = state; at !== 0; at = cameFrom.at(at)) way.unshift(list[cameBy.at(at)] ?? '')
    return way
  }
  const violation = (thrown: unknown, state: number, last?: string): Violation =>
    new Violation(thrown instanceof Error ? thrown.message : String(thrown), wayTo(state, last), thrown)

  const meet = (state: S, from: number, by: number): number => {
    const name = key(state)
    const seen = known.get(name)
    if (seen !== undefined) return seen
    const index = known.size
    known.set(name, index)
    cameFrom.push(from)
    cameBy.push(by)
    try {
      check(state)
    } catch (thrown) {
      throw violation(thrown, index)
    }
    if (isDone(state)) done.push(index)
    next.push([index, state])
    return index
  }

  let next: [number, S][] = []
  meet(start, 0, 0)
  for (let layer = next; layer.length > 0; layer = next) {
    next = []
    for (const [index, state] of layer) {
      for (const { name, fair, take } of steps(state)) {
        let by = names.get(name)
        if (by === undefined) names.set(name, (by = names.size))
        taken[by] = (taken[by] ?? 0) + 1
        transitions++
        let after: S
        try {
          after = take()
        } catch (thrown) {
          throw violation(thrown, index, name)
        }
        const to = meet(after, index, by)
        if (fair) {
          fairFrom.push(index)
          fairTo.push(to)
        }
      }
    }
    if (next.length > 0) depth++
  }

  const stuck = firstThatCannotReach(done, known.size, fairFrom, fairTo)
  if (stuck !== undefined) throw new Violation('from here it never comes to an end', wayTo(stuck))
  return {
    states: known.size,
    transitions,
    done: done.length,
    depth,
    taken: new Map([...names].map(([name, by]) => [name, taken[by] ?? 0])),
  }
}

/** Backwards from where all is done. */
function firstThatCannotReach(
  done: readonly number[],
  states: number,
  from: Numbers,
  to: Numbers,
): number | undefined {
  // The steps that lead to each state, in one list: those to state s begin at first[s].
  const first = new Int32Array(states + 1)
  for (let i = 0; i < to.length; i++) first[to.at(i) + 1]!++
  for (let s = 0; s < states; s++) first[s + 1]! += first[s]!
  const place = first.slice()
  const sources = new Int32Array(to.length)
  for (let i = 0; i < to.length; i++) sources[place[to.at(i)]!++] = from.at(i)

  const reaches = new Uint8Array(states)
  const open = [...done]
  for (const s of open) reaches[s] = 1
  for (let s = open.pop(); s !== undefined; s = open.pop()) {
    for (let i = first[s]!; i < first[s + 1]!; i++) {
      const source = sources[i]!
      if (reaches[source] === 1) continue
      reaches[source] = 1
      open.push(source)
    }
  }
  const stuck = reaches.indexOf(0)
  return stuck < 0 ? undefined : stuck
}

/** A list of whole numbers that takes little memory. */
class Numbers {
  length = 0
  #numbers = new Int32Array(1024)

  push(n: number): void {
    if (this.length === this.#numbers.length) {
      const longer = new Int32Array(this.length * 2)
      longer.set(this.#numbers)
      this.#numbers = longer
    }
    this.#numbers[this.length++] = n
  }

  at(i: number): number {
    return this.#numbers[i]!
  }
}

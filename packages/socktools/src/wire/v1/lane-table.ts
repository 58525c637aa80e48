/** Slots, a power of two: lanes are given out one after the other, so that as many may be open before two share one. */
const SLOTS = 256

/**
 * What is open on which lane. A Map of lanes that come and go by the hundred thousand a second copies itself all the
 * time, and each copy that got old keeps the next ones from being collected: that took a third of the time of a call.
 * Here a lane has its slot, and only where another one has been open in it for long it goes into a Map.
 */
export class LaneTable<T extends object | string> {
  size = 0
  #lanes: number[] | undefined
  readonly #values: (T | undefined)[] = []
  readonly #others = new Map<number, T>()

  has(lane: number): boolean {
    return this.get(lane) !== undefined
  }

  get(lane: number): T | undefined {
    const slot = slotOf(lane)
    return this.#lanes?.[slot] === lane ? this.#values[slot] : this.#others.get(lane)
  }

  /** A lane that is not in it. */
  add(lane: number, value: T): void {
    const lanes = (this.#lanes ??= new Array<number>(SLOTS).fill(FREE))
    const slot = slotOf(lane)
    this.size++
    if (lanes[slot] === FREE) {
      lanes[slot] = lane
      this.#values[slot] = value
    } else this.#others.set(lane, value)
  }

  /** False: it was not in it. */
  delete(lane: number): boolean {
    const slot = slotOf(lane)
    if (this.#lanes?.[slot] === lane) {
      this.#lanes[slot] = FREE
      this.#values[slot] = undefined
    } else if (!this.#others.delete(lane)) return false
    this.size--
    return true
  }

  /** In no order. */
  values(): T[] {
    const own = (this.#lanes ?? []).flatMap((lane, slot) => (lane === FREE ? [] : [this.#values[slot] as T]))
    return [...own, ...this.#others.values()]
  }

  clear(): void {
    this.size = 0
    this.#lanes = undefined
    this.#values.length = 0
    this.#others.clear()
  }
}

const FREE = -1

/** One side opens only odd ones, the other only even ones. */
const slotOf = (lane: number): number => (lane >>> 1) & (SLOTS - 1)

/** One thing that was sent, as the ledger has it. */
interface Entry {
  readonly digest: number
  arrived: number
  excused: boolean
  /** Undefined: it has no receipt; `open`: nothing was told yet. */
  told: Told | 'open' | undefined
}

/** `status` of the outcome of a receipt. */
export type Told = 'delivered' | 'not-delivered' | 'unknown'

interface Lane {
  readonly sent: Entry[]
  /** By receiver: the number that came last. */
  readonly last: Map<string, number>
}

interface Asked {
  handled: number
  outcome: string | undefined
}

/** Codes by which a caller was told that nothing was ever done. */
const NEVER_DONE = new Set([
  'NOT_SENT',
  'DRAINING',
  'PEER_GONE',
  'CLOSED',
  'TOO_LARGE',
  'CANNOT_ENCODE',
  'UNKNOWN_TYPE',
])

/**
 * What was sent and what arrived, of a whole simulation: it knows at once what came twice, late, changed or from nowhere.
 *
 * A lane is what has an order: the events that one side sends to another, say. Its messages carry its name and the number
 * that `send` gave. Each of the checks throws with the first case, and costs nothing while there is none: hand them to
 * `sim.always`, and `nothingLost` to the end of a run.
 */
export class Ledger {
  readonly #lanes = new Map<string, Lane>()
  readonly #asked = new Map<string, Asked>()
  /** Those that have not settled. */
  readonly #open = new Set<string>()
  readonly #twice: string[] = []
  readonly #disorder: string[] = []
  readonly #altered: string[] = []
  readonly #untrue: string[] = []
  sends = 0
  deliveries = 0

  /** Before it is sent. Gives its number in the lane, from 1. `digest` is whatever tells its content. */
  send(lane: string, digest = 0): number {
    return this.#send(lane, digest, undefined)
  }

  /** The same of one that goes to one receiver alone, and has a receipt: `told` is to follow. */
  sendWithReceipt(lane: string, digest = 0): number {
    return this.#send(lane, digest, 'open')
  }

  #send(lane: string, digest: number, told: 'open' | undefined): number {
    this.sends++
    return this.#lane(lane).sent.push({ digest, arrived: 0, excused: false, told })
  }

  /** The outcome of its receipt. */
  told(lane: string, n: number, status: Told): void {
    const entry = this.#lane(lane).sent[n - 1]
    if (entry === undefined) return
    const { told } = entry
    if (told !== 'open') this.#untrue.push(`${lane} #${n} was ${told}, then ${status}`)
    entry.told = status
    this.#weigh(`${lane} #${n}`, entry)
  }

  #weigh(what: string, { told, arrived }: Entry): void {
    if (told !== undefined && arrived > 1) this.#twice.push(`${what} came twice`)
    if (told === 'not-delivered' && arrived > 0) this.#untrue.push(`${what} was ${told}, and came`)
  }

  /**
   * It came. `at` is who got it, where a lane leads to several: each has it once, in order. `again`: it was said to be one that
   * may have come before; then it may.
   */
  deliver(lane: string, n: number, digest = 0, at = '', again = false): void {
    this.deliveries++
    const { sent, last } = this.#lane(lane)
    const entry = sent[n - 1]
    const what = `${lane} #${n}${at === '' ? '' : ` at ${at}`}`
    if (entry === undefined) {
      this.#altered.push(`${what} was never sent`)
      return
    }
    if (entry.digest !== digest)
      this.#altered.push(`${what} came as ${digest}, and was sent as ${entry.digest}`)
    const before = last.get(at) ?? 0
    if (n === before) this.#twice.push(`${what} came twice`)
    else if (n < before) this.#disorder.push(`${what} came after #${before}, or twice`)
    last.set(at, Math.max(n, before))
    if (again && entry.arrived > 0) return
    entry.arrived++
    this.#weigh(what, entry)
  }

  /** These may be lost: their sender was told so, or what knew of them is gone. Absent `n`: all of the lane so far. */
  excuse(lane: string, n?: number): void {
    const { sent } = this.#lane(lane)
    for (const entry of n === undefined ? sent : sent.slice(n - 1, n)) entry.excused = true
  }

  /** The same for every lane whose name `belongs`. */
  excuseAll(belongs: (lane: string) => boolean): void {
    for (const lane of this.#lanes.keys()) if (belongs(lane)) this.excuse(lane)
  }

  /** A call, by an id of its own, before it is made. */
  ask(id: string): void {
    this.sends++
    this.#asked.set(id, { handled: 0, outcome: undefined })
    this.#open.add(id)
  }

  /** Its handler began. */
  handled(id: string): void {
    this.deliveries++
    const asked = this.#asked.get(id)
    if (asked === undefined) {
      this.#altered.push(`the call ${id} was never made`)
      return
    }
    if (++asked.handled > 1) this.#twice.push(`the call ${id} was handled twice`)
    this.#judge(id, asked)
  }

  /** It settled: `answered`, or the code with which it failed. */
  settled(id: string, outcome: string): void {
    const asked = this.#asked.get(id)
    if (asked === undefined) return
    if (asked.outcome !== undefined) this.#untrue.push(`the call ${id} was ${asked.outcome}, then ${outcome}`)
    asked.outcome = outcome
    this.#open.delete(id)
    this.#judge(id, asked)
  }

  #judge(id: string, { handled, outcome }: Asked): void {
    if (outcome === undefined) return
    if (outcome === 'answered' && handled === 0) this.#untrue.push(`the call ${id} was answered by nobody`)
    if (handled > 0 && NEVER_DONE.has(outcome))
      this.#untrue.push(`the call ${id} was ${outcome}, and was handled`)
  }

  /** Calls that have not settled. `but` names those that need not: of processes that are gone. */
  unsettled(but: (id: string) => boolean = () => false): string[] {
    return [...this.#open].filter((id) => !but(id))
  }

  /** Everything that came was sent, as it was sent. */
  whole(): void {
    needNone(this.#altered)
  }

  atMostOnce(): void {
    needNone(this.#twice)
  }

  inOrder(): void {
    needNone(this.#disorder)
  }

  /** Messages with a receipt that has told nothing, of these lanes. */
  untold(lanes: (lane: string) => boolean = () => true): string[] {
    return this.#list(lanes, ({ told }) => told === 'open', 'has no outcome')
  }

  /**
   * Messages that were told as delivered and have not come. They may be on their way to their handler: at the end of a run
   * they are where a receiver was closed with messages that waited.
   */
  delivered(lanes: (lane: string) => boolean = () => true): string[] {
    return this.#list(lanes, ({ told, arrived }) => told === 'delivered' && arrived === 0, 'was lost')
  }

  /** No call settled twice, or as never done when it was; and no message came that was told as not delivered. */
  truthful(): void {
    needNone(this.#untrue)
  }

  /** Everything of these lanes that is not excused has come. For the end of a run. */
  nothingLost(lanes: (lane: string) => boolean = () => true): void {
    needNone(this.missing(lanes))
  }

  /** What `nothingLost` would find. */
  missing(lanes: (lane: string) => boolean = () => true): string[] {
    return this.#list(lanes, ({ arrived, excused }) => arrived === 0 && !excused, 'was lost')
  }

  #list(lanes: (lane: string) => boolean, is: (entry: Entry) => boolean, what: string): string[] {
    return [...this.#lanes].flatMap(([name, { sent }]) =>
      lanes(name) ? sent.flatMap((entry, i) => (is(entry) ? [`${name} #${i + 1} ${what}`] : [])) : [],
    )
  }

  #lane(name: string): Lane {
    let lane = this.#lanes.get(name)
    if (lane === undefined) this.#lanes.set(name, (lane = { sent: [], last: new Map() }))
    return lane
  }
}

function needNone(cases: readonly string[]): void {
  if (cases.length === 0) return
  const first = cases[0] as string
  throw new Error(cases.length === 1 ? first : `${first}, and ${cases.length - 1} more`)
}

import type { Fault } from './faults.ts'
import type { SimNode, SimWorld } from './sim-node.ts'
import { EVENTS } from './trace.ts'

export interface NemesisHost<Disk> {
  readonly nodes: readonly SimNode<Disk>[]
  /** Starts a node that is down. */
  start(node: SimNode<Disk>): void
  /** Both dial each other; false: nobody said how. */
  dial(one: SimNode<Disk>, other: SimNode<Disk>): boolean
}

/** Carries out a schedule of faults, and undoes what is left of it. */
export class Nemesis<Disk> {
  readonly #world: SimWorld<Disk>
  readonly #host: NemesisHost<Disk>
  /** What undoes the faults that hold. */
  readonly #holding = new Set<() => void>()
  #over = false

  constructor(world: SimWorld<Disk>, host: NemesisHost<Disk>) {
    this.#world = world
    this.#host = host
  }

  begin(faults: readonly Fault[]): void {
    const { platform } = this.#world
    for (const fault of faults) platform.setTimer(() => this.#befall(fault), fault.at - platform.now())
  }

  /** No more faults, and everything that was broken is whole again. */
  heal(): void {
    this.#over = true
    for (const undo of [...this.#holding]) undo()
    this.#world.note('everything is healed')
  }

  #befall(fault: Fault): void {
    if (this.#over) return
    const { trace, platform } = this.#world
    trace.event(EVENTS.fault, fault.nodes[0] ?? 0, platform.now())
    this.#world.current = undefined
    const undo = this.#apply(fault)
    const { kind, nodes, by } = fault
    const whom = nodes.map((index) => this.#node(index).name).join(' ')
    if (undo === undefined) {
      this.#world.note(`${kind} ${whom} finds nothing to break`)
      return
    }
    this.#world.tally(`fault ${kind}`)
    const details = [
      by === undefined ? '' : ` by ${by}`,
      fault.for === undefined ? '' : ` for ${fault.for} ms`,
    ]
    this.#world.note(`${kind} ${whom}${details.join('')}`)
    if (undo === nothing) return
    const once = (): void => {
      if (!this.#holding.delete(once)) return
      undo()
      this.#world.note(`${kind} ${whom} is over`)
    }
    this.#holding.add(once)
    if (fault.for !== undefined) platform.setTimer(once, fault.for)
  }

  #node(index: number): SimNode<Disk> {
    return this.#host.nodes[index] as SimNode<Disk>
  }

  /** What undoes it; undefined: there was nothing for it to break. */
  #apply({ kind, nodes, by = 0 }: Fault): (() => void) | undefined {
    const { network } = this.#world
    const [from = 0, to = 0] = nodes
    const one = this.#node(from)
    switch (kind) {
      case 'delay':
        return network.slow(from, to, 'delays', by)
      case 'jitter':
        return network.slow(from, to, 'jitters', by)
      case 'split':
        return network.slow(from, to, 'splits', Math.max(1, by))
      case 'reset':
        return network.reset(from, to) ? nothing : undefined
      case 'halfOpen':
        return network.swallow(from, to)
      case 'oneWay':
        return network.block(from, to)
      case 'partition': {
        const undo = [network.block(from, to), network.block(to, from)]
        return () => {
          for (const open of undo) open()
        }
      }
      case 'stall':
        return network.stall(from)
      case 'freeze':
        return one.process === undefined ? undefined : one.freeze()
      case 'refuse':
        return network.refuse(from)
      case 'kill':
      case 'power':
        if (!one.crash(kind)) return undefined
        return () => {
          if (one.process === undefined) this.#host.start(one)
        }
      case 'clock':
        one.jump(by)
        return nothing
      case 'dial':
        return this.#host.dial(one, this.#node(to)) ? nothing : undefined
    }
  }
}

const nothing = (): void => undefined

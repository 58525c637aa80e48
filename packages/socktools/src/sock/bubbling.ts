import { Events } from '../events.ts'
import type { Codec } from '../wire/codec.ts'
import type { SockEvents } from './types.ts'

/** The events of a sock: written to a log, then for its own listeners, then for those of the metas above it. */
export class BubblingEvents<C extends Codec> extends Events<SockEvents<C>> {
  /** Those of the meta that the sock is in. */
  above: BubblingEvents<C> | undefined
  /** What writes the log, where the sock has a logger of its own. */
  log: Events<SockEvents<C>> | undefined

  override emit<K extends keyof SockEvents<C>>(name: K, event: SockEvents<C>[K]): void {
    // As they stand now: a listener that takes the sock out of its meta has done so after this event.
    const { above } = this
    const levels = above === undefined ? undefined : [...this.#levels()]
    // One line for one event: the innermost logger writes it, whoever else hears of it.
    const log = this.log ?? levels?.find((level) => level.log !== undefined)?.log
    log?.emit(name, event)
    super.emit(name, event)
    // A sock that is closed says nothing of the meta that it was in.
    if (levels === undefined || name === 'closed') return
    for (const level of levels.slice(1)) level.#tell(name, event)
  }

  /** Whether anybody, log or listener, takes events of this name. */
  heard(name: keyof SockEvents<C>): boolean {
    const levels = [...this.#levels()]
    const log = levels.find((level) => level.log !== undefined)?.log
    return log?.has(name) === true || levels.some((level) => level.has(name))
  }

  #tell<K extends keyof SockEvents<C>>(name: K, event: SockEvents<C>[K]): void {
    super.emit(name, event)
  }

  *#levels(): Generator<BubblingEvents<C>> {
    yield this
    for (let up = this.above; up !== undefined; up = up.above) yield up
  }
}

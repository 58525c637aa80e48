import { SockError, asSockError, fail, reasonOf } from '../errors.ts'
import { Events } from '../events.ts'
import type { Platform } from '../platform/platform.ts'
import type { Codec, Got } from '../wire/codec.ts'
import { BubblingEvents } from './bubbling.ts'
import { Counters } from './counters.ts'
import { Dispatch } from './dispatch.ts'
import { Drops } from './drops.ts'
import { logTo } from './log.ts'
import type { Settings } from './options.ts'
import { isThenable } from './thenable.ts'
import { Ticker } from './ticker.ts'
import type { Candidate, DropReason, Peer, Sock } from './types.ts'

/** What a sock is beside its peers: handlers, events, counters, ticks, and whether it is still open. */
export class Core<C extends Codec> {
  life: 'open' | 'draining' | 'closed' = 'open'
  readonly settings: Settings<C>
  readonly platform: Platform
  readonly events: BubblingEvents<C>
  readonly dispatch: Dispatch<C>
  readonly counters = new Counters()
  readonly drops: Drops<Peer<C> | undefined>
  /** The meta that this sock is in. */
  parent: Core<C> | undefined
  /** Of a meta: the handlers of those in it keep silent. */
  overrides = false
  readonly #children = new Set<Core<C>>()
  readonly #ticker: Ticker | undefined

  constructor(sock: Sock<C>, settings: Settings<C>, platform: Platform) {
    const { logger, tick, codec, handlers = {}, tickInterval } = settings
    this.settings = settings
    this.platform = platform
    const onThrow = (thrown: unknown, name: string): void => {
      if (name !== 'fault') this.fault(thrown, `listener of "${name}"`, undefined)
      else platform.report(asSockError(thrown, 'HANDLER_FAILED', 'a listener of "fault" threw'))
    }
    this.events = new BubblingEvents(onThrow)
    if (logger !== undefined) {
      const log = (this.events.log = new Events(onThrow))
      logTo(logger, log, platform.now)
    }
    this.dispatch = new Dispatch<C>(sock, codec as Codec<never, Got<C>>, settings.contract, {
      invalid: (peer, type, payload, error) => {
        this.counters.invalid++
        this.events.emit('invalid', { peer, type, payload, error })
      },
      unhandled: (peer, type, data) => {
        this.counters.unhandled++
        this.events.emit('unhandled', { peer, type, data })
      },
      fault: (thrown, where, peer) => {
        this.fault(thrown, where, peer)
      },
    })
    // After the loop has looked at its sockets: a listener that answers with what is dropped again must not keep it.
    this.drops = new Drops(platform.afterPoll, (peer, reason, messages, bytes) => {
      this.events.emit('dropped', { peer, reason, messages, bytes })
    })
    this.dispatch.addAll(handlers)
    if (tick !== undefined) {
      this.#ticker = new Ticker(platform, tickInterval, (now) => this.guard('tick', () => tick(now)))
    }
  }

  /** Something was begun: ticks from now on. */
  begin(): void {
    if (this.life === 'open') this.#ticker?.start()
  }

  endTicks(): void {
    this.#ticker?.stop()
  }

  /** Puts this sock into a meta, or takes it out: where its messages and events go from now on. */
  moveTo(parent: Core<C> | undefined): void {
    if (this.parent !== undefined) this.parent.#children.delete(this)
    if (parent !== undefined) parent.#children.add(this)
    this.parent = parent
    this.events.above = parent?.events
    this.#align()
  }

  /** The lines of this sock and of all in it lead through the metas above as they stand. */
  #align(): void {
    const levels = [this.dispatch]
    let first = 0
    for (let up = this.parent; up !== undefined; up = up.parent) {
      levels.push(up.dispatch)
      // The outermost that overrides speaks for all below it.
      if (up.overrides) first = levels.length - 1
    }
    this.dispatch.line = this.parent === undefined ? undefined : { levels, first }
    for (const child of this.#children) child.#align()
  }

  /** The sock is closed: whoever reads from it comes to an end. */
  end(): void {
    this.endTicks()
    this.dispatch.end()
    this.drops.flush()
  }

  /** A message that is dropped before it is any peer's. */
  dropNobodys(reason: DropReason, bytes: number): void {
    this.counters.dropped(reason, 1)
    this.drops.add(undefined, reason, 1, bytes)
  }

  refused(who: Candidate, error: SockError): void {
    this.counters.refused(error)
    this.events.emit('refused', { ...who, error })
  }

  fault(thrown: unknown, where: string, peer: Peer<C> | undefined): void {
    this.counters.faults++
    const error = new SockError('HANDLER_FAILED', `${where}: ${reasonOf(thrown)}`, {
      address: peer?.address,
      cause: thrown,
    })
    if (!this.events.heard('fault')) this.platform.report(error)
    this.events.emit('fault', { error, in: where, peer })
  }

  /** Runs a function of the application; what it throws is a fault of its own. */
  guard(where: string, fn: () => unknown): Promise<void> | undefined {
    const failed = (thrown: unknown): void => {
      this.fault(thrown, where, undefined)
    }
    try {
      const answer: unknown = fn()
      return isThenable(answer) ? Promise.resolve(answer).then(() => undefined, failed) : undefined
    } catch (thrown) {
      failed(thrown)
      return undefined
    }
  }

  checkOpen(what: string): void {
    this.checkNotClosed(what)
    if (this.life === 'draining') fail('DRAINING', `${what} came after drain`)
  }

  checkNotClosed(what: string): void {
    if (this.life === 'closed') fail('CLOSED', `${what} came after close`)
  }
}

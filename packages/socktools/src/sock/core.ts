import { SockError, asSockError, fail, reasonOf } from '../errors.ts'
import { Events } from '../events.ts'
import type { Platform } from '../platform/platform.ts'
import type { Codec, Got } from '../wire/codec.ts'
import { Counters } from './counters.ts'
import { Dispatch, isThenable } from './dispatch.ts'
import { Drops } from './drops.ts'
import { logTo } from './log.ts'
import type { Settings } from './options.ts'
import { Ticker } from './ticker.ts'
import type { Candidate, DropReason, Peer, Sock, SockEvents } from './types.ts'

/** What a sock is beside its peers: handlers, events, counters, ticks, and whether it is still open. */
export class Core<C extends Codec> {
  life: 'open' | 'draining' | 'closed' = 'open'
  readonly settings: Settings<C>
  readonly platform: Platform
  readonly events: Events<SockEvents<C>>
  readonly dispatch: Dispatch<C>
  readonly counters = new Counters()
  readonly drops: Drops<Peer<C> | undefined>
  readonly #ticker: Ticker | undefined

  constructor(sock: Sock<C>, settings: Settings<C>, platform: Platform) {
    const { logger, tick, codec, handlers = {}, tickInterval } = settings
    this.settings = settings
    this.platform = platform
    this.events = new Events((thrown, name) => {
      if (name !== 'fault') this.fault(thrown, `listener of "${name}"`, undefined)
      else platform.report(asSockError(thrown, 'HANDLER_FAILED', 'a listener of "fault" threw'))
    })
    this.dispatch = new Dispatch<C>(sock, codec as Codec<never, Got<C>>, {
      invalid: (peer, payload, error) => {
        this.counters.invalid++
        this.events.emit('invalid', { peer, payload, error })
      },
      unhandled: (peer, type, data) => {
        this.counters.unhandled++
        this.events.emit('unhandled', { peer, type, data })
      },
      fault: (thrown, where, peer) => {
        this.fault(thrown, where, peer)
      },
    })
    this.drops = new Drops(platform.defer, (peer, reason, messages, bytes) => {
      this.events.emit('dropped', { peer, reason, messages, bytes })
    })
    this.dispatch.addAll(handlers)
    if (logger !== undefined) logTo(logger, { on: (name, fn) => this.events.on(name, fn) }, platform.now)
    if (tick !== undefined) {
      this.#ticker = new Ticker(platform, tickInterval, (now) => this.guard('tick', () => tick(now)))
    }
  }

  /** Something was begun: ticks from now on. */
  begin(): void {
    this.#ticker?.start()
  }

  endTicks(): void {
    this.#ticker?.stop()
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
    if (this.settings.logger?.error === undefined && !this.events.has('fault')) this.platform.report(error)
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

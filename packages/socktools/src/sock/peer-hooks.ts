import type { SockError } from '../errors.ts'
import type { Platform } from '../platform/platform.ts'
import type { Codec } from '../wire/codec.ts'
import type { Deadlines } from './deadlines.ts'
import type { Settings } from './options.ts'
import type { Partings } from './partings.ts'
import type { DropReason, Lost } from './types.ts'

/** What the peers of a sock need of it, whichever wire they speak. */
export interface PeerOwner<C extends Codec, P> {
  readonly settings: Settings<C>
  readonly platform: Platform
  readonly deadlines: Deadlines
  readonly partings: Partings
  onDropped(peer: P, reason: DropReason, messages: number, bytes: number): void
  /** Nothing can be sent to it any more. */
  onEnding(peer: P): void
  /** The far side has finished sending. */
  onFarEnd(peer: P): void
  /** The pipe is over, and all that had arrived is handled: the last word of this peer. */
  onGone(peer: P, error: SockError | undefined, lost: Lost): void
}

export interface Loss {
  readonly messages: number
  readonly bytes: number
}

export const NO_LOSS: Loss = { messages: 0, bytes: 0 }

/** What a wire adds to a PipePeer. */
export abstract class PeerHooks {
  /** One whole payload. What it throws ends the connection. */
  protected abstract onFrame(payload: Uint8Array): void
  /** All frames of a chunk were handed on. */
  protected abstract onChunk(): void
  /** The pipe is about to end: frames of it that were put off are taken now. */
  protected finishReading?(): void
  /** Senders begin to wait for room in the outbox, or need not any more. */
  protected abstract onSendersWait(): void
  /** The system took something of the outbox. Nothing may be put into it from within. */
  protected onProgress?(): void
  /** Nothing waits and no handler runs. */
  protected abstract get idle(): boolean
  /** Silence of the far side is in order, since we are the ones who are working. */
  protected abstract get busyReading(): boolean
  /** Messages that arrived, and those of them that wait for a handler. */
  protected abstract get arrived(): number
  protected abstract get waiting(): number
  /** No handler is started any more. */
  protected abstract stopHandling(): Loss
  /** Resolves when all that has arrived by now is handled. */
  protected abstract settled(): Promise<void>
  /** Our side is about to end, for good order: what is still to be sent is put into the outbox. Before the pipe is gone, too. */
  protected abstract lastSends(): void
  /** Resolves when all that was sent is with the system, and nothing has to be waited for before our side ends. */
  protected abstract readyToEnd(): Promise<void>
  /**
   * The connection ends now, because of `error` if there is one; `ours`: our side ends it. What of the wire's own is
   * lost by that, beside what the outbox holds.
   */
  protected abstract letGo(ours: boolean, error: SockError | undefined): Loss
  /** The far side has finished sending, in good order: what waits for answers is to hear of it. */
  protected onFarEnded?(): void
  /** The far side has ended: what is wrong with that, if anything. */
  protected abstract get cutShort(): SockError | undefined
  /** Whether another pipe may take the place of one that broke, or ended without a word. */
  protected get outlives(): boolean {
    return false
  }
  /** The pipe is no more; there may be another one later. */
  protected onDetached?(error: SockError | undefined): void
}

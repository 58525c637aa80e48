import type { Disk } from './disk.ts'

/**
 * The outside, but for the network: the one seam through which time, randomness and disk come in.
 * Node's is in node.ts; the simulated one is in testing/.
 */
export interface Platform {
  /** Milliseconds on a clock that never goes back and that no one can set. Its zero means nothing. */
  readonly now: () => number
  /** Calls `fn` once, `ms` from now. Keeps the process alive until then. */
  readonly setTimer: (fn: () => void, ms: number) => Timer
  /** Calls `fn` when the running callback is through, before any I/O (Node's nextTick). */
  readonly defer: (fn: () => void) => void
  /** Calls `fn` after the loop has looked at sockets and timers once more (Node's setImmediate). */
  readonly afterPoll: (fn: () => void) => void
  /** Uniform in [0, 1). Not for secrets. */
  readonly random: () => number
  /** So many bytes that nobody can guess: for ids and tokens. */
  readonly randomBytes: (length: number) => Uint8Array
  /** The SHA-256 of `bytes`: 32 bytes. */
  readonly hash: (bytes: Uint8Array) => Uint8Array
  /** Files. */
  readonly disk: Disk
  /** Removes the file of a Unix socket. Resolves also when there is none; rejects if it is any other kind of file. */
  readonly unlink: (path: string) => Promise<void>
  /** The last resort for an error in user code that no listener and no logger took: it must not vanish. */
  readonly report: (error: Error) => void
}

export interface Timer {
  cancel(): void
}

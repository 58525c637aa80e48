import type { Pipe } from './pipe.ts'

/** A way to make pipes. `scheme` is what addresses of this transport begin with, without the colon. */
export interface Transport {
  readonly scheme: string
  /**
   * Whether others than this machine can be met at this address, or read what passes: there wire v1 wants a Security, or
   * `insecure: true`. Absent: never.
   */
  isExposed?(at: URL): boolean
  /** Resolves when connected. Throws BAD_ADDRESS, CONNECT_FAILED, ABORTED. */
  dial(to: URL, options: DialOptions): Promise<Pipe>
  /** Resolves when bound. Throws BAD_ADDRESS, ADDRESS_IN_USE, LISTEN_FAILED. */
  listen(at: URL, options: ListenOptions, onPipe: (pipe: Pipe) => void): Promise<Listener>
}

export interface DialOptions {
  readonly signal?: AbortSignal
  /** The pipe is handed to a Security: what makes plain reads fast is of no use to it. */
  readonly toBeSecured?: boolean
}

export interface ListenOptions {
  /** Connections that the system keeps waiting for `accept`. Default 4,096 over TCP, else 511; the system may cap it. */
  readonly backlog?: number
}

export interface Listener {
  /** The address as bound: with the real port where 0 was asked for. */
  readonly address: string
  /** Accepts no more. Pipes that were handed out live on. */
  close(): Promise<void>
}

import type { Pipe } from './pipe.ts'

/** A way to make pipes. `scheme` is what addresses of this transport begin with, without the colon. */
export interface Transport {
  readonly scheme: string
  /** Resolves when connected. Throws BAD_ADDRESS, CONNECT_FAILED, ABORTED. */
  dial(to: URL, options: DialOptions): Promise<Pipe>
  /** Resolves when bound. Throws BAD_ADDRESS, ADDRESS_IN_USE, LISTEN_FAILED. */
  listen(at: URL, options: ListenOptions, onPipe: (pipe: Pipe) => void): Promise<Listener>
}

export interface DialOptions {
  readonly signal?: AbortSignal
}

export interface ListenOptions {
  /** Connections that the system keeps waiting for `accept`. Default 511; the system may cap it. */
  readonly backlog?: number
}

export interface Listener {
  /** The address as bound: with the real port where 0 was asked for. */
  readonly address: string
  /** Accepts no more. Pipes that were handed out live on. */
  close(): Promise<void>
}

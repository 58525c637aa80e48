/**
 * One connection's duplex stream of bytes. Not a Node stream: the little that a peer needs, so that a
 * socket, a Unix socket, a WebSocket or the simulator each implement it in some tens of lines.
 *
 * A pipe starts paused: nothing is read before the first `resume`.
 */
export interface Pipe {
  readonly remote: Endpoint
  /** What a Security proved of the far side before anything of it was handed out. Absent: nothing is proven. */
  readonly proof?: Proof | undefined
  /** Where events go from now on. First called in the turn in which the pipe was handed out. */
  attach(sink: PipeSink): void
  /**
   * Writes the chunks in order. True: all of it is taken, and the memory may be reused. False: the pipe
   * holds on to the chunks until `drain`; nothing may be written before that. A pipe that is over answers
   * false, and no `drain` follows.
   */
  write(chunks: readonly Uint8Array[]): boolean
  pause(): void
  resume(): void
  /** No more is written; what was written still arrives. Reading goes on. */
  end(): void
  /** At once, in both directions. */
  destroy(): void
}

/** Called by a pipe, as methods of the object that it was given, and never from within a call to one of its own. */
export interface PipeSink {
  /** The chunk belongs to the receiver: the pipe never touches it again. */
  data(chunk: Uint8Array): void
  drain(): void
  /** The far side has finished sending, in good order. */
  end(): void
  /** The last call. With `error` the connection broke. */
  close(error?: Error): void
}

/** Who is at the far end, as far as the network tells. */
export interface Endpoint {
  /** As it may be shown and dialed: `tcp://127.0.0.1:4000`, `tcp://[::1]:4000`, `unix:/path`, `memory:name`. */
  readonly address: string
  /** What goodAddress is asked about: an IP address, or a name that every local connection shares. */
  readonly host: string
  /** On this machine (loopback, Unix socket, memory): exempt from limits per host. */
  readonly local: boolean
  /** It took one of the last file descriptors that this process can have. */
  readonly scarce?: boolean
}

/** What is proven of the far side of one pipe. */
export interface Proof {
  /** The name of the Security that proved it. */
  readonly by: string
  /** Its public key, as an id (`sock1…`). Absent: it proved something else. */
  readonly id?: string | undefined
  /** What a certificate authority vouches for: a host name, or the subject of a client. */
  readonly name?: string | undefined
  /** 32 bytes that both sides of this very connection have alike, and nobody else; other ones for each label. */
  readonly exported?: ((label: string) => Uint8Array) | undefined
}

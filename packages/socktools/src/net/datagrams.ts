/** Where datagrams go to and come from. */
export interface DatagramAddress {
  /** `udp://host:port`, with brackets around IPv6. */
  readonly address: string
  /** An IP address. */
  readonly host: string
  readonly port: number
  readonly family: 4 | 6
}

/**
 * One bound socket for datagrams. Not a Pipe: it has no far end, and nothing of it can be paused. What
 * arrives is whole, and nothing promises that it arrives, in which order, or how often.
 */
export interface Datagrams {
  /** As bound: with the real port where 0 was asked for. */
  readonly address: string
  readonly family: 4 | 6
  /** Where events go from now on. Called in the turn in which it was opened. */
  attach(sink: DatagramSink): void
  /**
   * Sends one datagram. `done` is called once, never from within this call: without an error when the system
   * has taken it. True: the system has decided already, and `done` comes at the end of this turn. False: its
   * buffer is full, and the datagram is held until there is room; `bytes` must stay as they are until then.
   *
   * Errors: TOO_LARGE, BROADCAST_OFF, SEND_FAILED.
   */
  send(bytes: Uint8Array, to: DatagramAddress, done: (error?: Error) => void): boolean
  /** Receives what is sent to `group` at this port, on the interface with the address `on`. Throws GROUP_FAILED. */
  join(group: string, on?: string): void
  leave(group: string, on?: string): void
  /** At once. What is held is lost. Resolves when the port is free. */
  close(): Promise<void>
}

/** Called by a socket, never from within a call to one of its methods. */
export interface DatagramSink {
  /** The bytes belong to the receiver. May be empty: an empty datagram is one like any other. */
  message(bytes: Uint8Array, host: string, port: number): void
  /** The system could not receive something. The socket lives on. */
  error(error: Error): void
}

export interface DatagramOptions {
  /** Lets several sockets bind one port. */
  readonly reuseAddr?: boolean
  /** Allows sending to broadcast addresses. */
  readonly broadcast?: boolean
  /** The address of the interface that multicast leaves by. */
  readonly interface?: string
  /** How many networks multicast may pass. */
  readonly ttl?: number
  /** Whether what is sent to a group is heard on this machine too. */
  readonly loopback?: boolean
}

/** A way to make sockets for datagrams. `scheme` is what its addresses begin with, without the colon. */
export interface DatagramNetwork {
  readonly scheme: string
  /** The IP addresses of a name, the best first. Rejects with CONNECT_FAILED. */
  resolve(name: string): Promise<readonly string[]>
  /**
   * Resolves when bound to `at`: port 0 for any that is free, host `0.0.0.0` or `::` for every interface.
   * Rejects with ADDRESS_IN_USE or LISTEN_FAILED.
   */
  open(at: DatagramAddress, options: DatagramOptions): Promise<Datagrams>
}

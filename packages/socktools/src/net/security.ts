import type { Pipe } from './pipe.ts'

/**
 * What makes a pipe that nobody else can read, change or speak for: between the transport, which knows no peers, and the
 * handshake of the wire, which knows no keys. TLS by identity is in identity/secure.ts; another one (Noise, say) has these
 * members and nothing else.
 */
export interface Security {
  /** For people, and for `peer.proof.by`: `tls`, `ca-tls`. */
  readonly name: string
  /** The schemes of the pipes that it can take over. Absent: of any. */
  readonly schemes?: readonly string[]
  /** Our own id, if this security has ids. A connection with it is one with ourselves: it is refused. */
  readonly id?: string | undefined
  /**
   * Takes over a pipe that nobody has attached to, and gives the one to go on with, which has a `proof`. Rejects, with a
   * code that names the cause, when anything is wrong, and the pipe is destroyed then; with the reason of `signal` when that
   * is aborted.
   */
  secure(pipe: Pipe, how: SecureOptions): Promise<Pipe>
}

export interface SecureOptions {
  /** We dialed: which of the two sides we are. */
  readonly dialed: boolean
  /** The host as it was dialed: for names that certificates are for. */
  readonly host?: string | undefined
  readonly signal: AbortSignal
}

import { schemeOf } from '../address.ts'
import { asSockError, fail, SockError } from '../errors.ts'
import { keyOfId } from '../identity/id.ts'
import { judgeProven, type Trust } from '../identity/trust.ts'
import type { Pipe } from '../net/pipe.ts'
import type { Security } from '../net/security.ts'
import type { Transport } from '../net/transport.ts'
import { unlessAborted } from './attempts.ts'
import type { Deadlines } from './deadlines.ts'

export interface CheckpointSettings {
  readonly wire: 'plain' | 'v1' | 'auto'
  readonly security?: Security | undefined
  readonly trust?: Trust | undefined
  readonly insecure: boolean
  readonly handshakeTimeout: number
}

/** One pipe that is to be proven. */
export interface Arrival {
  readonly dialed: boolean
  /** As it was dialed; else that of the connection. */
  readonly address: string
  /** The host that was dialed. */
  readonly host?: string | undefined
  /** Whom it must be. */
  readonly expected?: string | undefined
  readonly signal: AbortSignal
}

export interface CheckpointHost {
  /** Others can reach this address, with nothing proven there. */
  onInsecure(address: string): void
  /** Lets go of one that dialed us, and has proven who it is, and is not taken. */
  turnAway(pipe: Pipe): void
}

/** Between the pipe and the handshake: who is there, proven before a byte of it is read; and where that must be. */
export class Checkpoint {
  readonly #settings: CheckpointSettings
  readonly #deadlines: Deadlines
  readonly #host: CheckpointHost

  constructor(settings: CheckpointSettings, deadlines: Deadlines, host: CheckpointHost) {
    this.#settings = settings
    this.#deadlines = deadlines
    this.#host = host
  }

  /** There is a Security: every pipe has to pass. */
  get isOpen(): boolean {
    return this.#settings.security !== undefined
  }

  /** Protected mode: throws INSECURE where strangers could read or speak, and nothing is there against it. */
  check(isExposed: boolean, address: string, what: string): void {
    const { wire, security, insecure } = this.#settings
    if (!isExposed || wire === 'plain' || security !== undefined) return
    if (!insecure)
      fail('INSECURE', `wire v1 ${what} an address that others can reach, without security`, { address })
    this.#host.onInsecure(address)
  }

  /** The id that a dialed address names. Throws INSECURE, UNPROVEN, BAD_ID, BAD_ADDRESS. */
  wanted(to: URL, address: string, transport: Transport): string | undefined {
    this.check(transport.isExposed?.(to) === true, address, 'dials')
    this.#needTaken(to, address)
    if (to.password !== '')
      fail('BAD_ADDRESS', 'an address has an id before its "@", and nothing else', { address })
    if (to.username === '') {
      // As of an id that is not there yet: it would be a dial to whoever answers.
      if (to.hostname !== '' && address.includes('@'))
        fail('BAD_ID', 'there is no id before the "@"', { address })
      return undefined
    }
    if (this.#settings.security === undefined)
      fail('UNPROVEN', `${schemeOf(to)}:// with an id needs a sock with an identity`, { address })
    keyOfId(to.username)
    return to.username
  }

  /** An address to listen on may name our own id, as `address` does, and no other. Throws BAD_ADDRESS, UNSUPPORTED. */
  checkOwn(at: URL, address: string): void {
    this.#needTaken(at, address)
    const { username, password } = at
    if ((username !== '' || password !== '') && username !== this.#settings.security?.id)
      fail('BAD_ADDRESS', 'an address to listen on names no id but our own', { address })
  }

  /** Before anybody waits there for what can never be proven. */
  #needTaken(at: URL, address: string): void {
    const { name, schemes } = this.#settings.security ?? {}
    const scheme = schemeOf(at)
    if (schemes === undefined || schemes.includes(scheme)) return
    fail(
      'UNSUPPORTED',
      `${name} is for ${schemes.join(', ')}: alone; for ${scheme}: use a sock without an identity`,
      { address },
    )
  }

  /** The address as others should dial it: with our id, where there is one and a place for it. */
  named(address: string): string {
    const id = this.#settings.security?.id
    return id === undefined ? address : address.replace(/^([a-z][a-z0-9+.-]*:\/\/)(?![^/]*@)/, `$1${id}@`)
  }

  /** Gives the pipe to go on with. Rejects with why nobody may; the pipe is destroyed then. */
  async pass(pipe: Pipe, { dialed, address, host, expected, signal }: Arrival): Promise<Pipe> {
    const { security, trust, handshakeTimeout } = this.#settings
    if (security === undefined) return pipe
    const aborter = new AbortController()
    const onAbort = (): void => {
      aborter.abort(signal.reason)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    const deadline = this.#deadlines.set(handshakeTimeout, () => {
      const what = `nothing was proven within ${handshakeTimeout} ms`
      aborter.abort(new SockError('HANDSHAKE_TIMEOUT', what, { address }))
    })
    let proven: Pipe | undefined
    try {
      proven = await security.secure(pipe, { dialed, host, signal: aborter.signal })
      const { proof } = proven
      // A Security that proves nothing secures nothing.
      if (proof === undefined) return fail('UNPROVEN', `${security.name} proved nothing`, { address })
      const judging = judgeProven(
        { id: proof.id, proof, address, dialed },
        { own: security.id, expected, trust },
      )
      // A policy of the application may take its time.
      await unlessAborted(judging, aborter.signal)
      return proven
    } catch (thrown) {
      // Whom we dial, and a stranger, hears nothing.
      if (proven?.proof !== undefined && !dialed && !aborter.signal.aborted) this.#host.turnAway(proven)
      else (proven ?? pipe).destroy()
      throw asSockError(thrown, 'TLS_FAILED', security.name, address)
    } finally {
      deadline.cancel()
      signal.removeEventListener('abort', onAbort)
    }
  }
}

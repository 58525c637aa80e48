import { platform } from 'node:os'
import type net from 'node:net'

/** Node's own reads are of 64 KiB: a system call, an event and a cut frame for each. */
const WIDE = 256 * 1024
/**
 * Where every socket reads while little comes. One for all, which is sound where the system fills it only when
 * its turn has come: libuv reads and calls back in one go. On Windows a read may stand waiting with its memory.
 */
let shared: Uint8Array | undefined
/** Memory for a wide read that came to nothing. */
let spare: Uint8Array | undefined

/**
 * Where the reads of one socket go. What is handed out belongs to the receiver: a read that fills at least half is
 * handed out as it is, and the next goes into fresh memory; a shorter one is copied, so that an idle socket holds
 * nothing and what is kept of it keeps no more than its own bytes.
 *
 * Only for sockets that we dial: Node has no such option (`onread`) for those that a server accepts.
 */
export class WideReads {
  /** What a read is handed to. */
  sink: (chunk: Uint8Array) => void = () => undefined
  #own: Uint8Array | undefined
  /** Where the system reads to, as far as it was told. */
  #handed: Uint8Array | undefined

  /** The option of net.connect. */
  get option(): Pick<net.TcpSocketConnectOpts, 'onread'> {
    return {
      onread: {
        // Asked once before the first read and then after each; no answer means the same memory again.
        buffer: () => this.#handOver() as Uint8Array,
        callback: (n) => {
          this.sink(this.take(n))
          return true
        },
      },
    }
  }

  /** The memory for the next read, if it is another one. */
  #handOver(): Uint8Array | undefined {
    const { memory } = this
    if (memory === this.#handed) return undefined
    return (this.#handed = memory)
  }

  /** Where the next read goes. */
  get memory(): Uint8Array {
    return this.#own ?? (shared ??= new Uint8Array(WIDE))
  }

  /** The `n` bytes that were read just now. */
  take(n: number): Uint8Array {
    const { memory } = this
    const wide = n * 2 >= WIDE
    const chunk = wide && memory === this.#own ? memory.subarray(0, n) : memory.slice(0, n)
    // Nobody was handed any of it: who reads widely next need not take, and the collector not free, as much again.
    if (!wide && this.#own !== undefined) spare = this.#own
    this.#own = undefined
    if (wide) {
      this.#own = spare ?? new Uint8Array(WIDE)
      spare = undefined
    }
    return chunk
  }
}

export const canReadWide = platform() !== 'win32'

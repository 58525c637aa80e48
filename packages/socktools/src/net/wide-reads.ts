import { platform } from 'node:os'
import type net from 'node:net'

/** Node's own reads are of 64 KiB: a system call, an event and a cut frame for each. */
const WIDE = 256 * 1024
/** A read that brings so much is handed out uncopied. */
const MANY = WIDE / 2
/** Less room than this is not read into any more. */
const LEAST = 64 * 1024
/**
 * What is taken at a time, for several wide reads: the collector counts what is taken, not what is used of it, and
 * stops the process for each so many bytes. Room for the headers besides, so that reads of MANY fill it.
 */
const BLOCK = 2 * WIDE + 4096
/** What the sockets of a process share. */
export interface ReadMemory {
  /**
   * Where every socket reads while little comes. One for all, which is sound where the system fills it only when
   * its turn has come: libuv reads and calls back in one go. On Windows a read may stand waiting with its memory.
   */
  idle?: Uint8Array
  /** The rest of a block that its socket has no use for any more: nobody was handed any of it. */
  spare?: Uint8Array | undefined
}

const common: ReadMemory = {}

/**
 * Where the reads of one socket go. What is handed out belongs to the receiver: much is handed out where it was read,
 * and the next read goes behind it; little is copied, so that an idle socket holds nothing and what is kept of it
 * keeps no more than its own bytes.
 *
 * Only for sockets that we dial: Node has no such option (`onread`) for those that a server accepts.
 */
export class WideReads {
  /** What a read is handed to. */
  sink: (chunk: Uint8Array) => void = () => undefined
  /** Where the next read goes, in a block of this socket's own. */
  #own: Uint8Array | undefined
  /** All that is left of that block. */
  #rest: Uint8Array | undefined
  /** Where the system reads to, as far as it was told. */
  #handed: Uint8Array | undefined

  readonly #shared: ReadMemory

  constructor(shared = common) {
    this.#shared = shared
  }

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
    return this.#own ?? (this.#shared.idle ??= new Uint8Array(WIDE))
  }

  /** The `n` bytes that were read just now. */
  take(n: number): Uint8Array {
    const { memory } = this
    const own = memory === this.#own
    const many = n >= MANY || (own && n === memory.length)
    const chunk = many && own ? memory.subarray(0, n) : memory.slice(0, n)
    if (many) this.#readOn(own ? n : 0)
    else this.#letGo()
    return chunk
  }

  /** The next read goes into a block of our own, behind the `n` bytes of it that were handed out just now. */
  #readOn(n: number): void {
    let rest = this.#rest?.subarray(n)
    if (rest === undefined || rest.length < LEAST) {
      rest = this.#shared.spare ?? newBlock()
      this.#shared.spare = undefined
    }
    this.#rest = rest
    this.#own = rest.subarray(0, WIDE)
  }

  /** Who reads widely next need not take, and the collector not free, as much again. */
  #letGo(): void {
    if (this.#rest) this.#shared.spare = this.#rest
    this.#own = this.#rest = undefined
  }
}

/** Not filled with zeros: nobody is handed a byte that was not read. */
function newBlock(): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(BLOCK).buffer)
}

export const canReadWide = platform() !== 'win32'

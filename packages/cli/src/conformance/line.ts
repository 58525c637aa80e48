import type { Socket } from 'node:net'
import { readUint, sized } from './bytes.ts'
import { Failed } from './failed.ts'

/** How a connection ended: in good order, or by a reset. */
export type Ending = 'end' | 'reset'

/** One connection, payload by payload. What comes is kept until it is asked for. */
export class Line {
  /** What was asked for last: told when nothing comes. */
  waitsFor = ''
  readonly #socket: Socket
  #bytes = Buffer.alloc(0)
  #ending: Ending | undefined
  #given = false
  #wake: () => void = () => undefined

  constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk])
      this.#wake()
    })
    socket.on('end', () => {
      this.#over('end')
    })
    socket.on('error', () => {
      this.#over('reset')
    })
    socket.on('close', () => {
      this.#over('reset')
    })
  }

  /** As they are, in one write. */
  write(bytes: Uint8Array): void {
    if (!this.#socket.destroyed && this.#socket.writable) this.#socket.write(bytes)
  }

  /** With its length before it. */
  put(payload: Uint8Array): void {
    this.write(sized(4, payload))
  }

  /** Ends our direction. */
  end(): void {
    this.#socket.end()
  }

  /** Breaks it without a word. */
  reset(): void {
    // A Unix socket has no reset: there it is the end of the stream, within whatever was said.
    if (this.#socket.remoteAddress === undefined) this.#socket.destroy()
    else this.#socket.resetAndDestroy()
  }

  /** Nothing of this case is wanted any more: whoever waits here hears of it. */
  close(): void {
    this.#given = true
    this.#socket.destroy()
    this.#wake()
  }

  /** The next payload, or how the connection ended. A length that is above `most` is a failure as soon as it is there. */
  async payload(most: number, what: string): Promise<Uint8Array | Ending> {
    this.waitsFor = what
    for (;;) {
      if (this.#given) throw new Failed(`${what} was due, and nothing came in time`)
      if (this.#bytes.length >= 4) {
        const size = readUint(this.#bytes.subarray(0, 4))
        if (size > most) throw new Failed(`a frame of ${size} bytes came: at most ${most} are allowed here`)
        if (this.#bytes.length >= 4 + size) {
          const payload = Uint8Array.from(this.#bytes.subarray(4, 4 + size))
          this.#bytes = this.#bytes.subarray(4 + size)
          return payload
        }
      }
      if (this.#ending !== undefined) {
        if (this.#bytes.length > 0 && this.#ending === 'end')
          throw new Failed(`the stream ended within a frame, after ${this.#bytes.length} bytes of it`)
        return this.#ending
      }
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  #over(how: Ending): void {
    this.#ending ??= how
    this.#wake()
  }
}

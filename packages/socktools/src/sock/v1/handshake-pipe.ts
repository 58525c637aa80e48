import { fail, SockError } from '../../errors.ts'
import type { Pipe } from '../../net/pipe.ts'
import { foreignProtocol } from '../../wire/foreign.ts'
import { readU32, writeU32 } from '../../wire/length-header.ts'
import { HEADER, writeHeader } from '../../wire/v1/frame.ts'
import { rejection } from '../../wire/v1/hello.ts'
import { encodeWelcome } from '../../wire/v1/hello-bytes.ts'
import type { Partings } from '../partings.ts'
import { Waiter } from '../waiter.ts'
import { joined } from './data.ts'

const NOTHING = new Uint8Array(0)

/** A pipe during the handshake: frames are read one by one, and what comes after them is kept for the peer. */
export class HandshakePipe {
  readonly #pipe: Pipe
  #bytes: Uint8Array = NOTHING
  #changed = new Waiter()
  #held = false
  #done = false
  /** By the far side, or broken. */
  #ended = false
  /** Why no more comes. */
  #over: SockError | undefined
  readonly #onClose: (error?: Error) => SockError

  /** `onClose` is called when the far side ends or breaks the connection: what that means now. */
  constructor(pipe: Pipe, onClose: (error?: Error) => SockError) {
    this.#pipe = pipe
    this.#onClose = onClose
    pipe.attach({
      data: (chunk) => {
        this.#bytes = joined(this.#bytes, chunk)
        // The far side says a frame and waits. One that does not is read by its peer, under limits.
        if (!this.#done) pipe.pause()
        this.#change()
      },
      drain: () => {
        this.#held = false
        this.#change()
      },
      end: () => {
        this.#end()
      },
      close: (error) => {
        this.#end(error)
      },
    })
  }

  #end(error?: Error): void {
    this.#ended = true
    if (this.#done) this.#pipe.destroy()
    else this.giveUp(this.#onClose(error))
  }

  /** Whoever waits for this pipe hears `why`. */
  giveUp(why: SockError): void {
    if (this.#over === undefined) this.onOver?.(why)
    this.#over ??= why
    this.#change()
  }

  /** Told why nothing more can come of this, at once. */
  onOver: ((why: SockError) => void) | undefined

  #change(): void {
    const changed = this.#changed
    this.#changed = new Waiter()
    changed.resolve()
  }

  async #more(): Promise<void> {
    if (this.#over !== undefined) throw this.#over
    this.#pipe.resume()
    await this.#changed.promise
  }

  /** What has come and was not read. */
  get early(): Uint8Array {
    return this.#bytes
  }

  /** Resolves when at least `n` bytes are there, or `enough`. */
  async atLeast(n: number, enough?: () => boolean): Promise<Uint8Array> {
    while (this.#bytes.length < n && enough?.() !== true) await this.#more()
    return this.#bytes
  }

  /** Reads on until that is `enough`, though it may be over by then. */
  async until(enough: () => boolean): Promise<void> {
    while (!enough()) {
      if (this.#over === undefined) this.#pipe.resume()
      await this.#changed.promise
    }
  }

  /** Why no more comes; undefined: more may come. */
  get over(): SockError | undefined {
    return this.#over
  }

  /** Whoever waits looks again whether that is enough. */
  wake(): void {
    this.#change()
  }

  /** The payload of the next frame, of at most `limit` bytes; what is longer is `tooLong()`, or FOREIGN_PROTOCOL. */
  async frame(limit: number, tooLong: (n: number) => never): Promise<Uint8Array> {
    const head = await this.atLeast(4)
    const n = readU32(head, 0)
    if (n > limit) {
      const protocol = foreignProtocol(head.subarray(0, 16))
      if (protocol !== undefined) fail('FOREIGN_PROTOCOL', `this looks like ${protocol}`)
      tooLong(n)
    }
    const whole = await this.atLeast(4 + n)
    this.#bytes = whole.subarray(4 + n)
    return whole.subarray(4, 4 + n)
  }

  /** Writes payloads, each as a frame. Resolves when the pipe has taken them. */
  async write(...payloads: readonly Uint8Array[]): Promise<void> {
    if (this.#over !== undefined) throw this.#over
    const chunks = payloads.map(framed)
    if (this.#pipe.write([chunks.reduce(joined, NOTHING)])) return
    this.#held = true
    // Changed by the pipe.
    while (this.#held as boolean) await this.#more()
  }

  /** Says a last word to one that is refused, and lets go of it. */
  refuse(payload: Uint8Array | undefined, partings: Partings): void {
    this.#done = true
    this.#bytes = NOTHING
    if (payload === undefined || this.#ended || this.#held) {
      this.#pipe.destroy()
      return
    }
    // Not asked whether it was taken: under TLS none is at once, and a pipe that is ended writes what it holds.
    this.#pipe.write([framed(payload)])
    partings.add(this.#pipe)
  }

  /** The handshake is over; the peer hears of the pipe from now on. Throws if there is none any more, and it `needs` one. */
  release(needs: boolean): void {
    if (needs && this.#over !== undefined) throw this.#over
    this.#done = true
    this.#pipe.pause()
  }
}

/** One that has proven a key that is not taken hears that, and not why; nothing that it says is read. */
export function turnAway(pipe: Pipe, partings: Partings): void {
  const refused = new SockError('REFUSED', 'this connection is not taken')
  new HandshakePipe(pipe, () => refused).refuse(encodeWelcome(rejection(refused)), partings)
}

function framed(payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(4 + payload.length)
  frame.set(payload, writeU32(frame, 0, payload.length))
  return frame
}

/** A frame that is not sequenced. */
export function controlFrame(kind: number, flags: number, ack: number, body: Uint8Array): Uint8Array {
  const frame = new Uint8Array(HEADER + body.length)
  frame.set(body, writeHeader(frame, 0, kind, flags, 0, 0, 0, ack))
  return frame
}

import { fail, needKnown } from '../errors.ts'
import type { Decoder, Framing } from './framing.ts'
import { Held } from './held.ts'

const LF = 0x0a
const CR = 0x0d

export interface LinesOptions {
  /** The longest line in bytes, its ending not counted. Default 64 KiB. */
  readonly max?: number
  /** Ends lines with CR LF rather than LF when sending. Either is understood when receiving. Default false. */
  readonly crlf?: boolean
  /**
   * What a last line without an ending counts as when the sender finishes: a line (the default, so that
   * `printf hi | nc` is heard) or a cut-off frame (`false`), as a protocol of commands should have it.
   */
  readonly unterminated?: boolean
}

/** Line by line, as telnet and netcat speak: the payload, then LF or CR LF. */
export function lines(options: LinesOptions = {}): Framing {
  needKnown(options, ['max', 'crlf', 'unterminated'], 'lines()')
  const { max = 64 * 1024, crlf = false, unterminated = true } = options
  if (!Number.isSafeInteger(max) || max < 0)
    fail('BAD_OPTION', `lines({ max }) takes a number of bytes, not ${max}`)
  const ending = crlf ? Uint8Array.of(CR, LF) : Uint8Array.of(LF)
  const after = (into: Uint8Array, at: number): number => {
    into.set(ending, at)
    return at + ending.length
  }
  return {
    name: 'lines',
    max,
    size: (n) => n + ending.length,
    write(into, at, payload) {
      check(payload)
      into.set(payload, at)
      return after(into, at + payload.length)
    },
    around: { before: (_into, at) => at, after, check },
    decoder: (onFrame, limit) => new LineDecoder(onFrame, Math.min(limit, max), unterminated),
  }
}

function check(payload: Uint8Array): void {
  if (payload.includes(LF)) fail('CANNOT_FRAME', 'a line cannot hold a line feed')
  // The far side takes a CR before the LF for part of the ending, so it would be lost.
  if (payload[payload.length - 1] === CR) fail('CANNOT_FRAME', 'a line cannot end with a carriage return')
}

class LineDecoder implements Decoder {
  readonly #onFrame: (payload: Uint8Array) => void
  readonly #max: number
  readonly #unterminated: boolean
  readonly #held = new Held()
  #stopped = false

  constructor(onFrame: (payload: Uint8Array) => void, max: number, unterminated: boolean) {
    this.#onFrame = onFrame
    this.#max = max
    this.#unterminated = unterminated
  }

  get partial(): number {
    return this.#held.length
  }

  stop(): void {
    this.#stopped = true
  }

  push(chunk: Uint8Array): void {
    let at = 0
    while (!this.#stopped) {
      const lf = chunk.indexOf(LF, at)
      if (lf < 0) break
      this.#line(chunk, at, lf)
      at = lf + 1
    }
    if (this.#stopped || at === chunk.length) return
    // A CR at the end can be that of an ending whose LF is still to come.
    const more = chunk.length - at - (chunk[chunk.length - 1] === CR ? 1 : 0)
    if (this.#held.length + more > this.#max) this.#refuse()
    this.#held.add(chunk, at, chunk.length, this.#max + 1 - this.#held.length)
  }

  finish(): void {
    if (this.#stopped || this.#held.length === 0 || !this.#unterminated) return
    const last = this.#held.take(EMPTY, 0, 0)
    if (last.length > this.#max) this.#refuse()
    this.#onFrame(last)
  }

  #line(chunk: Uint8Array, from: number, to: number): void {
    // Judged before the pieces are joined, so that no more than max is ever copied.
    if (this.#held.length + to - from > this.#max + 1) this.#refuse()
    const line =
      this.#held.length === 0
        ? new Uint8Array(chunk.buffer, chunk.byteOffset + from, to - from)
        : this.#held.take(chunk, from, to)
    const length = line[line.length - 1] === CR ? line.length - 1 : line.length
    if (length > this.#max) this.#refuse()
    this.#onFrame(length === line.length ? line : new Uint8Array(line.buffer, line.byteOffset, length))
  }

  #refuse(): never {
    this.#stopped = true
    return fail('FRAME_TOO_LARGE', `a line is longer than ${this.#max} bytes`)
  }
}

const EMPTY = new Uint8Array(0)

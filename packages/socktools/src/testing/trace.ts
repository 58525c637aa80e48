import { nodePlatform } from '../platform/node.ts'

const { crc32 } = nodePlatform.disk
const f64 = new Float64Array(1)
const u32 = new Uint32Array(f64.buffer)

/** The hash of everything that happened, in its order: two runs that agree in it did the same. */
export class Trace {
  #a = 0x811c9dc5
  #b = 0x9e3779b9
  events = 0

  /** One event: what kind, of whom, when. */
  event(kind: number, who: number, now: number): void {
    this.events++
    this.#mix(kind)
    this.#mix(who)
    this.number(now)
  }

  number(value: number): void {
    f64[0] = value
    this.#mix(u32[0] as number)
    this.#mix(u32[1] as number)
  }

  text(text: string): void {
    this.#mix(text.length)
    for (let i = 0; i < text.length; i++) this.#mix(text.charCodeAt(i))
  }

  /** By their checksum: it is their content that counts, and there is much of it. */
  bytes(bytes: Uint8Array): void {
    this.#mix(bytes.length)
    this.#mix(crc32(bytes))
  }

  /** 16 hex digits. */
  get hash(): string {
    const hex = (n: number): string => (n >>> 0).toString(16).padStart(8, '0')
    return hex(this.#a) + hex(this.#b)
  }

  /** FNV-1a beside a multiply-rotate mix: cheap, and no two unlike runs are alike by chance. */
  #mix(value: number): void {
    this.#a = Math.imul(this.#a ^ value, 0x01000193)
    const b = Math.imul(this.#b ^ value, 0x85ebca6b)
    this.#b = (b << 13) | (b >>> 19)
  }
}

/** What kinds of events there are, for the hash. */
export const EVENTS = {
  timer: 1,
  defer: 2,
  poll: 3,
  data: 4,
  end: 5,
  close: 6,
  drain: 7,
  pipe: 8,
  fault: 9,
  note: 10,
}

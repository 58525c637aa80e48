/** What happened to a file and is not durable yet. */
type Change =
  | { readonly kind: 'write'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'size'; readonly size: number }

/** What a disk writes in one step, whatever happens. */
const SECTOR = 512

/** The content of one file: as everybody reads it, and as the disk has it. */
export class SimFile {
  content: Growable
  readonly #durable: Growable
  #changes: Change[] = []

  constructor(durable: Uint8Array = new Uint8Array(0)) {
    this.content = new Growable(durable)
    this.#durable = new Growable(durable)
  }

  get size(): number {
    return this.content.size
  }

  write(bytes: Uint8Array, at: number): void {
    const change: Change = { kind: 'write', at, bytes: bytes.slice() }
    this.content.write(change.bytes, at)
    this.#changes.push(change)
  }

  truncate(size: number): void {
    this.content.resize(size)
    this.#changes.push({ kind: 'size', size })
  }

  sync(): void {
    for (const change of this.#changes) apply(this.#durable, change)
    this.#changes = []
  }

  /** As Linux has it: what could not be written counts as written, and no later sync tries it again. */
  failSync(): void {
    this.#changes = []
  }

  /** What is found after a power failure. */
  crashed(how: 'lost' | 'kept' | 'torn', random: () => number): Uint8Array {
    if (how === 'kept') return this.content.bytes()
    const found = new Growable(this.#durable.bytes())
    if (how === 'torn') for (const change of this.#changes) tear(found, change, random)
    return found.bytes()
  }
}

/** Each sector of a write gets there or does not, on its own, and one of them perhaps in part. */
function tear(found: Growable, change: Change, random: () => number): void {
  if (change.kind === 'size') {
    if (random() < 0.5) apply(found, change)
    return
  }
  const { at, bytes } = change
  // The size may get there before the data do: that reads as zeros.
  if (random() < 0.3) found.resize(Math.max(found.size, at + bytes.length))
  const end = at + bytes.length
  const fate = random()
  for (let from = at; from < end; ) {
    const to = Math.min(end, (Math.floor(from / SECTOR) + 1) * SECTOR)
    const part = bytes.subarray(from - at, to - at)
    const luck = random()
    if (luck < fate) found.write(part, from)
    else if (luck < fate + 0.1) found.write(part.subarray(0, Math.floor(random() * part.length)), from)
    from = to
  }
}

function apply(to: Growable, change: Change): void {
  if (change.kind === 'write') to.write(change.bytes, change.at)
  else to.resize(change.size)
}

/** Bytes that grow: what lies between the old end and a write further on is zeros. */
export class Growable {
  size: number
  #bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes.slice()
    this.size = bytes.length
  }

  bytes(): Uint8Array {
    return this.#bytes.slice(0, this.size)
  }

  view(from: number, to: number): Uint8Array {
    return this.#bytes.subarray(Math.min(from, this.size), Math.min(to, this.size))
  }

  write(bytes: Uint8Array, at: number): void {
    if (bytes.length === 0) return
    if (at + bytes.length > this.size) this.resize(at + bytes.length)
    this.#bytes.set(bytes, at)
  }

  resize(size: number): void {
    if (size > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(size, 2 * this.#bytes.length))
      larger.set(this.#bytes.subarray(0, this.size))
      this.#bytes = larger
    } else this.#bytes.fill(0, Math.min(size, this.size), Math.max(size, this.size))
    this.size = size
  }
}

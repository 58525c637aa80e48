import { setImmediate as turn } from 'node:timers/promises'

/** Text collected before it is written: one system call for a burst of short lines. */
const CHUNK = 64 * 1024

/** The way to stdout. Each promise is there while stdout is full: who awaits it is held up as it should be. */
export class Stdout {
  #text = ''
  #room: Promise<void> | undefined

  /** One line, in pieces. Escaping a long one takes its time: others are served in between, and it is still one line. */
  line(pieces: Iterable<string>, head = ''): Promise<void> | undefined {
    const left = pieces[Symbol.iterator]()
    const [first, second] = [left.next(), left.next()]
    if (second.done === true) return this.#add(`${head}${first.done === true ? '' : first.value}\n`)
    return this.#addLong(`${head}${String(first.value)}${second.value}`, left)
  }

  /** Bytes as they are. */
  bytes(chunk: Uint8Array): Promise<void> | undefined {
    this.#write()
    this.#put(chunk)
    return this.#room
  }

  async #addLong(start: string, left: Iterator<string>): Promise<void> {
    const line = [start]
    for (let next = left.next(); next.done !== true; next = left.next()) {
      line.push(next.value)
      await turn()
    }
    await this.#add(`${line.join('')}\n`)
  }

  #add(text: string): Promise<void> | undefined {
    if (this.#text === '') process.nextTick(() => this.#write())
    this.#text += text
    if (this.#text.length >= CHUNK) this.#write()
    return this.#room
  }

  #write(): void {
    const text = this.#text
    this.#text = ''
    if (text !== '') this.#put(text)
  }

  #put(chunk: string | Uint8Array): void {
    if (process.stdout.write(chunk) || this.#room !== undefined) return
    this.#room = new Promise((resolve) => {
      process.stdout.once('drain', () => {
        this.#room = undefined
        resolve()
      })
    })
  }
}

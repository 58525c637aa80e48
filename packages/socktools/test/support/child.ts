import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** A test, or whatever else has an end. */
export interface Ending {
  after(fn: () => unknown): void
}

/** A process of its own, that runs one of children/*.ts, or .mjs on what was built. It is ended with the test at the latest. */
export class Child {
  readonly process: ChildProcess
  /** Resolves when it has ended, to how. */
  readonly exit: Promise<{ code: number | null; signal: string | null }>
  /** What it wrote to stderr so far. */
  errors = ''
  readonly #lines: AsyncIterator<string>

  private constructor(process: ChildProcess) {
    this.process = process
    this.exit = once(process, 'close').then(([code, signal]) => ({ code, signal }))
    process.stderr?.on('data', (chunk: Buffer) => (this.errors += chunk.toString()))
    if (process.stdout === null) throw new Error('a child has a stdout')
    this.#lines = createInterface(process.stdout)[Symbol.asyncIterator]()
  }

  static start(t: Ending, name: string, ...args: string[]): Child {
    return Child.under(t, [], name, ...args)
  }

  /** The same, by a command that runs what comes behind it. */
  static under(t: Ending, command: readonly string[], name: string, ...args: string[]): Child {
    const built = name.endsWith('.mjs')
    const script = fileURLToPath(new URL(`children/${built ? name : `${name}.ts`}`, import.meta.url))
    const run = built ? [script] : ['--import', 'tsx', script]
    const [file = '', ...rest] = [...command, process.execPath, ...run, ...args]
    const child = new Child(spawn(file, rest))
    t.after(() => child.process.kill('SIGKILL'))
    return child
  }

  /** What it says next, with `say`. Throws when it ended without a word. */
  async hear<T>(): Promise<T> {
    const { value, done } = await this.#lines.next()
    if (done !== true) return JSON.parse(value) as T
    const { code, signal } = await this.exit
    throw new Error(`the child ended with ${signal ?? code}: ${this.errors}`)
  }

  /** A line for its stdin. */
  tell(line: string): void {
    this.process.stdin?.write(`${line}\n`)
  }
}

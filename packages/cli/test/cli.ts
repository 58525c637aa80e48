import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url))

/** How a command ended. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** The command line as a process: what it writes is collected, and can be waited for. */
export class Cli {
  readonly ended: Promise<Ended>
  readonly #child
  readonly #out = { stdout: '', stderr: '' }
  #onOutput: () => void = () => undefined

  constructor(t: TestContext, args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
    const child = spawn(process.execPath, [main, ...args], { stdio: 'pipe', env })
    this.#child = child
    t.after(() => child.kill('SIGKILL'))
    child.stdin.on('error', () => undefined) // it may have ended before it has read everything
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        this.#out[name] += text
        this.#onOutput()
      })
    }
    this.ended = new Promise((resolve) => {
      child.on('close', (code, signal) => {
        this.#onOutput()
        resolve({ code, signal, ...this.#out })
      })
    })
  }

  get stdin() {
    return this.#child.stdin
  }

  /** What it wrote to stdout, line by line. */
  get lines(): string[] {
    return this.#out.stdout.split('\n').slice(0, -1)
  }

  /** Waits until stdout, or stderr, holds a match. Rejects if it ends without. */
  async shows(pattern: RegExp, where: 'stdout' | 'stderr' = 'stdout'): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.#out[where])
      if (match !== null) return match
      if (this.#child.exitCode !== null) {
        throw new Error(`ended with ${this.#child.exitCode} without ${String(pattern)}: ${this.#out.stderr}`)
      }
      await new Promise<void>((resolve) => (this.#onOutput = resolve))
    }
  }

  /** The address that it says it listens on. */
  async address(): Promise<string> {
    const [, address = ''] = await this.shows(/listening on (\S+)/, 'stderr')
    return address
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Nobody reads its stdout any more. */
  closeStdout(): void {
    this.#child.stdout.destroy()
  }
}

/** Runs a command to its end. */
export async function run(
  t: TestContext,
  args: readonly string[],
  input: string | Uint8Array = '',
): Promise<Ended> {
  const cli = new Cli(t, args)
  cli.stdin.end(input)
  return cli.ended
}

/** An address that nobody listens on yet. */
export function freeAddress(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'socktools-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return `unix:${join(folder, 'sock')}`
}

/** The port of an address over TCP. */
export const portOf = (address: string): number => Number(/\d+$/.exec(address)?.[0])

export const ANY = 'tcp://127.0.0.1:0'
export const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString()

/** A far side that neither reads from its connections nor ends them until it is told to. */
export async function rawServer(t: TestContext) {
  const sockets: net.Socket[] = []
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) =>
    sockets.push(socket),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { address: `tcp://127.0.0.1:${(server.address() as net.AddressInfo).port}`, server, sockets }
}

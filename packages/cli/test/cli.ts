import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

/** The command as it is installed. */
export const bin = fileURLToPath(new URL('../bin/socktools.js', import.meta.url))

/** How a command ended. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

interface CliOptions {
  readonly env?: NodeJS.ProcessEnv
  /** What a shell is to do with its streams: `< file`, `> file`. */
  readonly redirect?: string
}

/** The command line as a process: what it writes is collected, and can be waited for. */
export class Cli {
  readonly ended: Promise<Ended>
  readonly #child
  readonly #out = { stdout: '', stderr: '' }
  #onOutput: () => void = () => undefined

  constructor(t: TestContext, args: readonly string[], { env = process.env, redirect }: CliOptions = {}) {
    const command = [process.execPath, bin, ...args]
    if (redirect !== undefined) command.unshift('/bin/sh', '-c', `exec "$@" ${redirect}`, 'sh')
    const [file = '', ...rest] = command
    const child = spawn(file, rest, { stdio: 'pipe', env })
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

  /** Nobody reads its stdout while it runs: it fills up. */
  stallStdout(): void {
    const { stdout } = this.#child
    stdout.pause()
    this.#child.once('exit', () => stdout.resume())
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
export const freeAddress = (t: TestContext): string => `unix:${join(temporary(t), 'sock')}`

/** A folder that the test may fill. */
export function temporary(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'socktools-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return folder
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

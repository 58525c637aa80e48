/** Servers that others wrote, started for a test on a port of their own and ended with it. */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { TcpSock } from 'socktools'
import type { Program } from './programs.ts'

export interface Server {
  readonly address: string
  readonly port: number
  /** Ends it; resolves when it is gone. */
  stop(): Promise<void>
}

/** What a server is started with: its port, and an empty folder that goes with it. */
export type Arguments = (port: number, folder: string) => readonly string[] | Promise<readonly string[]>

/** Starts a server on a free port of 127.0.0.1. Resolves when it can be connected to. */
export async function startServer(program: Program, argumentsFor: Arguments): Promise<Server> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    const folder = await mkdtemp(join(tmpdir(), 'socktools-server-'))
    const args = await argumentsFor(port, folder)
    const child = spawn(program.path, args, { env: program.env, stdio: ['ignore', 'pipe', 'pipe'] })
    const address = `tcp://127.0.0.1:${port}`
    const stop = async (): Promise<void> => {
      await end(child)
      await rm(folder, { recursive: true, force: true })
    }
    const [said, connected] = [collect(child), whenConnected(address)]
    const hung = setTimeout(() => child.kill('SIGKILL'), 20_000)
    try {
      // One that ends at once was too late for its port, or does not like its arguments.
      const ended = once(child, 'exit').then(() => 'ended')
      if ((await Promise.race([connected.up, ended])) === 'up' && child.exitCode === null)
        return { address, port, stop }
    } finally {
      clearTimeout(hung)
      await connected.close()
    }
    await stop()
    if (attempt === 5) throw new Error(`${program.path} ends as it starts:\n${said()}`)
  }
}

/** A kept connection is dialed until somebody answers. */
function whenConnected(address: string): { up: Promise<string>; close: () => Promise<unknown> } {
  const sock = new TcpSock({ connect: address, backoff: { first: 20, max: 200 } })
  const up = new Promise<string>((resolve, reject) => {
    sock.on('peer', () => resolve('up'))
    sock.start().catch(reject)
  })
  // Whoever closes it before that does not wait for it any more.
  up.catch(() => undefined)
  return { up, close: () => sock.close() }
}

/** One below the ports that systems give out by themselves, so that nobody is given it meanwhile. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000)
    const probe = net.createServer()
    const free = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false))
      probe.listen(port, '127.0.0.1', () => resolve(true))
    })
    if (free) await new Promise((resolve) => probe.close(resolve))
    if (free) return port
  }
}

type Child = ChildProcessByStdio<null, Readable, Readable>

function collect(child: Child): () => string {
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (text = (text + chunk.toString()).slice(-4_000)))
  return () => text
}

/** In good order, so that it takes the processes that it has forked with it. */
async function end(child: Child): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGTERM')
  const force = setTimeout(() => child.kill('SIGKILL'), 5_000)
  await gone
  clearTimeout(force)
}

/** The peer in Python (interop/python), as tests run it. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'

const root = resolve(import.meta.dirname, '../..')
export const peerPy = join(root, 'interop/python/peer.py')
// No __pycache__ in the tree.
export const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1' }

const noPython = spawnSync('python3', ['--version']).error !== undefined
export const needsPython = { skip: noPython && 'there is no python3 on the PATH' }

export interface Running {
  /** What it prints, a line of JSON each. */
  readonly lines: AsyncIterator<any>
  readonly exit: Promise<number | null>
  readonly kill: () => void
}

export function run(t: TestContext, ...args: string[]): Running {
  const child = spawn('python3', [peerPy, ...args], { stdio: ['ignore', 'pipe', 'inherit'], env })
  t.after(() => child.kill('SIGKILL'))
  const exit = once(child, 'exit').then(([code]) => code as number | null)
  const kill = (): void => {
    child.kill('SIGKILL')
  }
  return { lines: parsed(createInterface({ input: child.stdout })), exit, kill }
}

async function* parsed(lines: AsyncIterable<string>): AsyncGenerator<any, void> {
  for await (const line of lines) yield JSON.parse(line)
}

/** The next of its lines that has such a key. */
export async function told(lines: AsyncIterator<any>, key: string): Promise<any> {
  for (;;) {
    const { value, done } = await lines.next()
    assert.ok(done !== true, `it ended without a word of ${key}`)
    if (key in value) return value
  }
}

export async function serving(t: TestContext, ...options: string[]): Promise<Running & { address: string }> {
  const running = run(t, 'v1', 'serve', 'tcp://127.0.0.1:0', ...options)
  const { listening } = await told(running.lines, 'listening')
  return { ...running, address: listening }
}

/** What it prints, and the status that it exits with. */
export async function v1(t: TestContext, ...args: string[]): Promise<[any[], number | null]> {
  const { lines, exit } = run(t, 'v1', ...args)
  const all: any[] = []
  for (let one = await lines.next(); one.done !== true; one = await lines.next()) all.push(one.value)
  return [all, await exit]
}

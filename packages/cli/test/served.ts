/** A module with a contract and its handlers, and a process that serves it. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Cli, temporary } from './cli.ts'

const modules = fileURLToPath(new URL('../../../node_modules', import.meta.url))

/** A project of these files, which has the packages that they import. */
export function project(t: TestContext, files: Readonly<Record<string, string>>): (name: string) => string {
  const folder = temporary(t)
  mkdirSync(join(folder, 'node_modules'))
  for (const name of ['socktools', 'zod', 'tsx'])
    symlinkSync(join(modules, name), join(folder, 'node_modules', name))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return (name) => join(folder, name)
}

/** Serves this module on any port of this machine. */
export async function serving(
  t: TestContext,
  file: string,
  ...options: string[]
): Promise<{ server: Cli; address: string }> {
  const server = new Cli(t, ['serve', file, '--bind', 'tcp://127.0.0.1:0', ...options])
  return { server, address: await server.address() }
}

/** One type of every kind, and what can go wrong with each. */
export const CHAT = `
import { CallError, bytes, call, channel, feed, msg, nothing } from 'socktools'
import { z } from 'zod'

const Sum = z.object({ a: z.number(), b: z.number() })
export const protocol = {
  say: msg(z.object({ text: z.string() })),
  add: call(Sum, z.number(), { errors: { NEGATIVE: z.object({ of: z.string() }) } }),
  who: call(nothing(), z.record(z.string(), z.string())),
  thumb: call(bytes(), bytes()),
  nested: call(z.any(), z.any()),
  fails: call(nothing(), z.string()),
  undeclared: call(nothing(), z.string()),
  wrong: call(nothing(), z.number()),
  evil: call(nothing(), z.string()),
  never: call(nothing(), z.string()),
  count: feed(z.number(), z.number()),
  blocks: feed(nothing(), bytes()),
  flood: feed(nothing(), z.string()),
  flooded: call(nothing(), z.number()),
  idle: feed(nothing(), z.number()),
  chat: channel(z.string(), z.string()),
}
let items = 0
export const handlers = {
  say: ({ text }) => console.error('said ' + text),
  add: ({ a, b }) => {
    if (a < 0) throw new CallError('NEGATIVE', { of: 'a\\u001b[2J' }, 'too \\u001b[31mcold')
    return a + b
  },
  who: (_, { headers }) => headers,
  thumb: (bytes) => bytes.reverse(),
  nested: (data) => data,
  fails: () => {
    throw new Error('the disk\\u001b[2J\\nis full')
  },
  undeclared: () => {
    throw new CallError('UNDECLARED', { secret: 1 }, 'for people')
  },
  wrong: () => 'text',
  evil: () => '\\u001b[2J\\u0007\\n\\u202e',
  never: () => {
    console.error('asked')
    return new Promise(() => undefined)
  },
  async *count(n) {
    for (let i = 0; i < n; i++) yield i
  },
  async *blocks() {
    for (let i = 0; i < 3; i++) yield Uint8Array.of(i, 255)
  },
  async *flood() {
    try {
      for (; ; items++) yield 'x'.repeat(10_000)
    } finally {
      console.error('the feed is over')
    }
  },
  flooded: () => items,
  async *idle(_, { signal }) {
    yield 1
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    console.error('the feed is over')
  },
  chat: async (channel) => {
    for await (const text of channel) await channel.send(text)
  },
}
`

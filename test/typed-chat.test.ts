/** docs/typed-chat.md as its readers follow it: the files that it tells to write, the commands that it tells to run. */
import assert from 'node:assert/strict'
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { after, type TestContext, test } from 'node:test'
import { printedBy, writeBlocks } from './support/blocks.ts'

const DOCUMENT = 'docs/typed-chat.md'
// Within the checkout, where packages are found.
const scratch = await mkdtemp(join(import.meta.dirname, '.blocks-chat-'))
after(() => rm(scratch, { recursive: true, force: true }))
const files = await writeBlocks(scratch, DOCUMENT)

type Running = ChildProcessByStdio<Writable, Readable, null>

interface Program {
  readonly process: Running
  readonly exit: Promise<unknown[]>
  /** The lines that it prints, one by one. */
  readonly next: () => Promise<string | undefined>
  /** All that it prints from now on, until it ends. */
  readonly rest: () => Promise<string>
}

function start(t: TestContext, file: string, ...args: readonly string[]): Program {
  const path = files.find((one) => one.endsWith(`/${file}`))
  assert.ok(path, `the guide has no ${file}`)
  const process_ = spawn(process.execPath, ['--import', 'tsx', path, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  t.after(() => process_.kill('SIGKILL'))
  const exit = once(process_, 'exit')
  const lines = createInterface({ input: process_.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<string | undefined> => {
    const line = await lines.next()
    return line.done === true ? undefined : line.value
  }
  const rest = async (): Promise<string> => {
    let text = ''
    for (let line = await next(); line !== undefined; line = await next()) text += `${line}\n`
    return text
  }
  return { process: process_, exit, next, rest }
}

/** A server, and where it is. */
async function openRoom(t: TestContext): Promise<Program & { readonly address: string }> {
  const server = start(t, 'server.ts', 'tcp://127.0.0.1:0')
  const address = /tcp:.*/.exec((await server.next()) ?? '')?.[0]
  assert.ok(address)
  return { ...server, address }
}

test('two enter under one name, talk, and leave; the server sees who said what, and ends when told to', async (t) => {
  const [second = ''] = await printedBy(DOCUMENT)
  const server = await openRoom(t)
  const ann = start(t, 'client.ts', 'ann', server.address)
  assert.equal(await ann.next(), 'you are ann; here: nobody else')
  const other = start(t, 'client.ts', 'ann', server.address)
  other.process.stdin.end('hello\nbye\n')
  assert.equal(await other.rest(), second)
  assert.equal(await ann.next(), 'ann1: hello')
  assert.equal(await ann.next(), 'ann1: bye')
  ann.process.stdin.end()
  assert.equal(await ann.rest(), '')
  assert.match((await server.next()) ?? '', /^ann1 says something, trace [\da-f]{8}$/)
  assert.match((await server.next()) ?? '', /^ann1 says something, trace [\da-f]{8}$/)
  server.process.kill('SIGINT')
  assert.equal(await server.rest(), 'a reader left\n'.repeat(2), '`break` reached the generators')
  assert.deepEqual(await server.exit, [0, null])
})

test('what goes wrong is what the guide says', async (t) => {
  const [, told = '', seen = ''] = await printedBy(DOCUMENT)
  const server = await openRoom(t)
  assert.equal(await start(t, 'wrong.ts', server.address).rest(), told)
  assert.equal(`${(await server.next()) ?? ''}\n`, seen)
})

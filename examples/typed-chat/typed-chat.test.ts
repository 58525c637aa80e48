/** The typed chat as its users meet it: a room and guests, each a process, and a stranger with a sock of their own. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { describe, type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { CallError, RemoteError, TcpSock } from 'socktools'
import { protocol } from './protocol.ts'

function start(t: TestContext, file: string, ...args: readonly string[]) {
  const path = fileURLToPath(new URL(file, import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', path, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  const exit = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<string | undefined> => {
    const { value } = (await lines.next()) as { value: string | undefined }
    return value
  }
  const say = (text: string): void => void child.stdin.write(`${text}\n`)
  return { child, exit, next, say }
}

async function openRoom(t: TestContext) {
  const room = start(t, 'server.ts', 'tcp://127.0.0.1:0')
  const address = /tcp:.*/.exec((await room.next()) ?? '')?.[0] ?? assert.fail('no address')
  return { room, address, guest: (name: string) => start(t, 'client.ts', name, address) }
}

describe('the typed chat', () => {
  test('guests hear each other, who comes and who goes; /who asks them all', async (t) => {
    const { room, guest } = await openRoom(t)
    const ann = guest('ann')
    assert.equal(await ann.next(), 'you are ann; here: nobody else')
    const bob = guest('bob')
    assert.equal(await bob.next(), 'you are bob; here: ann')
    assert.equal(await ann.next(), 'room: bob is here')
    ann.say('hello')
    assert.equal(await bob.next(), 'ann: hello')
    bob.say('/who')
    assert.match((await bob.next()) ?? '', /^\* ann, silent for \d+ s$/)
    assert.match((await bob.next()) ?? '', /^\* bob, silent for \d+ s$/)
    ann.child.stdin.end()
    assert.equal(await bob.next(), 'room: ann left')
    room.child.kill('SIGTERM')
    assert.deepEqual(await bob.exit, [0, null], 'the end of the room is the end of a guest')
    assert.deepEqual(await room.exit, [0, null])
  })

  test('a name that is taken is a declared error, with one that is free', async (t) => {
    const { guest } = await openRoom(t)
    const ann = guest('ann')
    await ann.next()
    const other = guest('ann')
    assert.match((await other.next()) ?? '', /^you are ann-p\d+; here: ann$/)
  })

  test('what is none of the contract is refused by the room, which tells of it and lives on', async (t) => {
    const { room, address } = await openRoom(t)
    const stranger = await TcpSock.open({ protocol })
    t.after(() => stranger.close())
    const peer = await stranger.connectTo(address)
    await assert.rejects(
      peer.request('enter', { name: '\x1b[2J' }),
      (error) => error instanceof RemoteError && error.remote.code === 'BAD_MESSAGE',
    )
    assert.match((await room.next()) ?? '', /^tcp:\/\/127\.0\.0\.1:\d+ said what is none of our contract: /)
    assert.deepEqual(await peer.request('enter', { name: 'eve' }), [])
    await assert.rejects(
      peer.request('enter', { name: 'eve' }),
      (error) => error instanceof CallError && error.code === 'NAME_TAKEN',
    )
  })
})

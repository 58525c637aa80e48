/** `id`: keys and records; and what `serve` and `call` do with them. */
import assert from 'node:assert/strict'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { Identity } from 'socktools'
import { ANY, Cli, run, temporary } from './cli.ts'

const ID = /^sock1[02-9ac-hj-np-z]{58}\n$/

/** The files of three keys, and the ids of two. */
async function newKeys(
  t: TestContext,
  folder: string,
): Promise<Record<'server' | 'client' | 'stranger' | 'serverId' | 'clientId', string>> {
  const made = async (name: string): Promise<[file: string, id: string]> => {
    const file = join(folder, name)
    return [file, (await run(t, ['id', 'new', file])).stdout.trim()]
  }
  const [server, serverId] = await made('server')
  const [client, clientId] = await made('client')
  const [stranger] = await made('stranger')
  return { server, client, stranger, serverId, clientId }
}

describe('id', () => {
  test('new makes a key for its owner alone, and no second one; show tells the same id', async (t) => {
    const file = join(temporary(t), 'keys', 'id.pem')
    const { code, stdout, stderr } = await run(t, ['id', 'new', file])
    assert.deepEqual([code, stderr], [0, ''])
    assert.match(stdout, ID)
    assert.equal(statSync(file).mode & 0o777, 0o600)
    const before = readFileSync(file, 'utf8')
    const again = await run(t, ['id', 'new', file])
    assert.equal(again.code, 1)
    assert.match(again.stderr, /holds a key already/)
    assert.equal(readFileSync(file, 'utf8'), before)
    assert.equal((await run(t, ['id', 'show', file])).stdout, stdout)
    assert.equal((await run(t, ['id', 'show', `${file}.not`])).code, 1)
    assert.equal((await run(t, ['id', 'show', file, file])).code, 2)
    assert.equal((await run(t, ['id', 'rotate', file])).code, 2)
  })

  test('rotate and revoke print records, which verify takes; and none that was changed', async (t) => {
    const folder = temporary(t)
    const [old, next, records] = ['old', 'new', 'records'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ]
    const oldId = (await run(t, ['id', 'new', old])).stdout.trim()
    const rotated = await run(t, ['id', 'rotate', old, next, '--days', '1'])
    assert.equal(rotated.code, 0)
    const nextId = (await run(t, ['id', 'show', next])).stdout.trim()
    const revoked = await run(t, ['id', 'revoke', old])
    writeFileSync(records, rotated.stdout + revoked.stdout)
    const { code, stdout } = await run(t, ['id', 'verify', records])
    assert.equal(code, 0)
    assert.match(
      stdout,
      new RegExp(`^${nextId} takes the place of ${oldId}, [^\\n]*\\n${oldId} is revoked\\n$`),
    )
    writeFileSync(records, rotated.stdout.replace(nextId, oldId))
    assert.equal((await run(t, ['id', 'verify', records])).code, 1)
    assert.equal((await run(t, ['id', 'verify', oldId])).code, 0)
    assert.equal(
      (await run(t, ['id', 'verify', `${oldId.slice(0, -1)}${oldId.endsWith('q') ? 'p' : 'q'}`])).code,
      1,
    )
  })

  test('serve and call: by id, and nobody else', async (t) => {
    const folder = temporary(t)
    const { server, client, stranger, clientId } = await newKeys(t, folder)
    const file = join(folder, 'service.mjs')
    const socktools = import.meta.resolve('socktools')
    writeFileSync(
      file,
      `import { call, nothing } from '${socktools}'
export const protocol = { ping: call(nothing(), nothing()) }
export const handlers = { ping: () => undefined }`,
    )
    const cli = new Cli(t, ['serve', file, '--identity', server, '--trust', clientId])
    const address = await cli.address()
    assert.match(address, /^tcp:\/\/sock1\w{58}@127\.0\.0\.1:\d+$/)
    const called = await run(t, ['call', '--identity', client, address, 'ping'])
    assert.deepEqual([called.code, called.stderr], [0, ''])
    assert.equal((await run(t, ['call', '--identity', stranger, address, 'ping'])).code, 1)
    const without = await run(t, ['call', address, 'ping'])
    assert.equal(without.code, 1)
    assert.match(without.stderr, /--identity[^\n]*\[UNPROVEN\]/)
    const other = await run(t, ['call', '--identity', client, address.replace(/sock1\w+/, clientId), 'ping'])
    assert.match(other.stderr, /\[WRONG_ID\]/)
    const open = await run(t, ['serve', file, '--bind', 'tcp://0.0.0.0:0'])
    assert.equal(open.code, 1)
    assert.match(open.stderr, /--insecure[^\n]*\[INSECURE\]/)
  })

  test('listen and connect: over TLS, by id or by --trust, and nobody else', async (t) => {
    const { server, client, stranger, serverId, clientId } = await newKeys(t, temporary(t))
    const listener = new Cli(t, ['listen', ANY, '--identity', server, '--trust', clientId])
    const address = await listener.address()
    assert.ok(address.startsWith(`tcp://${serverId}@127.0.0.1:`))
    const bare = address.replace(/sock1\w+@/, '')
    const sent = await run(t, ['connect', '--identity', client, address], 'by id')
    assert.deepEqual([sent.code, sent.stderr.includes(`joined, proven to be ${serverId}`)], [0, true])
    await listener.shows(/by id\n/)
    await listener.shows(new RegExp(`joined, proven to be ${clientId}`), 'stderr')
    assert.equal(
      (await run(t, ['connect', '--identity', client, '--trust', serverId, bare], 'by trust')).code,
      0,
    )
    await listener.shows(/by trust\n/)
    const fails = async (args: string[], code: number, words: RegExp): Promise<void> => {
      const ended = await run(t, ['connect', ...args], 'never')
      assert.equal(ended.code, code, ended.stderr)
      assert.match(ended.stderr, words)
    }
    await fails(['--identity', client, bare], 1, /--trust[^\n]*\[UNKNOWN_ID\]/)
    await fails(['--identity', client, address.replace(serverId, clientId)], 1, /\[WRONG_ID\]/)
    await fails([address], 1, /--identity[^\n]*\[UNPROVEN\]/)
    await fails(['--trust', clientId, address], 2, /without --identity/)
    await fails(['--identity', client, 'unix:/tmp/x'], 2, /--identity is for tcp: alone/)
    await fails(['--identity', client, 'udp://127.0.0.1:1'], 2, /--identity is for tcp: alone/)
    await fails(['--identity', `${client}.not`, address], 1, /\[NO_KEY_FILE\]/)
    await run(t, ['connect', '--identity', stranger, address], 'never')
    await listener.shows(/refused[^\n]*UNKNOWN_ID/, 'stderr')
    await run(t, ['connect', bare], 'never')
    await listener.shows(/refused[^\n]*no TLS[^\n]*FOREIGN_PROTOCOL/, 'stderr')
    assert.equal(
      listener.lines.some((line) => line.includes('never')),
      false,
    )
  })

  test('pins shows a file of firstUse(), and unpin takes one back', async (t) => {
    const file = join(temporary(t), 'pins.json')
    const { id } = Identity.generate()
    writeFileSync(file, JSON.stringify({ 'tcp://a:1': id, 'tcp://b:2': id }), { mode: 0o600 })
    assert.equal((await run(t, ['id', 'pins', file])).stdout, `tcp://a:1 ${id}\ntcp://b:2 ${id}\n`)
    const unpinned = await run(t, ['id', 'unpin', file, 'tcp://A:1/'])
    assert.deepEqual([unpinned.code, unpinned.stderr], [0, ''])
    assert.match(unpinned.stdout, new RegExp(`^tcp://A:1/ was ${id}`))
    assert.equal((await run(t, ['id', 'pins', file])).stdout, `tcp://b:2 ${id}\n`)
    for (const [args, code] of [
      [['unpin', file, 'tcp://a:1'], 1],
      [['unpin', file, 'a:1'], 1],
      [['unpin', file], 2],
      [['pins', file, 'x'], 2],
      [['pins', `${file}.not`], 1],
    ] as const) {
      const ended = await run(t, ['id', ...args])
      assert.deepEqual([ended.code, ended.stdout], [code, ''], ended.stderr)
      assert.match(ended.stderr, /^socktools: [^\n]+\n$/)
    }
  })
})

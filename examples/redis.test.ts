/** The client of examples/redis.ts against a Redis that others wrote and built. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { TcpSock, lines } from 'socktools'
import { findProgram } from '../test/support/programs.ts'
import { type Server, startServer } from '../test/support/servers.ts'
import { type Redis, RedisError, connectRedis } from './redis.ts'

const { program, skip } = await findProgram('redis-server', 'redis-server')

describe('a Redis server, through lines({ crlf: true })', { skip }, () => {
  let server: Server
  let redis: Redis

  before(async () => {
    server = await startServer(program!, (port, folder) => [
      ...['--port', String(port), '--bind', '127.0.0.1', '--dir', folder],
      ...['--save', '', '--appendonly', 'no', '--daemonize', 'no'],
    ])
    redis = await connectRedis(server.address)
  })
  after(async () => {
    await redis.end()
    await server.stop()
  })

  test('PING: a simple reply is one line', async () => {
    assert.equal(await redis.ask('PING'), 'PONG')
  })

  test('on the wire GET is two lines, $5 and hello', async (t) => {
    await redis.ask('SET', 'greeting', 'hello')
    const sock = new TcpSock({ framing: lines({ crlf: true }) })
    t.after(() => sock.close())
    const heard = sock.messages(0)
    const peer = await sock.connectTo(server.address)
    await peer.sendMsg(0, 'GET greeting')
    const next = async (): Promise<string> => Buffer.from((await heard.next()).value?.[0] ?? []).toString()
    assert.deepEqual([await next(), await next()], ['$5', 'hello'])
  })

  test('SET, GET, INCR, DEL: text, numbers, and nothing', async () => {
    assert.equal(await redis.ask('SET', 'greeting', 'hello'), 'OK')
    assert.equal(await redis.ask('GET', 'greeting'), 'hello')
    assert.equal(await redis.ask('GET', 'nothing here'), null)
    assert.equal(await redis.ask('SET', 'empty', ''), 'OK')
    assert.equal(await redis.ask('GET', 'empty'), '')
    assert.equal(await redis.ask('INCR', 'count'), 1)
    assert.equal(await redis.ask('INCR', 'count'), 2)
    assert.equal(await redis.ask('DEL', 'greeting', 'empty', 'count'), 3)
  })

  test('words with blanks, quotes, backslashes and letters of any script are one word', async () => {
    for (const word of [
      'two words',
      '"',
      "it's",
      '\\x41',
      'tab\there',
      'Grüße, 世界 👋',
      'a\r',
      '\\'.repeat(9),
    ]) {
      await redis.ask('SET', 'word', word)
      assert.equal(await redis.ask('STRLEN', 'word'), Buffer.byteLength(word), word)
      assert.equal(await redis.ask('GET', 'word'), word)
    }
  })

  test('an error is that of its own command, and the next is answered', async () => {
    const unknown = redis.ask('NO-SUCH-COMMAND')
    const ping = redis.ask('PING')
    await assert.rejects(
      unknown,
      (error) => error instanceof RedisError && /unknown command/.test(error.message),
    )
    assert.equal(await ping, 'PONG')
    await redis.ask('SET', 'text', 'no number')
    await assert.rejects(redis.ask('INCR', 'text'), /not an integer/)
  })

  test('lists, also within lists, and an error among them', async () => {
    await redis.ask('RPUSH', 'list', 'a', 'b', 'c')
    assert.deepEqual(await redis.ask('LRANGE', 'list', '0', '-1'), ['a', 'b', 'c'])
    assert.deepEqual(await redis.ask('LRANGE', 'list', '9', '9'), [])
    await redis.ask('MULTI')
    for (const words of [
      ['LRANGE', 'list', '0', '1'],
      ['INCR', 'list'],
      ['GET', 'nothing'],
    ]) {
      assert.equal(await redis.ask(...words), 'QUEUED')
    }
    const [list, error, nothing] = (await redis.ask('EXEC')) as [unknown, unknown, unknown]
    assert.deepEqual([list, nothing], [['a', 'b'], null])
    assert.ok(error instanceof RedisError)
  })

  test('10,000 questions under way at once on one connection: each gets its own answer', async () => {
    const asked = Array.from({ length: 10_000 }, (_, i) => redis.ask('ECHO', `this is ${i}`))
    for (const [i, answer] of (await Promise.all(asked)).entries()) assert.equal(answer, `this is ${i}`)
  })

  test('end() waits for what is asked', async () => {
    const other = await connectRedis(server.address)
    const asked = Array.from({ length: 1_000 }, () => other.ask('INCR', 'ending'))
    await other.end()
    assert.deepEqual(
      await Promise.all(asked),
      Array.from({ length: 1_000 }, (_, i) => i + 1),
    )
    await assert.rejects(other.ask('PING'))
  })

  for (const value of ['two\nlines', 'one line\r\n', '\n']) {
    test(`a value of lines cannot be read as a line: ${JSON.stringify(value)} ends the connection`, async () => {
      const other = await connectRedis(server.address)
      await other.ask('SET', 'value', value)
      const answers = await Promise.allSettled([other.ask('GET', 'value'), other.ask('PING')])
      for (const answer of answers) {
        assert.equal(answer.status, 'rejected')
        assert.match(String(answer.reason), /has a line break in it/)
      }
      await other.end()
    })
  }

  test('what no line can hold is told at once, and spoils nothing', async () => {
    const long = redis.ask('SET', 'long', 'x'.repeat(70_000))
    const ping = redis.ask('PING')
    await assert.rejects(long, { code: 'TOO_LARGE' })
    assert.equal(await ping, 'PONG')
  })

  test('a server that ends the connection: everything asked is rejected', async () => {
    const other = await connectRedis(server.address)
    assert.equal(await other.ask('QUIT'), 'OK')
    await assert.rejects(other.ask('PING'))
    await other.end()
  })

  test('from the command line', async () => {
    const file = fileURLToPath(new URL('redis.ts', import.meta.url))
    const args = ['--import', 'tsx', file, server.address, 'ECHO', 'hello there']
    const { stdout } = await promisify(execFile)(process.execPath, args)
    assert.equal(stdout, 'hello there\n')
  })
})

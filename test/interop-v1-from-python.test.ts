/** Wire v1 between an implementation that shares nothing with ours (interop/python), which dials, and ours. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, describe, test } from 'node:test'
import { CallError, type SockError, type TcpSockOptions, TcpSock, json } from 'socktools'
import { contract } from './support/python-contract.ts'
import { needsPython, v1 } from './support/python.ts'

type Options = TcpSockOptions<ReturnType<typeof json>, typeof contract>

describe('Python dials', () => {
  test('a call, each side with a contract of its own', needsPython, async (t) => {
    const { address, over } = await listening(t)
    assert.deepEqual(await v1(t, 'call', address, 'add', '{"a":1,"b":2}'), [[{ reply: 3 }], 0])
    assert.equal(await over(), undefined)
    assert.deepEqual(await v1(t, 'call', address, 'echo', '[null,{"ü":"\u{1f600}"}]'), [
      [{ reply: [null, { ü: '\u{1f600}' }] }],
      0,
    ])
  })

  test('5 MB there and back, in chunks, beyond every window', needsPython, async (t) => {
    const { address, over } = await listening(t)
    const text = '0123456789abcdef'.repeat(327_680)
    const file = await fileOf(t, JSON.stringify(text))
    const [[{ reply }], status] = await v1(t, 'call', address, 'echo', `@${file}`)
    assert.equal(status, 0)
    assert.ok(reply === text, `${String(reply).length} characters came back`)
    assert.equal(await over(), undefined)
  })

  test(
    'an error that is declared, with its data; one that is not, without a word of what it was',
    needsPython,
    async (t) => {
      const { address, faults } = await listening(t)
      const error = { code: 'NO_FUNDS', text: 'not enough', data: { has: 3 } }
      assert.deepEqual(await v1(t, 'call', address, 'fail', '{"has":3}'), [[{ error }], 1])
      const [[{ error: hidden }], status] = await v1(t, 'call', address, 'fail', '{"has":-1}')
      assert.deepEqual(
        [hidden, status],
        [{ code: 'HANDLER_FAILED', text: 'the handler failed', data: null }, 1],
      )
      assert.deepEqual(
        faults.map(({ message }) => /secret/.test(message)),
        [true],
      )
      const [[{ error: bad }]] = await v1(t, 'call', address, 'fail', '"three"')
      assert.deepEqual([bad.code, bad.data], ['BAD_MESSAGE', null])
    },
  )

  test('types that are not here, of each kind', needsPython, async (t) => {
    const { address, sock, over } = await listening(t)
    for (const what of ['call', 'watch']) {
      const [[{ error }], status] = await v1(t, what, address, 'nope', '1')
      assert.deepEqual([error.code, status], ['UNKNOWN_TYPE', 1], what)
      assert.equal(await over(), undefined)
    }
    const [[{ error }]] = await v1(t, 'chat', address, 'nope', '[]')
    assert.equal(error.code, 'UNKNOWN_TYPE')
    // A call here, and a feed there.
    const [[{ error: other }]] = await v1(t, 'watch', address, 'add', '1')
    assert.equal(other.code, 'UNKNOWN_TYPE')
    const unhandled: unknown[] = []
    sock.on('unhandled', ({ type }) => unhandled.push(type))
    assert.deepEqual(await v1(t, 'say', address, 'nope', '"hi"'), [[{ acked: 1 }], 0])
    assert.deepEqual(unhandled, ['nope'])
  })

  test(
    'a feed to its end, and one that is read slowly through the smallest windows',
    needsPython,
    async (t) => {
      const { address, over } = await listening(t)
      const all = [{ item: 0 }, { item: 1 }, { item: 2 }, { end: 3 }]
      assert.deepEqual(await v1(t, 'watch', address, 'count', '3'), [all, 0])
      assert.equal(await over(), undefined)
      const small = JSON.stringify({ laneWindow: 65536, eventWindow: 65536, maxMessage: 200_000 })
      const options = ['--limits', small, '--pause', '0.001', '--quiet', 'true']
      const many = await v1(t, 'watch', address, 'count', '{"n":300,"size":1000}', ...options)
      assert.deepEqual(many, [[{ end: 300 }], 0])
      const long = await v1(t, 'watch', address, 'count', '{"n":3,"size":150000}', ...options)
      assert.deepEqual(long, [[{ end: 3 }], 0])
    },
  )

  test('what is longer than Python takes is refused here', needsPython, async (t) => {
    const { address } = await listening(t)
    const options = ['--limits', '{"maxMessage":1000}']
    const [[{ error }]] = await v1(t, 'watch', address, 'count', '{"n":1,"size":1001}', ...options)
    assert.equal(error.code, 'TOO_LARGE')
  })

  test('a feed that is cancelled ends here, within what the credit allows', needsPython, async (t) => {
    const ended = deferred<number>()
    const { address, over } = await listening(t, {
      async *count() {
        let written = 0
        try {
          for (;;) yield `${written++}`.padEnd(1000)
        } finally {
          ended.resolve(written)
        }
      },
    })
    const cancelled = await v1(t, 'watch', address, 'count', '1', '--take', '5', '--quiet', 'true')
    assert.deepEqual(cancelled, [[{ cancelled: 5 }], 0])
    // Two windows: one at Python, one that waits here.
    const written = await ended.promise
    assert.ok(written <= 5 + (2 * 262_144) / 1026 + 1, `${written} items were written`)
    assert.equal(await over(), undefined)
  })

  test('a channel', needsPython, async (t) => {
    const { address, over } = await listening(t)
    const all = [{ item: 1 }, { item: 'x' }, { end: 2 }]
    assert.deepEqual(await v1(t, 'chat', address, 'chat', '[1,"x"]'), [all, 0])
    assert.equal(await over(), undefined)
  })

  test('events with headers, acknowledged when they are here', needsPython, async (t) => {
    const heard: unknown[] = []
    const { address, over } = await listening(t, {
      say: (data, { headers }) => {
        heard.push([data, { ...headers }])
      },
    })
    const options = ['--each', 'true', '--lane', '3', '--headers', '{"trace":"abc"}']
    assert.deepEqual(await v1(t, 'say', address, 'say', '[1,"two",null]', ...options), [[{ acked: 3 }], 0])
    assert.equal(await over(), undefined)
    assert.deepEqual(
      heard,
      [1, 'two', null].map((data) => [data, { trace: 'abc' }]),
    )
  })

  test('hundreds of events: the acks come while they do', needsPython, async (t) => {
    const { address, sock } = await listening(t)
    const each = JSON.stringify(Array.from({ length: 500 }, (_, i) => i))
    const said = await v1(t, 'say', address, 'say', each, '--each', 'true')
    assert.deepEqual(said, [[{ acked: 500 }], 0])
    assert.equal(sock.stats().messagesIn >= 500, true)
  })

  test('a deadline that passes: Python cancels, and the signal here tells why', needsPython, async (t) => {
    const stopped = deferred<string>()
    const { address, over } = await listening(t, {
      wait: async (_ms, { signal }) => {
        await once(signal, 'abort')
        stopped.resolve((signal.reason as SockError).code)
        return 0
      },
    })
    const [[{ error }], status] = await v1(t, 'call', address, 'wait', '60000', '--timeout', '0.1')
    assert.deepEqual([error.code, status], ['DEADLINE', 1])
    // By our clock or by CANCEL, whichever came first.
    assert.match(await stopped.promise, /^(CALL_TIMEOUT|CANCELLED)$/)
    assert.equal(await over(), undefined)
  })

  test('headers and the time left of a call', needsPython, async (t) => {
    const { address } = await listening(t, {
      echo: (_data, { headers, timeLeft = -1 }) => [
        headers['trace'] ?? '',
        timeLeft > 0 && timeLeft <= 60_000,
      ],
    })
    const options = ['--headers', '{"trace":"abc"}', '--timeout', '60']
    assert.deepEqual(await v1(t, 'call', address, 'echo', '0', ...options), [[{ reply: ['abc', true] }], 0])
  })

  test('PING of Python is answered: else it would give up after its ttl', needsPython, async (t) => {
    const { address, over } = await listening(t, {}, { heartbeat: 0, timeout: 0 })
    const options = ['--limits', '{"heartbeat":50,"ttl":400}']
    assert.deepEqual(await v1(t, 'call', address, 'wait', '1200', ...options), [[{ reply: 1200 }], 0])
    assert.equal(await over(), undefined)
  })

  test('PING of ours is answered: else this side would give up after its timeout', needsPython, async (t) => {
    const { address, over } = await listening(t, {}, { heartbeat: 50, timeout: 400 })
    const options = ['--limits', '{"heartbeat":0}']
    assert.deepEqual(await v1(t, 'call', address, 'wait', '1200', ...options), [[{ reply: 1200 }], 0])
    assert.equal(await over(), undefined)
  })

  test('a server that drains answers what was asked, and both end in good order', needsPython, async (t) => {
    const asked = deferred()
    const { address, sock, over } = await listening(t, {
      wait: async (ms) => {
        asked.resolve()
        await new Promise((resolve) => setTimeout(resolve, ms))
        return ms
      },
    })
    const answered = v1(t, 'call', address, 'wait', '100')
    await asked.promise
    const lost = await sock.drain()
    assert.deepEqual(lost, { unsent: 0, unhandled: 0 })
    assert.deepEqual(await answered, [[{ reply: 100 }], 0])
    assert.equal(await over(), undefined)
  })

  test('a server that is closed: Python is told', needsPython, async (t) => {
    const asked = deferred()
    const { address, sock } = await listening(t, {
      wait: async (_ms, { signal }) => {
        asked.resolve()
        await once(signal, 'abort')
        return 0
      },
    })
    const answered = v1(t, 'call', address, 'wait', '60000')
    await asked.promise
    await sock.close()
    assert.deepEqual(await answered, [
      [{ failed: 'PEER_GONE', text: 'the other side said goodbye: CLOSED' }],
      2,
    ])
  })
})

describe('Python is turned away', () => {
  test('with the code of the gate', needsPython, async (t) => {
    const { address } = await listening(t, {}, { goodPeer: () => false })
    const [[{ failed }], status] = await v1(t, 'call', address, 'add', '{"a":1,"b":2}')
    assert.deepEqual([failed, status], ['REFUSED', 2])
  })

  test('where the plain wire is spoken', needsPython, async (t) => {
    const plain = await TcpSock.open({ bind: 'tcp://127.0.0.1:0' })
    t.after(() => plain.close())
    const codes: (string | undefined)[] = []
    plain.on('gone', ({ error }) => codes.push(error?.code))
    const [[{ failed }], status] = await v1(t, 'call', plain.address ?? '', 'add', '1')
    assert.deepEqual([failed, status], ['PEER_NOT_SESSION', 2])
    assert.deepEqual(codes, ['WIRE_MISMATCH'])
  })
})

interface Listening {
  readonly address: string
  readonly sock: TcpSock<ReturnType<typeof json>, typeof contract>
  readonly faults: readonly Error[]
  /** How the next connection to end did: undefined if in good order. */
  readonly over: () => Promise<string | undefined>
}

/** Serves as node.py does, but for `handlers`. */
async function listening(
  t: TestContext,
  handlers: Options['handlers'] = {},
  options: Partial<Options> = {},
): Promise<Listening> {
  const sock = await TcpSock.open({
    // 5 MB and more.
    codec: json({ max: 2 ** 24 }),
    protocol: contract,
    bind: 'tcp://127.0.0.1:0',
    ...options,
    handlers: {
      add: ({ a, b }) => a + b,
      async chat(channel) {
        for await (const item of channel) await channel.send(item)
      },
      async *count(asked) {
        const { n, size } = typeof asked === 'number' ? { n: asked, size: undefined } : asked
        for (let i = 0; i < n; i++) yield size === undefined ? i : `${i} `.padEnd(size, '.')
      },
      echo: (data) => data,
      fail: (data) => {
        if (data.has < 0) throw new Error('a secret')
        throw new CallError('NO_FUNDS', data, 'not enough')
      },
      ours: (data) => data,
      say: () => undefined,
      wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms, ms)),
      ...handlers,
    },
  })
  t.after(() => sock.close())
  const faults: Error[] = []
  sock.on('fault', ({ error }) => faults.push(error))
  const ends: (string | undefined)[] = []
  let waiting: (() => void) | undefined
  sock.on('gone', ({ error }) => {
    ends.push(error && `${error.code}: ${error.message}`)
    waiting?.()
  })
  const over = async (): Promise<string | undefined> => {
    if (ends.length === 0) await new Promise<void>((resolve) => (waiting = resolve))
    return ends.shift()
  }
  return { address: sock.address ?? '', sock, faults, over }
}

interface Deferred<T> {
  readonly promise: Promise<T>
  resolve(value: T): void
}

function deferred<T = void>(): Deferred<T> {
  let resolve!: (value: T) => void
  const promise = new Promise<T>((settle) => (resolve = settle))
  return { promise, resolve }
}

async function fileOf(t: TestContext, text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'socktools-'))
  t.after(() => rm(folder, { recursive: true }))
  const file = join(folder, 'value.json')
  await writeFile(file, text)
  return file
}

/** Wire v1 between ours, which dials, and an implementation that shares nothing with it (interop/python). */
import assert from 'node:assert/strict'
import { type TestContext, describe, test } from 'node:test'
import type { RemoteError, SockError } from 'socktools'
import { CallError, type Peer, TcpSock, type TcpSockOptions, json } from 'socktools'
import { contract } from './support/python-contract.ts'
import { type Running, needsPython, run, serving, told } from './support/python.ts'

type Options = TcpSockOptions<ReturnType<typeof json>, typeof contract>

describe('ours dials', () => {
  test('a call; an error that is declared, with its data; one that is not', needsPython, async (t) => {
    const { peer, end } = await dialed(t)
    assert.equal(await peer.request('add', { a: 1, b: 2 }), 3)
    await assert.rejects(
      peer.request('fail', { has: 3 }),
      (error: CallError) =>
        error instanceof CallError && error.code === 'NO_FUNDS' && is(error.data, { has: 3 }),
    )
    await assert.rejects(peer.request('add', { a: 1, b: 'x' as never }), (error: RemoteError) => {
      assert.deepEqual([error.code, error.remote], ['REMOTE_ERROR', { code: 'HANDLER_FAILED', text: '' }])
      return true
    })
    await end()
  })

  test('a type that Python does not have is not even sent', needsPython, async (t) => {
    const { peer, end } = await dialed(t)
    await assert.rejects(peer.request('ours', new Uint8Array(1)), { code: 'UNKNOWN_TYPE' })
    await end()
  })

  test('a hundred calls at once, more than Python takes, are all answered', needsPython, async (t) => {
    const { peer, end } = await dialed(t, {}, '--limits', '{"maxCalls":3}')
    const sums = await Promise.all(Array.from({ length: 100 }, (_, i) => peer.request('add', { a: i, b: 1 })))
    assert.deepEqual(
      sums,
      Array.from({ length: 100 }, (_, i) => i + 1),
    )
    await end()
  })

  test('5 MB there and back, through windows of 64 KiB at Python', needsPython, async (t) => {
    const limits = JSON.stringify({ laneWindow: 65536, eventWindow: 65536 })
    const { peer, end } = await dialed(t, {}, '--limits', limits)
    const text = '0123456789abcdef'.repeat(327_680)
    const [long, short] = await Promise.all([peer.request('echo', text), peer.request('echo', 'x')])
    assert.ok(long === text)
    assert.equal(short, 'x')
    await end()
  })

  test(
    'many that are long at once: Python keeps parts of all of them within its bound',
    needsPython,
    async (t) => {
      const { peer, end } = await dialed(t)
      const text = 'abcdefghijklmnop'.repeat(65_536)
      const all = await Promise.all(Array.from({ length: 20 }, () => peer.request('echo', text)))
      assert.ok(all.every((one) => one === text))
      await end()
    },
  )

  test('a feed to its end, and one that is left', needsPython, async (t) => {
    const { peer, lines, end } = await dialed(t)
    const all: unknown[] = []
    for await (const item of peer.stream('count', 3)) all.push(item)
    assert.deepEqual(all, [0, 1, 2])
    assert.deepEqual(await told(lines, 'feed'), { feed: 'count', written: 3 })
    let read = 0
    for await (const item of peer.stream('count', { n: 1_000_000, size: 1000 })) {
      assert.match(item as string, new RegExp(`^${read} \\.+$`))
      if (++read === 5) break
    }
    const { written } = await told(lines, 'feed')
    assert.ok(written < 5 + 262_144 / 1026 + 1, `${written} items were written`)
    // The lane is free, the connection as before.
    assert.equal(await peer.request('add', { a: 1, b: 2 }), 3)
    await end()
  })

  test('a feed in megabytes, item by item in chunks', needsPython, async (t) => {
    const { peer, end } = await dialed(t, { streamWindow: 65536 })
    const lengths: number[] = []
    for await (const item of peer.stream('count', { n: 4, size: 2_000_000 }))
      lengths.push((item as string).length)
    assert.deepEqual(lengths, [2_000_000, 2_000_000, 2_000_000, 2_000_000])
    await end()
  })

  test('more feeds than Python takes', needsPython, async (t) => {
    const { peer, end } = await dialed(t, {}, '--limits', '{"maxStreams":1}')
    const first = peer.stream('count', { n: 1000, size: 1000 })
    await first.next()
    await assert.rejects(peer.stream('count', 1).next(), { code: 'TOO_MANY_STREAMS' })
    await first.return?.()
    await end()
  })

  test('a channel, both ways, ended by us', needsPython, async (t) => {
    const { peer, end } = await dialed(t)
    const channel = peer.channel('chat')
    const items = channel[Symbol.asyncIterator]()
    const heard: unknown[] = []
    for (const item of [1, 'x', null, 'y'.repeat(200_000)]) {
      await channel.send(item)
      const { value } = await items.next()
      heard.push(typeof value === 'string' ? value.length : value)
    }
    assert.deepEqual(heard, [1, 1, null, 200_000])
    await channel.end()
    assert.equal((await items.next()).done, true)
    await end()
  })

  test('events with headers, on the lane of their priority', needsPython, async (t) => {
    const { peer, lines, end } = await dialed(t)
    await peer.sendMsg('say', { hi: 1 }, { headers: { trace: 'abc' } })
    assert.deepEqual(await told(lines, 'headers'), { headers: { trace: 'abc' }, of: 'say' })
    assert.deepEqual(await told(lines, 'event'), { event: 'say', data: { hi: 1 }, lane: 2 })
    await end()
  })

  test('hundreds of events in order, through the smallest window', needsPython, async (t) => {
    const { peer, lines, end } = await dialed(t, {}, '--limits', '{"eventWindow":65536}')
    const text = '.'.repeat(1000)
    for (let i = 0; i < 300; i++) await peer.sendMsg('say', `${i}${text}`)
    for (let i = 0; i < 300; i++) assert.equal((await told(lines, 'event')).data, `${i}${text}`)
    await end()
  })

  test('a deadline that passes, and headers that went with it', needsPython, async (t) => {
    const { peer, lines, end } = await dialed(t)
    const options = { timeout: 100, headers: { trace: 'x' } }
    await assert.rejects(peer.request('wait', 60_000, options), { code: 'CALL_TIMEOUT' })
    assert.deepEqual(await told(lines, 'headers'), { headers: { trace: 'x' }, of: 'wait' })
    assert.deepEqual(await told(lines, 'aborted'), { aborted: 'wait' })
    assert.equal(await peer.request('wait', 1), 1)
    await end()
  })

  test('a call that is given up', needsPython, async (t) => {
    const { peer, lines, end } = await dialed(t)
    const aborter = new AbortController()
    const given = peer.request('wait', 60_000, { signal: aborter.signal, timeout: 0 })
    // It has arrived, since this did, which was sent behind it.
    assert.equal(await peer.request('add', { a: 1, b: 2 }), 3)
    aborter.abort()
    await assert.rejects(given, { code: 'ABORTED' })
    assert.deepEqual(await told(lines, 'aborted'), { aborted: 'wait' })
    await end()
  })

  test('closed at once: Python hears of it, and waits for nothing', needsPython, async (t) => {
    const { peer, lines } = await dialed(t)
    assert.equal(await peer.request('add', { a: 1, b: 2 }), 3)
    peer.close()
    assert.deepEqual(await told(lines, 'gone'), { gone: 'the other side said goodbye: CLOSED' })
  })

  test('Python that is killed: what it was asked is unknown', needsPython, async (t) => {
    const { peer, lines, kill } = await dialed(t)
    const asked = peer.request('wait', 60_000, { headers: { at: '1' } })
    await told(lines, 'headers')
    kill()
    await assert.rejects(asked, { code: 'OUTCOME_UNKNOWN' })
  })

  test('on the plain wire there is nobody to talk to', needsPython, async (t) => {
    const plain = run(t, 'echo', 'listen', 'tcp://127.0.0.1:0')
    const { listening } = await told(plain.lines, 'listening')
    const sock = new TcpSock({ codec: json(), protocol: contract })
    t.after(() => sock.close())
    await assert.rejects(sock.connectTo(listening), { code: 'PEER_NOT_SESSION' })
  })
})

interface Dialed extends Running {
  readonly peer: Peer<ReturnType<typeof json>, typeof contract>
  /** Ends in good order, as both sides see it. */
  readonly end: () => Promise<void>
}

async function dialed(t: TestContext, options: Partial<Options> = {}, ...python: string[]): Promise<Dialed> {
  const running = await serving(t, ...python)
  const sock = new TcpSock({ codec: json({ max: 2 ** 24 }), protocol: contract, ...options })
  t.after(() => sock.close())
  const errors: (SockError | undefined)[] = []
  sock.on('gone', ({ error }) => errors.push(error))
  const peer = await sock.connectTo(running.address)
  const end = async (): Promise<void> => {
    const lost = await sock.drain()
    assert.deepEqual([errors, lost], [[undefined], { unsent: 0, unhandled: 0 }])
    assert.deepEqual(await told(running.lines, 'gone'), { gone: 'the other side said goodbye' })
  }
  return { ...running, peer, end }
}

const is = (one: unknown, other: unknown): boolean => {
  assert.deepEqual(one, other)
  return true
}

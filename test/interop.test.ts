/** The plain wire against an implementation that shares nothing with ours: interop/python/peer.py. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, describe, test } from 'node:test'
import { type Peer, SockError, TcpSock, lengthPrefixed } from 'socktools'
import { needsPython, peerPy } from './support/python.ts'

const root = resolve(import.meta.dirname, '..')
const vectorsFile = join(root, 'spec/vectors/plain.json')

describe('the golden byte strings of spec/vectors/plain.json', () => {
  interface Case {
    readonly id: string
    readonly what: string
    readonly max: number
    readonly payloads: readonly string[]
    readonly stream: string
    readonly error?: string
  }
  const { cases } = JSON.parse(readFileSync(vectorsFile, 'utf8')) as { cases: readonly Case[] }
  const good = cases.filter(({ error }) => error === undefined)

  /** Hex, in which '*' repeats and '+' joins. */
  const octets = (text: string): Buffer =>
    Buffer.concat(
      text.split('+').map((part) => {
        const [digits = '', times = '1'] = part.split('*')
        const bytes = Buffer.from(digits, 'hex')
        return Buffer.alloc(bytes.length * Number(times), bytes)
      }),
    )

  /** What comes of `stream` in chunks of `size`: the payloads, and the error that ended it. */
  const decode = (stream: Uint8Array, size: number, max: number) => {
    const payloads: Uint8Array[] = []
    const decoder = lengthPrefixed().decoder((payload) => payloads.push(payload), max)
    try {
      for (let at = 0; at < stream.length; at += size) decoder.push(stream.slice(at, at + size))
    } catch (error) {
      assert.ok(error instanceof SockError)
      return { payloads, error: error.code }
    }
    return { payloads, error: decoder.partial > 0 ? 'TRUNCATED' : undefined }
  }

  test('are a hundred and more, each with an id of its own, good ones and bad ones', () => {
    assert.equal(new Set(cases.map(({ id }) => id)).size, cases.length)
    assert.ok(good.length >= 100)
    assert.ok(cases.length - good.length >= 50)
  })

  test('are what we write', () => {
    const framing = lengthPrefixed()
    for (const { id, what, payloads, stream } of good) {
      const expected = octets(stream)
      const written = new Uint8Array(expected.length)
      let at = 0
      for (const payload of payloads.map(octets)) {
        const end = framing.write(written, at, payload)
        assert.equal(end - at, framing.size(payload.length), `${id}: ${what}`)
        at = end
      }
      assert.equal(at, expected.length, `${id}: ${what}`)
      assert.ok(expected.equals(written), `${id}: ${what}`)
    }
  })

  for (const [how, size] of Object.entries({ 'in one piece': 2 ** 30, 'in threes': 3, 'byte by byte': 1 })) {
    test(`are read as they are meant ${how}`, () => {
      for (const { id, what, max, payloads, stream, error } of cases) {
        const bytes = octets(stream)
        if (bytes.length / size > 200_000) continue // megabytes in single bytes show nothing that kilobytes do not
        const got = decode(bytes, size, max)
        assert.equal(got.error, error, `${id}: ${what}`)
        assert.equal(got.payloads.length, payloads.length, `${id}: ${what}`)
        for (const [i, payload] of payloads.entries()) {
          assert.ok(octets(payload).equals(got.payloads[i]!), `${id}, payload ${i}: ${what}`)
        }
      }
    })
  }

  test('are written and read so in Python too', needsPython, () => {
    const { stdout, stderr } = spawnSync('python3', [peerPy, 'vectors', vectorsFile], { encoding: 'utf8' })
    assert.deepEqual(JSON.parse(stdout || stderr), { cases: cases.length, failed: [] })
  })

  test('are what spec/vectors/plain.py makes', needsPython, () => {
    const { stdout } = spawnSync('python3', [join(root, 'spec/vectors/plain.py')], { encoding: 'utf8' })
    assert.ok(stdout === readFileSync(vectorsFile, 'utf8'), 'run it again, as its first lines say')
  })
})

describe('10,000 random messages come back from the Python peer byte for byte', () => {
  test('when it listens', needsPython, async (t) => {
    const python = run(t, 'echo', 'listen', 'tcp://127.0.0.1:0')
    const [line] = (await once(createInterface({ input: python.stdout }), 'line')) as [string]
    const sock = await TcpSock.open()
    const echoes = compareWith(sock)
    await exchange(await sock.connectTo((JSON.parse(line) as { listening: string }).listening), echoes)
    await sock.drain()
  })

  test('when it dials', needsPython, async (t) => {
    const sock = await TcpSock.open({ bind: 'tcp://127.0.0.1:0' })
    const echoes = compareWith(sock)
    const arrival = new Promise<Peer>((found) => sock.on('peer', ({ peer }) => found(peer)))
    const python = run(t, 'echo', 'dial', sock.address!)
    await exchange(await arrival, echoes)
    const ended = once(python, 'exit')
    await sock.drain()
    assert.deepEqual(await ended, [0, null], 'it ends when we have ended')
  })

  function run(t: TestContext, ...args: string[]) {
    const child = spawn('python3', [peerPy, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
    t.after(() => child.kill('SIGKILL'))
    return child
  }

  /** Sends the messages while `echoes` compares. */
  async function exchange(peer: Peer, echoes: Echoes): Promise<void> {
    for (const message of randomMessages(10_000)) {
      echoes.due.push(message)
      await peer.sendMsg(0, message)
    }
    await echoes.all
    assert.deepEqual(echoes.wrong, [])
  }

  interface Echoes {
    /** What was sent and has not come back. */
    readonly due: Uint8Array[]
    /** The numbers of those that came back changed. */
    readonly wrong: number[]
    /** When as many have come back as were sent. */
    readonly all: Promise<void>
  }

  function compareWith(sock: TcpSock): Echoes {
    const due: Uint8Array[] = []
    const wrong: number[] = []
    let count = 0
    const all = new Promise<void>((resolve, reject) => {
      sock.addHandler(0, (echo) => {
        if (Buffer.compare(due[count]!, echo) !== 0) wrong.push(count)
        due[count] = NOTHING
        if (++count === 10_000) resolve()
      })
      sock.on('gone', () => reject(new Error(`gone after ${count} messages`)))
    })
    return { due, wrong, all }
  }
})

const NOTHING = new Uint8Array(0)

/** Mostly short, now and then long; the same on every run. */
function* randomMessages(count: number): Generator<Uint8Array, void> {
  let state = 7
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  for (let i = 0; i < count; i++) {
    const magnitude = random(200) === 0 ? 17 : random(12)
    yield new Uint8Array(random(2 ** magnitude)).map(() => random(256))
  }
}

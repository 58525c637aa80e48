/** What comes behind a GOODBYE: however the pipe ends then, who said it has left as it said. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, describe, test } from 'node:test'
import { z } from 'zod'
import { PipeSock, call, msg, nodePlatform, tcp, unix } from '../../../src/index.ts'
import { encodeGoodbye } from '../../../src/wire/v1/bodies.ts'
import * as kinds from '../../../src/wire/v1/frame.ts'
import { coded } from '../../support/coded.ts'
import { noCrashes } from '../../support/crashes.ts'
import { next } from '../../support/events.ts'
import { knocking } from '../../support/knock.ts'
import { GUARD } from '../../support/tcp.ts'
import { simulate } from '../../support/world.ts'
import { far } from './far.ts'
import { pair } from './pair.ts'

noCrashes()

const protocol = { say: msg(z.string()), ask: call(z.number(), z.number()) }
const EPIPE = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })

describe('a pipe that breaks', GUARD, () => {
  interface Case {
    /** The code of its GOODBYE; undefined: it says none. */
    readonly code?: string
    /** How many of two messages it has confirmed. */
    readonly acked: number
    readonly error: RegExp | undefined
  }
  const cases: Record<string, Case> = {
    'without GOODBYE is a failure': { acked: 2, error: /^the connection broke: write EPIPE$/ },
    'behind the GOODBYE of a close is an end in good order': { code: 'CLOSED', acked: 0, error: undefined },
    'behind that of a drain, too, if all that we sent had come there': {
      code: '',
      acked: 2,
      error: undefined,
    },
    'behind that of a drain is a failure if it may have missed something': {
      ...{ code: '', acked: 1 },
      error: /^the connection broke: write EPIPE$/,
    },
    'behind that of a failure is that failure': {
      ...{ code: 'PROTOCOL_ERROR', acked: 2 },
      error: /^the far side ended the connection: PROTOCOL_ERROR$/,
    },
  }
  for (const [what, { code, acked, error: wanted }] of Object.entries(cases)) {
    test(what, () =>
      knocking(async (world, door) => {
        const { server, far: dialer, peer } = await far(world, door, protocol)
        const gone = next(server, 'gone')
        await peer.sendMsg('say', 'one')
        await peer.sendMsg('say', 'two')
        await world.quiet()
        dialer.ack = acked
        if (code !== undefined) dialer.send(kinds.GOODBYE, {}, encodeGoodbye(code))
        dialer.pipe.break(EPIPE)
        const { error, lost } = await gone
        assert.deepEqual(lost, { unsent: 0, unhandled: 0 })
        if (wanted === undefined) assert.equal(error, undefined)
        else {
          assert.equal(error?.code, 'PIPE_FAILED')
          assert.match(error.what, wanted)
        }
      }),
    )
  }

  test('behind the GOODBYE of a close: what was queued is dropped as of one who is gone, and who waits hears it', () =>
    knocking(async (world, door) => {
      const { server, far: dialer, peer } = await far(world, door, protocol, { highWaterMark: 1000 })
      const [gone, dropped] = [next(server, 'gone'), next(server, 'dropped')]
      dialer.pipe.stuck = true
      const sends = Array.from({ length: 5 }, (_, n) => peer.sendMsg('say', String(n).repeat(600)))
      const last = assert.rejects(sends[4]!, coded('PEER_GONE', /over/))
      for (const send of sends) send.catch(() => undefined)
      const asked = assert.rejects(peer.request('ask', 1), { code: 'OUTCOME_UNKNOWN' })
      await world.quiet()
      dialer.send(kinds.GOODBYE, {}, encodeGoodbye('CLOSED'))
      dialer.pipe.break(EPIPE)
      await Promise.all([last, asked])
      const { error, lost } = await gone
      assert.equal(error, undefined)
      // Nor is the REQUEST one of them: its caller knows.
      assert.equal(lost.unsent, 5)
      const { reason, messages } = await dropped
      assert.deepEqual([reason, messages, server.stats().dropped], ['gone', 5, { gone: 5 }])
    }))
})

describe('what is lost with a pipe that breaks', GUARD, () => {
  test('is counted in messages: a long one is one, whatever its frames, and a GOODBYE is none', () =>
    knocking(async (world, door) => {
      const { server, far: dialer, peer } = await far(world, door, protocol)
      const gone = next(server, 'gone')
      dialer.pipe.stuck = true
      await peer.sendMsg('say', 'the pipe holds it')
      await world.quiet()
      await peer.sendMsg('say', 'x'.repeat(200_000))
      await peer.sendMsg('say', 'y')
      await world.quiet()
      assert.deepEqual(await server.close(), { unsent: 3, unhandled: 0 })
      assert.deepEqual((await gone).lost, { unsent: 3, unhandled: 0 })
    }))
})

describe('close', GUARD, () => {
  test('of one to whom much is on its way: the other ends in good order', () =>
    simulate(async (world) => {
      const { there, here, client } = await pair(world, protocol, {}, { highWaterMark: 1000 })
      const gone = next(client, 'gone')
      here.close()
      // Its GOODBYE is under way to us, as are these to it.
      for (let n = 0; n < 10; n++) there.sendMsg('say', 'x'.repeat(1000)).catch(() => undefined)
      const { error } = await gone
      assert.equal(error, undefined)
    }))

  const addresses: Record<string, (t: TestContext) => string> = {
    'a Unix socket': (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'socktools-'))
      t.after(() => rmSync(folder, { recursive: true }))
      return `unix:${join(folder, 'sock')}`
    },
    TCP: () => 'tcp://127.0.0.1:0',
  }
  const parts = { platform: nodePlatform, transports: [tcp(), unix(nodePlatform)] }
  test('over a Unix socket, and the write that fails of it is the first: it took nothing, and is counted', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'socktools-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const path = join(folder, 'sock')
    const server = net.createServer().listen(path)
    t.after(() => server.close())
    const sock = new PipeSock({}, parts)
    t.after(() => sock.close())
    const came = once(server, 'connection') as Promise<[net.Socket]>
    const peer = await sock.connectTo(`unix:${path}`)
    const gone = next(sock, 'gone')
    const [socket] = await came
    socket.destroy()
    await peer.sendMsg(0, 'nobody takes it')
    const { error, lost } = await gone
    assert.equal(error?.code, 'PIPE_FAILED')
    assert.deepEqual(lost, { unsent: 1, unhandled: 0 })
  })

  for (const [over, bindOf] of Object.entries(addresses)) {
    for (const side of ['who listens', 'who dialed'] as const) {
      test(`by ${side}, over ${over}: the other side ends in good order`, async (t) => {
        const server = new PipeSock({ protocol, bind: bindOf(t) }, parts)
        const client = new PipeSock({ protocol }, parts)
        t.after(() => Promise.all([server.close(), client.close()]))
        await server.start()
        const came = next(server, 'peer')
        const [closes, stays] = side === 'who listens' ? [server, client] : [client, server]
        const gone = next(stays, 'gone')
        await client.connectTo(server.address!)
        await came
        await closes.close()
        const { error, lost } = await gone
        assert.equal(error, undefined)
        assert.deepEqual(lost, { unsent: 0, unhandled: 0 })
        assert.deepEqual(stays.stats().dropped, {})
      })
    }
  }
})

/** A sock of wire v1 that dials one of the plain wire: neither falls back, and both hear what is wrong. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { msg, bytes, PipeSock } from '../../src/index.ts'
import { coded } from '../support/coded.ts'
import { next } from '../support/events.ts'
import { GUARD } from '../support/tcp.ts'
import { simulate } from '../support/world.ts'

test('a HELLO at a plain listener is WIRE_MISMATCH there, never a message, and told at once', GUARD, () =>
  simulate(async (world) => {
    const plain = await world.open({
      bind: 'memory:a',
      handlers: { 0: () => assert.fail('a HELLO was handled') },
    })
    const v1 = new PipeSock({ protocol: { blob: msg(bytes()) } }, world)
    const gone = next(plain, 'gone')
    const began = world.sim.now()
    await assert.rejects(v1.connectTo('memory:a'), coded('PEER_NOT_SESSION', /before it answered HELLO/))
    assert.ok(coded('WIRE_MISMATCH', /speaks wire v1/)((await gone).error))
    assert.ok(world.sim.now() - began < 1000, 'without waiting for handshakeTimeout')
    await v1.close()
  }),
)

test('a message that begins as a HELLO does is one like any other once another came before it', GUARD, () =>
  simulate(async (world) => {
    const heard: string[] = []
    await world.open({
      bind: 'memory:a',
      handlers: { 0: (payload) => heard.push(Buffer.from(payload).toString()) },
    })
    const peer = await (await world.open()).connectTo('memory:a')
    await peer.sendMsg(0, 'first')
    await peer.sendMsg(0, 'socktools wire\r\n')
    await world.quiet()
    assert.deepEqual(heard, ['first', 'socktools wire\r\n'])
  }),
)

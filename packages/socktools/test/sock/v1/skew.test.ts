/** A version of the wire that does not exist yet, on either side of this one. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { call, msg } from '../../../src/index.ts'
import * as kinds from '../../../src/wire/v1/frame.ts'
import { decodeWelcome } from '../../../src/wire/v1/hello-bytes.ts'
import { coded } from '../../support/coded.ts'
import { noCrashes } from '../../support/crashes.ts'
import { next } from '../../support/events.ts'
import { type Knocker, knocking } from '../../support/knock.ts'
import { frame, GUARD } from '../../support/tcp.ts'
import type { World } from '../../support/world.ts'
import { Far, helloOf, payloadsIn, welcomeOf } from './far.ts'

noCrashes()

const protocol = { say: msg(z.string()), ask: call(z.number(), z.number()) }
const FUTURE = { low: 1, high: 9, features: 0xffff_ffff_ffff_fffen }
/** Behind the magic and three bytes that tell the message and versions. */
const FIELDS = 19
const [CRITICAL, SKIPPED] = [0x80, 0]

/** HELLO or WELCOME with one more field, where it belongs. */
function withField(payload: Uint8Array, tag: number, value: string): Uint8Array {
  const bytes = Buffer.from(payload)
  let at = FIELDS
  while (at < bytes.length && (bytes[at]! & 0x7f) < (tag & 0x7f)) at += 3 + bytes.readUInt16BE(at + 1)
  const field = Buffer.concat([Buffer.of(tag, 0, value.length), Buffer.from(value)])
  return Buffer.concat([bytes.subarray(0, at), field, bytes.subarray(at)])
}

async function dials(
  world: World,
  door: Knocker,
  hello: Uint8Array,
): Promise<{ far: Far; server: Awaited<ReturnType<typeof opened>> }> {
  const server = await opened(world)
  const dialer = new Far(door.knock())
  dialer.raw(hello)
  await world.quiet()
  return { far: dialer, server }
}

const opened = (world: World) =>
  world.open({ protocol, bind: 'knock:any', handlers: { ask: (n: number) => n + 1 } })

/** The fields that a later version might bring, and where. */
const UNKNOWN = [0x00 + 0x09, 0x14, 0x24, 0x31, 0x7f]

describe('as dialer', GUARD, () => {
  test('with more versions, features and fields: version 1 is chosen, and it works', () =>
    knocking(async (world, door) => {
      let hello = helloOf(protocol, FUTURE)
      for (const tag of UNKNOWN) hello = withField(hello, tag | SKIPPED, 'from the future')
      const { far: dialer, server } = await dials(world, door, hello)
      const [first = Buffer.alloc(0)] = payloadsIn(Buffer.concat(dialer.pipe.written))
      const welcome = decodeWelcome(first)
      assert.ok(welcome.result === 'new')
      assert.deepEqual([welcome.version, welcome.features], [1, 7n])
      dialer.send(kinds.REQUEST, { lane: 5, type: 0 }, '41')
      await world.quiet()
      assert.deepEqual(
        dialer.of('REPLY').map(({ body }) => body.toString()),
        ['42'],
      )
      assert.equal(server.stats().peers, 1)
    }))

  for (const tag of UNKNOWN) {
    test(`that insists on the field 0x${tag.toString(16)}: UNSUPPORTED on both sides, with its number`, () =>
      knocking(async (world, door) => {
        const server = await opened(world)
        const refused = next(server, 'refused')
        const dialer = new Far(door.knock())
        dialer.raw(withField(helloOf(protocol, FUTURE), tag | CRITICAL, 'x'))
        const text = new RegExp(`0x${tag.toString(16)}`)
        assert.ok(coded('UNSUPPORTED', text)((await refused).error))
        // The far side would hear the same.
        const pipe = door.pipe()
        door.answer = () => pipe
        pipe.say(Buffer.concat(dialer.pipe.written))
        await assert.rejects(
          (await world.open({ protocol })).connectTo('knock:any'),
          coded('UNSUPPORTED', /far side/),
        )
      }))
  }

  test('frames that may be ignored are, and count as received where they have a seq', () =>
    knocking(async (world, door) => {
      const { far: dialer, server } = await dials(world, door, helloOf(protocol, FUTURE))
      const anything = { lane: 77, type: 12_345, flags: 0xff }
      for (const kind of [0x40, 0x55, 0x7f, 0xc0, 0xff]) {
        dialer.send(kind, { ...anything, seq: 0 }, 'what is this')
        dialer.send(kind, { ...anything, seq: dialer.seq++ }, 'what is this')
        dialer.send(kind, { lane: 0, seq: 0 })
      }
      dialer.send(kinds.REQUEST, { lane: 5, type: 0 }, '1')
      await world.sim.sleep(100)
      const [reply] = dialer.of('REPLY')
      assert.deepEqual([reply?.body.toString(), reply?.ack, server.stats().peers], ['2', 6, 1])
      // What was counted cannot come in another place.
      dialer.send(0x40, { seq: dialer.seq + 1 })
      await world.quiet()
      assert.deepEqual(server.stats().failed, { PROTOCOL_ERROR: 1 })
    }))

  for (const kind of [0x00, 0x0b, 0x0f, 0x13, 0x1d, 0x3f, 0x80, 0xbf]) {
    test(`a frame of the kind 0x${kind.toString(16)}, which may not be ignored, ends the connection`, () =>
      knocking(async (world, door) => {
        const { far: dialer, server } = await dials(world, door, helloOf(protocol, FUTURE))
        const gone = next(server, 'gone')
        dialer.send(kind, { seq: 0 })
        assert.ok(coded('PROTOCOL_ERROR', /unknown kind 0x/)((await gone).error))
        await world.quiet()
        assert.deepEqual(
          dialer.of('GOODBYE').map((one) => Far.code(one)),
          ['PROTOCOL_ERROR'],
        )
      }))
  }

  test('DONE is taken and means nothing', () =>
    knocking(async (world, door) => {
      const { far: dialer, server } = await dials(world, door, helloOf(protocol, FUTURE))
      dialer.send(kinds.DONE, { lane: 1 }, Buffer.from([0, 0, 0, 0, 0, 0, 0, 1, 0]))
      dialer.send(kinds.REQUEST, { lane: 5, type: 0 }, '1')
      await world.quiet()
      assert.deepEqual([dialer.of('REPLY').length, server.stats().peers], [1, 1])
    }))

  test('flags and fields of frames that version 1 has stay as they are', () =>
    knocking(async (world, door) => {
      const { far: dialer, server } = await dials(world, door, helloOf(protocol, FUTURE))
      const gone = next(server, 'gone')
      dialer.send(kinds.EVENT, { lane: 1, type: 1, flags: 0x10 }, '"x"')
      assert.ok(coded('PROTOCOL_ERROR', /flags 0x10/)((await gone).error))
    }))
})

describe('as listener', GUARD, () => {
  async function answered(
    world: World,
    door: Knocker,
    welcome: Uint8Array,
  ): Promise<{ acceptor: Far; dialing: Promise<{ request(t: 'ask', n: number): Promise<number> }> }> {
    const acceptor = new Far(door.pipe())
    door.answer = () => acceptor.pipe
    acceptor.pipe.say(frame(welcome))
    const client = await world.open({ protocol })
    const dialing = client.connectTo('knock:any')
    dialing.catch(() => undefined)
    await world.quiet()
    return { acceptor, dialing }
  }

  test('that chose version 1, with features and fields of its own: it works', () =>
    knocking(async (world, door) => {
      let welcome = welcomeOf(protocol, { features: FUTURE.features })
      for (const tag of UNKNOWN) welcome = withField(welcome, tag | SKIPPED, 'from the future')
      const { acceptor, dialing } = await answered(world, door, welcome)
      const asked = (await dialing).request('ask', 1)
      acceptor.send(0x41, { seq: acceptor.seq++ }, 'ignore me')
      await world.quiet()
      const [{ lane } = { lane: 0 }] = acceptor.of('REQUEST')
      acceptor.send(kinds.REPLY, { lane }, '7')
      assert.equal(await asked, 7)
    }))

  for (const tag of UNKNOWN) {
    test(`that insists on the field 0x${tag.toString(16)}: UNSUPPORTED`, () =>
      knocking(async (world, door) => {
        const { acceptor, dialing } = await answered(
          world,
          door,
          withField(welcomeOf(protocol), tag | CRITICAL, 'x'),
        )
        await assert.rejects(dialing, coded('UNSUPPORTED', new RegExp(`0x${tag.toString(16)}`)))
        assert.equal(acceptor.pipe.destroyed, true)
      }))
  }

  for (const version of [2, 9, 255]) {
    test(`that chose version ${version}, which was not offered: BAD_HELLO`, () =>
      knocking(async (world, door) => {
        const welcome = Uint8Array.from(welcomeOf(protocol))
        welcome[17] = version
        const { dialing } = await answered(world, door, welcome)
        await assert.rejects(dialing, coded('BAD_HELLO', /offered 1 to 1/))
      }))
  }

  test('a result that is unknown: BAD_HELLO; a rejection whose code is: REFUSED', () =>
    knocking(async (world, door) => {
      const strange = Uint8Array.from(welcomeOf(protocol))
      strange[18] = 7
      await assert.rejects((await answered(world, door, strange)).dialing, coded('BAD_HELLO', /result 7/))
      const rejection = Buffer.concat([
        welcomeOf(protocol).subarray(0, 17),
        Buffer.of(9, 2, 0x30, 0, 14),
        Buffer.from('\x06FUTURE\x00\x05later'),
      ])
      await assert.rejects(
        (await answered(world, door, rejection)).dialing,
        coded('REFUSED', /FUTURE: later/),
      )
    }))
})

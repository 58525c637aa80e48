/** Messages that say where they were sent before, from a far side that is in the hands of the test. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { msg } from '../../../src/index.ts'
import { compile } from '../../../src/contract/protocol.ts'
import { encodePrefix, prefixFlags } from '../../../src/wire/v1/bodies.ts'
import { EVENT } from '../../../src/wire/v1/frame.ts'
import { decodeWelcome } from '../../../src/wire/v1/hello-bytes.ts'
import { DONES, type Offer, RESENDS, type Session, SESSIONS } from '../../../src/wire/v1/hello.ts'
import { keyOf } from '../../../src/wire/v1/resumption.ts'
import { noCrashes } from '../../support/crashes.ts'
import { knocking } from '../../support/knock.ts'
import { GUARD } from '../../support/tcp.ts'
import type { World } from '../../support/world.ts'
import { arrives, Far, far, payloadsIn } from './far.ts'

noCrashes()

const protocol = { say: msg(z.number()) }
const SAY = compile(protocol).byName.get('say')!.index
const ALL = SESSIONS | DONES | RESENDS
const NOBODY = 'f'.repeat(32)

interface Two {
  readonly world: World
  /** The session before, and the one that there is now; the former has a connection still. */
  readonly old: Far
  readonly now: Far
  /** The id of the former. */
  readonly session: string
  readonly own: string
  readonly heard: string[]
  readonly lost: string[]
}

const sessionOf = ({ pipe }: Far): string => {
  const { session } = decodeWelcome(payloadsIn(Buffer.concat(pipe.written))[0]!) as { session: Session }
  return keyOf(session.sessionId)
}

/** A far side that has begun another session than the one before. `more`: what it says of itself then. */
function two(scenario: (it: Two) => Promise<void>, more: Partial<Offer> = {}): Promise<void> {
  return knocking(async (world, door) => {
    const [heard, lost]: string[][] = [[], []]
    const say = (n: number, { redelivered, headers }: { redelivered: boolean; headers: object }): void => {
      const shown = Object.keys(headers).length > 0 ? ` ${JSON.stringify(headers)}` : ''
      heard!.push(`${n}${redelivered ? ' again' : ''}${shown}`)
    }
    const { server, far: old } = await far(world, door, protocol, { handlers: { say } }, { features: ALL })
    server.on('sessionLost', ({ reason }) => void lost!.push(reason))
    const { far: now } = await arrives(world, door, server, protocol, { features: ALL, ...more })
    await scenario({
      ...{ world, old, now, heard: heard!, lost: lost! },
      session: sessionOf(old),
      own: sessionOf(now),
    })
  })
}

function say(far: Far, n: number, headers?: Record<string, string>): void {
  const at = { lane: 1, type: SAY, flags: prefixFlags(undefined, headers) }
  const prefix = headers === undefined ? new Uint8Array() : encodePrefix(undefined, headers)
  far.send(EVENT, at, Buffer.concat([prefix, Buffer.from(`${n}`)]))
}

const resent = (...places: string[]): Record<string, string> => ({ '-resent': places.join(' ') })

describe('a message that was sent before', GUARD, () => {
  test('is dropped if it came then, and told as any other if it did not', () =>
    two(async ({ world, old, now, session, heard }) => {
      say(old, 1)
      await world.quiet()
      say(now, 1, resent(`${session}/1`))
      say(now, 2, resent(`${session}/2`))
      say(now, 3, { ...resent(`${session}/3`), trace: 'abc' })
      await world.quiet()
      assert.deepEqual(heard, ['1', '2', '3 {"trace":"abc"}'])
    }))

  test('ends the session that it came over then: what is still on its way there is not taken as well', () =>
    two(async ({ world, old, now, session, heard, lost }) => {
      say(now, 1, resent(`${session}/1`))
      await world.quiet()
      assert.deepEqual(lost, ['ended'])
      say(old, 1)
      await world.quiet()
      assert.deepEqual(heard, ['1'])
    }))

  test('of sessions that nobody knows any more may have come, and is told so', () =>
    two(async ({ world, old, now, session, own, heard, lost }) => {
      say(now, 1, resent(`${NOBODY}/1`))
      say(now, 2, resent(`${session}/9`, `${NOBODY}/1`))
      // No message comes over a session that is over.
      say(now, 3, resent(`${own}/1`))
      await world.quiet()
      assert.deepEqual(heard, ['1 again', '2 again', '3 again'])
      assert.deepEqual(lost, ['ended'])
      assert.ok(old.of('GOODBYE').length > 0 && now.of('GOODBYE').length === 0)
    }))

  test('of another process than the one whose session that was proves nothing, and ends nothing', () =>
    two(
      async ({ world, old, now, session, heard, lost }) => {
        say(old, 1)
        await world.quiet()
        say(now, 1, resent(`${session}/1`))
        await world.quiet()
        assert.deepEqual([heard, lost], [['1', '1 again'], []])
      },
      { incarnation: new Uint8Array(16).fill(0xb1) },
    ))

  test('and wants a DONE, is told that its outcome is not known any more', () =>
    two(async ({ world, old, now, session, heard }) => {
      say(old, 1)
      await world.quiet()
      say(now, 1, { ...resent(`${session}/1`), '-done': 'processed' })
      say(now, 2, { ...resent(`${session}/2`), '-done': 'processed' })
      await world.quiet()
      assert.deepEqual(heard, ['1', '2'])
      const told = now.of('DONE').map(({ body }) => [body.readUInt32BE(4), body.subarray(9).toString()])
      assert.deepEqual(told, [
        [1, 'OUTCOME_UNKNOWN'],
        [2, ''],
      ])
    }))

  for (const [what, headers] of [
    ['a mark that is none', { '-resent': 'x' }],
    ['a mark and an id', { ...resent(`${NOBODY}/1`), '-done': 'processed', '-id': `${NOBODY}/1` }],
  ] as const)
    test(`${what} ends the connection`, () =>
      two(async ({ world, now, heard }) => {
        say(now, 1, headers)
        await world.quiet()
        assert.deepEqual(heard, [])
        assert.deepEqual(
          now.of('GOODBYE').map((said) => Far.code(said)),
          ['PROTOCOL_ERROR'],
        )
      }))

  test('without the feature the mark is a header like any other', () =>
    two(
      async ({ world, old, now, session, heard }) => {
        say(old, 1)
        await world.quiet()
        say(now, 1, resent(`${session}/1`))
        await world.quiet()
        assert.deepEqual(heard, ['1', `1 ${JSON.stringify(resent(`${session}/1`))}`])
      },
      { features: SESSIONS },
    ))
})

describe('a far side that does not know marks', GUARD, () => {
  test('is sent what surely has not come; what may have stays unknown', () =>
    knocking(async (world, door) => {
      const options = { sessionLost: 'resend', sessionTtl: 5000 } as const
      const { server, peer, far: old } = await far(world, door, protocol, options, { features: SESSIONS })
      const dropped: [string, number][] = []
      server.on('dropped', ({ reason, messages }) => void dropped.push([reason, messages]))
      old.ack = 0
      const first = peer.send('say', 1)
      await world.quiet()
      old.pipe.break()
      await world.quiet()
      const second = peer.send('say', 2)
      await world.sim.sleep(6000)
      const { far: now } = await arrives(world, door, server, protocol, { features: SESSIONS })
      assert.deepEqual(
        now.of('EVENT').map(({ body }) => body.toString()),
        ['2'],
      )
      assert.deepEqual(await first.outcome, { status: 'unknown', reason: 'lost' })
      assert.deepEqual(dropped, [['lost', 1]])
      now.send(0x10)
      assert.deepEqual(await second.outcome, { status: 'delivered' })
    }))
})

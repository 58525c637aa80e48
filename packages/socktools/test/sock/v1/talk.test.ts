/**
 * The conversations of spec/vectors/v1.json with a whole sock: a test plays the far side frame by frame, and the
 * application is made to send what the case says that it sent. What cannot be seen from outside is asked for in frames:
 * the last seq taken is the ack of a PONG; a lane is open where a CREDIT that takes back ends the connection (on one that
 * is not open it is ignored), and so is an ack taken that cannot be taken back.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { decodeTable, encodeCredit } from '../../../src/wire/v1/bodies.ts'
import * as kinds from '../../../src/wire/v1/frame.ts'
import { signal } from '../../support/events.ts'
import { GUARD } from '../../support/tcp.ts'
import { Far, cameOf } from './played.ts'
import { type World, simulate } from '../../support/world.ts'
import { toHex } from '../../wire/bytes.ts'
import { type Case, casesOf, octets } from '../../wire/v1/vectors.ts'
import { Application, type Heard, protocol } from './talk-application.ts'

const cases = casesOf('talk')

/** Cases that this sock does not run through, and why. */
const UNDRIVEN: Readonly<Record<string, string>> = {
  'v1-433':
    'a request that is cancelled before it is whole is answered at once: its lane is closed, and may be opened anew',
}

/** Frames that a case says were sent, and that nothing makes this sock send at that time. */
const UNSENT: Readonly<Record<string, readonly number[]>> = {
  // Credit for what has not even begun; and for a lane on which nothing came.
  'v1-399': [1],
  'v1-405': [1],
}

/**
 * Cases in which the application does not take what comes: something goes before it that fills the application, as many
 * bytes as are credited again. On lane 1 an event of a whole window, whose handler never ends; on a feed its first item.
 */
const FILLED: Readonly<Record<string, { readonly at: number; readonly frame: string }>> = {
  'v1-401': { at: 0, frame: '01 00 0003 00000001 0000000000000001 0000000000000000 +61*65512' },
  'v1-405': { at: 0, frame: '01 00 0003 00000001 0000000000000001 0000000000000000 +61*65512' },
  'v1-445': { at: 1, frame: '06 00 0000 00000004 0000000000000001 0000000000000001' },
}

interface Step {
  readonly way: 'in' | 'out'
  readonly payload: Uint8Array
  readonly unsent: boolean
}

/** The steps of a case, with what fills the application; sequenced frames that come behind that are one later. */
function stepsOf({ id, steps }: Case): Step[] {
  const all = (steps as ['in' | 'out', string][]).map(
    ([way, text], i): Step => ({ way, payload: octets(text), unsent: UNSENT[id]?.includes(i) === true }),
  )
  const filled = FILLED[id]
  if (filled === undefined) return all
  for (const { way, payload } of all.slice(filled.at)) if (way === 'in' && payload[15] !== 0) payload[15]!++
  return all.toSpliced(filled.at, 0, { way: 'in', payload: octets(filled.frame), unsent: false })
}

interface Talk {
  readonly world: World
  readonly far: Far
  readonly app: Application
  /** The highest ack that the far side said. */
  readonly acked: () => number
}

/** Goes through all steps of a case but, with an error, for what follows the last; then `check`s. */
const talk = (one: Case, check: (talk: Talk) => Promise<void>): Promise<void> =>
  simulate(async (world) => {
    const maxMessage = (one['maxMessage'] as number | undefined) ?? 1_048_576
    const window = { eventWindow: 65_536, laneWindow: 65_536, maxCalls: 2, maxStreams: 2 }
    const limits = { maxMessage, ...window, heartbeat: 0, ttl: 0 }
    const options = { protocol, limits, stranger: one['table'] === true }
    const acceptor = one['role'] === 'acceptor'
    const app = new Application(world, { maxMessage, ...(acceptor ? { bind: 'memory:near' } : {}) })
    app.lazy = one.id in FILLED
    if (app.lazy) app.stuck = signal()
    await app.sock.start()
    const far = acceptor
      ? await Far.dial(world, 'memory:near', options)
      : await Far.dialed(world, app.sock, options)
    let acked = 0
    const steps = stepsOf(one)
    for (const [i, { way, payload, unsent }] of steps.entries()) {
      assert.equal(far.farewell, undefined, `before step ${i}`)
      const frame = way === 'out' ? cameOf(payload) : undefined
      if (unsent) continue
      if (frame === undefined) {
        const { kind, lane } = tolerant(payload)
        app.now = { kind: kinds.nameOfKind(kind), lane }
        acked = Math.max(acked, Number(new DataView(payload.buffer, payload.byteOffset).getBigUint64(16)))
        far.send(payload)
        await world.quiet()
        continue
      }
      const { name, lane, type, body } = frame
      assert.ok(app.act(name, lane, type, body), `step ${i}: ${name} on lane ${lane} can be brought about`)
      await world.quiet()
      assert.equal(sent(far, frame, givenUp(steps.slice(0, i), lane)), undefined, `step ${i}`)
    }
    await check({ world, far, app, acked: () => acked })
  })

const tolerant = (payload: Uint8Array): { kind: number; lane: number } => ({
  kind: payload[0] ?? 0,
  lane: new DataView(payload.buffer, payload.byteOffset).getUint32(4),
})

/** The far side gave up this lane: how it is ended is for us to choose. */
const givenUp = (steps: readonly Step[], on: number): boolean =>
  steps.some(({ way, payload }) => {
    const { kind, lane } = tolerant(payload)
    return way === 'in' && lane === on && (kind === kinds.CANCEL || kind === kinds.RESET)
  })

const ENDS = ['REPLY', 'ERROR', 'END', 'RESET', 'CANCEL']
/** What may come before whatever is waited for. */
const ASIDE = ['ACK', 'CREDIT', 'PONG', 'TABLE']

/** What is wrong with what came, where `want` should have; it is taken out of what came. */
function sent(far: Far, want: ReturnType<typeof cameOf>, anyEnd: boolean): string | undefined {
  const { frames } = far
  const names = anyEnd ? ENDS : [want.name]
  const at = frames.findIndex(({ name, lane }) => names.includes(name) && lane === want.lane)
  const [came] = at < 0 ? [] : frames.splice(at, 1)
  if (came === undefined) return `${want.name} did not come, but ${frames.map(({ name }) => name).join(', ')}`
  const before = frames.slice(0, at).find(({ name }) => !ASIDE.includes(name))
  if (before !== undefined) return `${before.name} came before ${want.name}`
  if (came.seq !== want.seq || came.ack !== want.ack) return `seq ${came.seq}, ack ${came.ack}`
  if (anyEnd) return undefined
  if (came.type !== want.type || came.flags !== want.flags) return `type ${came.type}, flags ${came.flags}`
  // Code and text of a fault are for each side to choose; so is how soon and how far credit grows.
  if (['ERROR', 'RESET', 'CREDIT'].includes(want.name)) return undefined
  return toHex(came.body) === toHex(want.body) ? undefined : toHex(came.body)
}

/** What of the messages of a case the application hears. */
function heardOf(one: Case, app: Application): Heard[] {
  const table = (one['steps'] as [string, string][]).find(([, text]) => text.startsWith('12 00'))
  const names =
    table !== undefined && !one.what.includes('chunks')
      ? decodeTable(octets(table[1])).map(({ name }) => name)
      : Object.keys(protocol).sort()
  const asked = new Set<number>()
  const ours = new Set(
    stepsOf(one).flatMap(({ way, payload }) =>
      way === 'out' && payload[0] === kinds.REQUEST ? [tolerant(payload).lane] : [],
    ),
  )
  const heard: Heard[] = []
  for (const [kind, lane, type, text] of one['messages'] as [string, number, number, string][]) {
    const body = octets(text)
    const name = ['EVENT', 'VOLATILE', 'REQUEST', 'OPEN'].includes(kind) ? names[type]! : ''
    if (kind === 'REQUEST' || kind === 'OPEN') asked.add(lane)
    // A call of ours, forsaken by who serves it.
    if (kind === 'CANCEL' && ours.has(lane)) heard.push([kind, lane, '', 'CANCELLED no answer to add comes'])
    // Given up in the middle of being asked: nobody was asked.
    if ((kind === 'CANCEL' && !asked.has(lane)) || app.gaveUp(lane)) continue
    if (kind === 'VOLATILE') heard.push(['EVENT', lane, name, toHex(body)])
    else if (kind === 'OPEN' && name === 'chat') heard.push([kind, lane, name, undefined])
    else if (kind === 'ERROR' || kind === 'RESET') heard.push([kind, lane, name, codeAndText(body)])
    else heard.push([kind, lane, name, toHex(body)])
  }
  return heard
}

function codeAndText(fault: Uint8Array): string {
  const n = fault[0] ?? 0
  const code = Buffer.from(fault.subarray(1, 1 + n)).toString()
  const length = ((fault[1 + n] ?? 0) << 8) | (fault[2 + n] ?? 0)
  return `${code} ${Buffer.from(fault.subarray(3 + n, 3 + n + length)).toString()}`
}

/** The connection goes on: a PING is answered, and its ack tells what was received. */
async function alive({ world, far, acked }: Talk): Promise<number> {
  far.frames.length = 0
  far.ping(acked())
  await world.quiet()
  assert.equal(far.farewell, undefined)
  const pong = far.frames.find(({ name }) => name === 'PONG')
  assert.ok(pong !== undefined, 'a PING is answered')
  return pong.ack
}

async function refused({ world, far, app }: Talk, code: string): Promise<void> {
  // It is gone when what had come whole is handled.
  app.stuck?.give()
  await world.quiet()
  assert.deepEqual([far.farewell, far.ended, app.ends], [code, true, [code]])
}

/** CREDIT of one byte: less than any lane was granted. */
async function takeBack({ world, far, acked }: Talk, lane: number, limit = 1): Promise<void> {
  far.control(kinds.CREDIT, encodeCredit([[lane, limit]]), acked())
  await world.quiet()
}

async function good(one: Case): Promise<void> {
  const open = (one['open'] as number[] | undefined) ?? []
  await talk(one, async (all) => {
    const { far, app, world } = all
    if (one.what === 'GOODBYE is the last') {
      far.end()
      await world.quiet()
      assert.deepEqual([far.farewell, far.ended, app.ends], ['', true, [undefined]])
      assert.equal(far.frames.at(-1)?.ack, one['received'])
    } else if (one['received'] !== undefined) assert.equal(await alive(all), one['received'])
    else await alive(all)
    assert.deepEqual(
      app.heard.filter(([, lane]) => !app.gaveUp(lane)),
      heardOf(one, app),
    )
    if (one['open'] === undefined) return
    const lanes = new Set(stepsOf(one).map(({ payload }) => tolerant(payload).lane))
    for (const lane of lanes) if (lane > 3 && !open.includes(lane)) await takeBack(all, lane)
    await alive(all)
  })
  // Each of these ends the connection, if it is as the case says: so each in a conversation of its own.
  for (const lane of open) {
    await talk(one, async (all) => {
      await takeBack(all, lane)
      await refused(all, 'PROTOCOL_ERROR')
    })
  }
  for (const [lane, limit] of (one['limits'] as [number, number][] | undefined) ?? []) {
    await talk(one, async (all) => {
      await takeBack(all, lane, limit)
      await alive(all)
      await takeBack(all, lane, limit - 1)
      await refused(all, 'PROTOCOL_ERROR')
    })
  }
  const acked = (one['acked'] as number | undefined) ?? 0
  if (acked > 0) {
    await talk(one, async (all) => {
      assert.equal(all.acked(), acked)
      all.far.control(kinds.ACK, new Uint8Array(0), acked - 1)
      await all.world.quiet()
      await refused(all, 'PROTOCOL_ERROR')
    })
  }
}

describe('the conversations of spec/vectors/v1.json', () => {
  for (const one of cases) {
    const skip = UNDRIVEN[one.id]
    if (skip !== undefined) continue
    test(`${one.id}: ${one.what}`, GUARD, () =>
      one.error === undefined
        ? good(one)
        : talk(one, async (all) => {
            await refused(all, one.error ?? '')
          }),
    )
  }

  test('all but a few are driven', () => {
    const known = new Set(cases.map(({ id }) => id))
    for (const id of [UNDRIVEN, UNSENT, FILLED].flatMap(Object.keys)) assert.ok(known.has(id), id)
    assert.equal(cases.length, 125)
    assert.equal(Object.keys(UNDRIVEN).length, 1)
  })
})

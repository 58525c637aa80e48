/**
 * Sessions that come back, for fuzz-returns.test.ts: a connection with frames as in fuzz.ts breaks, and its dialer goes on with
 * the session, now and then with a token, a position or a connGen that is wrong. Told whole by its number, as there.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GOODBYE, Header } from '../../../src/wire/v1/frame.ts'
import { decodeWelcome } from '../../../src/wire/v1/hello-bytes.ts'
import { SESSIONS, type Session } from '../../../src/wire/v1/hello.ts'
import { type Dice, diceOf } from '../../support/dice.ts'
import { type Knocker, knocking } from '../../support/knock.ts'
import { frame } from '../../support/tcp.ts'
import type { World } from '../../support/world.ts'
import { begin, damaged, next, opened, protocol, say, type Server, state, stillGood } from './fuzz.ts'
import { arrives, Far, helloOf, payloadsIn } from './far.ts'

/** How it may end; undefined: in good order. */
const ENDS = new Set([undefined, 'PROTOCOL_ERROR', 'FRAME_TOO_LARGE', 'PIPE_FAILED', 'SESSION_LOST'])
const BATCH = 250
/** Frames of one connection, at most. */
const FRAMES = 60
const FEATURES = { features: SESSIONS }

interface Tally {
  sessions: number
  resumed: number
  refused: number
}

/** Registers a test of so many sessions, or of that of FUZZ alone. */
export function fuzzReturns(first: number, sessions: number): void {
  const only = process.env['FUZZ']
  test(`fuzz: ${sessions.toLocaleString('en')} sessions that come back`, async () => {
    const tally: Tally = { sessions: 0, resumed: 0, refused: 0 }
    const end = only === undefined ? first + sessions : Number(only) + 1
    for (let n = only === undefined ? first : Number(only); n < end; ) {
      const to = Math.min(end, n + BATCH)
      await knocking(async (world, door) => {
        const server = await opened(world)
        for (; n < to; n++) {
          try {
            await session(world, door, server, n, tally)
          } catch (error) {
            const replay = `FUZZ=${n} npm test -- sock/v1/fuzz-returns.test`
            throw new Error(`session ${n}; replay: ${replay}\n${(error as Error).message}`, { cause: error })
          }
        }
        await stillGood(world, door, server)
      })
    }
    if (only !== undefined) return
    // Otherwise it would show little.
    assert.ok(tally.resumed > tally.sessions / 2, `${tally.resumed} of ${tally.sessions} came back`)
    assert.ok(tally.refused > tally.sessions / 50, `${tally.refused} were refused`)
  })
}

/** What a dialer knows of its session. */
interface Held {
  session: Session
  connGen: number
}

async function session(world: World, door: Knocker, server: Server, n: number, tally: Tally): Promise<void> {
  const dice = diceOf(n)
  const { far: first, peer } = await arrives(world, door, server, protocol, FEATURES)
  const code: { error?: string | undefined } = {}
  const off = server.on('gone', (event) => {
    if (event.peer === peer) code.error = event.error?.code
  })
  const held: Held = { session: sessionOf(first), connGen: 0 }
  const ours = begin(dice, peer)
  await state(world, dice, first)
  tally.sessions++
  let lane = 13
  const fresh = (): number => (lane += 2)
  let far = first
  let received = 0
  for (let turns = 1 + dice(5); ; turns--) {
    await nonsense(world, dice, far, fresh, () => peer.state === 'gone', received)
    received = judged(far, received)
    if (turns === 0 || peer.state === 'gone') break
    if (dice(6) > 0) far.pipe.break()
    await world.quiet()
    const back = await returns(world, dice, door, far, held, received)
    if (back === undefined) {
      tally.refused++
      break
    }
    tally.resumed++
    ;({ far, received } = back)
  }
  peer.close()
  far.pipe.break()
  await world.quiet()
  off()
  assert.ok(ENDS.has(code.error), `it ended with ${code.error}`)
  assert.deepEqual(ours.waits(), [], 'whoever waited for it has heard')
  assert.equal(server.stats().peers, 0)
}

async function nonsense(
  world: World,
  dice: Dice,
  far: Far,
  fresh: () => number,
  isGone: () => boolean,
  before: number,
): Promise<void> {
  for (let left = dice(FRAMES); left > 0 && !isGone(); ) {
    const chunk: Uint8Array[] = []
    far.ack = Math.max(before, far.received)
    for (let some = 1 + dice(20); some > 0; some--, left--)
      chunk.push(frame(damaged(dice, next(dice, far, fresh))))
    say(dice, far, Buffer.concat(chunk))
    await world.quiet()
  }
}

/** Another connection that goes on with the session; undefined: it was refused. */
async function returns(
  world: World,
  dice: Dice,
  door: Knocker,
  before: Far,
  held: Held,
  received: number,
): Promise<{ far: Far; received: number } | undefined> {
  const { sessionId, token } = held.session
  const far = new Far(door.knock())
  const wrong = dice(40)
  const resume = {
    sessionId,
    token: wrong === 0 ? new Uint8Array(16) : token,
    connGen: wrong === 1 ? held.connGen : ++held.connGen,
    lastRecv: wrong === 2 ? dice(received + 3) : received,
  }
  far.raw(helloOf(protocol, { ...FEATURES, resume }))
  // Some send more before they are answered; the rest of it may be wrong then.
  if (dice(30) === 0) far.send(0x10)
  await world.quiet()
  const [answer] = payloadsIn(Buffer.concat(far.pipe.written))
  if (answer === undefined) return undefined
  const welcome = decodeWelcome(answer)
  if (welcome.result !== 'resumed' || welcome.session === undefined) return undefined
  held.session = welcome.session
  const { lastRecv } = welcome.session
  assert.ok(lastRecv < before.seq, `it has received ${lastRecv}, and ${before.seq - 1} was the last`)
  far.seq = lastRecv + 1
  return { far, received: resume.lastRecv }
}

function sessionOf(far: Far): Session {
  const welcome = decodeWelcome(payloadsIn(Buffer.concat(far.pipe.written))[0] ?? new Uint8Array(0))
  assert.ok(welcome.result === 'new' && welcome.session !== undefined)
  return welcome.session
}

/** What it wrote over this connection is what a good peer writes: it goes on behind `received`. Returns up to where. */
function judged(far: Far, received: number): number {
  const header = new Header()
  let [seq, ack, last] = [received, 0, 0]
  for (const payload of payloadsIn(Buffer.concat(far.pipe.written)).slice(1)) {
    assert.notEqual(last, GOODBYE, 'nothing comes behind GOODBYE')
    header.read(payload)
    if (header.seq > 0) assert.equal(header.seq, ++seq)
    assert.ok(header.ack >= ack, `ack ${header.ack} behind ${ack}`)
    ack = header.ack
    last = header.kind
  }
  return seq
}

/** H, from 45 on: who is refused before its HELLO is read, for what it has proven, or because nobody is taken. */
import { octets, sized, utf8Bytes } from '../bytes.ts'
import { type Case, goesOn, need, one } from '../case.ts'
import { greetingIn, hello, MAX_HELLO, offer, rejection } from '../hello.ts'
import type { Line } from '../line.ts'
import type { Stage } from '../stage.ts'
import { isClosed } from './handshake.ts'

const RULE = 'Handshake'
const GOODBYE = 0x1b

/** It ends the connection on which this was said at once, of which it may have said HELLO; and dials anew. */
async function isTurnedAway(stage: Stage, say: (line: Line) => void): Promise<void> {
  const line = await stage.line()
  say(line)
  for (let i = 0; ; i++) {
    const payload = await line.payload(MAX_HELLO, 'the end of the connection')
    if (typeof payload === 'string') break
    if (payload[0] === GOODBYE) continue
    need(i === 0, 'a frame came behind the rejection')
    need(greetingIn(payload).message === 'HELLO', 'something else than HELLO came')
  }
  await goesOn(await stage.talk())
}

const turnedAway = (id: string, what: string, say: (line: Line) => void): Case =>
  one(id, RULE, what, (stage) => isTurnedAway(stage, say), { role: 'listener' })

const rejected = (code: string, text = 'not today'): ((line: Line) => void) => {
  return (line) => {
    line.put(rejection(code, text))
    line.end()
  }
}

/** It ends this connection, and takes the next one. */
const served = (id: string, what: string, run: (stage: Stage) => Promise<void>): Case =>
  one(
    id,
    RULE,
    what,
    async (stage) => {
      await run(stage)
      await goesOn(await stage.talk())
    },
    { role: 'dialer' },
  )

export const turnedAways: readonly Case[] = [
  turnedAway('H45', 'REFUSED before its HELLO is read: it ends, and dials anew', rejected('REFUSED')),
  turnedAway('H46', 'TOO_MANY_PEERS before its HELLO is read', rejected('TOO_MANY_PEERS')),
  turnedAway('H47', 'DRAINING before its HELLO is read', rejected('DRAINING')),
  turnedAway('H48', 'a code that nobody knows, before its HELLO is read', rejected('PHASE_OF_MOON', '')),
  turnedAway('H49', 'a rejection before its HELLO is read, in pieces of one byte', (line) => {
    for (const byte of sized(4, rejection('REFUSED', 'not today'))) line.write(Uint8Array.of(byte))
    line.end()
  }),
  turnedAway('H50', 'nothing is read behind a rejection', (line) => {
    line.put(rejection('REFUSED', 'not today'))
    line.put(octets('ffffffffffffffffffffffffffffffffffffffffffffffff'))
    line.end()
  }),
  turnedAway(
    'H51',
    'a rejection before its HELLO is read, on a connection that stays open: it ends it',
    (line) => {
      line.put(rejection('REFUSED', 'not today'))
    },
  ),
  turnedAway('H52', 'the end in the place of WELCOME', (line) => {
    line.end()
  }),
  turnedAway('H53', 'a reset in the place of WELCOME', (line) => {
    line.reset()
  }),
  served(
    'H54',
    'a rejection in the place of HELLO is none: closed without an answer, and others are served',
    (stage) => isClosed(stage, rejection('REFUSED', 'not today')),
  ),
  served('H55', 'the end in the place of HELLO: it ends as well, and others are served', async (stage) => {
    const line = await stage.line()
    line.end()
    const after = await line.payload(MAX_HELLO, 'the end of the connection')
    need(typeof after === 'string', 'an answer came where none was due')
  }),
  served('H56', 'a reset behind HELLO: others are served', async (stage) => {
    const line = await stage.line()
    line.put(hello(offer()))
    line.reset()
  }),
  served('H57', 'the end within HELLO: it ends without an answer, and others are served', async (stage) => {
    const line = await stage.line()
    line.write(sized(4, utf8Bytes('socktools wire\r\n')).subarray(0, 12))
    line.end()
    const after = await line.payload(MAX_HELLO, 'the end of the connection')
    need(typeof after === 'string', 'an answer came where none was due')
  }),
]

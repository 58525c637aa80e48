/** L: lanes and credit. */
import { jsonBytes, octets } from '../bytes.ts'
import { type Case, equals, goesOn, need, one, refused, taken } from '../case.ts'
import { HEADER, nameOf } from '../frame.ts'
import { LIMITS } from '../hello.ts'
import { creditsIn, type Talk } from '../talk.ts'
import {
  begunRequest,
  cancel,
  credits,
  end,
  event,
  item,
  openChannel,
  openFeed,
  request,
  reset,
  slowRequest,
  text,
  volatile,
} from './steps.ts'

const LANES = 'Lanes'
const CREDIT = 'Lanes: Credit'
const WINDOW = LIMITS.eventWindow
const HOUR = 3_600_000

/** Items on a lane until there are no more: how many bytes of the window they took. */
async function drained(talk: Talk): Promise<number> {
  let used = 0
  for (let quiet = 0; quiet < 5; quiet++) {
    const at = talk.log.length
    await talk.alive()
    const items = talk.log.slice(at).filter((frame) => nameOf(frame) === 'ITEM')
    for (const { body } of items) used += HEADER + body.length
    if (items.length > 0) quiet = 0
  }
  return used
}

export const lanes: readonly Case[] = [
  ...refused(LANES, [
    ['L01', 'a lane of the other side is opened', request(1, 2, { lane: 4 })],
    ['L02', 'a feed is opened on a lane of the other side', openFeed(3, { lane: 6 })],
    ['L03', 'a second REQUEST on a lane that is open', slowRequest(HOUR), request(1, 2)],
    ['L04', 'an OPEN on a lane that is open', slowRequest(HOUR), openFeed(3)],
    ['L05', 'a REPLY on a lane that is not open', ['REPLY', { lane: 4, body: jsonBytes(3) }]],
    ['L06', 'an ITEM on a lane that is not open', item(1)],
    ['L07', 'END on a lane that is not open', end()],
    ['L08', 'RESET on a lane that is not open', reset('A')],
    ['L09', 'an ITEM by the opener of a feed', openFeed(1e9), item(1)],
    ['L10', 'a REPLY by the caller', slowRequest(HOUR), ['REPLY', { lane: 5, body: jsonBytes(3) }]],
    ['L11', 'an ITEM after END on a channel', openChannel(), end(), item(1)],
    ['L12', 'an ITEM after CANCEL on a channel', openChannel(), cancel(), item(1)],
    ['L13', 'END by the opener of a feed', openFeed(1e9), end()],
    [
      'L14',
      'a third call where two are taken',
      slowRequest(HOUR),
      slowRequest(HOUR, { lane: 7 }),
      begunRequest({ lane: 9 }),
    ],
    [
      'L15',
      'a third feed or channel where two are taken',
      openFeed(1e9),
      openChannel({ lane: 7 }),
      openFeed(1e9, { lane: 9 }),
    ],
  ]),
  ...taken(LANES, [
    ['L16', 'CANCEL on a lane that is not open is ignored', cancel()],
    [
      'L17',
      'feeds do not count as calls',
      slowRequest(HOUR),
      slowRequest(HOUR, { lane: 7 }),
      openFeed(3, { lane: 9 }),
    ],
    ['L18', 'lanes may be left out', request(1, 2, { lane: 4_294_967_295 })],
    ['L19', 'CANCEL twice is no error', slowRequest(HOUR), cancel(), cancel()],
  ]),
  one('L20', LANES, 'a lane is used again after it was closed', async (stage) => {
    const talk = await stage.talk()
    for (let i = 0; i < 3; i++) {
      talk.send(...request(i, 1))
      const { body } = await talk.expect('REPLY', 5)
      equals(Buffer.from(body).toString(), String(i + 1), 'the answer')
      await goesOn(talk)
    }
  }),
  one('L21', LANES, 'nothing that waits on one lane stalls another', async (stage) => {
    const talk = await stage.talk()
    talk.send(...slowRequest(HOUR))
    talk.send(...openFeed({ n: 1e9, size: 1000 }, { lane: 7 }))
    await drained(talk)
    talk.send(...request(1, 2, { lane: 9 }))
    equals(Buffer.from(await talk.message('REPLY', 9)).toString(), '3', 'the answer')
  }),
  one('L22', LANES, 'events keep their order on their lane', async (stage) => {
    const talk = await stage.talk()
    for (let i = 0; i < 200; i++) talk.send(...event(i))
    for (let i = 0; i < 200; i++) {
      equals(await talk.heard(), i, 'what it says')
      if (i % 50 === 49) talk.ack()
    }
  }),
  one('L23', CREDIT, 'up to the limit, to the byte', async (stage) => {
    const talk = await stage.talk()
    // Without data that are whole the message is not taken, and no credit comes for it.
    talk.send(...event(1, { flags: 1, body: octets(`22 +61*${WINDOW - 2 * HEADER - 2}`) }))
    talk.send(...event(1, { body: octets('22') }))
    await goesOn(talk)
  }),
  ...refused(CREDIT, [
    ['L24', 'a frame that is longer than the window', event(1, { body: octets('22 +61*65534 +22') })],
    ['L25', 'CREDIT that takes back', credits([1, 200_000]), credits([1, 199_999])],
    ['L26', 'CREDIT below the window', credits([1, WINDOW - 1])],
    ['L27', 'CREDIT of 2^53', credits([1, 2 ** 53])],
    ['L28', 'CREDIT for no lane', ['CREDIT', {}]],
    ['L29', 'CREDIT that is cut off', ['CREDIT', { body: octets('00000001 00000000000600') }]],
  ]),
  ...taken(CREDIT, [
    ['L30', 'the same CREDIT twice', credits([1, 200_000]), credits([1, 200_000])],
    ['L31', 'CREDIT for a lane that is not open', credits([99, 5])],
    ['L32', 'two lanes in one CREDIT', credits([1, 200_000], [2, 300_000])],
    [
      'L33',
      'a VOLATILE takes no credit',
      volatile(text(60_000)),
      volatile(text(60_000)),
      volatile(text(60_000)),
    ],
    [
      'L34',
      'a frame that may be ignored takes no credit',
      [0x40, { seq: 0, lane: 1, body: octets('00*60000') }],
      [0x40, { seq: 0, lane: 1, body: octets('00*60000') }],
    ],
  ]),
  one('L35', CREDIT, 'credit comes as events are taken: ten windows of them pass', async (stage) => {
    const talk = await stage.talk()
    let used = 0
    let limit: number = WINDOW
    for (let i = 0; i < 40; i++) {
      const body = jsonBytes({ quiet: true, text: 'x'.repeat(16_000) })
      while (used + HEADER + body.length > limit) {
        const told = creditsIn(await talk.expect('CREDIT')).get(1)
        if (told === undefined) continue
        need(told > limit, `CREDIT gives ${told} after ${limit}`)
        limit = told
      }
      used += HEADER + body.length
      talk.send('EVENT', { type: 3, lane: 1, body })
    }
    await goesOn(talk)
  }),
  one('L36', CREDIT, 'a message of maxMessage passes through a window of 65,536', async (stage) => {
    const talk = await stage.talk()
    const body = jsonBytes({ quiet: true, text: 'x'.repeat(LIMITS.maxMessage - 24) })
    equals(body.length, LIMITS.maxMessage, 'the length of the message')
    await sendLong(talk, body)
    await goesOn(talk)
  }),
  one('L37', CREDIT, 'a message one byte longer than maxMessage', async (stage) => {
    const talk = await stage.talk()
    await sendLong(talk, jsonBytes({ quiet: true, text: 'x'.repeat(LIMITS.maxMessage - 23) }))
    await talk.ends()
  }),
  one('L38', CREDIT, 'it keeps to the limit: a feed stops at the end of the window', async (stage) => {
    const talk = await stage.talk()
    talk.send(...openFeed({ n: 1e9, size: 1000 }))
    const used = await drained(talk)
    need(used <= WINDOW, `${used} bytes came, and ${WINDOW} was the limit`)
    need(used > WINDOW - 1100, `${used} bytes came, and there was room for another item`)
  }),
  one('L39', CREDIT, 'it goes on with more credit, up to the new limit', async (stage) => {
    const talk = await stage.talk()
    talk.send(...openFeed({ n: 1e9, size: 1000 }))
    const before = await drained(talk)
    talk.send(...credits([talk.lane(5), WINDOW + 10_000]))
    const used = before + (await drained(talk))
    need(used <= WINDOW + 10_000, `${used} bytes came, and ${WINDOW + 10_000} was the limit`)
    need(used > before, 'nothing more came')
  }),
  one('L40', CREDIT, 'credit for another lane does not help', async (stage) => {
    const talk = await stage.talk()
    talk.send(...openFeed({ n: 1e9, size: 1000 }))
    await drained(talk)
    talk.send(...credits([talk.lane(7), 1e9], [1, 1e9]))
    equals(await drained(talk), 0, 'what came after that')
  }),
  one('L41', CREDIT, 'END is free of credit', async (stage) => {
    const talk = await stage.talk()
    talk.send(...openFeed({ n: 1, size: 65_000 }))
    await talk.message('ITEM', 5)
    await talk.expect('END', 5)
    talk.ack()
    await goesOn(talk)
  }),
  one('L42', CREDIT, 'what it says is within the window of events too', async (stage) => {
    const talk = await stage.talk()
    // Each is said back; we give no credit for any.
    let used = 0
    for (let i = 0; i < 3; i++) talk.send(...event(text(20_000)))
    for (let i = 0; i < 3; i++) used += HEADER + (await talk.message('EVENT')).length
    need(used <= WINDOW, `${used} bytes came`)
    await goesOn(talk)
  }),
]

/** In chunks, as credit comes. */
export async function sendLong(talk: Talk, body: Uint8Array, lane = 1): Promise<void> {
  let used = 0
  let limit: number = WINDOW
  for (let at = 0; at < body.length; ) {
    const room = limit - used - HEADER
    const size = Math.min(61_440, body.length - at, room)
    if (size <= 0 || (size < 1000 && at + size < body.length)) {
      const told = await talk.until('CREDIT for the rest of the message', (frame) =>
        nameOf(frame) === 'CREDIT' ? creditsIn(frame).get(lane) : undefined,
      )
      limit = Math.max(limit, told)
      continue
    }
    const more = at + size < body.length ? 1 : 0
    talk.send('EVENT', { type: 3, lane, flags: more, body: body.slice(at, at + size) })
    used += HEADER + size
    at += size
  }
}

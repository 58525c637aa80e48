/** C: calls, feeds and channels, served and asked. */
import { jsonBytes, jsonValue, octets, readUint } from '../bytes.ts'
import { type Case, equals, goesOn, need, one } from '../case.ts'
import { codeIn, credit, DEADLINE, fault, faultData, type Frame, nameOf, table } from '../frame.ts'
import { TYPE, type Talk } from '../talk.ts'
import {
  cancel,
  end,
  event,
  item,
  openChannel,
  openFeed,
  request,
  reset,
  slowRequest,
  withDeadline,
  withHeaders,
} from './steps.ts'

const CALL = 'Events, calls, feeds, channels: Call'
const FEED = 'Events, calls, feeds, channels: Feed'
const CHANNEL = 'Events, calls, feeds, channels: Channel'
const HOUR = 3_600_000

/** What it answers on a lane: the value, or the code of the fault. */
async function answer(talk: Talk, lane = 5): Promise<unknown> {
  const frame = await talk.expect(['REPLY', 'ERROR', 'RESET'], lane)
  return nameOf(frame) === 'REPLY' ? jsonValue(frame.body) : codeIn(frame.body)
}

/** Asks it to do something by itself. */
const order = (talk: Talk, what: object): void => {
  talk.send(...event(what))
}

/** What it says has come of that. */
async function outcome(talk: Talk): Promise<Record<string, unknown>> {
  for (;;) {
    const said = await talk.heard()
    if (typeof said === 'object' && said !== null && 'did' in said) return said
  }
}

/** The first lane that it opens: the parity is its own. */
async function opened(talk: Talk, kind: 'REQUEST' | 'OPEN', type: number): Promise<Frame> {
  const frame = await talk.expect(kind)
  equals(frame.type, type, 'the type')
  need(frame.lane === talk.lane(4), `${kind} came on lane ${frame.lane}, and its first is ${talk.lane(4)}`)
  return frame
}

const ordered = (id: string, rule: string, what: string, run: Case['run']): Case =>
  one(id, rule, what, run, { needs: ['ordered'] })

export const calls: readonly Case[] = [
  one('C01', CALL, 'a call and its reply', async (stage) => {
    const talk = await stage.talk()
    talk.send(...request(1, 2))
    equals(await answer(talk), 3, 'the answer')
  }),
  one('C02', CALL, 'a call in chunks, with headers and a deadline', async (stage) => {
    const talk = await stage.talk()
    talk.send('REQUEST', {
      type: TYPE.add,
      lane: 5,
      flags: 7,
      body: octets('00001388 0005 01 61 0001 62 7b 22'),
    })
    talk.send('REQUEST', { type: TYPE.add, lane: 5, body: octets('61 22 3a 31 2c 22 62 22 3a 32 7d') })
    equals(await answer(talk), 3, 'the answer')
  }),
  one('C03', CALL, 'an error that the contract declares, with its data', async (stage) => {
    const talk = await stage.talk()
    talk.send(...request(1_000_000, 1))
    const { body } = await talk.expect('ERROR', 5)
    equals(codeIn(body), 'TOO_MUCH', 'the code')
    equals(jsonValue(faultData(body)), { most: 1_000_000 }, 'the data of the error')
  }),
  one('C04', CALL, 'data that the contract does not take are answered with an error', async (stage) => {
    const talk = await stage.talk()
    talk.send('REQUEST', { type: TYPE.add, lane: 5, body: jsonBytes('x') })
    await talk.expect('ERROR', 5)
    await goesOn(talk)
  }),
  one('C05', CALL, 'a type that it does not have: ERROR with UNKNOWN_TYPE', async (stage) => {
    const talk = await unknownTypes(stage)
    talk.send('REQUEST', { type: 0, lane: 5 })
    equals(codeIn((await talk.expect('ERROR', 5)).body), 'UNKNOWN_TYPE', 'the code')
  }),
  one('C06', CALL, 'a type that it has as another kind: ERROR with UNKNOWN_TYPE', async (stage) => {
    const talk = await unknownTypes(stage)
    talk.send('REQUEST', { type: 2, lane: 5 })
    equals(codeIn((await talk.expect('ERROR', 5)).body), 'UNKNOWN_TYPE', 'the code')
  }),
  one('C07', CALL, 'CANCEL ends a call that runs', async (stage) => {
    const talk = await stage.talk()
    talk.send(...slowRequest(HOUR))
    talk.send(...cancel())
    const frame = await talk.expect(['REPLY', 'ERROR', 'RESET'], 5)
    need(nameOf(frame) !== 'REPLY', 'REPLY came for a call that takes an hour')
    await goesOn(talk)
  }),
  one('C08', CALL, 'CANCEL that crosses the reply is ignored', async (stage) => {
    const talk = await stage.talk()
    talk.send(...request(1, 2))
    equals(await answer(talk), 3, 'the answer')
    talk.send(...cancel())
    await goesOn(talk)
  }),
  one('C09', CALL, 'CANCEL in the middle of a request: what came of it is dropped', async (stage) => {
    const talk = await stage.talk()
    talk.send('REQUEST', { type: TYPE.add, lane: 5, flags: 1, body: octets('7b') })
    talk.send(...cancel())
    await talk.expect(['ERROR', 'RESET'], 5)
    talk.send(...request(1, 2, { lane: 7 }))
    equals(await answer(talk, 7), 3, 'the answer')
  }),
  one('C10', CALL, 'a deadline that passes is kept by its own clock', async (stage) => {
    const talk = await stage.talk()
    talk.send('REQUEST', {
      type: TYPE.add,
      lane: 5,
      ...withDeadline(50, jsonBytes({ a: 1, b: 2, wait: HOUR })),
    })
    const frame = await talk.expect(['REPLY', 'ERROR', 'RESET'], 5)
    need(nameOf(frame) !== 'REPLY', 'REPLY came for a call that takes an hour')
  }),
  one('C11', CALL, 'two calls at once; the later one is answered first', async (stage) => {
    const talk = await stage.talk()
    talk.send(...slowRequest(300))
    talk.send(...request(3, 4, { lane: 7 }))
    const first = await talk.expect(['REPLY', 'ERROR', 'RESET'])
    equals([first.lane, jsonValue(first.body)], [talk.lane(7), 7], 'the first answer')
    equals(await answer(talk), 3, 'the second answer')
  }),
  one('C12', CALL, 'headers of a call are no data', async (stage) => {
    const talk = await stage.talk()
    talk.send('REQUEST', {
      type: TYPE.add,
      lane: 5,
      ...withHeaders({ trace: 'x' }, jsonBytes({ a: 1, b: 2 })),
    })
    equals(await answer(talk), 3, 'the answer')
  }),
  one('C13', FEED, 'a feed to its end', async (stage) => {
    const talk = await stage.talk()
    talk.send(...openFeed(3))
    for (const due of [0, 1, 2]) equals(jsonValue(await talk.message('ITEM', 5)), due, 'the item')
    await talk.expect('END', 5)
  }),
  one('C14', FEED, 'a feed of nothing', async (stage) => {
    const talk = await stage.talk()
    talk.send(...openFeed(0))
    await talk.expect('END', 5)
  }),
  one('C15', FEED, 'CANCEL ends a feed', async (stage) => {
    const talk = await stage.talk()
    talk.send(...openFeed({ n: 1e9, size: 1000 }))
    await talk.expect('ITEM', 5)
    talk.send(...cancel())
    await talk.expect(['END', 'RESET'], 5)
    await goesOn(talk)
  }),
  one('C16', FEED, 'a type that it does not have: RESET with UNKNOWN_TYPE', async (stage) => {
    const talk = await unknownTypes(stage)
    talk.send('OPEN', { type: 1, lane: 5 })
    equals(codeIn((await talk.expect('RESET', 5)).body), 'UNKNOWN_TYPE', 'the code')
  }),
  one('C17', FEED, 'items in chunks, longer than the window', async (stage) => {
    const talk = await stage.talk()
    talk.send(...openFeed({ n: 2, size: 100_000 }))
    let given = 65_536
    const sizes: number[] = []
    for (let size = 0; sizes.length < 2; ) {
      const frame = await talk.expect('ITEM', 5)
      size += frame.body.length
      talk.send('CREDIT', { body: credit([talk.lane(5), (given += 24 + frame.body.length)]) })
      if ((frame.flags & 1) !== 0) continue
      sizes.push(size)
      size = 0
    }
    equals(sizes, [100_002, 100_002], 'the lengths of the items')
    await talk.expect('END', 5)
  }),
  one('C18', CHANNEL, 'items come back, and END ends it', async (stage) => {
    const talk = await stage.talk()
    talk.send(...openChannel())
    for (const one of [1, 'x', null, { a: [] }]) {
      talk.send(...item(one))
      equals(jsonValue(await talk.message('ITEM', 5)), one, 'the item')
    }
    talk.send(...end())
    await talk.expect('END', 5)
    await goesOn(talk)
  }),
  one('C19', CHANNEL, 'half closed: what was sent before END still comes back', async (stage) => {
    const talk = await stage.talk()
    talk.send(...openChannel())
    talk.send(...item(1))
    talk.send(...item(2))
    talk.send(...end())
    equals(jsonValue(await talk.message('ITEM', 5)), 1, 'the first item')
    equals(jsonValue(await talk.message('ITEM', 5)), 2, 'the second item')
    await talk.expect('END', 5)
  }),
  one('C20', CHANNEL, 'after RESET it ends its own direction', async (stage) => {
    const talk = await stage.talk()
    talk.send(...openChannel())
    talk.send(...reset('ABORTED'))
    await talk.expect(['END', 'RESET'], 5)
    await goesOn(talk)
  }),
  one('C21', CHANNEL, 'RESET in the middle of an item: what came of it is dropped', async (stage) => {
    const talk = await stage.talk()
    talk.send(...openChannel())
    talk.send(...item(1, { flags: 1, body: octets('22') }))
    talk.send(...reset('ABORTED'))
    await talk.expect(['END', 'RESET'], 5)
    await goesOn(talk)
  }),
  one('C22', CHANNEL, 'CANCEL of a channel', async (stage) => {
    const talk = await stage.talk()
    talk.send(...openChannel())
    talk.send(...cancel())
    await talk.expect(['END', 'RESET'], 5)
    await goesOn(talk)
  }),
  ordered('C23', CALL, 'it calls: REQUEST on the first lane of its own', async (stage) => {
    const talk = await stage.talk()
    order(talk, { do: 'call', data: { a: 1, b: 2 } })
    const { lane, body, flags } = await opened(talk, 'REQUEST', TYPE.add)
    equals(jsonValue((flags & DEADLINE) === 0 ? body : body.subarray(4)), { a: 1, b: 2 }, 'the data')
    talk.send('REPLY', { lane: talk.lane(lane), body: jsonBytes(3) })
    equals(await outcome(talk), { did: 'call', reply: 3 }, 'what came of it')
  }),
  ordered('C24', CALL, 'it calls and is answered with an error that the contract declares', async (stage) => {
    const talk = await stage.talk()
    order(talk, { do: 'call', data: { a: 1, b: 2 } })
    const { lane } = await opened(talk, 'REQUEST', TYPE.add)
    const body = fault('TOO_MUCH', 'no', jsonBytes({ most: 1 }))
    talk.send('ERROR', { lane: talk.lane(lane), body })
    equals(await outcome(talk), { did: 'call', error: 'TOO_MUCH', data: { most: 1 } }, 'what came of it')
  }),
  ordered('C25', CALL, 'its time is up: CANCEL, and a reply that comes late is dropped', async (stage) => {
    const talk = await stage.talk()
    order(talk, { do: 'call', data: { a: 1, b: 2 }, timeout: 50 })
    const { lane, body, flags } = await opened(talk, 'REQUEST', TYPE.add)
    if ((flags & DEADLINE) !== 0)
      need(readUint(body.subarray(0, 4)) <= 50, `the deadline is ${readUint(body.subarray(0, 4))} ms`)
    await talk.expect('CANCEL', talk.lane(lane))
    talk.send('REPLY', { lane: talk.lane(lane), body: jsonBytes(3) })
    await goesOn(talk)
  }),
  ordered('C26', CALL, 'CANCEL in the place of an answer', async (stage) => {
    const talk = await stage.talk()
    order(talk, { do: 'call', data: { a: 1, b: 2 } })
    const { lane } = await opened(talk, 'REQUEST', TYPE.add)
    talk.send('CANCEL', { lane: talk.lane(lane) })
    equals(await outcome(talk), { did: 'call', error: 'CANCELLED' }, 'what came of it')
  }),
  ordered('C27', CALL, 'a second REPLY', async (stage) => {
    const talk = await stage.talk()
    order(talk, { do: 'call', data: { a: 1, b: 2 } })
    const { lane } = await opened(talk, 'REQUEST', TYPE.add)
    talk.send('REPLY', { lane: talk.lane(lane), body: jsonBytes(3) })
    talk.send('REPLY', { lane: talk.lane(lane), body: jsonBytes(3) })
    await talk.ends()
  }),
  ordered('C28', CALL, 'an ITEM in the place of a REPLY', async (stage) => {
    const talk = await stage.talk()
    order(talk, { do: 'call', data: { a: 1, b: 2 } })
    const { lane } = await opened(talk, 'REQUEST', TYPE.add)
    talk.send('ITEM', { lane: talk.lane(lane), body: jsonBytes(3) })
    await talk.ends()
  }),
  ordered('C29', CALL, 'no more calls at once than we take', async (stage) => {
    const talk = await stage.talk()
    for (let i = 0; i < 3; i++) order(talk, { do: 'call', data: { a: i, b: 0 } })
    const lanes: number[] = []
    for (let i = 0; i < 2; i++) lanes.push((await talk.expect('REQUEST')).lane)
    talk.log.length = 0
    await talk.alive()
    need(!talk.log.some((frame) => nameOf(frame) === 'REQUEST'), 'a third REQUEST came, and two are taken')
    talk.send('REPLY', { lane: talk.lane(lanes[0] ?? 0), body: jsonBytes(0) })
    const third = await talk.expect('REQUEST')
    talk.send('REPLY', { lane: talk.lane(lanes[1] ?? 0), body: jsonBytes(0) })
    talk.send('REPLY', { lane: talk.lane(third.lane), body: jsonBytes(0) })
    const outcomes = (): number => talk.log.filter((frame) => nameOf(frame) === 'EVENT').length
    while (outcomes() < 3) await talk.expect('EVENT')
  }),
  ordered('C30', FEED, 'it opens a feed and reads it to its end', async (stage) => {
    const talk = await stage.talk()
    order(talk, { do: 'watch', data: 3 })
    const { lane } = await opened(talk, 'OPEN', TYPE.count)
    for (const one of [7, 8, 9]) talk.send('ITEM', { lane: talk.lane(lane), body: jsonBytes(one) })
    talk.send('END', { lane: talk.lane(lane) })
    equals(await outcome(talk), { did: 'watch', items: [7, 8, 9], end: true }, 'what came of it')
  }),
  ordered('C31', FEED, 'it has enough: CANCEL, and what is on its way is dropped', async (stage) => {
    const talk = await stage.talk()
    order(talk, { do: 'watch', data: 1e9, take: 1 })
    const { lane } = await opened(talk, 'OPEN', TYPE.count)
    for (const one of [7, 8]) talk.send('ITEM', { lane: talk.lane(lane), body: jsonBytes(one) })
    await talk.expect('CANCEL', talk.lane(lane))
    talk.send('ITEM', { lane: talk.lane(lane), body: jsonBytes(9) })
    talk.send('END', { lane: talk.lane(lane) })
    await goesOn(talk)
  }),
  ordered('C32', FEED, 'RESET ends its feed with an error', async (stage) => {
    const talk = await stage.talk()
    order(talk, { do: 'watch', data: 3 })
    const { lane } = await opened(talk, 'OPEN', TYPE.count)
    talk.send('RESET', { lane: talk.lane(lane), body: fault('HANDLER_FAILED') })
    const { did, error } = await outcome(talk)
    equals([did, typeof error], ['watch', 'string'], 'what came of it')
  }),
  ordered('C33', FEED, 'an ITEM after END', async (stage) => {
    const talk = await stage.talk()
    order(talk, { do: 'watch', data: 3 })
    const { lane } = await opened(talk, 'OPEN', TYPE.count)
    talk.send('END', { lane: talk.lane(lane) })
    talk.send('ITEM', { lane: talk.lane(lane), body: jsonBytes(1) })
    await talk.ends()
  }),
  ordered('C34', FEED, 'END in the middle of an item', async (stage) => {
    const talk = await stage.talk()
    order(talk, { do: 'watch', data: 3 })
    const { lane } = await opened(talk, 'OPEN', TYPE.count)
    talk.send('ITEM', { lane: talk.lane(lane), flags: 1, body: octets('22') })
    talk.send('END', { lane: talk.lane(lane) })
    await talk.ends()
  }),
  ordered('C35', FEED, 'items past its credit', async (stage) => {
    const talk = await stage.talk()
    order(talk, { do: 'watch', data: 3 })
    const { lane } = await opened(talk, 'OPEN', TYPE.count)
    // One frame that is longer than the whole window.
    talk.send('ITEM', { lane: talk.lane(lane), body: octets('22 +61*65534 +22') })
    await talk.ends()
  }),
  ordered('C36', CHANNEL, 'it opens a channel, sends, and ends its direction', async (stage) => {
    const talk = await stage.talk()
    order(talk, { do: 'chat', items: ['a', 'b'] })
    const { lane } = await opened(talk, 'OPEN', TYPE.chat)
    for (const due of ['a', 'b']) {
      equals(jsonValue(await talk.message('ITEM', talk.lane(lane))), due, 'the item')
      talk.send('ITEM', { lane: talk.lane(lane), body: jsonBytes(`${due}!`) })
    }
    await talk.expect('END', talk.lane(lane))
    talk.send('END', { lane: talk.lane(lane) })
    equals(await outcome(talk), { did: 'chat', items: ['a!', 'b!'] }, 'what came of it')
  }),
]

/** We have types that it does not have, and one that is a call here. */
async function unknownTypes(stage: Parameters<Case['run']>[0]): Promise<Talk> {
  const talk = await stage.talk({ withoutTable: true })
  talk.send('TABLE', {
    body: table([
      ['call', 'aa'],
      ['feed', 'bb'],
      ['call', 'say'],
    ]),
  })
  return talk
}

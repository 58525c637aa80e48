/** S: seq and ack. What comes is held against both in every case: these send them wrong, or look at when ACK comes. */
import { type Case, equals, goesOn, need, one, refused, taken } from '../case.ts'
import { uint } from '../bytes.ts'
import { event, openFeed, request, slowRequest, text, volatile } from './steps.ts'

const rule = (n: number): string => `Seq and ack ${n}`

export const seq: readonly Case[] = [
  ...refused(rule(2), [
    ['S01', 'the first seq is 2', event(1, { seq: 2 })],
    ['S02', 'a gap', event(1, { seq: 1 }), event(1, { seq: 3 })],
    [
      'S03',
      'a gap that a frame leaves which may be ignored',
      event(1, { seq: 1 }),
      [0x55, { seq: 3, ack: 0 }],
    ],
    ['S04', 'a gap in a call', request(1, 2, { seq: 2 })],
  ]),
  one('S05', rule(2), 'a duplicate is dropped: the event is heard once', async (stage) => {
    const talk = await stage.talk()
    talk.send(...event('once'))
    talk.send(...event('twice', { seq: 1 }))
    talk.send(...event('then'))
    equals([await talk.heard(), await talk.heard()], ['once', 'then'], 'what it says')
  }),
  one('S06', rule(2), 'a call that comes twice is answered once', async (stage) => {
    const talk = await stage.talk()
    talk.send(...request(1, 2))
    equals((await talk.message('REPLY', 5)).length, 1, 'the length of the answer')
    talk.send(...request(1, 2, { seq: 1 }))
    await goesOn(talk)
    talk.send(...request(3, 4, { lane: 7 }))
    await talk.until('REPLY on the next lane, and none before', (frame) => {
      if (frame.kind !== 0x03) return undefined
      need(frame.lane === talk.lane(7), 'a second REPLY came for the same call')
      return frame
    })
  }),
  one('S07', rule(2), 'duplicates do not cost credit', async (stage) => {
    const talk = await stage.talk()
    talk.send(...event(text(60_000)))
    talk.send(...event(text(60_000), { seq: 1 }))
    talk.send(...event(text(60_000), { seq: 1 }))
    await goesOn(talk)
  }),
  ...refused(rule(3), [
    ['S08', 'an ack of something when nothing was sent', ['ACK', { ack: 1 }]],
    ['S09', 'an ack of 2^53', ['ACK', { ack: 2 ** 53 }]],
    ['S10', 'the ack of an unknown frame counts', [0x55, { ack: 1 }]],
    ['S11', 'the ack of a VOLATILE counts', volatile(1, { ack: 9 })],
    ['S12', 'the ack of a PING counts', ['PING', { ack: 9, body: uint(12, 1) }]],
  ]),
  one('S13', rule(3), 'an ack that goes back', async (stage) => {
    const talk = await stage.talk()
    talk.send(...event('hi'))
    await talk.heard()
    await goesOn(talk)
    talk.send('ACK', { ack: 0 })
    await talk.ends()
  }),
  one('S14', rule(3), 'an ack of what comes next', async (stage) => {
    const talk = await stage.talk()
    talk.send(...event('hi'))
    await talk.heard()
    talk.send('ACK', { ack: talk.counts.received + 1 })
    await talk.ends()
  }),
  ...taken(rule(3), [['S15', 'the same ack many times', ['ACK'], ['ACK'], ['ACK'], event(1), ['ACK']]]),
  one('S16', rule(4), 'one event is acknowledged soon, whatever else there is to send', async (stage) => {
    const talk = await stage.talk()
    talk.send(...event({ quiet: true }))
    await talk.until('a frame that acknowledges the event', (frame) => (frame.ack === 1 ? frame : undefined))
  }),
  one('S17', rule(4), 'a hundred calls that are not answered yet are acknowledged', async (stage) => {
    const talk = await stage.talk()
    for (let i = 0; i < 100; i++) talk.send(...event({ quiet: true }))
    talk.send(...slowRequest(60_000))
    await talk.until('a frame that acknowledges them', (frame) => (frame.ack === 101 ? frame : undefined))
  }),
  one(
    'S18',
    rule(4),
    'an ACK that is due leaves without being asked for, of unknown frames too',
    async (stage) => {
      const talk = await stage.talk()
      talk.send(0x55, { seq: 1 })
      await talk.until('a frame that acknowledges it', (frame) => (frame.ack === 1 ? frame : undefined))
    },
  ),
  one('S19', rule(1), 'items of a feed are numbered one after the other', async (stage) => {
    const talk = await stage.talk()
    talk.send(...openFeed(20))
    for (let i = 0; i < 20; i++) await talk.expect('ITEM', 5)
    await talk.expect('END', 5)
    talk.ack()
    await goesOn(talk)
  }),
  one('S20', rule(2), 'seq counts through all lanes', async (stage) => {
    const talk = await stage.talk()
    talk.send(...event('a', { lane: 0 }))
    talk.send(...request(1, 2))
    talk.send(...event('b', { lane: 3 }))
    await talk.expect('REPLY', 5)
    await goesOn(talk)
  }),
]

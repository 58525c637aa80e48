/** D: what became of a message. */
import { jsonBytes, readUint } from '../bytes.ts'
import { type Case, equals, goesOn, need, one } from '../case.ts'
import { type Frame, MORE, nameOf, slot, table } from '../frame.ts'
import { DONES, features } from '../hello.ts'
import type { Stage, Terms } from '../stage.ts'
import type { Sending, Talk } from '../talk.ts'
import { event, withHeaders } from './steps.ts'

const RULE = 'Events, calls, feeds, channels: Done'
const ASKS = { '-done': 'processed' }

const both = (terms: Terms = {}): Terms => ({
  ...terms,
  fields: { features: features(DONES), ...terms.fields },
})
const asking = (value: unknown, more: Sending = {}): Sending => ({
  ...withHeaders(ASKS, jsonBytes(value)),
  ...more,
})

/** seq and reason. */
const doneIn = ({ body }: Frame): [number, string] => [
  readUint(body.subarray(0, 8)),
  Buffer.from(body.subarray(9)).toString(),
]

async function told(talk: Talk): Promise<[number, string]> {
  return doneIn(await talk.expect('DONE', 1))
}

const row = (id: string, what: string, run: (stage: Stage) => Promise<void>): Case =>
  one(id, RULE, what, run, { needs: ['done'] })

export const done: readonly Case[] = [
  row('D01', 'DONE is told once the handlers have returned', async (stage) => {
    const talk = await stage.talk(both())
    talk.send(...event(1, asking({ quiet: true })))
    equals(await told(talk), [1, ''], 'seq and reason')
  }),
  row('D02', 'of a message in chunks it has the seq of the last frame', async (stage) => {
    const talk = await stage.talk(both())
    const body = Uint8Array.from(Buffer.concat([slot(ASKS), jsonBytes({ quiet: true }).subarray(0, 4)]))
    talk.send(...event(1, { flags: MORE | 2, body }))
    talk.send(...event(1, { body: jsonBytes({ quiet: true }).slice(4) }))
    equals(await told(talk), [2, ''], 'seq and reason')
  }),
  row('D03', 'who does not ask is not told', async (stage) => {
    const talk = await stage.talk(both())
    talk.send(...event('hi'))
    equals(await talk.heard(), 'hi', 'what it says')
    await goesOn(talk)
    need(!talk.log.some((frame) => nameOf(frame) === 'DONE'), 'DONE came')
  }),
  row('D04', 'data that its schema does not take: BAD_MESSAGE', async (stage) => {
    const talk = await stage.talk(both())
    talk.send(...event(1, { ...withHeaders(ASKS, Uint8Array.of(0x7b)) }))
    equals(await told(talk), [1, 'BAD_MESSAGE'], 'seq and reason')
  }),
  row('D05', 'a type that it does not have: UNKNOWN_TYPE', async (stage) => {
    const talk = await stage.talk(both({ withoutTable: true }))
    talk.send('TABLE', { body: table([['msg', 'other']]) })
    talk.send(...event(1, asking('hi', { type: 0 })))
    equals(await told(talk), [1, 'UNKNOWN_TYPE'], 'seq and reason')
  }),
  row('D06', 'a DONE that nobody asked for is ignored', async (stage) => {
    const talk = await stage.talk(both())
    talk.send('DONE', { lane: 1, body: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 3, 0) })
    await goesOn(talk)
  }),
  row('D07', 'without the feature the keys are headers like any other', async (stage) => {
    const talk = await stage.talk()
    talk.send(...event(1, asking('hi')))
    equals(await talk.heard(), 'hi', 'what it says')
    await goesOn(talk)
    need(!talk.log.some((frame) => nameOf(frame) === 'DONE'), 'DONE came')
  }),
  row('D08', 'each message that asks is told of, in the order of its lane', async (stage) => {
    const talk = await stage.talk(both())
    for (let i = 0; i < 20; i++) talk.send(...event(1, asking({ quiet: true })))
    for (let i = 0; i < 20; i++) equals(await told(talk), [i + 1, ''], 'seq and reason')
  }),
]

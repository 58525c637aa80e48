/** F: frames and their bodies. Most of what is wrong with a frame alone comes from spec/vectors. */
import { jsonBytes, octets, sized, uint } from '../bytes.ts'
import { type Case, equals, goesOn, need, one, refused, taken } from '../case.ts'
import { MORE, nameOf, payloadOf } from '../frame.ts'
import { TYPE } from '../talk.ts'
import { begunRequest, event, reset, openChannel, text, volatile, withHeaders } from './steps.ts'

const RULE = 'Frames'
const BODIES = 'Frames: Bodies'
const CHUNKS = 'Lanes: Chunks'

export const frames: readonly Case[] = [
  one('F01', RULE, 'a frame in pieces of one byte', async (stage) => {
    const talk = await stage.talk()
    for (const byte of sized(4, payloadOf(talk.frame(...event('hi'))))) talk.line.write(Uint8Array.of(byte))
    equals(await talk.heard(), 'hi', 'what it says')
  }),
  one('F02', RULE, 'many frames in one write', async (stage) => {
    const talk = await stage.talk()
    const all = Array.from({ length: 50 }, (_, i) => sized(4, payloadOf(talk.frame(...event(i)))))
    talk.line.write(Uint8Array.from(Buffer.concat(all)))
    for (let i = 0; i < 50; i++) equals(await talk.heard(), i, 'what it says')
  }),
  one(
    'F03',
    RULE,
    'a length above 65,560 ends the connection with the byte that decides it',
    async (stage) => {
      const talk = await stage.talk()
      await talk.alive()
      talk.line.write(uint(4, 65_561))
      await talk.ends(['FRAME_TOO_LARGE', 'PROTOCOL_ERROR'])
    },
  ),
  one('F04', RULE, 'a length of 4 GiB', async (stage) => {
    const talk = await stage.talk()
    await talk.alive()
    talk.line.write(uint(4, 0xffff_ffff))
    await talk.ends(['FRAME_TOO_LARGE', 'PROTOCOL_ERROR'])
  }),
  one('F05', RULE, 'a length of 0', async (stage) => {
    const talk = await stage.talk()
    await talk.alive()
    talk.line.write(uint(4, 0))
    await talk.ends()
  }),
  ...refused(RULE, [
    ['F06', 'an unknown kind', [0x2f]],
    ['F07', 'a flag that nobody knows', event(1, { flags: 0x10 })],
    ['F08', 'an EVENT on a lane of calls', event(1, { lane: 5 })],
    ['F09', 'an EVENT whose type is a call', event(1, { type: TYPE.add })],
    ['F10', 'a REQUEST whose type is a msg', ['REQUEST', { type: TYPE.say, lane: 5, body: jsonBytes(1) }]],
    ['F11', 'an OPEN whose type is a call', ['OPEN', { type: TYPE.add, lane: 5, body: jsonBytes(1) }]],
    ['F12', 'a REQUEST whose type is a feed', ['REQUEST', { type: TYPE.count, lane: 5, body: jsonBytes(1) }]],
    ['F13', 'an ACK with a body', ['ACK', { body: octets('00') }]],
  ]),
  ...refused(BODIES, [
    ['F14', 'a header twice', event(1, { flags: 2, body: octets('0008 0161 0000 0161 0000') })],
    ['F15', 'a header whose value is not UTF-8', event(1, { flags: 2, body: octets('0005 0161 0001 ff') })],
    ['F16', 'a slot that is cut off', event(1, { flags: 2, body: octets('0005 0161 0001') })],
    [
      'F17',
      'a RESET whose code is in lower case',
      openChannel(),
      ['RESET', { lane: 5, body: octets('0161 0000') }],
    ],
    [
      'F18',
      'a RESET whose text has 1,025 bytes',
      openChannel(),
      ['RESET', { lane: 5, body: octets('0141 0401 +78*1025') }],
    ],
  ]),
  one('F19', BODIES, 'an event with headers', async (stage) => {
    const talk = await stage.talk()
    talk.send(...event(1, withHeaders({ trace: 'abc', empty: '' }, jsonBytes('hi'))))
    equals(await talk.heard(), 'hi', 'what it says')
  }),
  one('F20', BODIES, 'a slot of 8,192 bytes', async (stage) => {
    const talk = await stage.talk()
    talk.send(...event(1, withHeaders({ a: 'x'.repeat(8188) }, jsonBytes('hi'))))
    equals(await talk.heard(), 'hi', 'what it says')
  }),
  one('F21', BODIES, 'text with U+FEFF before it and U+0000 in it is said back as it is', async (stage) => {
    const talk = await stage.talk()
    talk.send(...event('\ufeffa\u0000b\u2028'))
    equals(await talk.heard(), '\ufeffa\u0000b\u2028', 'what it says')
  }),
  one('F22', BODIES, 'an event whose data are no JSON is not an error of the connection', async (stage) => {
    const talk = await stage.talk()
    talk.send(...event(1, { body: octets('7b 7b') }))
    talk.send(...event('after'))
    equals(await talk.heard(), 'after', 'what it says')
  }),
  one('F23', BODIES, 'a call whose data are no JSON is answered with ERROR', async (stage) => {
    const talk = await stage.talk()
    talk.send('REQUEST', { type: TYPE.add, lane: 5, body: octets('7b') })
    const answer = await talk.expect(['ERROR', 'REPLY', 'RESET'], 5)
    need(nameOf(answer) !== 'REPLY', 'REPLY came, and ERROR was due')
    await goesOn(talk)
  }),
  one('F24', CHUNKS, 'an event in three chunks, the last one empty', async (stage) => {
    const talk = await stage.talk()
    talk.send(...event(1, { flags: MORE, body: octets('22 68') }))
    talk.send(...event(1, { flags: MORE, body: octets('69 22') }))
    talk.send(...event(1, { body: octets('') }))
    equals(await talk.heard(), 'hi', 'what it says')
  }),
  one('F25', CHUNKS, 'chunks of two lanes alternate', async (stage) => {
    const talk = await stage.talk()
    talk.send(...event(1, { flags: MORE, body: octets('22 61') }))
    talk.send(...event(1, { flags: MORE, body: octets('22 62'), lane: 2 }))
    talk.send(...event(1, { body: octets('61 22') }))
    equals(await talk.heard(), 'aa', 'what it says')
    talk.send(...event(1, { body: octets('62 22'), lane: 2 }))
    equals(await talk.heard(), 'bb', 'what it says')
  }),
  one('F26', CHUNKS, 'a character cut in two by a chunk', async (stage) => {
    const talk = await stage.talk()
    talk.send(...event(1, { flags: MORE, body: octets('22 c3') }))
    talk.send(...event(1, { body: octets('a9 22') }))
    equals(await talk.heard(), 'é', 'what it says')
  }),
  one('F27', CHUNKS, 'a message of 65,000 bytes in one frame is said back whole', async (stage) => {
    const talk = await stage.talk()
    talk.send(...event(text(65_000)))
    equals((await talk.message('EVENT')).length, 65_000, 'the length of what it says')
  }),
  ...refused(CHUNKS, [
    [
      'F28',
      'a message begins before the last one on its lane is whole',
      event(1, { flags: MORE, body: octets('22') }),
      volatile(1),
    ],
    [
      'F29',
      'a continuation of another type',
      begunRequest(),
      ['REQUEST', { type: TYPE.say, lane: 5, body: octets('7d') }],
    ],
    [
      'F30',
      'headers on a continuation',
      event(1, { flags: MORE, body: octets('22') }),
      event(1, { flags: 2, body: octets('0000') }),
    ],
    [
      'F31',
      'a second VOLATILE in chunks before the first is whole',
      volatile(1, { flags: MORE, body: octets('22') }),
      volatile(1, { flags: MORE, body: octets('22'), lane: 2 }),
    ],
    [
      'F32',
      'CANCEL in the middle of a RESET',
      openChannel(),
      reset('A', { flags: MORE, body: octets('01') }),
      ['CANCEL', { lane: 5 }],
    ],
  ]),
  ...taken(CHUNKS, [
    [
      'F33',
      'a RESET in chunks',
      openChannel(),
      reset('A', { flags: MORE, body: octets('01') }),
      reset('A', { body: octets('41 0000') }),
    ],
  ]),
  one('F34', 'Events, calls, feeds, channels', 'a VOLATILE without anything lost arrives', async (stage) => {
    const talk = await stage.talk()
    talk.send(...volatile('hi'))
    talk.send(...event('after'))
    const first = await talk.heard()
    need(first === 'hi' || first === 'after', `it says ${JSON.stringify(first)}`)
    await goesOn(talk)
  }),
]

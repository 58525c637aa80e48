/** V: what a version to come would send. */
import { octets } from '../bytes.ts'
import { type Case, equals, goesOn, need, one, refused, taken } from '../case.ts'
import { codecs, features, field, hello, offer, rejectionIn, TAG, welcome } from '../hello.ts'
import { MORE } from '../frame.ts'
import { begunRequest, event } from './steps.ts'

const FRAMES = 'Frames: unknown kinds'
const HELLO = 'Handshake: unknown fields'

/** Of a kind that may be ignored: its seq counts. */
export const skew: readonly Case[] = [
  ...taken(FRAMES, [
    ['V01', 'a kind from 0x40 up without a seq is ignored', [0x40], event(1)],
    ['V02', 'a kind from 0xc0 up is ignored', [0xc0, { body: octets('ff') }], event(1)],
    [
      'V03',
      'its flags, type, lane and body are not looked at',
      [0x7f, { flags: 0xff, type: 9, lane: 77, body: octets('00ff') }],
    ],
    [
      'V04',
      'it stands between chunks',
      event(1, { flags: MORE, body: octets('22') }),
      [0x66, { lane: 1 }],
      event(1, { body: octets('22') }),
    ],
    ['V05', 'it has the longest body', [0xff, { flags: 1, body: octets('00*65536') }]],
  ]),
  one('V06', FRAMES, 'its seq is counted', async (stage) => {
    const talk = await stage.talk()
    talk.send(0x55, { seq: 1 })
    talk.send(...event('hi'))
    equals(await talk.heard(), 'hi', 'what it says')
    await goesOn(talk)
  }),
  ...refused(FRAMES, [
    ['V07', 'a kind below 0x40 is not ignored', [0x20]],
    ['V08', 'a kind from 0x80 up to 0xbf is not ignored', [0x81]],
    ['V09', 'nor is one in the middle of those', [0x2a, { body: octets('00*10') }]],
    ['V10', 'its seq of 2^53', [0x41, { seq: 2 ** 53 }]],
    ['V11', 'an unknown kind in the place of a chunk is no chunk', begunRequest(), [0x0b, { lane: 5 }]],
  ]),
  one('V12', HELLO, 'fields that nobody knows, between and behind', async (stage) => {
    const more = new Map([...offer(), [0x0a, octets('01')], [0x44, octets('')], [0x7f, octets('00*100')]])
    await metBy(stage, more)
  }),
  one('V13', HELLO, 'known fields marked critical', async (stage) => {
    await metBy(stage, new Map([...offer()].map(([tag, value]) => [tag | 0x80, value])))
  }),
  one('V14', HELLO, 'feature bits that nobody knows', async (stage) => {
    await metBy(stage, offer({ features: octets('ffffffff00000000') }))
  }),
  one('V15', HELLO, 'a known field that belongs to the other message', async (stage) => {
    const other = stage.dials ? { session: octets('00*40') } : { resume: octets('00*44') }
    await metBy(stage, offer(other))
  }),
  one(
    'V16',
    HELLO,
    'versions 1 to 255: the acceptor chooses one that it speaks',
    async (stage) => {
      const line = await stage.line()
      line.put(hello(offer(), 1, 255))
      const answer = await stage.welcomed(line)
      equals(answer.pair, [1, 0], 'version and result')
    },
    { role: 'dialer' },
  ),
  one(
    'V17',
    HELLO,
    'versions 200 to 255, whose fields are of another form',
    async (stage) => {
      const line = await stage.line()
      line.put(hello(new Map([[0x81, octets('ff')]]), 200, 255))
      equals(rejectionIn(await stage.welcomed(line))?.code, 'VERSION_MISMATCH', 'the code')
    },
    { role: 'dialer' },
  ),
  one(
    'V18',
    HELLO,
    'a codec that nobody knows before the one that both have',
    async (stage) => {
      const { theirs } = await stage.talk({ fields: { codecs: codecs('cbor', 'x-1', 'json') } })
      equals(Buffer.from(field(theirs, 'codecs')).toString(), '\u0004json', 'the codec')
    },
    { role: 'dialer' },
  ),
  one('V19', HELLO, 'HELLO or WELCOME of 4,096 bytes', async (stage) => {
    const fields = offer()
    const short = (stage.dials ? hello(fields) : welcome(fields)).length + 3
    await metBy(stage, new Map([...fields, [0x60, new Uint8Array(4096 - short)]]))
  }),
  one('V20', HELLO, 'no feature is used that one side lacks', async (stage) => {
    const talk = await stage.talk({ fields: { features: features(0) } })
    if (stage.dials)
      need(!talk.theirs.fields.has(TAG.session), 'WELCOME has a session, and HELLO asked for none')
    await goesOn(talk)
  }),
]

/** The handshake with these fields of ours, and then life. */
async function metBy(stage: Parameters<Case['run']>[0], fields: Map<number, Uint8Array>): Promise<void> {
  if (stage.dials) {
    const line = await stage.line()
    line.put(hello(fields))
    const answer = await stage.welcomed(line)
    need(answer.pair[1] !== 2, `it was rejected with ${rejectionIn(answer)?.code ?? ''}`)
    await goesOn(stage.begun(line, answer, {}))
    return
  }
  const { line, greeting } = await stage.stranger()
  line.put(welcome(fields))
  await goesOn(stage.begun(line, greeting, {}))
}

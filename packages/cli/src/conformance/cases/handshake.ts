/** H: the handshake, and the types that follow it. */
import { octets, sized, uint, utf8Bytes } from '../bytes.ts'
import { type Case, equals, goesOn, need, one } from '../case.ts'
import { Failed } from '../failed.ts'
import { table } from '../frame.ts'
import {
  codecs,
  codecsIn,
  features,
  type Fields,
  field,
  greetingIn,
  hello,
  LIMITS,
  numberIn,
  offer,
  rejection,
  rejectionIn,
  TAG,
  type TagName,
  welcome,
} from '../hello.ts'
import type { Stage } from '../stage.ts'
import { TYPES } from '../talk.ts'
import { event } from './steps.ts'

const RULE = 'Handshake'

/** What the acceptor rejects, and under which code. */
function rejects(id: string, what: string, code: string, payload: () => Uint8Array, rule = RULE): Case {
  return one(id, rule, what, (stage) => isRejected(stage, payload(), code), { role: 'dialer' })
}

export async function isRejected(stage: Stage, payload: Uint8Array, code: string): Promise<void> {
  const line = await stage.line()
  line.put(payload)
  const answer = await stage.welcomed(line)
  const told = rejectionIn(answer)
  if (told === undefined) throw new Failed(`it was taken, and a rejection with ${code} was due`)
  equals(told.code, code, 'the code of the rejection')
  const after = await line.payload(0, 'the end of the connection')
  need(typeof after === 'string', 'a frame came behind the rejection')
}

/** What is no HELLO: closed without an answer. */
export async function isClosed(
  stage: Stage,
  bytes: Uint8Array,
  { bare = false, answered = false } = {},
): Promise<void> {
  const line = await stage.line()
  if (bare) line.write(bytes)
  else line.put(bytes)
  const after = await line.payload(4096, 'the end of the connection')
  if (answered && typeof after !== 'string') {
    need(rejectionIn(greetingIn(after)) !== undefined, 'it was taken')
    return
  }
  need(typeof after === 'string', 'an answer came where none was due')
}

/** What is no WELCOME that a dialer can take. It may say why. */
export async function isGivenUp(stage: Stage, payload: (theirs: Fields) => Uint8Array): Promise<void> {
  const { line, greeting } = await stage.stranger()
  line.put(payload(greeting.fields))
  const after = await line.payload(300, 'the end of the connection')
  if (typeof after === 'string') return
  need(after[0] === 0x1b, 'a frame that is no GOODBYE came where the dialer was to end the connection')
  const end = await line.payload(0, 'the end of the connection')
  need(typeof end === 'string', 'a frame came behind GOODBYE')
}

const givesUp = (id: string, what: string, payload: (theirs: Fields) => Uint8Array, rule = RULE): Case =>
  one(id, rule, what, (stage) => isGivenUp(stage, payload), { role: 'listener' })

const critical = (fields: Map<number, Uint8Array>, tag: number): Map<number, Uint8Array> =>
  new Map([...fields].map(([one, value]) => [one === tag ? one | 0x80 : one, value]))

/** The other side says what it has to say of itself. */
const offered = (
  id: string,
  what: string,
  run: (stage: Stage) => Promise<void>,
  more: Partial<Case> = {},
): Case => one(id, RULE, what, run, more)

const GRANTED = Object.keys(LIMITS) as (keyof typeof LIMITS & TagName)[]

export const handshake: readonly Case[] = [
  offered('H01', 'the mandatory fields are there, and it goes on', async (stage) => {
    const talk = await stage.talk()
    await goesOn(talk)
  }),
  offered('H02', 'it grants the limits of docs/conformance.md', async (stage) => {
    const { theirs } = await stage.talk()
    for (const name of GRANTED) equals(numberIn(theirs, name), LIMITS[name], name)
  }),
  offered('H03', 'its TABLE has the types of docs/conformance.md, sorted', async (stage) => {
    const talk = await stage.talk()
    equals(await talk.tables(), TYPES, 'its TABLE')
  }),
  offered('H04', 'with equal fingerprints neither side sends a TABLE', async (stage) => {
    const talk = await stage.talk({ alike: true })
    talk.send(...event('hi'))
    equals(await talk.heard(), 'hi', 'what it says')
  }),
  offered(
    'H05',
    'HELLO offers version 1 and json',
    async (stage) => {
      const { greeting } = await stage.stranger()
      need(greeting.pair[0] === 1, `the lowest version is ${greeting.pair[0]}`)
      need(codecsIn(greeting).includes('json'), `the codecs are ${codecsIn(greeting).join()}`)
    },
    { role: 'listener' },
  ),
  offered(
    'H06',
    'WELCOME chooses version 1 and the codec json',
    async (stage) => {
      const { theirs } = await stage.talk()
      equals([...theirs.pair, ...codecsIn(theirs)], [1, 0, 'json'], 'version, result and codec')
    },
    { role: 'dialer' },
  ),
  offered(
    'H07',
    'the codec is the first of the dialer that both have',
    async (stage) => {
      const { theirs } = await stage.talk({ fields: { codecs: codecs('cbor', 'json') } })
      equals(codecsIn(theirs), ['json'], 'the codec')
    },
    { role: 'dialer' },
  ),
  offered('H08', 'an incarnation of 16 bytes that is the same for each connection', async (stage) => {
    const first = await stage.talk()
    const mine = Buffer.from(field(first.theirs, 'incarnation')).toString('hex')
    first.goodbye()
    const second = await stage.talk()
    equals(Buffer.from(field(second.theirs, 'incarnation')).toString('hex'), mine, 'the incarnation')
  }),
  rejects('H09', 'no codec in common', 'NO_COMMON_CODEC', () => hello(offer({ codecs: codecs('cbor') }))),
  rejects('H10', 'versions 2 to 2', 'VERSION_MISMATCH', () => hello(offer(), 2, 2)),
  rejects('H11', 'versions before codecs', 'VERSION_MISMATCH', () =>
    hello(offer({ codecs: codecs('cbor') }), 2, 2),
  ),
  rejects('H12', 'a critical field that nobody knows', 'UNSUPPORTED', () =>
    hello(new Map([...offer(), [0x80 | 0x44, octets('00')]])),
  ),
  rejects('H13', 'a nodeId of 15 bytes', 'BAD_HELLO', () => hello(offer({ nodeId: new Uint8Array(15) }))),
  rejects('H14', 'no fingerprint', 'BAD_HELLO', () => hello(offer({ fingerprint: undefined }))),
  rejects('H15', 'the lowest version is 0', 'BAD_HELLO', () => hello(offer(), 0, 1)),
  rejects('H16', 'a window below 65,536', 'BAD_HELLO', () => hello(offer({ laneWindow: uint(4, 65_535) }))),
  one(
    'H17',
    RULE,
    'what is no HELLO is closed without an answer',
    (stage) => isClosed(stage, utf8Bytes('hello')),
    {
      role: 'dialer',
    },
  ),
  one(
    'H18',
    RULE,
    'a first length above 4,096 ends the connection with the byte that decides it',
    (stage) => isClosed(stage, uint(4, 4097), { bare: true, answered: true }),
    { role: 'dialer' },
  ),
  one(
    'H19',
    RULE,
    'a listener that is sent HTTP closes',
    (stage) =>
      isClosed(stage, utf8Bytes('GET / HTTP/1.1\r\nHost: a\r\n\r\n'), { bare: true, answered: true }),
    { role: 'dialer' },
  ),
  one(
    'H20',
    RULE,
    'HELLO in pieces of one byte',
    async (stage) => {
      const line = await stage.line()
      for (const byte of sized(4, hello(offer()))) line.write(Uint8Array.of(byte))
      const talk = stage.begun(line, await stage.welcomed(line), {})
      await goesOn(talk)
    },
    { role: 'dialer' },
  ),
  givesUp('H21', 'a WELCOME with a version that was not offered', () => welcome(offer(), 0, 9)),
  givesUp('H22', 'a WELCOME with a codec that was not offered', () =>
    welcome(offer({ codecs: codecs('cbor') })),
  ),
  givesUp('H23', 'a WELCOME with two codecs', () => welcome(offer({ codecs: codecs('json', 'msgpack') }))),
  givesUp('H24', 'a WELCOME that resumes what nobody asked for', () =>
    welcome(offer({ session: new Uint8Array(40) }), 1),
  ),
  givesUp('H25', 'a WELCOME without a fingerprint', () => welcome(offer({ fingerprint: undefined }))),
  givesUp('H26', 'a plain message in the place of WELCOME', () => utf8Bytes('hello')),
  givesUp('H27', 'its own HELLO, come back from an echo', (theirs) => hello(theirs)),
  givesUp('H28', 'a rejection', () => rejection('REFUSED', 'not today')),
  givesUp('H29', 'a rejection under a code that nobody knows', () => rejection('PHASE_OF_MOON', 'not today')),
  givesUp('H30', 'a rejection with all else, and a critical field that nobody knows', () =>
    welcome(
      critical(
        new Map([
          ...offer(),
          [TAG.rejection, Uint8Array.from([...sized(1, utf8Bytes('REFUSED')), 0, 0])],
          [0x44, octets('00')],
        ]),
        0x44,
      ),
      2,
    ),
  ),
  givesUp('H31', 'a WELCOME with a critical field that nobody knows', () =>
    welcome(new Map([...offer(), [0x80 | 0x44, octets('00')]])),
  ),
  one(
    'H32',
    RULE,
    'after a rejection it dials anew',
    async (stage) => {
      await isGivenUp(stage, () => rejection('REFUSED', 'not today'))
      await goesOn(await stage.talk())
    },
    { role: 'listener' },
  ),
  one('H33', 'Handshake: Types', 'no TABLE where one is due', async (stage) => {
    const talk = await stage.talk({ withoutTable: true })
    talk.send('ACK')
    await talk.ends()
  }),
  one('H34', 'Handshake: Types', 'a TABLE where the fingerprints are equal', async (stage) => {
    const talk = await stage.talk({ alike: true })
    talk.send('TABLE', { body: table(TYPES) })
    await talk.ends()
  }),
  one('H35', 'Handshake: Types', 'a second TABLE', async (stage) => {
    const talk = await stage.talk()
    talk.send('TABLE', { body: table(TYPES) })
    await talk.ends()
  }),
  one('H36', 'Handshake: Types', 'a TABLE in chunks', async (stage) => {
    const talk = await stage.talk({ withoutTable: true })
    const whole = table(TYPES)
    talk.send('TABLE', { flags: 1, body: whole.slice(0, 9) })
    talk.send('TABLE', { body: whole.slice(9) })
    await goesOn(talk)
  }),
  one('H37', 'Handshake: Types', 'something between the chunks of a TABLE', async (stage) => {
    const talk = await stage.talk({ withoutTable: true })
    talk.send('TABLE', { flags: 1, body: table(TYPES).slice(0, 9) })
    talk.send('ACK')
    await talk.ends()
  }),
  one('H38', 'Handshake: Types', 'types are counted in the TABLE of their sender', async (stage) => {
    const talk = await stage.talk({ withoutTable: true })
    talk.send('TABLE', {
      body: table([
        ['msg', 'other'],
        ['msg', 'say'],
      ]),
    })
    talk.send(...event('hi', { type: 1 }))
    equals(await talk.heard(), 'hi', 'what it says')
  }),
  one('H39', 'Handshake: Types', 'a type beyond the TABLE of its sender', async (stage) => {
    const talk = await stage.talk({ withoutTable: true })
    talk.send('TABLE', { body: table([['msg', 'say']]) })
    talk.send(...event('hi', { type: 3 }))
    await talk.ends()
  }),
  one('H40', 'Handshake: Types', 'names out of order', async (stage) => {
    const talk = await stage.talk({ withoutTable: true })
    talk.send('TABLE', {
      body: table([
        ['msg', 'say'],
        ['msg', 'other'],
      ]),
    })
    await talk.ends()
  }),
  one('H41', 'Handshake: Types', 'an event of a type that it does not have is no error', async (stage) => {
    const talk = await stage.talk({ withoutTable: true })
    talk.send('TABLE', {
      body: table([
        ['msg', 'other'],
        ['msg', 'say'],
      ]),
    })
    talk.send(...event('hi', { type: 0 }))
    await goesOn(talk)
  }),
  one('H42', RULE, 'the features that are not known are left aside', async (stage) => {
    const talk = await stage.talk({ fields: { features: octets('7ffffffffffffff8') } })
    await goesOn(talk)
  }),
  one(
    'H43',
    RULE,
    'silence: it waits 10 s for the first frame at the most',
    async (stage) => {
      const line = await stage.line()
      for (;;) if (typeof (await line.payload(4096, 'the end of the connection')) === 'string') return
    },
    { slow: 12_000 },
  ),
  one('H44', RULE, 'features of 8 bytes of nothing', async (stage) => {
    await goesOn(await stage.talk({ fields: { features: features(0) } }))
  }),
]

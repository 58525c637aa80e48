/** E: signs of life, GOAWAY, GOODBYE, and connections that break. */
import { jsonBytes, octets, same, sized, uint } from '../bytes.ts'
import { type Case, equals, goesOn, need, one, refused, taken } from '../case.ts'
import { codeIn, goaway, nameOf, payloadOf, reason } from '../frame.ts'
import { TYPE } from '../talk.ts'
import { event, goodbye, openFeed, request, slowRequest } from './steps.ts'

const LIFE = 'Liveness'
const CLOSING = 'Closing'

export const endings: readonly Case[] = [
  one('E01', LIFE, 'PING is answered with the same 12 bytes', async (stage) => {
    const talk = await stage.talk()
    for (const nonce of ['deadbeef00000001', '0000000000000000', 'ffffffffffffffff']) {
      const body = octets(`0000afc8 ${nonce}`)
      talk.send('PING', { body })
      const pong = await talk.expect('PONG')
      need(same(pong.body, body), 'PONG has other bytes')
    }
  }),
  one('E02', LIFE, 'PONG comes before whatever waits', async (stage) => {
    const talk = await stage.talk()
    talk.send(...openFeed({ n: 1e9, size: 1000 }))
    await talk.expect('ITEM', 5)
    await goesOn(talk)
  }),
  ...taken(LIFE, [
    ['E03', 'a PONG that nobody asked for', ['PONG', { body: octets('0000afc8 deadbeef00000001') }]],
  ]),
  ...refused(LIFE, [
    ['E04', 'a PING that lacks a byte', ['PING', { body: octets('0000afc8 deadbeef000000') }]],
  ]),
  one('E05', CLOSING, 'GOODBYE is answered with GOODBYE, and the end of the stream', async (stage) => {
    const talk = await stage.talk()
    talk.goodbye()
    await talk.ends(['', 'CLOSED'])
  }),
  one('E06', CLOSING, 'the GOODBYE of the answer acknowledges what came', async (stage) => {
    const talk = await stage.talk()
    for (let i = 0; i < 3; i++) talk.send(...event({ quiet: true }))
    talk.goodbye()
    const bye = await talk.expect('GOODBYE')
    equals(bye.ack, 3, 'the ack')
    await talk.streamEnds()
  }),
  one('E07', CLOSING, 'GOODBYE with a code is answered as well', async (stage) => {
    const talk = await stage.talk()
    talk.goodbye('PROTOCOL_ERROR')
    await talk.expect('GOODBYE')
    await talk.streamEnds()
  }),
  one('E08', CLOSING, 'a frame behind GOODBYE is not taken', async (stage) => {
    const talk = await stage.talk()
    const frames = [talk.frame(...goodbye()), talk.frame(...event('late'))]
    talk.line.write(
      octets(frames.map((frame) => Buffer.from(sized(4, payloadOf(frame))).toString('hex')).join('')),
    )
    const bye = await talk.until('GOODBYE, and nothing of what stood behind ours', (frame) => {
      need(nameOf(frame) !== 'EVENT', 'it took an event behind GOODBYE')
      return nameOf(frame) === 'GOODBYE' ? frame : undefined
    })
    need(['', 'CLOSED', 'PROTOCOL_ERROR'].includes(codeIn(bye.body)), `its code is ${codeIn(bye.body)}`)
  }),
  ...refused(CLOSING, [
    ['E09', 'the ack of GOODBYE is checked', ['GOODBYE', { ack: 1, body: reason('') }]],
    ['E10', 'a GOODBYE without a reason', ['GOODBYE', {}]],
    ['E11', 'a reason with a newline', ['GOODBYE', { body: octets('02 410a') }]],
    ['E12', 'a GOAWAY without a reason', ['GOAWAY', { body: uint(4, 0) }]],
  ]),
  one('E13', CLOSING, 'after GOAWAY what is open goes on', async (stage) => {
    const talk = await stage.talk()
    talk.send(...slowRequest(100))
    talk.send('GOAWAY', { body: goaway(0, 'LEAVING') })
    const { body } = await talk.expect('REPLY', 5)
    equals(Buffer.from(body).toString(), '3', 'the answer')
  }),
  one('E14', CLOSING, 'after GOAWAY it is acknowledged at once what comes', async (stage) => {
    const talk = await stage.talk()
    talk.send('GOAWAY', { body: goaway(0, '') })
    talk.send(...event({ quiet: true }))
    await talk.until('a frame that acknowledges it', (frame) => (frame.ack === 1 ? frame : undefined))
  }),
  one(
    'E15',
    CLOSING,
    'after GOAWAY it opens no more lanes',
    async (stage) => {
      const talk = await stage.talk()
      talk.send('GOAWAY', { body: goaway(0, '') })
      talk.send(...event({ do: 'call', data: { a: 1, b: 2 } }))
      talk.log.length = 0
      await talk.alive()
      await talk.alive()
      need(!talk.log.some((frame) => nameOf(frame) === 'REQUEST'), 'REQUEST came after our GOAWAY')
    },
    { needs: ['ordered'] },
  ),
  one(
    'E16',
    CLOSING,
    'who ends a connection for an error reads on: no reset overtakes its GOODBYE',
    async (stage) => {
      const talk = await stage.talk()
      talk.send(0x2f)
      // What it has not read when it closes would be answered with a reset.
      for (let i = 0; i < 30; i++) talk.line.put(payloadOf(talk.frame('PING', { body: uint(12, i) })))
      await talk.ends()
    },
  ),
  one('E17', CLOSING, 'the end of the stream without GOODBYE: it ends the connection too', async (stage) => {
    const talk = await stage.talk()
    await talk.alive()
    talk.line.end()
    for (;;) if (typeof (await talk.next('the end of the stream')) === 'string') return
  }),
  one('E18', CLOSING, 'the stream ends within a frame: it ends the connection too', async (stage) => {
    const talk = await stage.talk()
    await talk.alive()
    talk.line.write(octets('0000001c 0100'))
    talk.line.end()
    for (;;) if (typeof (await talk.next('the end of the stream')) === 'string') return
  }),
  one('E19', CLOSING, 'after a connection that broke another one is taken', async (stage) => {
    const first = await stage.talk()
    first.send(...slowRequest(3_600_000))
    await first.alive()
    first.line.reset()
    const talk = await stage.talk()
    talk.send(...request(1, 2))
    equals(Buffer.from((await talk.expect('REPLY', 5)).body).toString(), '3', 'the answer')
  }),
  one('E20', CLOSING, 'nothing is written behind a GOODBYE, whatever still runs', async (stage) => {
    const talk = await stage.talk()
    talk.send(...openFeed({ n: 1e9, size: 100 }))
    await talk.expect('ITEM', 5)
    talk.send('ITEM', { lane: 5, body: jsonBytes(1) })
    await talk.ends()
  }),
  one(
    'E21',
    CLOSING,
    'it ends in good order: GOODBYE without a code, answered and over',
    async (stage) => {
      const talk = await stage.talk()
      talk.send('EVENT', { type: TYPE.say, lane: 1, body: jsonBytes({ do: 'drain' }) })
      await talk.until('GOODBYE', (frame) => (nameOf(frame) === 'GOODBYE' ? frame : undefined))
      const bye = talk.log.at(-1)
      equals(bye === undefined ? '' : codeIn(bye.body), '', 'the code of its GOODBYE')
      talk.goodbye()
      await talk.streamEnds()
    },
    { needs: ['ordered'] },
  ),
]

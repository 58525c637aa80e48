/** R: sessions, whose connections break and come back. The tool dials: the implementation is the acceptor. */
import { randomBytes } from 'node:crypto'
import { join, jsonBytes, jsonValue, octets, same, toHex, uint } from '../bytes.ts'
import { type Case, equals, goesOn, need, one } from '../case.ts'
import { Failed } from '../failed.ts'
import { nameOf, payloadOf } from '../frame.ts'
import { features, type Greeting, hello, offer, rejectionIn, SESSIONS } from '../hello.ts'
import { type ResumeField, sessionIn, type Stage } from '../stage.ts'
import type { Talk } from '../talk.ts'
import { event, openFeed, slowRequest, volatile } from './steps.ts'

const rule = (n: number): string => `Sessions ${n}`

/** A dialer that knows how to come back. */
class Guest {
  readonly #stage: Stage
  readonly #self = {
    features: features(SESSIONS),
    nodeId: Uint8Array.from(randomBytes(16)),
    incarnation: Uint8Array.from(randomBytes(16)),
  }
  id: Uint8Array = new Uint8Array(16)
  token: Uint8Array = new Uint8Array(16)
  connGen = 0
  talk: Talk | undefined

  constructor(stage: Stage) {
    this.#stage = stage
  }

  async begin(): Promise<Talk> {
    const talk = await this.#stage.talk({ fields: this.#self })
    const { id, token, lastRecv } = sessionIn(talk.theirs)
    equals(lastRecv, 0, 'lastRecv of a new session')
    this.id = id
    this.token = token
    this.talk = talk
    return talk
  }

  /** HELLO with the field resume, and what is answered. */
  async ask(
    more: Partial<ResumeField> = {},
    incarnation: Uint8Array = this.#self.incarnation,
  ): Promise<[Greeting, Talk['line']]> {
    const resume = {
      id: this.id,
      token: this.token,
      connGen: ++this.connGen,
      lastRecv: this.talk?.counts.received ?? 0,
      ...more,
    }
    const line = await this.#stage.line()
    const value = join(resume.id, resume.token, uint(4, resume.connGen), uint(8, resume.lastRecv))
    line.put(hello(offer({ ...this.#self, incarnation, resume: value })))
    return [await this.#stage.welcomed(line), line]
  }

  /** Goes on: what we say that we have is what is told, or `lastRecv`. */
  async back(more: Partial<ResumeField> = {}): Promise<{ talk: Talk; lastRecv: number }> {
    const before = this.talk
    if (before === undefined) throw new Failed('there is no session yet')
    const [answer, line] = await this.ask(more)
    const told = rejectionIn(answer)
    if (told !== undefined) throw new Failed(`the session was refused: ${told.code} (${told.text})`)
    equals(answer.pair, [1, 1], 'version and result')
    const { id, token, lastRecv } = sessionIn(answer)
    need(same(id, this.id), `the session has another id: ${toHex(id)}`)
    need(!same(token, this.token), 'the token is the same as before')
    this.token = token
    const counts = { sent: before.counts.sent, received: more.lastRecv ?? before.counts.received }
    this.talk = this.#stage.begun(line, answer, { counts, acked: before.acked })
    return { talk: this.talk, lastRecv }
  }

  async refused(
    reason: string | readonly string[],
    more: Partial<ResumeField> = {},
    incarnation?: Uint8Array,
  ): Promise<void> {
    const [answer] = await this.ask(more, incarnation)
    const told = rejectionIn(answer)
    if (told === undefined) throw new Failed('it went on with the session')
    equals(told.code, 'SESSION_LOST', 'the code')
    const reasons = typeof reason === 'string' ? [reason] : reason
    need(reasons.includes(told.text), `the reason is ${told.text}, and ${reasons.join(' or ')} was due`)
  }
}

const row = (id: string, n: number, what: string, run: (guest: Guest, stage: Stage) => Promise<void>): Case =>
  one(id, rule(n), what, (stage) => run(new Guest(stage), stage), { role: 'dialer', needs: ['sessions'] })

const HOUR = 3_600_000

export const sessions: readonly Case[] = [
  row('R01', 1, 'WELCOME of a new session has an id and a token', async (guest) => {
    await guest.begin()
    need(!same(guest.id, guest.token), 'id and token are the same')
  }),
  row('R02', 1, 'ids and tokens differ', async (guest, stage) => {
    await guest.begin()
    const other = new Guest(stage)
    await other.begin()
    need(!same(guest.id, other.id) && !same(guest.token, other.token), 'two sessions have the same')
  }),
  row('R03', 5, 'after a reset it goes on, with a new token', async (guest) => {
    const talk = await guest.begin()
    await talk.alive()
    talk.line.reset()
    await goesOn((await guest.back()).talk)
  }),
  row('R04', 5, 'after the end of the stream without a GOODBYE it goes on', async (guest) => {
    const talk = await guest.begin()
    await talk.alive()
    talk.line.end()
    await goesOn((await guest.back()).talk)
  }),
  row('R05', 5, 'it tells up to where it has received', async (guest) => {
    const talk = await guest.begin()
    for (let i = 0; i < 3; i++) talk.send(...event({ quiet: true }))
    await goesOn(talk)
    talk.line.reset()
    equals((await guest.back()).lastRecv, 3, 'lastRecv')
  }),
  row('R06', 6, 'what was not received is sent again, unchanged but for its ack', async (guest) => {
    const talk = await guest.begin()
    talk.send(...event('hi'))
    const first = await talk.expect('EVENT')
    talk.line.reset()
    const { talk: next } = await guest.back({ lastRecv: 0 })
    const again = await next.expect('EVENT')
    const bare = { ...again, ack: first.ack }
    equals(toHex(payloadOf(bare)), toHex(payloadOf(first)), 'the frame')
  }),
  row('R07', 6, 'what was received is not sent again', async (guest) => {
    const talk = await guest.begin()
    talk.send(...event('one'))
    equals(await talk.heard(), 'one', 'what it says')
    talk.line.reset()
    const { talk: next } = await guest.back()
    next.send(...event('two'))
    equals(await next.heard(), 'two', 'what it says first')
  }),
  row('R08', 6, 'what it has is dropped when it comes again', async (guest) => {
    const talk = await guest.begin()
    talk.send(...event('one'))
    equals(await talk.heard(), 'one', 'what it says')
    talk.line.reset()
    const { talk: next } = await guest.back()
    next.send(...event('one', { seq: 1 }))
    next.send(...event('two'))
    equals(await next.heard(), 'two', 'what it says first')
  }),
  row('R09', 6, 'seq goes on where it was', async (guest) => {
    const talk = await guest.begin()
    for (let i = 0; i < 5; i++) talk.send(...event(i))
    for (let i = 0; i < 5; i++) equals(await talk.heard(), i, 'what it says')
    talk.line.reset()
    const { talk: next } = await guest.back()
    for (let i = 5; i < 10; i++) next.send(...event(i))
    for (let i = 5; i < 10; i++) equals(await next.heard(), i, 'what it says')
  }),
  row('R10', 6, 'a gap after it has gone on', async (guest) => {
    const talk = await guest.begin()
    await talk.alive()
    talk.line.reset()
    const { talk: next } = await guest.back()
    next.send(...event('hi', { seq: 2 }))
    await next.ends()
  }),
  row('R11', 6, 'a call that was underway is answered over the next connection', async (guest) => {
    const talk = await guest.begin()
    talk.send(...slowRequest(100))
    await talk.alive()
    talk.line.reset()
    const { talk: next } = await guest.back()
    equals(jsonValue(await next.message('REPLY', 5)), 3, 'the answer')
  }),
  row('R12', 6, 'a message of which part came is whole with the rest', async (guest) => {
    const talk = await guest.begin()
    talk.send(...event(1, { flags: 1, body: octets('22 68') }))
    await goesOn(talk)
    talk.line.reset()
    const { talk: next } = await guest.back()
    next.send(...event(1, { body: octets('69 22') }))
    equals(await next.heard(), 'hi', 'what it says')
  }),
  row('R13', 7, 'a VOLATILE of which part came is dropped', async (guest) => {
    const talk = await guest.begin()
    talk.send(...volatile(1, { flags: 1, body: octets('22') }))
    await talk.alive()
    talk.line.reset()
    const { talk: next } = await guest.back()
    next.send(...event('hi'))
    equals(await next.heard(), 'hi', 'what it says')
  }),
  row('R14', 6, 'CREDIT of open lanes comes before anything that is sequenced', async (guest) => {
    const talk = await guest.begin()
    talk.send('OPEN', { type: 1, lane: 5, body: jsonBytes(null) })
    talk.send('ITEM', { lane: 5, body: jsonBytes('x') })
    await talk.expect('ITEM', 5)
    talk.line.reset()
    const { talk: next } = await guest.back({ lastRecv: 0 })
    const first = await next.until('CREDIT or what is sent again', (frame) =>
      nameOf(frame) === 'CREDIT' || frame.seq > 0 ? frame : undefined,
    )
    equals(nameOf(first), 'CREDIT', 'the first frame')
    equals(jsonValue(await next.message('ITEM', 5)), 'x', 'the item')
  }),
  row('R15', 6, 'a frame of which part came is not counted', async (guest) => {
    const talk = await guest.begin()
    const whole = join(uint(4, 28), payloadOf(talk.frame(...event('hi'))))
    talk.line.write(whole.slice(0, 20))
    talk.line.end()
    const { talk: next, lastRecv } = await guest.back()
    equals(lastRecv, 0, 'lastRecv')
    next.send(...event('hi', { seq: 1 }))
    equals(await next.heard(), 'hi', 'what it says')
  }),
  row('R16', 3, 'an unknown session', async (guest) => {
    await guest.refused('unknown-session', { id: Uint8Array.from(randomBytes(16)) })
  }),
  row('R17', 3, 'another token: the session is not taken, and its connection lives on', async (guest) => {
    const talk = await guest.begin()
    await talk.alive()
    await guest.refused(['not-yours', 'unknown-session'], { token: Uint8Array.from(randomBytes(16)) })
    await goesOn(talk)
  }),
  row('R18', 3, 'a connGen that is not higher', async (guest) => {
    const talk = await guest.begin()
    await talk.alive()
    talk.line.reset()
    const { talk: next } = await guest.back()
    await next.alive()
    await guest.refused(['not-yours', 'unknown-session'], { connGen: 1 })
  }),
  row('R19', 3, 'another incarnation', async (guest) => {
    const talk = await guest.begin()
    await talk.alive()
    talk.line.reset()
    await guest.refused('incarnation-changed', {}, Uint8Array.from(randomBytes(16)))
  }),
  row('R20', 3, 'the WELCOME was lost: the token before it is taken once more', async (guest) => {
    const talk = await guest.begin()
    await talk.alive()
    talk.line.reset()
    const before = guest.token
    const [answer, line] = await guest.ask()
    equals(answer.pair[1], 1, 'the result')
    line.reset()
    guest.token = before
    await goesOn((await guest.back()).talk)
  }),
  row(
    'R21',
    3,
    'once a frame has come over the newest connection the token before it is not taken',
    async (guest) => {
      const talk = await guest.begin()
      await talk.alive()
      talk.line.reset()
      const before = guest.token
      const { talk: next } = await guest.back()
      await next.alive()
      next.line.reset()
      await guest.refused(['not-yours', 'unknown-session'], { token: before })
    },
  ),
  row('R22', 4, 'who comes back takes the place of a connection that still seems to live', async (guest) => {
    const talk = await guest.begin()
    await talk.alive()
    await goesOn((await guest.back()).talk)
    for (;;) if (typeof (await talk.next('the end of the connection before')) === 'string') return
  }),
  row('R23', 4, 'a session comes back ten times', async (guest) => {
    let talk = await guest.begin()
    for (let i = 0; i < 10; i++) {
      talk.send(...event(i))
      equals(await talk.heard(), i, 'what it says')
      talk.line.reset()
      talk = (await guest.back()).talk
    }
  }),
  row('R24', 2, 'after GOODBYE the session is over', async (guest) => {
    const talk = await guest.begin()
    talk.goodbye()
    await talk.expect('GOODBYE')
    await guest.refused(['ended', 'unknown-session'])
  }),
  row('R25', 2, 'a connection that ended for an error ends the session', async (guest) => {
    const talk = await guest.begin()
    talk.send(0x2f)
    await talk.ends()
    await guest.refused(['ended', 'unknown-session'])
  }),
  row('R26', 6, 'a position beyond what was sent', async (guest) => {
    const talk = await guest.begin()
    await talk.alive()
    talk.line.reset()
    await guest.refused(['position-gone', 'unknown-session'], { lastRecv: 9 })
  }),
  row('R27', 6, 'a position before what was acknowledged', async (guest) => {
    const talk = await guest.begin()
    talk.send(...event('hi'))
    await talk.heard()
    talk.ack()
    await talk.alive()
    talk.line.reset()
    await guest.refused(['position-gone', 'unknown-session'], { lastRecv: 0 })
  }),
  row('R28', 5, 'TABLEs follow as in any handshake', async (guest) => {
    const talk = await guest.begin()
    await talk.tables()
    talk.line.reset()
    const { talk: next } = await guest.back()
    equals((await next.tables()).length, 4, 'the number of its types')
  }),
  row('R29', 6, 'a feed goes on where it was', async (guest) => {
    const talk = await guest.begin()
    talk.send(...openFeed(30))
    for (let i = 0; i < 10; i++) equals(jsonValue(await talk.message('ITEM', 5)), i, 'the item')
    const [answer, line] = await guest.ask({ lastRecv: 10 })
    line.reset()
    guest.token = sessionIn(answer).token
    talk.counts.received = 10
    const { talk: next } = await guest.back({ lastRecv: 10 })
    for (let i = 10; i < 30; i++) equals(jsonValue(await next.message('ITEM', 5)), i, 'the item')
    await next.expect('END', 5)
  }),
  row('R30', 6, 'a lane that was open is open: a second REQUEST on it', async (guest) => {
    const talk = await guest.begin()
    talk.send(...slowRequest(HOUR))
    await talk.alive()
    talk.line.reset()
    const { talk: next } = await guest.back()
    next.send(...slowRequest(HOUR))
    await next.ends()
  }),
]

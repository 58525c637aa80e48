/** R, the other way round: the implementation dials, and comes back by itself. */
import { randomBytes } from 'node:crypto'
import { join, same, toHex, uint } from '../bytes.ts'
import { type Case, equals, goesOn, need, one } from '../case.ts'
import { Failed } from '../failed.ts'
import { payloadOf } from '../frame.ts'
import {
  codecsIn,
  features,
  field,
  type Greeting,
  offer,
  rejection,
  SESSIONS,
  TAG,
  welcome,
} from '../hello.ts'
import type { Line } from '../line.ts'
import { type ResumeField, resumeIn, type Stage } from '../stage.ts'
import type { Talk } from '../talk.ts'
import { event } from './steps.ts'

const rule = (n: number): string => `Sessions ${n}`

/** An acceptor that gives out sessions. */
class Host {
  readonly #stage: Stage
  readonly #self = {
    features: features(SESSIONS),
    nodeId: Uint8Array.from(randomBytes(16)),
    incarnation: Uint8Array.from(randomBytes(16)),
  }
  readonly id = Uint8Array.from(randomBytes(16))
  token: Uint8Array = new Uint8Array(0)
  talk: Talk | undefined

  constructor(stage: Stage) {
    this.#stage = stage
  }

  /** A field of WELCOME with a new token. */
  #session(lastRecv: number): Uint8Array {
    this.token = Uint8Array.from(randomBytes(16))
    return join(this.id, this.token, uint(8, lastRecv))
  }

  async begin(): Promise<Talk> {
    this.talk = await this.#stage.talk({ fields: { ...this.#self, session: this.#session(0) } })
    need(
      (field(this.talk.theirs, 'features').at(-1) ?? 0) % 2 === 1,
      'HELLO does not have the feature sessions',
    )
    return this.talk
  }

  /** The next dial, which has to come with this session. */
  async asked(): Promise<{ line: Line; greeting: Greeting; resume: ResumeField }> {
    for (;;) {
      const line = await this.#stage.line()
      const greeting = await this.#stage.helloOf(line)
      if (greeting === undefined) continue
      if (!greeting.fields.has(TAG.resume)) throw new Failed('HELLO came without resume: it begins anew')
      const resume = resumeIn(greeting)
      need(same(resume.id, this.id), `it resumes another session: ${toHex(resume.id)}`)
      return { line, greeting, resume }
    }
  }

  async back(more: { readonly lastRecv?: number; readonly incarnation?: Uint8Array } = {}): Promise<Talk> {
    const before = this.talk
    if (before === undefined) throw new Failed('there is no session yet')
    const { line, greeting, resume } = await this.asked()
    const { lastRecv = before.counts.received, ...self } = more
    line.put(welcome(offer({ ...this.#self, ...self, session: this.#session(lastRecv) }), 1))
    const counts = { sent: before.counts.sent, received: lastRecv }
    need(
      resume.lastRecv <= counts.sent,
      `it has received up to ${resume.lastRecv}, and ${counts.sent} was sent`,
    )
    this.talk = this.#stage.begun(line, greeting, { counts, acked: before.acked })
    return this.talk
  }
}

const row = (id: string, n: number, what: string, run: (host: Host, stage: Stage) => Promise<void>): Case =>
  one(id, rule(n), what, (stage) => run(new Host(stage), stage), { role: 'listener', needs: ['sessions'] })

/** It gives this connection up, and what it dials then is new. */
async function beginsAnew(stage: Stage): Promise<void> {
  const line = await stage.line()
  const greeting = await stage.helloOf(line)
  if (greeting === undefined) return beginsAnew(stage)
  need(!greeting.fields.has(TAG.resume), 'it dials with resume once more')
  return undefined
}

export const returns: readonly Case[] = [
  row('R51', 2, 'after a reset it dials again with resume: id, token, connGen and lastRecv', async (host) => {
    const talk = await host.begin()
    talk.send(...event({ quiet: true }))
    await goesOn(talk)
    talk.line.reset()
    const { resume } = await host.asked()
    need(same(resume.token, host.token), 'its token is not the one that it was told')
    equals(resume.lastRecv, 1, 'lastRecv')
    need(resume.connGen > 0, 'connGen is 0')
  }),
  row('R52', 2, 'after the end of the stream without a GOODBYE, too', async (host) => {
    const talk = await host.begin()
    await talk.alive()
    talk.line.end()
    await host.asked()
  }),
  row('R53', 2, 'it offers the codec of the session alone', async (host) => {
    const talk = await host.begin()
    await talk.alive()
    talk.line.reset()
    const { greeting } = await host.asked()
    equals(codecsIn(greeting), ['json'], 'the codecs')
  }),
  row('R54', 2, 'connGen is higher at each attempt', async (host) => {
    const talk = await host.begin()
    await talk.alive()
    talk.line.reset()
    let last = 0
    for (let i = 0; i < 3; i++) {
      const { line, resume } = await host.asked()
      need(resume.connGen > last, `connGen ${resume.connGen} after ${last}`)
      last = resume.connGen
      line.reset()
    }
  }),
  row('R55', 6, 'it goes on', async (host) => {
    const talk = await host.begin()
    await talk.alive()
    talk.line.reset()
    await goesOn(await host.back())
  }),
  row('R56', 2, 'it shows the token that it was told last', async (host) => {
    const talk = await host.begin()
    await talk.alive()
    talk.line.reset()
    const next = await host.back()
    await goesOn(next)
    next.line.reset()
    const { resume } = await host.asked()
    need(same(resume.token, host.token), 'its token is not the one that it was told last')
  }),
  row('R57', 6, 'what was not received is sent again, unchanged but for its ack', async (host) => {
    const talk = await host.begin()
    talk.send(...event('hi'))
    const first = await talk.expect('EVENT')
    talk.line.reset()
    const next = await host.back({ lastRecv: 0 })
    const again = await next.expect('EVENT')
    equals(toHex(payloadOf({ ...again, ack: first.ack })), toHex(payloadOf(first)), 'the frame')
  }),
  row('R58', 6, 'what was received is not sent again, and seq goes on', async (host) => {
    const talk = await host.begin()
    talk.send(...event('one'))
    equals(await talk.heard(), 'one', 'what it says')
    talk.line.reset()
    const next = await host.back()
    next.send(...event('two'))
    equals(await next.heard(), 'two', 'what it says first')
  }),
  row('R59', 5, 'answered "new" it gives that connection up, and begins anew', async (host, stage) => {
    const talk = await host.begin()
    await talk.alive()
    talk.line.reset()
    const { line } = await host.asked()
    line.put(welcome(offer({ features: features(SESSIONS), session: new Uint8Array(40) })))
    await beginsAnew(stage)
  }),
  row('R60', 5, 'after SESSION_LOST it begins anew', async (host, stage) => {
    const talk = await host.begin()
    await talk.alive()
    talk.line.reset()
    const { line } = await host.asked()
    line.put(rejection('SESSION_LOST', 'unknown-session'))
    line.end()
    await beginsAnew(stage)
  }),
  row('R61', 5, 'another incarnation answers: the session is lost', async (host, stage) => {
    const talk = await host.begin()
    await talk.alive()
    talk.line.reset()
    await host.back({ incarnation: Uint8Array.from(randomBytes(16)) })
    await beginsAnew(stage)
  }),
  row('R62', 6, 'a position beyond what it sent ends the session', async (host, stage) => {
    const talk = await host.begin()
    await talk.alive()
    talk.line.reset()
    await host.back({ lastRecv: 77 })
    await beginsAnew(stage)
  }),
  row('R63', 2, 'after GOODBYE it begins anew', async (host, stage) => {
    const talk = await host.begin()
    talk.goodbye()
    await talk.expect('GOODBYE')
    await beginsAnew(stage)
  }),
  row('R64', 2, 'another rejection than SESSION_LOST does not end the session', async (host) => {
    const talk = await host.begin()
    await talk.alive()
    talk.line.reset()
    const { line } = await host.asked()
    line.put(rejection('TOO_MANY_PEERS', 'later'))
    line.end()
    await host.asked()
  }),
]

/*
 * Two sides of one session, each with the library's own Sequence, Retained and Resumption, and what lies between them.
 * The steps of a side are those of sock/v1/peer-session.ts and greeting.ts, in their order:
 *
 *   write     one frame: what is sent again before anything new               Outbound.pump
 *   ack       a frame that carries nothing but the ack                        Inbound.onChunk
 *   deliver   the next frame of a pipe                                        Inbound.onFrame
 *   dial      another pipe, with HELLO                                        PeerSession.again
 *   HELLO     fence, grant, WELCOME                                           PeerSession.takeOver
 *   settle    the acceptor's handshake is over: it reads the new pipe         PeerSession.resume
 *   WELCOME   the same on the dialer                                          PeerSession.resume
 *   expire    nobody came back: the session is lost                           PeerSession.lose
 *
 * A pipe is two queues of frames. It ends for one side at a time: what is underway to the other may still come, until that
 * one notices, or fences it off.
 */
import type { Hello, Resume, Session } from '../../../src/wire/v1/hello.ts'
import { Retained } from '../../../src/wire/v1/retained.ts'
import { SessionLost, Tombstones } from '../../../src/wire/v1/resumption.ts'
import { Sequence } from '../../../src/wire/v1/session.ts'
import { EVENT } from '../../../src/wire/v1/frame.ts'
import type { Model, Step } from './explore.ts'
import { check } from './two-sides-invariants.ts'
import {
  ACCEPTOR,
  blocks,
  DIALER,
  type Frame,
  frameOf,
  ID,
  INCARNATIONS,
  must,
  NAMES,
  newSide,
  other,
  type Pipe,
  type Side,
  tokenOf,
  type Who,
  type World,
} from './two-sides-world.ts'

export interface Bounds {
  /** That each side sends. */
  readonly messages: number
  /** Connections that break, of themselves. */
  readonly drops: number
  /** How many pipes may have ended for one side and not yet for the other. */
  readonly zombies: number
  /** Of each side: its process ends, and with it its memory. */
  readonly crashes: number
  /** Of both sides together: it gives the session up, though the other has not. */
  readonly expiries: number
}

/** What is done wrong, on purpose: the check has to see it. */
export type Flaw =
  | 'not fenced'
  | 'told one too many'
  | 'told one too few'
  | 'new before replay'
  | 'no repeat of WELCOME'

export function twoSides(bounds: Bounds, flaw?: Flaw): Model<World> {
  // What makes a key long is told apart once, and is a number from then on.
  const numbers = new Map<string, number>()
  const short = (key: string): string => {
    let number = numbers.get(key)
    if (number === undefined) numbers.set(key, (number = numbers.size))
    return number.toString(36)
  }

  // Pipes

  const pipeOf = (world: World, id: number): Pipe | undefined => world.pipes.find((pipe) => pipe.id === id)

  function change(world: World, id: number, changed: (pipe: Pipe) => Pipe): void {
    world.pipes = world.pipes
      .map((pipe) => (pipe.id === id ? changed(pipe) : pipe))
      .filter(({ open }) => open[0] || open[1])
  }

  function put(world: World, who: Who, id: number, frame: Frame): void {
    const far = other(who)
    // Whoever has ended it gets nothing more.
    change(world, id, (pipe) => {
      if (!pipe.open[far]) return pipe
      const to = pipe.to.slice() as Pipe['to']
      to[far] = [...to[far], frame]
      return { ...pipe, to }
    })
  }

  /** It has ended for this side: what was underway to it is lost. */
  function end(world: World, who: Who, id: number): void {
    change(world, id, (pipe) => {
      const open = pipe.open.slice() as Pipe['open']
      const to = pipe.to.slice() as Pipe['to']
      open[who] = false
      to[who] = []
      return { ...pipe, open, to }
    })
    const side = world.sides[who]
    if (side.pipe === id) side.pipe = -1
    if (side.greeting === id) side.greeting = -1
    if (side.unfenced === id) side.unfenced = -1
  }

  // Frames out

  function write(world: World, who: Who): void {
    const side = world.sides[who]
    const { sequence, retained, pipe } = side
    if (retained.replaying && !(flaw === 'new before replay' && side.written < bounds.messages)) {
      retained.next((_kind, _flags, _type, _lane, seq, body) => {
        send(world, who, seq, body[0] ?? 0)
      })
      return
    }
    const n = ++side.written
    const seq = sequence.next()
    retained.add(EVENT, 0, 0, 0, seq, Uint8Array.of(n), -1)
    send(world, who, seq, n)
    must(pipe === side.pipe, 'a write changes no pipe')
  }

  function send(world: World, who: Who, seq: number, n: number): void {
    const side = world.sides[who]
    must(seq === side.nextOnPipe, `seq ${seq} is written where ${side.nextOnPipe} is due on this pipe`)
    side.nextOnPipe++
    put(world, who, side.pipe, frameOf(seq, side.sequence.received, n))
    side.sequence.left()
  }

  /** ACK, or CREDIT. */
  function control(world: World, who: Who): void {
    const { sequence, pipe } = world.sides[who]
    put(world, who, pipe, frameOf(0, sequence.received, 0))
    sequence.left()
  }

  // Frames in

  /** Whether it takes the next frame of this pipe now. */
  function reads({ sides }: World, who: Who, pipe: Pipe): boolean {
    const frame = pipe.to[who][0]
    if (frame === undefined || !pipe.open[who]) return false
    const { pipe: own, greeting, unfenced } = sides[who]
    if (frame.is === 'frame') return own === pipe.id || unfenced === pipe.id
    return frame.is === 'HELLO' || greeting === pipe.id
  }

  function deliver(world: World, who: Who, id: number): void {
    const pipe = pipeOf(world, id)
    must(pipe !== undefined, 'there is a pipe')
    const [frame, ...rest] = pipe.to[who]
    must(frame !== undefined, 'there is a frame')
    change(world, id, (one) => {
      const to = one.to.slice() as Pipe['to']
      to[who] = rest
      return { ...one, to }
    })
    if (frame.is === 'HELLO') onHello(world, id, frame.hello)
    else if (frame.is === 'WELCOME') onWelcome(world, id, frame.session)
    else if (frame.is === 'REJECTED') {
      end(world, who, id)
      const { reason, lastRecv } = frame.lost
      lose(world, who, SessionLost.told(reason, lastRecv, ''))
    } else onFrame(world, who, frame.seq, frame.ack, frame.n)
  }

  function onFrame(world: World, who: Who, seq: number, ack: number, n: number): void {
    const side = world.sides[who]
    const { sequence, retained, resumption } = side
    if (side.unconfirmed) resumption.confirm()
    side.unconfirmed = false
    const { acked } = sequence
    let again = false
    if (seq === 0) sequence.ack(ack)
    else again = sequence.take(seq, ack) === 'again'
    if (sequence.acked !== acked) retained.acked(sequence.acked)
    if (again || seq === 0) return
    must(n === side.got + 1, `message ${n} comes where ${side.got + 1} should`)
    side.got = n
  }

  // Another pipe

  function dial(world: World): void {
    const side = world.sides[DIALER]
    const resume = side.resumption.request(side.sequence.received)
    const id = resume.connGen
    const hello = { resume, incarnation: INCARNATIONS[DIALER] } as unknown as Hello
    const key = `H${resume.connGen},${resume.lastRecv},${String(resume.token[0])}`
    world.pipes = [...world.pipes, { id, open: [true, true], to: [[], [{ is: 'HELLO', hello, key }]] }]
    side.greeting = id
  }

  function canGoOnFrom({ sequence }: Side, lastRecv: number): boolean {
    return lastRecv >= sequence.acked && lastRecv <= sequence.sent
  }

  function onHello(world: World, id: number, hello: Hello): void {
    const side = world.sides[ACCEPTOR]
    const reject = (lost: SessionLost): void => {
      put(world, ACCEPTOR, id, { is: 'REJECTED', lost, key: `R${lost.reason},${lost.lastRecv}` })
      end(world, ACCEPTOR, id)
    }
    const { resume } = hello as { resume: Resume }
    if (side.state !== 'up') {
      const tombstones = side.tombstones ?? new Tombstones()
      reject(tombstones.tell(hello, side.resumption.key))
      return
    }
    const refusal = side.resumption.refusal(hello)
    if (refusal !== undefined) {
      reject(new SessionLost(refusal))
      return
    }
    must(canGoOnFrom(side, resume.lastRecv), `the dialer says that it has up to ${resume.lastRecv}`)
    // Fence first.
    const { pipe } = side
    if (pipe !== -1) {
      if (flaw === 'not fenced') side.unfenced = pipe
      else end(world, ACCEPTOR, pipe)
    }
    side.pipe = -1
    const token = tokenOf(resume.connGen)
    side.resumption.grant(resume, token)
    if (flaw === 'no repeat of WELCOME') side.resumption.confirm()
    const wrong = flaw === 'told one too many' ? 1 : flaw === 'told one too few' ? -1 : 0
    const lastRecv = Math.max(0, side.sequence.received + wrong)
    const session = { sessionId: ID, token, lastRecv }
    put(world, ACCEPTOR, id, { is: 'WELCOME', session, key: `W${token[0]},${lastRecv}` })
    // An earlier handshake that is not over yet is overtaken: see settle.
    if (side.greeting !== -1) end(world, ACCEPTOR, side.greeting)
    side.greeting = id
    side.connGen = resume.connGen
    side.lastRecv = resume.lastRecv
  }

  /** The acceptor reads the new pipe. */
  function settle(world: World): void {
    const side = world.sides[ACCEPTOR]
    must(side.connGen === side.resumption.connGen, 'the newest attempt alone is let go on')
    go(world, ACCEPTOR, side.greeting, side.lastRecv)
  }

  function onWelcome(world: World, id: number, session: Session): void {
    world.sides[DIALER].resumption.granted(session)
    go(world, DIALER, id, session.lastRecv)
  }

  function go(world: World, who: Who, id: number, lastRecv: number): void {
    const side = world.sides[who]
    must(canGoOnFrom(side, lastRecv), `the ${NAMES[who]} is to go on from ${lastRecv}`)
    side.greeting = -1
    side.sequence.ack(lastRecv)
    side.retained.acked(lastRecv)
    side.unconfirmed = true
    side.pipe = id
    side.nextOnPipe = lastRecv + 1
    side.retained.rewind()
    // CREDIT of every lane.
    control(world, who)
  }

  // Endings

  function lose(world: World, who: Who, why: SessionLost): void {
    const side = world.sides[who]
    const far = world.sides[other(who)]
    // Of an honest far side.
    must(why.reason !== 'not-yours' && why.reason !== 'position-gone', `the session is lost: ${why.reason}`)
    const { sequence, retained } = side
    const { lastRecv } = why
    const proved = lastRecv !== undefined && canGoOnFrom(side, lastRecv)
    must(lastRecv === undefined || proved, `the far side says that it had up to ${lastRecv}`)
    if (lastRecv !== undefined) {
      sequence.ack(lastRecv)
      retained.acked(lastRecv)
    }
    const report = { through: sequence.acked, proved, unknown: proved ? 0 : retained.messages }
    const arrived = far.got
    must(report.through <= arrived, `${report.through} are told as delivered, and ${arrived} were`)
    const most = report.through + report.unknown
    must(arrived <= most, `${arrived} were delivered, and ${most} is the most by the report`)
    side.tombstones = new Tombstones()
    const { resumption } = side
    side.tombstones.add({ resumption, reason: why.reason, lastRecv: sequence.received })
    side.state = 'lost'
    side.report = report
    leave(world, who)
  }

  function crash(world: World, who: Who): void {
    world.sides[who].state = 'crashed'
    leave(world, who)
  }

  /** Its memory of the session is gone, but for what is known of who got what. */
  function leave(world: World, who: Who): void {
    const side = world.sides[who]
    for (const { id, open } of world.pipes)
      if (open[who] && (who === DIALER || isKnown(side, id))) end(world, who, id)
    side.sequence = new Sequence()
    side.retained = new Retained(blocks)
  }

  // A HELLO that was not read yet is answered by whoever lives then.
  const isKnown = ({ pipe, greeting, unfenced }: Side, id: number): boolean =>
    pipe === id || greeting === id || unfenced === id

  // What can happen

  function copy(side: Side): Side {
    const { sequence, retained, resumption } = side
    return {
      ...side,
      sequence: sequence.clone(),
      retained: retained.clone(),
      resumption: resumption.clone(),
    }
  }

  /** `who`: the only side that the step changes. */
  function step(
    world: World,
    name: string,
    fair: boolean,
    who: Who,
    act: (next: World) => void,
  ): Step<World> {
    return {
      name,
      fair,
      take: () => {
        const sides = world.sides.slice() as World['sides']
        sides[who] = copy(sides[who])
        const next = { ...world, sides }
        act(next)
        return next
      },
    }
  }

  function steps(world: World): Step<World>[] {
    const all: Step<World>[] = []
    const add = (name: string, fair: boolean, who: Who, act: (next: World) => void): void => {
      all.push(step(world, name, fair, who, act))
    }
    for (const who of [DIALER, ACCEPTOR] as const) ofSide(world, who, add)
    const zombies = world.pipes.filter(({ open }) => open[0] !== open[1]).length
    for (const pipe of world.pipes) {
      const { id, open } = pipe
      for (const who of [DIALER, ACCEPTOR] as const) {
        const far = other(who)
        const frame = pipe.to[who][0]
        if (reads(world, who, pipe))
          add(`${NAMES[who]} reads ${frame?.is} of pipe ${id}`, true, who, (next) => deliver(next, who, id))
        // It would come to the far side's word first, if nothing went wrong.
        if (open[who] && !open[far] && frame?.is !== 'REJECTED' && frame?.is !== 'HELLO')
          add(`${NAMES[who]} notices the end of pipe ${id}`, true, who, (next) => end(next, who, id))
        if (world.drops === 0 || !open[who]) continue
        if (open[far] && zombies < bounds.zombies)
          add(`pipe ${id} ends for the ${NAMES[who]}`, false, who, (next) => {
            next.drops--
            end(next, who, id)
          })
      }
      if (world.drops > 0)
        all.push({
          name: `pipe ${id} ends`,
          fair: false,
          take: () => {
            const next = { ...world, sides: world.sides.map(copy) as World['sides'] }
            next.drops--
            for (const who of [DIALER, ACCEPTOR] as const) if (open[who]) end(next, who, id)
            return next
          },
        })
    }
    return all
  }

  function ofSide(
    world: World,
    who: Who,
    add: (name: string, fair: boolean, who: Who, act: (next: World) => void) => void,
  ): void {
    const { state, pipe, retained, written, sequence, greeting } = world.sides[who]
    const name = NAMES[who]
    if (state !== 'up') return
    if (bounds.crashes > 0) add(`${name} crashes`, false, who, (next) => crash(next, who))
    if (pipe !== -1) {
      if (retained.replaying || written < bounds.messages)
        add(`${name} writes`, true, who, (next) => write(next, who))
      if (sequence.pending) add(`${name} acks`, true, who, (next) => control(next, who))
      return
    }
    const alive = world.sides[other(who)].state === 'up'
    const expire = (next: World): void => {
      if (alive) next.expiries--
      lose(next, who, new SessionLost('expired'))
    }
    if (who === DIALER && greeting === -1) add('dialer dials', true, who, dial)
    if (who === ACCEPTOR && greeting !== -1) add('acceptor settles', true, who, settle)
    if (!alive || world.expiries > 0) add(`${name} expires`, !alive, who, expire)
  }

  const looked = new Set<string>()

  function isDone({ sides }: World): boolean {
    if (sides.every(({ state }) => state === 'up'))
      return sides.every(
        ({ written, sequence, pipe }, who) =>
          pipe !== -1 &&
          written === bounds.messages &&
          sequence.acked === bounds.messages &&
          sides[1 - who]?.got === bounds.messages,
      )
    return sides.every(({ state }) => state !== 'up')
  }

  function key({ sides, pipes, drops, expiries }: World): string {
    const parts = [drops, expiries].join('')
    const ofSides = sides.map((side) => {
      const { state, written, got, pipe, greeting, lastRecv, connGen, unconfirmed, nextOnPipe, unfenced } =
        side
      const { sequence, retained, resumption, report } = side
      const rest = [state, written, got, pipe, greeting, lastRecv, connGen, unconfirmed, nextOnPipe, unfenced]
      const told = report && [report.through, report.proved, report.unknown]
      return short([sequence.key(), short(retained.key()), resumption.state(), ...rest, told].join())
    })
    const ofPipes = pipes.map(({ id, open, to }) =>
      short([id, ...open, ...to.map((frames) => frames.map((frame) => frame.key).join(';'))].join(' ')),
    )
    return [parts, ...ofSides, ...ofPipes].join(' ')
  }

  const pipe: Pipe = { id: 0, open: [true, true], to: [[], []] }
  const { drops, expiries } = bounds
  const start: World = { sides: [newSide(DIALER), newSide(ACCEPTOR)], pipes: [pipe], drops, expiries }
  return {
    start,
    steps,
    key,
    check: (world) => {
      check(world, looked)
    },
    isDone,
  }
}

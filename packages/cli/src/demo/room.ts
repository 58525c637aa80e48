/*
 * One MetaSock over three transports: guests come to the same room by TCP, by a Unix socket and by UDP, each a process
 * of its own. What one says, the room passes on to the two others.
 *
 *   guest ── here ──▶ room            until the room says `begin`, which it does once all are there
 *   guest ── say n ─▶ room            unheard, it is said again: over UDP it may have been lost
 *   room ── said (who, n) ─▶ others, heard n ─▶ guest
 *
 * They go in step: number n + 1 is said by who was heard with n and has got n of both others. So little is under
 * way at a time that no buffer overflows. A guest is content when it was heard to the end, and has got every number of
 * both others, once and in order.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MetaSock, type Peer, type Sock, TcpSock, UdpSock, json } from 'socktools'
import { Party, self } from './parties.ts'

export interface RoomPlan {
  readonly name: string
  /** Where the room listens, or the one address at which a guest finds it. */
  readonly addresses: readonly string[]
  /** How much each guest says. */
  readonly messages: number
  /** The room keeps silent about one message, to show that it would be noticed. */
  readonly fault?: boolean
}

/** What a guest tells at its end. */
export interface RoomResult {
  readonly name: string
  /** Messages of the others. */
  readonly got: number
  readonly why: string | null
}

/** What came of it all. */
export interface Room {
  readonly ok: boolean
  readonly transports: readonly string[]
  /** Deliveries: of each guest's messages to the two others. */
  readonly messages: number
  readonly why: string | null
}

interface Word {
  readonly who: string
  readonly n: number
}
type WordCodec = ReturnType<typeof json<Word>>

const TRANSPORTS = ['tcp', 'unix', 'udp']
/** How long a guest waits before it says again what may have been lost, in milliseconds. */
const AGAIN = 250

/** Runs the room and its guests, and judges. Rejects when one of them fails; `end` ends what still runs. */
export function openRoom(messages: number, fault: boolean): { done: Promise<Room>; end: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'socktools-demo-'))
  const parties: Party<RoomResult>[] = []
  const results: RoomResult[] = []
  let onWrong = (): void => undefined
  const wrong = new Promise<void>((resolve) => (onWrong = resolve))
  const enter = (plan: RoomPlan, role: 'room' | 'guest'): Party<RoomResult> => {
    const party = new Party<RoomResult>(plan, self(`demo-${role}`), (result) => {
      results.push(result)
      if (result.why !== null) onWrong()
    })
    parties.push(party)
    return party
  }
  const run = async (): Promise<Room> => {
    const addresses = ['tcp://127.0.0.1:0', `unix:${join(folder, 'room')}`, 'udp://127.0.0.1:0']
    const room = enter({ name: 'room', addresses, messages, fault }, 'room')
    const bound = (await room.listening).split(' ')
    const guests = TRANSPORTS.map((name, i) =>
      enter({ name, addresses: [bound[i] ?? ''], messages }, 'guest'),
    )
    // The others would wait for what a guest that found a fault no longer says.
    await Promise.race([wrong, Promise.all(guests.map((guest) => guest.ended))])
    return verdict(results, messages)
  }
  const end = (): void => {
    for (const party of parties) party.kill()
    rmSync(folder, { recursive: true, force: true })
  }
  return { done: run(), end }
}

function verdict(results: readonly RoomResult[], messages: number): Room {
  const wrong = results.find(({ why }) => why !== null)
  const got = results.reduce((sum, one) => sum + one.got, 0)
  const due = TRANSPORTS.length * (TRANSPORTS.length - 1) * messages
  const why = wrong === undefined ? null : `the guest over ${wrong.name} ${wrong.why ?? ''}`
  const short = got === due ? null : `${got} of ${due} messages came`
  return { ok: (why ?? short) === null, transports: TRANSPORTS, messages: got, why: why ?? short }
}

/** The room, in a process of its own, until it is ended. */
export async function holdRoom(
  { addresses: [tcp, unix, udp], messages, fault }: RoomPlan,
  tell: (listening: string) => void,
): Promise<void> {
  const heard = new Map<string, number>()
  const room = new MetaSock<WordCodec>({
    handlers: {
      here: async (word, { peer }) => {
        heard.set(word.who, heard.get(word.who) ?? 0)
        if (heard.size === TRANSPORTS.length) await room.sendMsg('begin', word)
        else await peer.sendMsg('wait', word)
      },
      say: async (word, { peer }) => {
        const next = heard.get(word.who) ?? 0
        // What was said again had been heard: its answer was lost, or late.
        if (word.n === next) {
          heard.set(word.who, next + 1)
          const silent = fault === true && word.who === 'tcp' && word.n === messages >> 1
          if (!silent) await room.sendMsg('said', word, { except: peer })
        }
        await peer.sendMsg('heard', word)
      },
    },
  })
  const codec = json<Word>()
  room.add(new TcpSock({ codec, bind: tcp ?? '' }))
  room.add(new TcpSock({ codec, bind: unix ?? '' }))
  room.add(new UdpSock({ codec, bind: udp ?? '' }))
  await room.start()
  tell(room.addresses.join(' '))
}

/** A guest: says its messages and listens to the others'. Resolves when it has all it is to have. */
export async function visit({ name, addresses: [address = ''], messages }: RoomPlan): Promise<RoomResult> {
  const codec = json<Word>()
  const sock: Sock<WordCodec> = address.startsWith('udp:') ? new UdpSock({ codec }) : new TcpSock({ codec })
  const others = new Map(TRANSPORTS.filter((other) => other !== name).map((other) => [other, 0]))
  let begun = false
  let heard = 0
  let said = 0
  let peer: Peer<WordCodec> | undefined
  const speak = (): void => {
    void peer?.sendMsg(begun ? 'say' : 'here', { who: name, n: heard }).catch(() => undefined)
  }
  const again = setInterval(() => {
    if (!begun || said > heard) speak()
  }, AGAIN)
  const why = await new Promise<string | null>((resolve) => {
    const goOn = (): void => {
      const behind = Math.min(...others.values()) < heard
      if (behind) return
      if (heard === messages) resolve(null)
      else if (said === heard) {
        said++
        speak()
      }
    }
    sock.addHandler('wait', () => undefined)
    sock.addHandler('begin', () => {
      begun = true
      goOn()
    })
    sock.addHandler('heard', ({ n }) => {
      if (n === heard) heard++
      goOn()
    })
    sock.addHandler('said', ({ who, n }) => {
      const next = others.get(who) ?? 0
      if (n !== next) resolve(`got number ${n} of the one over ${who} when ${next} was due`)
      others.set(who, next + 1)
      goOn()
    })
    sock.on('gone', () => {
      resolve('was left alone')
    })
    const come = async (): Promise<void> => {
      peer = await sock.connectTo(address)
      speak()
    }
    come().catch((error: unknown) => {
      resolve(String(error))
    })
  })
  clearInterval(again)
  await sock.close()
  return { name, got: [...others.values()].reduce((sum, n) => sum + n, 0), why }
}

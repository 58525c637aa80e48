/*
 * Two processes, and one in Python, speak a typed contract over wire v1, all of it at once over one connection:
 *
 *   both ways           numbered messages, each in its turn; calls, each answer checked
 *   dialer ◀─ listener  a feed of bytes, its SHA-256 taken on both sides
 *   dialer ◀▶ listener  a channel that gives back what it gets
 *   dialer ─▶ Python    a call, a feed and a channel
 */
import { TcpSock } from 'socktools'
import { PYTHON } from './contract.ts'
import { Party, type Program, self } from './parties.ts'

export interface TypedPlan {
  readonly name: string
  /** Where the other listens; undefined: this one listens. */
  readonly dial?: string
  readonly messages: number
  readonly calls: number
  readonly echoes: number
  readonly bytes: number
  /** The listener changes a byte of the feed, or leaves out a message, to show that it would be noticed. */
  readonly fault?: TypedFault
}

export type TypedFault = 'blur' | 'skip'

/** What one side tells at its end. */
export interface TypedResult {
  readonly name: string
  /** Messages that came, calls that were answered, items that came back. */
  readonly messages: number
  readonly calls: number
  readonly echoes: number
  readonly bytes: number
  /** Of the bytes of the feed. */
  readonly sha256: string
  readonly why: string | null
  /** `why` is no more than that the other one ended too early, whose word weighs more. */
  readonly left: boolean
}

/** What came of it all; numbers are of both sides together. */
export interface Typed {
  readonly ok: boolean
  readonly messages: number
  readonly calls: number
  readonly echoes: number
  readonly bytes: number
  /** Whether the one in Python answered as it should; null: it was left out. */
  readonly python: boolean | null
  readonly why: string | null
  readonly seconds: number
}

/** Runs the pair, and judges. Rejects when one of them fails; `end` ends what still runs. */
export function openTyped(
  amounts: Omit<TypedPlan, 'name' | 'dial'>,
  python: Program | undefined,
): { done: Promise<Typed>; end: () => void } {
  const parties: Party<TypedResult>[] = []
  const results: TypedResult[] = []
  const enter = (plan: TypedPlan, program: Program): Party<TypedResult> => {
    const party = new Party<TypedResult>(plan, program, (result) => results.push(result))
    parties.push(party)
    return party
  }
  const began = performance.now()
  const run = async (): Promise<Typed> => {
    const listener = enter({ ...amounts, name: 'the listener' }, self('demo-typed'))
    const snake = python && enter({ ...amounts, name: 'P' }, [...python, 'v1', 'serve', 'tcp://127.0.0.1:0'])
    const { fault: _, ...fair } = amounts
    const dialer = enter({ ...fair, name: 'the dialer', dial: await listener.listening }, self('demo-typed'))
    const why = snake === undefined ? null : await askPython(await snake.listening)
    await Promise.all([listener.ended, dialer.ended])
    const seconds = (performance.now() - began) / 1000
    return { ...judge(results, amounts, why), python: snake === undefined ? null : why === null, seconds }
  }
  const end = (): void => {
    for (const party of parties) party.kill()
  }
  return { done: run(), end }
}

type Judged = Omit<Typed, 'python' | 'seconds'>

/** Whoever of the two tells first: what went wrong is told before what came of it. */
export function judge(
  results: readonly TypedResult[],
  due: Omit<TypedPlan, 'name'>,
  python: string | null,
): Judged {
  const sum = (of: 'messages' | 'calls' | 'echoes'): number => results.reduce((n, one) => n + one[of], 0)
  const [one, other] = results
  const counts = {
    messages: sum('messages'),
    calls: sum('calls'),
    echoes: sum('echoes'),
    bytes: one?.bytes ?? 0,
  }
  const wrongs = results.filter(({ why }) => why !== null)
  const wrong = wrongs.find(({ left }) => !left) ?? wrongs[0]
  const short =
    counts.messages !== 2 * due.messages || counts.calls !== 2 * due.calls || counts.echoes !== due.echoes
  const whys = [
    wrong === undefined ? null : `${wrong.name}: ${wrong.why ?? ''}`,
    results.length < 2 ? 'one of the two did not finish' : null,
    short ? 'not all came that was due' : null,
    one?.bytes !== due.bytes || other?.bytes !== due.bytes ? 'the feed is not as long as it was to be' : null,
    one?.sha256 !== other?.sha256 ? 'the SHA-256 of the feed differs' : null,
    python,
  ]
  const why = whys.find((text) => text !== null) ?? null
  return { ok: why === null, ...counts, why }
}

/** Speaks with the peer in Python. Resolves to what was wrong, or null. */
async function askPython(address: string): Promise<string | null> {
  const sock = new TcpSock({ protocol: PYTHON })
  try {
    const peer = await sock.connectTo(address)
    const sums = await Promise.all(Array.from({ length: 100 }, (_, a) => peer.request('add', { a, b: 1 })))
    const items: number[] = []
    for await (const item of peer.stream('count', 1000)) items.push(item)
    const chat = peer.channel('chat')
    await chat.send('hi')
    await chat.end()
    const texts: string[] = []
    for await (const text of chat) texts.push(text)
    const right = [
      sums.every((sum, a) => sum === a + 1),
      items.length === 1000 && items.every((item, i) => item === i),
      texts.join() === 'hi',
    ]
    const wrong = ['call', 'feed', 'channel'].find((_, i) => right[i] !== true)
    return wrong === undefined ? null : `P answered a ${wrong} wrongly`
  } catch (error) {
    return `P: ${error instanceof Error ? error.message : String(error)}`
  } finally {
    await sock.close()
  }
}

import { readFileSync } from 'node:fs'
import { EXIT, type ExitCode } from '../exit.ts'
import { Party, type Program, python, pythonPeer, self } from '../demo/parties.ts'
import { type Fault, type Plan, type Result, frameSizes } from '../demo/plan.ts'
import { splitLines } from '../demo/script.ts'
import type { Orders, OrdersFault } from '../demo/orders.ts'
import { type Room, openRoom } from '../demo/room.ts'
import { type Outcome, intro, table } from '../demo/table.ts'
import { type Typed, type TypedFault, openTyped } from '../demo/typed.ts'
import { openOrders } from '../demo/upheaval.ts'
import { type Pair, judge } from '../demo/verdict.ts'
import { packageFile } from '../place.ts'

export interface DemoOptions {
  readonly json?: boolean
  readonly text?: string
  /** For the tests. */
  readonly numbered: number
  readonly mebibytes: number
  /** Seconds. */
  readonly deadline: number
  /** What C does wrong towards everyone; `hush`: the room keeps silent about one message; or what the typed listener or the warehouse does. */
  readonly fault?: Fault | 'hush' | TypedFault | OrdersFault
}

/** A listens; B listens and dials A; P, in Python, as well; C only dials. */
const PAIRS: readonly Pair[] = [
  ['B', 'A'],
  ['C', 'A'],
  ['C', 'B'],
  ['P', 'A'],
  ['C', 'P'],
]

export async function demo(options: DemoOptions): Promise<ExitCode> {
  const say = (text: string): boolean => process.stdout.write(`${text}\n`)
  const { json = false, text = packageFile('LICENSE'), numbered } = options
  const withPython = python()
  const sizes = frameSizes(options.mebibytes * 2 ** 20)
  const lines = splitLines(readFileSync(text)).length
  if (!json) say(intro(numbered, lines, sizes.length, withPython !== undefined))

  const began = performance.now()
  const pairs = PAIRS.filter((pair) => withPython !== undefined || !pair.includes('P'))
  const { results, error: failed } = await run({ numbered, text, sizes }, pairs, withPython, options)
  const [{ room, typed }, more] = failed === null ? await meetAndTalk(options, withPython) : [NEITHER, null]
  const [orders, last] = (failed ?? more) === null ? await postOrders(options) : [null, null]
  const error = failed ?? more ?? last
  const rows = pairs.map((pair) => judge(pair, results, numbered + lines + sizes.length))
  const sum = (of: 'messages' | 'bytes'): number => rows.reduce((total, row) => total + row[of], 0)
  const outcome: Outcome = {
    ok: error === null && [room, typed, orders, ...rows].every((part) => part?.ok === true),
    counts: { pairs: rows.length, messages: sum('messages'), numbered, lines, frames: sizes.length },
    bytes: sum('bytes'),
    seconds: Math.round(performance.now() - began) / 1000,
    pairs: rows,
    room,
    typed,
    orders,
    leftOut: withPython === undefined ? 'there is no python3 (3.8 or later) on the PATH' : null,
    error,
  }
  say(json ? JSON.stringify(outcome) : table(outcome))
  return outcome.ok ? EXIT.ok : EXIT.failed
}

/** Runs the parties. What stopped them, if anything did, is an `error`; what they said until then counts. */
async function run(
  common: Pick<Plan, 'numbered' | 'text' | 'sizes'>,
  pairs: readonly Pair[],
  withPython: Program | undefined,
  { deadline, fault }: DemoOptions,
): Promise<{ results: Map<string, Result>; error: string | null }> {
  const results = new Map<string, Result>()
  const parties: Party[] = []
  const addresses = new Map<string, string>()

  /** Starts one party. Those that it dials must be listening. */
  const enter = async (name: string, program: Program = self('demo-party')): Promise<void> => {
    const plan: Plan = {
      ...common,
      name,
      accept: pairs.filter(([, listener]) => listener === name).length,
      listen: 'tcp://127.0.0.1:0',
      dial: pairs.filter(([dialer]) => dialer === name).map(([, listener]) => addresses.get(listener) ?? ''),
      fault: name === 'C' && isOfPairs(fault) ? fault : undefined,
    }
    const party = new Party(plan, program, (result) => results.set(`${name}>${result.peer}`, result))
    parties.push(party)
    if (plan.accept > 0) addresses.set(name, await party.listening)
  }
  const all = async (): Promise<void> => {
    await enter('A')
    await Promise.all([enter('B'), withPython === undefined ? undefined : enter('P', withPython)])
    await enter('C')
    await Promise.all(parties.map((party) => party.ended))
  }

  let error: string | null = null
  try {
    await within(deadline, all())
  } catch (thrown) {
    error = thrown instanceof Error ? thrown.message : String(thrown)
  }
  for (const party of parties) party.kill()
  return { results, error }
}

interface Others {
  readonly room: Room | null
  readonly typed: Typed | null
}
const NEITHER: Others = { room: null, typed: null }

/** The room and its guests, and beside them those who speak wire v1. The first failure of theirs, or null. */
async function meetAndTalk(
  { numbered, mebibytes, deadline, fault }: DemoOptions,
  withPython: Program | undefined,
): Promise<[Others, string | null]> {
  // A hundredth of what the pairs send, three times.
  const meeting = openRoom(Math.ceil(numbered / 100), fault === 'hush')
  const talk = openTyped(
    {
      ...{
        messages: Math.ceil(numbered / 20),
        calls: Math.ceil(numbered / 80),
        echoes: Math.ceil(numbered / 200),
      },
      ...{ bytes: mebibytes * 2 ** 20, ...(isTyped(fault) ? { fault } : {}) },
    },
    withPython === undefined ? undefined : pythonPeer(),
  )
  const [room, typed] = await Promise.allSettled([
    within(deadline, meeting.done),
    within(deadline, talk.done),
  ])
  meeting.end()
  talk.end()
  const others = { room: valueOf(room), typed: valueOf(typed) }
  return [others, failureOf(room, 'the room') ?? failureOf(typed, 'the typed contract')]
}

/** What is posted, over a cut and past kills. What stopped it, or null. */
async function postOrders({
  numbered,
  deadline,
  fault,
}: DemoOptions): Promise<[Orders | null, string | null]> {
  const orders = openOrders(Math.ceil(numbered / 50), isOfOrders(fault) ? fault : undefined)
  const [settled] = await Promise.allSettled([within(deadline, orders.done)])
  await orders.end()
  return [valueOf(settled), failureOf(settled, 'the orders')]
}

const isOfOrders = (fault: DemoOptions['fault']): fault is OrdersFault =>
  fault === 'forget' || fault === 'lose' || fault === 'gap'
const isTyped = (fault: DemoOptions['fault']): fault is TypedFault => fault === 'blur' || fault === 'skip'
const isOfPairs = (fault: DemoOptions['fault']): fault is Fault | undefined =>
  fault !== 'hush' && !isTyped(fault) && !isOfOrders(fault)

const valueOf = <T>(settled: PromiseSettledResult<T>): T | null =>
  settled.status === 'fulfilled' ? settled.value : null

function failureOf(settled: PromiseSettledResult<unknown>, who: string): string | null {
  if (settled.status === 'fulfilled') return null
  const reason: unknown = settled.reason
  return `${who}: ${reason instanceof Error ? reason.message : String(reason)}`
}

/** Rejects when `work` takes longer than so many seconds. */
async function within<T>(seconds: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`not finished within ${seconds} s: ended by force`)),
      seconds * 1000,
    )
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

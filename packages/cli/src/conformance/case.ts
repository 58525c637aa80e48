import { Failed } from './failed.ts'
import type { Stage } from './stage.ts'
import type { Talk, Sending } from './talk.ts'
import type { KindName } from './frame.ts'

/** What an implementation may leave out, and claims to have. */
export const CLAIMS = {
  sessions: 'what is underway goes on over another connection',
  done: 'tells what became of a message',
  ordered: 'does what is asked of it with an event {"do": …}: it calls, opens and sends by itself',
} as const
export type Claim = keyof typeof CLAIMS

export type Wire = 'v1' | 'plain'

/** One rule of PROTOCOL.md, as it shows on a connection. */
export interface Case {
  /** Stable: numbers are never given twice. */
  readonly id: string
  /** The section of PROTOCOL.md and, where it numbers them, the rule. */
  readonly rule: string
  readonly what: string
  readonly wire?: Wire
  /** Of the tool; default: both. */
  readonly role?: Stage['role']
  readonly needs?: readonly Claim[]
  /** Milliseconds beyond the deadline of every case: it has to wait for something. */
  readonly slow?: number
  readonly run: (stage: Stage) => Promise<void>
}

/** A frame of a script. */
export type Step = readonly [kind: KindName | number, sending?: Sending]

type Row = readonly [id: string, what: string, ...steps: readonly Step[]]

/** Each row is refused with PROTOCOL_ERROR, and not before its last frame. */
export const refused = (rule: string, rows: readonly Row[], more: Partial<Case> = {}): Case[] =>
  rows.map(([id, what, ...steps]) => ({
    id,
    rule,
    what,
    ...more,
    run: async (stage) => {
      const talk = await stage.talk()
      await talk.tables()
      for (const step of steps.slice(0, -1)) talk.send(...step)
      if (steps.length > 1) await talk.alive()
      for (const step of steps.slice(-1)) talk.send(...step)
      await talk.ends()
    },
  }))

/** Each row is taken: the connection goes on, and all that is sequenced is acknowledged. */
export const taken = (rule: string, rows: readonly Row[], more: Partial<Case> = {}): Case[] =>
  rows.map(([id, what, ...steps]) => ({
    id,
    rule,
    what,
    ...more,
    run: async (stage) => {
      const talk = await stage.talk()
      for (const step of steps) talk.send(...step)
      await goesOn(talk)
    },
  }))

/** It lives, and has taken all that was sent. */
export async function goesOn(talk: Talk): Promise<void> {
  const { ack } = await talk.alive()
  need(ack === talk.counts.sent, `PONG acknowledges ${ack}, and ${talk.counts.sent} was sent`)
}

export const one = (
  id: string,
  rule: string,
  what: string,
  run: (stage: Stage) => Promise<void>,
  more: Partial<Case> = {},
): Case => ({ id, rule, what, run, ...more })

export function need(truth: boolean, what: string): asserts truth {
  if (!truth) throw new Failed(what)
}

export function equals(got: unknown, due: unknown, of: string): void {
  const [a, b] = [got ?? 'nothing', due ?? 'nothing'].map((one) => JSON.stringify(one)) as [string, string]
  need(a === b, `${of} is ${a.slice(0, 100)}, and ${b.slice(0, 100)} was due`)
}

import type { Result } from './plan.ts'

/** Who dialed whom. */
export type Pair = readonly [dialer: string, listener: string]

/** What became of the exchange of one pair. Numbers are of both directions together. */
export interface Row {
  readonly pair: Pair
  readonly ok: boolean
  readonly messages: number
  readonly bytes: number
  readonly seconds: number
  readonly why: string | null
}

/** What each party said of its exchange with each other, under "A>B" for A's word on B. */
export type Results = ReadonlyMap<string, Result>

/** Takes nobody's word alone: both sides must be content, and what one sent must be what the other got. */
export function judge(pair: Pair, results: Results, messages: number): Row {
  const [a, b] = pair
  const ofA = results.get(`${a}>${b}`)
  const ofB = results.get(`${b}>${a}`)
  const why = faultOf(a, ofA, b, messages) ?? faultOf(b, ofB, a, messages) ?? differ(a, ofA, b, ofB)
  return {
    pair,
    ok: why === null,
    messages: (ofA?.messages ?? 0) + (ofB?.messages ?? 0),
    bytes: (ofA?.bytes ?? 0) + (ofB?.bytes ?? 0),
    seconds: Math.round(Math.max(ofA?.seconds ?? 0, ofB?.seconds ?? 0) * 1000) / 1000,
    why,
  }
}

function faultOf(name: string, result: Result | undefined, from: string, due: number): string | null {
  if (result === undefined) return `${name} did not finish`
  if (result.why !== null) return `${name} got from ${from}: ${result.why}`
  return result.messages === due ? null : `${name} got ${result.messages} of ${due} messages from ${from}`
}

function differ(a: string, ofA: Result | undefined, b: string, ofB: Result | undefined): string | null {
  if (ofA?.sent !== ofB?.received) return `the SHA-256 of what ${a} sent and ${b} got differ`
  if (ofB?.sent !== ofA?.received) return `the SHA-256 of what ${b} sent and ${a} got differ`
  return null
}

import type { NetConnectOpts } from 'node:net'
import type { Case } from './case.ts'
import { type Claims, skipReason } from './claims.ts'
import { Failed } from './failed.ts'
import type { Visitors } from './stage.ts'
import { type Role, Stage } from './stage.ts'

export interface Result {
  readonly id: string
  readonly rule: string
  readonly what: string
  readonly result: 'ok' | 'FAILED' | 'skipped'
  /** What came instead, or why it was skipped. */
  readonly why?: string
}

export interface Run {
  readonly role: Role
  readonly to: NetConnectOpts
  /** Of the role listener: who dials. */
  readonly visitors: Visitors | undefined
  readonly claims: Claims
  /** Milliseconds that a case may take. */
  readonly deadline: number
  /** Cases that wait for something by their nature, too. */
  readonly slow: boolean
}

/** So many in a row that nobody dialed, or that could not dial: nobody will be there for the rest. */
const NOBODY = 3

/** One after the other; each ends in its time. */
export async function* runCases(cases: readonly Case[], run: Run): AsyncGenerator<Result> {
  const known = {}
  let nobody = 0
  for (const one of cases) {
    const { id, rule, what, slow = 0 } = one
    const told = { id, rule, what }
    const why = skipReason(one, run.claims) ?? (slow > 0 && !run.slow ? 'it takes long: --slow' : undefined)
    if (why !== undefined) {
      yield { ...told, result: 'skipped', why }
      continue
    }
    if (nobody >= NOBODY) {
      yield { ...told, result: 'FAILED', why: 'not run: nobody was there for those before it' }
      continue
    }
    const stage = new Stage(run.role, { to: run.to, next: () => nextOf(run.visitors), known })
    const failed = await inTime(one, stage, run, run.deadline + slow)
    nobody = failed !== undefined && !stage.met ? nobody + 1 : 0
    yield failed === undefined ? { ...told, result: 'ok' } : { ...told, result: 'FAILED', why: failed }
  }
}

const nextOf = (visitors: Visitors | undefined) =>
  visitors === undefined ? Promise.reject(new Failed('nobody dials')) : visitors.next()

/** What failed. */
async function inTime(one: Case, stage: Stage, { visitors }: Run, ms: number): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Failed(`${stage.waitsFor} was due, and did not come in ${ms / 1000} s`))
    }, ms)
  })
  try {
    await Promise.race([one.run(stage), late])
    return undefined
  } catch (error) {
    if (error instanceof Failed) return error.message
    // A case that breaks is one that what came did not fit.
    return `what came cannot be read: ${String(error)}`
  } finally {
    clearTimeout(timer)
    stage.close()
    visitors?.giveUp()
  }
}

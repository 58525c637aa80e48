import { existsSync, readFileSync } from 'node:fs'
import { UsageError } from '../errors.ts'
import { type Case, CLAIMS, type Claim } from './case.ts'

/** What an implementation says that it can do, and which cases it leaves out. */
export interface Claims {
  readonly has: ReadonlySet<Claim>
  /** By id, or by the beginning of ids and '*': why. */
  readonly without: readonly (readonly [id: string, why: string])[]
}

const ALL = Object.keys(CLAIMS) as Claim[]

/**
 * A list, `sessions,done`, or a file with one a line: `all`, `none`, a claim, or `-ID why` for a case that is left out
 * (`-R*`: those whose ids begin so). What stands behind `#` is left aside. Throws UsageError.
 */
export function claimsOf(text = 'all'): Claims {
  const lines = existsSync(text) ? readFileSync(text, 'utf8').split('\n') : text.split(',')
  const has = new Set<Claim>()
  const without: [string, string][] = []
  for (const line of lines.map((one) => one.replace(/#.*/, '').trim())) {
    const [, id, why] = /^-\s*(\S+)\s*(.*)$/.exec(line) ?? []
    if (id !== undefined) without.push([id, why || 'left out by --claims'])
    else if (line === 'all') for (const one of ALL) has.add(one)
    else if (Object.hasOwn(CLAIMS, line)) has.add(line as Claim)
    else if (line !== '' && line !== 'none')
      throw new UsageError(`--claims knows ${ALL.join(', ')}, all and none, and it is no file: ${line}`)
  }
  return { has, without }
}

/** Why a case is not run. */
export function skipReason({ id, needs = [] }: Case, { has, without }: Claims): string | undefined {
  const left = without.find(([one]) => one === id || (one.endsWith('*') && id.startsWith(one.slice(0, -1))))
  if (left !== undefined) return left[1]
  const lacks = needs.filter((one) => !has.has(one))
  return lacks.length === 0 ? undefined : `it does not claim ${lacks.join(' and ')}`
}

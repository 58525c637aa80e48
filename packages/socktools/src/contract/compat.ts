import { misfits } from './accepts.ts'
import type { Part, Structure } from './canonical.ts'
import type { Json } from './json-schema.ts'
import type { Misfit } from './misfit.ts'
import { type Protocol, type TypeInfo, compile } from './protocol.ts'

/** `unknown`: it may be fine, and nobody can tell from the declarations. */
export type Verdict = 'ok' | 'breaking' | 'unknown'

export interface Finding {
  /** The type that it is about. */
  readonly type: string
  readonly verdict: Verdict
  /** What changed, and whom it hurts: `input.room: new peers need it, old peers may leave it out`. */
  readonly what: string
}

export interface Compat {
  /** The worst of the findings. */
  readonly verdict: Verdict
  /** In the order of the types. What did not change has none. */
  readonly findings: readonly Finding[]
}

/**
 * Whether peers with the old protocol and peers with the new one understand each other, both ways at once, as they must
 * while one after another is upgraded. It compares what is sent (the inputs of schemas): the names, the kinds, and the
 * structures that schemas tell of by Standard JSON Schema (zod 4.2, arktype 2.1.28 …), or else the `version`. What
 * refinements and transforms check beyond that is not seen. Throws BAD_OPTION for what is no protocol.
 */
export function compat(before: Protocol, after: Protocol): Compat {
  const [old, now] = [compile(before), compile(after)]
  const names = new Set([...old.byName.keys(), ...now.byName.keys()])
  const findings = [...names].sort().flatMap((name) => {
    const [was, is] = [old.byName.get(name), now.byName.get(name)]
    const found = was && is ? ofType(was, is) : [presence(was)]
    return found.map((finding) => ({ type: name, ...finding }))
  })
  const worst = (['breaking', 'unknown'] as const).find((bad) =>
    findings.some(({ verdict }) => verdict === bad),
  )
  return { verdict: worst ?? 'ok', findings }
}

type Untyped = Omit<Finding, 'type'>

const presence = (was: TypeInfo | undefined): Untyped =>
  was === undefined
    ? { verdict: 'ok', what: 'added: old peers do not have it' }
    : { verdict: 'breaking', what: 'removed: old peers still use it' }

function ofType(was: TypeInfo, is: TypeInfo): readonly Untyped[] {
  if (was.kind !== is.kind) {
    return [{ verdict: 'breaking', what: `it was a ${was.kind} and is a ${is.kind}` }]
  }
  const found: Untyped[] = []
  if (was.maxSize !== is.maxSize) {
    const [from, to] = [was, is].map(({ maxSize }) => (maxSize === undefined ? 'none' : `${maxSize} bytes`))
    found.push({
      verdict: 'unknown',
      what: `maxSize was ${from ?? ''} and is ${to ?? ''}: whether messages get so long cannot be told`,
    })
  }
  // Where there is a structure, nothing in it is unknown.
  if (was.structure !== undefined && was.structure === is.structure) return found
  return [...found, ...ofStructure(was.parts, is.parts)]
}

function ofStructure(was: Structure, is: Structure): readonly Untyped[] {
  const found: Untyped[] = []
  const vouched = was.version !== undefined && was.version === is.version
  const compare = (place: string, old: Part, now: Part): void => {
    const unknown = old.form === 'unknown' || now.form === 'unknown'
    if (unknown && vouched) return
    found.push(...ofPart(place, old, now))
  }
  compare('input', was.input, is.input)
  if (was.output && is.output) compare('output', was.output, is.output)
  for (const code of [...new Set([...was.errors.keys(), ...is.errors.keys()])].sort()) {
    const [old, now] = [was.errors.get(code), is.errors.get(code)]
    if (old && now) compare(`error ${code}`, old, now)
    else found.push({ verdict: 'ok', what: old ? errorGone(code) : errorCame(code) })
  }
  // Who changes a version says that something changed, even where the schemas show nothing.
  if (was.version !== undefined && is.version !== undefined && !vouched) {
    found.push({ verdict: 'unknown', what: `its version was ${was.version} and is ${is.version}` })
  }
  return found
}

const errorCame = (code: string): string =>
  `error ${code} added: to old peers it is a failure like any other, without its data`
const errorGone = (code: string): string =>
  `error ${code} removed: from old peers it is a failure like any other, without its data`

function ofPart(place: string, old: Part, now: Part): readonly Untyped[] {
  const lines = [
    ...direction(old, now, 'old peers', 'new peers'),
    ...direction(now, old, 'new peers', 'old peers'),
  ].map(({ verdict, path, what }): Untyped => ({ verdict, what: `${place}${path}: ${what}` }))
  // What cannot be judged one way can seldom be judged the other way, for the same reason.
  return lines.filter(({ what }, i) => lines.findIndex((line) => line.what === what) === i)
}

function direction(sent: Part, taken: Part, sending: string, taking: string): readonly Misfit[] {
  if (sent.form === 'schema' && taken.form === 'schema') {
    const misfit: Misfit[] = []
    if (sent.optional && !taken.optional) {
      misfit.push({ verdict: 'breaking', path: '', what: `${sending} may send no data, ${taking} need some` })
    }
    const sides = { receiver: JSON.parse(taken.json) as Json, sender: JSON.parse(sent.json) as Json }
    return [...misfit, ...misfits({ ...sides, sending, taking })]
  }
  const forms = [sent.form, taken.form]
  if (sent.form === taken.form && sent.form !== 'unknown') return []
  // Bytes are sent past the codec: nothing else can be read in their place.
  if (forms.includes('unknown') && !forms.includes('bytes')) {
    return [{ verdict: 'unknown', path: '', what: UNKNOWN }]
  }
  if (sent.form === 'nothing' && taken.form === 'schema' && taken.optional) return []
  const what = `${sending} send ${NAMES[sent.form]}, ${taking} take ${NAMES[taken.form]}`
  return [{ verdict: 'breaking', path: '', what }]
}

const UNKNOWN = 'its schema does not tell its structure: give the declaration a version'
const NAMES = {
  bytes: 'bytes',
  nothing: 'no data',
  schema: 'data of a schema',
  unknown: 'data of a schema',
} as const

/**
 * Whether one side takes all that the other may send, told from their JSON Schemas alone. It never says so where it
 * cannot tell.
 *
 * A sender sends the properties that its schema names, and others only where that says `additionalProperties`; a
 * receiver takes others unless it says `additionalProperties: false`. This is how the libraries behave and how
 * people read their schemas, though JSON Schema itself knows no senders.
 */
import { Interned } from './interned.ts'
import {
  type Json,
  type Node,
  at,
  formsOf,
  isAny,
  isNever,
  keysOf,
  listAt,
  nodeAt,
  numberAt,
  same,
  shown,
  typeOf,
  valueOf,
} from './json-schema.ts'
import { type Misfit, type Sides, breaking, unknown } from './misfit.ts'
import { scalarMisfits } from './scalars.ts'

/** Comparisons of single schemas, all together: unions within unions multiply. */
const MAX_STEPS = 50_000
/** Of one pair: more help nobody. */
const MAX_FOUND = 100

/** Nothing, where whatever is sent is taken. */
export function misfits(sides: Sides): readonly Misfit[] {
  const walk = new Walk(sides)
  const found = walk.compare(sides.receiver, sides.sender, '')
  return walk.left > 0
    ? found
    : [{ verdict: 'unknown', path: '', what: 'it is too intricate to be compared' }]
}

/** What a form may say that is looked at. Anything else narrows it in ways that nobody here understands. */
const KNOWN = new Set([
  ...['type', 'enum', 'properties', 'required', 'additionalProperties', 'propertyNames', 'minProperties'],
  ...[
    'maxProperties',
    'items',
    'prefixItems',
    'minItems',
    'maxItems',
    'uniqueItems',
    'minLength',
    'maxLength',
  ],
  ...['pattern', 'format', 'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
])

class Walk {
  left = MAX_STEPS
  readonly #sides: Sides
  readonly #interned = new Interned()
  /** Pairs that are being compared: a schema that holds itself is the same further down. */
  readonly #open = new Set<string>()
  /** How often that was counted on. */
  #assumed = 0
  /** What was found of pairs, where it does not hang on a pair that is still open. */
  readonly #done = new Map<string, readonly Misfit[]>()

  constructor(sides: Sides) {
    this.#sides = sides
  }

  compare(receiver: Json, sender: Json, path: string): readonly Misfit[] {
    const { sending, taking } = this.#sides
    if (--this.left <= 0 || isAny(receiver) || isNever(sender)) return []
    if (isNever(receiver))
      return [breaking(path, `${sending} may send ${shown(sender)}, ${taking} take nothing`)]
    if (this.#equal(receiver, sender)) return []
    const pair = `${this.#interned.idOf(receiver)} ${this.#interned.idOf(sender)}`
    return this.#pair(pair, receiver, sender).map((misfit) => ({ ...misfit, path: path + misfit.path }))
  }

  #pair(pair: string, receiver: Json, sender: Json): readonly Misfit[] {
    const done = this.#done.get(pair)
    if (done !== undefined) return done
    if (this.#open.has(pair)) {
      this.#assumed++
      return []
    }
    this.#open.add(pair)
    const assumed = this.#assumed
    const found = this.#forms(receiver, sender, '').slice(0, MAX_FOUND)
    this.#open.delete(pair)
    if (this.#assumed === assumed) this.#done.set(pair, found)
    return found
  }

  /** References mean the same only if what they lead to is the same. */
  #equal(receiver: Json, sender: Json | undefined): boolean {
    const interned = this.#interned
    if (sender === undefined || interned.idOf(receiver) !== interned.idOf(sender)) return false
    const { receiver: one, sender: other } = this.#sides
    return !interned.refers(receiver) || interned.idOf(one) === interned.idOf(other)
  }

  #forms(receiver: Json, sender: Json, path: string): readonly Misfit[] {
    const { sending, taking } = this.#sides
    const sent = formsOf(sender, this.#sides.sender)
    const taken = formsOf(receiver, this.#sides.receiver)
    if (sent === undefined || taken === undefined) return [unknown(path, 'its form cannot be compared')]
    if (taken.nodes.some(isAny) && !taken.exclusive) return []
    return sent.nodes.flatMap((form): readonly Misfit[] => {
      if (isAny(form))
        return [breaking(path, `${sending} may send anything, ${taking} take ${shown(receiver)}`)]
      const one = valueOf(form) !== undefined
      // Single values do not add up to all that a form stands for.
      const alike = taken.nodes.filter(
        (other) => !isApart(other, form) && (one || valueOf(other) === undefined),
      )
      const candidates = this.#candidates(alike, form)
      const refused = breaking(path, `${sending} may send ${shown(form)}, ${taking} take ${shown(receiver)}`)
      const [first, ...others] = candidates.map((other) => this.#form(other, form, path))
      if (first === undefined) return [refused]
      if (others.length === 0) return first
      const results = [first, ...others]
      if (results.some((result) => result.length === 0) && !taken.exclusive) return []
      const none = results.every((result) => result.some(({ verdict }) => verdict === 'breaking'))
      if (one && none) return [refused]
      return [unknown(path, `which of several forms ${taking} take for ${shown(form)} cannot be told`)]
    })
  }

  /** Those that `form` may be of, by what tells the members of a union apart: a fixed value, or else a type. */
  #candidates(members: readonly Node[], form: Node): readonly Node[] {
    let left = members
    for (const byValue of [true, false]) {
      if (left.length > 1) left = left.filter((member) => !this.#told(member, form, byValue))
    }
    return left
  }

  /** Whether a property that both need cannot be of both. */
  #told(receiver: Node, sender: Node, byValue: boolean): boolean {
    const [mine, theirs] = [nodeAt(receiver, 'properties') ?? {}, nodeAt(sender, 'properties') ?? {}]
    return needed(receiver)
      .filter((name) => needed(sender).includes(name))
      .some((name) => {
        const takes = formsOf(at(mine, name) ?? true, this.#sides.receiver)?.nodes
        const sends = formsOf(at(theirs, name) ?? true, this.#sides.sender)?.nodes
        if (takes === undefined || sends === undefined) return false
        if (byValue && [...takes, ...sends].some((form) => valueOf(form) === undefined)) return false
        return takes.every((a) => sends.every((b) => isApart(a, b)))
      })
  }

  /** One form each, of the same type. */
  #form(receiver: Node, sender: Node, path: string): readonly Misfit[] {
    this.left--
    const found: Misfit[] = []
    for (const key of keysOf(receiver)) {
      if (!KNOWN.has(key) && !this.#equal(at(receiver, key) ?? null, at(sender, key))) {
        found.push(unknown(path, `what "${key}" means cannot be judged`))
      }
    }
    // It may send more than it names, by rules that are not looked at.
    const patterns = at(sender, 'patternProperties')
    if (patterns !== undefined && !this.#equal(patterns, at(receiver, 'patternProperties'))) {
      found.push(unknown(path, 'what "patternProperties" means cannot be judged'))
    }
    const type = typeOf(sender)
    if (type === undefined || typeOf(receiver) === undefined) {
      found.push(unknown(path, 'its type cannot be told'))
    } else if (type === 'object') found.push(...this.#object(receiver, sender, path))
    else if (type === 'array') found.push(...this.#array(receiver, sender, path))
    else found.push(...scalarMisfits(receiver, sender, path, this.#sides))
    // What narrows the sender in an unknown way may rule out the very thing that would not fit.
    const narrowed = keysOf(sender).some((key) => !KNOWN.has(key))
    return narrowed ? found.map((misfit) => ({ ...misfit, verdict: 'unknown' as const })) : found
  }

  #object(receiver: Node, sender: Node, path: string): readonly Misfit[] {
    const { sending, taking } = this.#sides
    const one = valueOf(sender)
    if (one !== undefined || valueOf(receiver) !== undefined) {
      return [unknown(path, 'objects that are given as values cannot be judged')]
    }
    const found: Misfit[] = []
    const [mine, theirs] = [nodeAt(receiver, 'properties') ?? {}, nodeAt(sender, 'properties') ?? {}]
    const others = at(receiver, 'additionalProperties') ?? true
    const more = at(sender, 'additionalProperties') ?? false
    const sent = new Set([...Object.keys(theirs), ...needed(sender)])
    for (const name of needed(receiver)) {
      if (needed(sender).includes(name)) continue
      found.push(breaking(path + step(name), `${taking} need it, ${sending} may leave it out`))
    }
    for (const name of sent) {
      const takes = at(mine, name) ?? others
      const sends = at(theirs, name) ?? at(sender, 'additionalProperties') ?? true
      const where = path + step(name)
      if (isNever(takes) && !isNever(sends))
        found.push(breaking(where, `${sending} may send it, ${taking} refuse it`))
      else found.push(...this.compare(takes, sends, where))
    }
    if (!isNever(more)) {
      found.push(...this.compare(others, more, `${path}[…]`))
      for (const name of Object.keys(mine)) {
        if (sent.has(name)) continue
        // It may send it, since it may send anything, but who says that it does?
        for (const misfit of this.compare(at(mine, name) ?? true, more, path + step(name))) {
          found.push(isAny(more) ? { ...misfit, verdict: 'unknown' } : misfit)
        }
      }
    }
    found.push(...this.#names(receiver, sender, sent, isNever(more), path))
    return found
  }

  #names(receiver: Node, sender: Node, sent: Set<string>, closed: boolean, path: string): readonly Misfit[] {
    const { sending, taking } = this.#sides
    const found: Misfit[] = []
    const names = at(receiver, 'propertyNames')
    if (names !== undefined) {
      for (const name of sent) found.push(...this.compare(names, { enum: [name] }, path + step(name)))
      if (!closed)
        found.push(...this.compare(names, at(sender, 'propertyNames') ?? { type: 'string' }, `${path}[…]`))
    }
    const [min, max] = [
      numberAt(receiver, 'minProperties') ?? 0,
      numberAt(receiver, 'maxProperties') ?? Infinity,
    ]
    const fewest = Math.max(numberAt(sender, 'minProperties') ?? 0, needed(sender).length)
    const most = Math.min(numberAt(sender, 'maxProperties') ?? Infinity, closed ? sent.size : Infinity)
    if (fewest < min)
      found.push(breaking(path, `${sending} may send ${fewest} properties, ${taking} need ${min}`))
    if (most > max)
      found.push(breaking(path, `${sending} may send more properties than the ${max} that ${taking} take`))
    return found
  }

  #array(receiver: Node, sender: Node, path: string): readonly Misfit[] {
    const { sending, taking } = this.#sides
    if (valueOf(sender) !== undefined || valueOf(receiver) !== undefined) {
      return [unknown(path, 'arrays that are given as values cannot be judged')]
    }
    const found: Misfit[] = []
    const [mine, theirs] = [listAt(receiver, 'prefixItems') ?? [], listAt(sender, 'prefixItems') ?? []]
    const rest = at(sender, 'items') ?? !('prefixItems' in sender)
    const least = numberAt(sender, 'minItems') ?? 0
    const most = Math.min(numberAt(sender, 'maxItems') ?? Infinity, isNever(rest) ? theirs.length : Infinity)
    const [min, max] = [numberAt(receiver, 'minItems') ?? 0, numberAt(receiver, 'maxItems') ?? Infinity]
    if (least < min) found.push(breaking(path, `${sending} may send ${least} items, ${taking} need ${min}`))
    if (most > max)
      found.push(breaking(path, `${sending} may send more items than the ${max} that ${taking} take`))
    if (at(receiver, 'uniqueItems') === true && at(sender, 'uniqueItems') !== true && most > 1) {
      found.push(breaking(path, `${sending} may send an item twice, ${taking} take each once`))
    }
    const others = at(receiver, 'items') ?? true
    const named = Math.max(mine.length, theirs.length)
    for (let i = 0; i < Math.min(named, most, max); i++) {
      found.push(...this.compare(mine[i] ?? others, theirs[i] ?? rest, `${path}[${i}]`))
    }
    if (Math.min(most, max) > named) found.push(...this.compare(others, rest, `${path}[]`))
    return found
  }
}

/** Whether nothing is of both forms, as far as types and values tell. */
function isApart(a: Node, b: Node): boolean {
  const [one, two] = [valueOf(a), valueOf(b)]
  if (one !== undefined && two !== undefined) return !same(one.value, two.value)
  const types = [typeOf(a), typeOf(b)]
  if (types.includes(undefined) || types[0] === types[1]) return false
  return !types.every((type) => type === 'integer' || type === 'number')
}

const needed = (node: Node): readonly string[] => (listAt(node, 'required') ?? []).map(String)

const step = (name: string): string =>
  /^[\p{L}_$][\p{L}\d_$]*$/u.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`

/** Text and numbers: whether one side takes all that the other may send. */
import { type Json, type Node, at, keysOf, numberAt, same, shown, typeOf, valueOf } from './json-schema.ts'
import { type Misfit, type Sides, breaking, unknown } from './misfit.ts'

/** Both are of text, or both of numbers, or of values of one type. */
export function scalarMisfits(receiver: Node, sender: Node, path: string, sides: Sides): readonly Misfit[] {
  const { sending, taking } = sides
  const refused = (what: string, takes: string): Misfit =>
    breaking(path, `${sending} may send ${what}, ${taking} take ${takes}`)
  const only = valueOf(receiver)
  const one = valueOf(sender)
  if (only !== undefined) {
    return one !== undefined && same(one.value, only.value) ? [] : [refused(shown(sender), shown(receiver))]
  }
  if (one !== undefined) return valueMisfits(receiver, one.value, path, refused)
  if (typeOf(receiver) === 'integer' && typeOf(sender) === 'number')
    return [refused('a number', 'whole ones')]
  const found: Misfit[] = []
  const edges: [what: string, mine: Range, theirs: Range][] = [
    ['numbers', rangeOf(receiver), rangeOf(sender)],
    ['texts of lengths', lengthsOf(receiver), lengthsOf(sender)],
  ]
  for (const [what, mine, theirs] of edges) {
    if (below(theirs.from, mine.from)) {
      found.push(refused(`${what} from ${bound(theirs.from)}`, `from ${bound(mine.from)}`))
    }
    if (below(flip(theirs.to), flip(mine.to))) {
      found.push(refused(`${what} up to ${bound(theirs.to)}`, `up to ${bound(mine.to)}`))
    }
  }
  found.push(...stepMisfits(receiver, sender, path, refused))
  for (const key of ['pattern', 'format'] as const) {
    const wanted = at(receiver, key)
    if (wanted === undefined || same(wanted, at(sender, key))) continue
    const some = at(sender, 'pattern') ?? at(sender, 'format')
    if (some === undefined) found.push(refused('any text', `only what fits a ${key}`))
    else found.push(unknown(path, `whether one ${key} fits the other cannot be told`))
  }
  return found
}

type Refused = (what: string, takes: string) => Misfit

/** One value, against a form that is none. */
function valueMisfits(receiver: Node, value: Json, path: string, refused: Refused): readonly Misfit[] {
  const point: Bound = { at: typeof value === 'string' ? value.length : Number(value), open: false }
  const { from, to } = typeof value === 'string' ? lengthsOf(receiver) : rangeOf(receiver)
  const what = shown({ enum: [value] })
  if (typeOf(receiver) === 'integer' && !Number.isInteger(value)) return [refused(what, 'whole numbers')]
  if (below(point, from)) return [refused(what, `from ${bound(from)}`)]
  if (below(flip(point), flip(to))) return [refused(what, `up to ${bound(to)}`)]
  const left = keysOf(receiver).filter((key) => ['pattern', 'format', 'multipleOf'].includes(key))
  return left.map((key) => unknown(path, `whether ${what} fits a ${key} cannot be told`))
}

function stepMisfits(receiver: Node, sender: Node, path: string, refused: Refused): readonly Misfit[] {
  const wanted = numberAt(receiver, 'multipleOf')
  const given = numberAt(sender, 'multipleOf') ?? (typeOf(sender) === 'integer' ? 1 : undefined)
  if (wanted === undefined || typeof at(sender, 'type') !== 'string') return []
  if (given === undefined) return [refused('any number', `multiples of ${wanted}`)]
  if (Number.isInteger(given / wanted)) return []
  if (Number.isInteger(wanted / given)) return [refused(`multiples of ${given}`, `multiples of ${wanted}`)]
  return [unknown(path, `whether multiples of ${given} are all multiples of ${wanted} cannot be told`)]
}

interface Bound {
  readonly at: number
  /** It is not itself within. */
  readonly open: boolean
}

interface Range {
  readonly from: Bound
  readonly to: Bound
}

/** Whether `a` lets something below `b` through. */
const below = (a: Bound, b: Bound): boolean => a.at < b.at || (a.at === b.at && b.open && !a.open)

const flip = ({ at: value, open }: Bound): Bound => ({ at: -value, open })

function rangeOf(node: Node): Range {
  const whole = typeOf(node) === 'integer'
  const tighter = (inclusive: number | undefined, exclusive: number | undefined, sign: 1 | -1): Bound => {
    const none = -Infinity
    const closed = inclusive === undefined ? none : inclusive * sign
    const edge = exclusive === undefined ? none : exclusive * sign
    if (edge < closed || exclusive === undefined) {
      const first = whole && Number.isFinite(closed) ? Math.ceil(closed) : closed
      return { at: first * sign, open: false }
    }
    return whole ? { at: (Math.floor(edge) + 1) * sign, open: false } : { at: edge * sign, open: true }
  }
  return {
    from: tighter(numberAt(node, 'minimum'), numberAt(node, 'exclusiveMinimum'), 1),
    to: tighter(numberAt(node, 'maximum'), numberAt(node, 'exclusiveMaximum'), -1),
  }
}

const lengthsOf = (node: Node): Range => ({
  from: { at: numberAt(node, 'minLength') ?? 0, open: false },
  to: { at: numberAt(node, 'maxLength') ?? Infinity, open: false },
})

/** `3`; `3 (without)`, where it is itself not within. */
const bound = ({ at: value, open }: Bound): string =>
  Number.isFinite(value) ? `${value}${open ? ' (without)' : ''}` : 'any'

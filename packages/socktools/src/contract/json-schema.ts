/** Canonical JSON Schemas as compat looks at them. */
import { definition } from './canonical.ts'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }
export type Node = Readonly<Record<string, Json>>

/** What may be sent, or is taken, there: one form or several, of which `exclusive` must fit exactly one. */
export interface Forms {
  readonly nodes: readonly Node[]
  readonly exclusive: boolean
}

/** The key, if the object has it itself: a property may be called `__proto__`. */
export const at = (node: { readonly [key: string]: Json }, key: string): Json | undefined =>
  Object.hasOwn(node, key) ? node[key] : undefined

export const isNode = (value: Json | undefined): value is Node =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const listAt = (node: Node, key: string): readonly Json[] | undefined => {
  const value = at(node, key)
  return Array.isArray(value) ? (value as readonly Json[]) : undefined
}

export const nodeAt = (node: Node, key: string): Node | undefined => {
  const value = at(node, key)
  return isNode(value) ? value : undefined
}

export const numberAt = (node: Node, key: string): number | undefined => {
  const value = at(node, key)
  return typeof value === 'number' ? value : undefined
}

/** Of canonical JSON, whose keys are sorted. */
export const same = (a: Json | undefined, b: Json | undefined): boolean =>
  JSON.stringify(a) === JSON.stringify(b)

/** Its keys, but for the definitions of others. */
export const keysOf = (node: Node): readonly string[] => Object.keys(node).filter((key) => key !== '$defs')

/** Anything at all. */
export const isAny = (schema: Json): boolean =>
  schema === true || (isNode(schema) && keysOf(schema).length === 0)

/** Nothing at all. */
export const isNever = (schema: Json): boolean => {
  if (schema === false) return true
  if (!isNode(schema)) return false
  const not = at(schema, 'not')
  return not !== undefined && keysOf(schema).length === 1 && isAny(not)
}

/** What `schema` stands for; undefined where a reference leads nowhere that is known, or in a circle. */
export function resolve(schema: Json, root: Json): Json | undefined {
  let found = schema
  for (let hops = 0; hops < 32; hops++) {
    if (!isNode(found) || at(found, '$ref') === undefined) return found
    const ref = at(found, '$ref')
    if (keysOf(found).length > 1 || typeof ref !== 'string') return undefined
    const target = ref === '#' ? root : (definition(root, ref) as Json | undefined)
    if (target === undefined) return undefined
    found = target
  }
  return undefined
}

/** The forms that `schema` is a choice of, each of one type or one value. Undefined where that cannot be told. */
export function formsOf(schema: Json, root: Json): Forms | undefined {
  const nodes: Node[] = []
  const state = { exclusive: false, left: 1000 }
  return collect(schema, root, nodes, state) ? { nodes, exclusive: state.exclusive } : undefined
}

function collect(
  schema: Json,
  root: Json,
  into: Node[],
  state: { exclusive: boolean; left: number },
): boolean {
  const node = resolve(schema, root)
  if (node === undefined || --state.left < 0) return false
  if (isNever(node)) return true
  if (node === true) into.push({})
  if (!isNode(node)) return node === true
  const keys = keysOf(node)
  for (const key of ['anyOf', 'oneOf'] as const) {
    const choices = listAt(node, key)
    if (choices === undefined) continue
    // What stands beside it narrows every choice.
    if (keys.length > 1) return false
    if (key === 'oneOf') state.exclusive = true
    return choices.every((choice) => collect(choice, root, into, state))
  }
  const values = listAt(node, 'enum')
  if (values !== undefined) {
    const rest = keys.filter((key) => key !== 'enum' && key !== 'type')
    if (rest.length > 0) return false
    const types = typesOf(node)
    for (const value of values) if (types === undefined || hasType(value, types)) into.push({ enum: [value] })
    return true
  }
  const types = typesOf(node)
  if (types === undefined) into.push(node)
  for (const type of types ?? []) {
    if (type === 'boolean') into.push({ enum: [false] }, { enum: [true] })
    else if (type === 'null') into.push({ enum: [null] })
    else into.push({ ...node, type })
  }
  return true
}

function typesOf(node: Node): readonly Json[] | undefined {
  const type = at(node, 'type')
  if (type === undefined) return undefined
  return typeof type === 'string' ? [type] : listAt(node, 'type')
}

const hasType = (value: Json, types: readonly Json[]): boolean =>
  types.includes(typeOfValue(value)) ||
  (typeof value === 'number' &&
    (types.includes('number') || (Number.isInteger(value) && types.includes('integer'))))

export function typeOfValue(value: Json): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value
}

/** The one value that a form is, if it is one. */
export function valueOf(form: Node): { readonly value: Json } | undefined {
  const [value] = listAt(form, 'enum') ?? []
  return value === undefined ? undefined : { value }
}

/** The type of a form. */
export function typeOf(form: Node): string | undefined {
  const one = valueOf(form)
  if (one !== undefined) return typeOfValue(one.value)
  const type = at(form, 'type')
  return typeof type === 'string' ? type : undefined
}

/** For a person: `a string`, `"x"`. */
export function shown(schema: Json): string {
  if (isAny(schema)) return 'anything'
  if (!isNode(schema)) return 'nothing'
  const values = listAt(schema, 'enum')
  if (values !== undefined) {
    const first = values.slice(0, 5).map((value) => cut(JSON.stringify(value)))
    return first.join(' or ') + (values.length > 5 ? ' …' : '')
  }
  const types = typesOf(schema)
  if (types === undefined) return 'one of several forms'
  const fixed = fixedIn(schema)
  if (fixed !== '') return `an object of ${fixed}`
  return types.map((type) => NAMES.get(type) ?? JSON.stringify(type)).join(' or ')
}

/** What tells it from the other members of its union: `kind: "join"`. */
function fixedIn(form: Node): string {
  const entries = Object.entries(nodeAt(form, 'properties') ?? {})
  const fixed = entries.filter(([, part]) => isNode(part) && listAt(part, 'enum')?.length === 1)
  return fixed.map(([name, part]) => `${name}: ${shown(part)}`).join(', ')
}

const cut = (text: string): string => (text.length > 40 ? `${text.slice(0, 40)}…` : text)

const NAMES = new Map<Json, string>([
  ['string', 'a string'],
  ['number', 'a number'],
  ['integer', 'a whole number'],
  ['boolean', 'true or false'],
  ['null', 'null'],
  ['array', 'an array'],
  ['object', 'an object'],
])

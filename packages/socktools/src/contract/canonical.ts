/**
 * The structure of a protocol's data, as text that is the same whenever the structure is. It is that of what is sent,
 * before a receiver's schema transforms it. It comes from `~standard.jsonSchema` (Standard JSON Schema), or else from
 * the declaration's `version`.
 */
import { type Schema, isBytes, isNothing } from '../schema.ts'

/** What is known of one schema. */
export type Part =
  /** `json`: its canonical JSON Schema. `optional`: it takes undefined as well, of which JSON Schema knows nothing. */
  | { readonly form: 'schema'; readonly json: string; readonly optional: boolean }
  | { readonly form: 'bytes' | 'nothing' | 'unknown' }

export interface Structure {
  readonly input: Part
  readonly output: Part | undefined
  readonly errors: ReadonlyMap<string, Part>
  readonly version: string | number | undefined
}

interface Declared {
  readonly input: Schema
  readonly output: Schema | undefined
  readonly errors: ReadonlyMap<string, Schema | undefined>
  readonly version: string | number | undefined
}

export function structureOf({ input, output, errors, version }: Declared): Structure {
  return {
    input: partOf(input),
    output: output && partOf(output),
    errors: new Map([...errors].map(([code, schema]) => [code, schema ? partOf(schema) : NOTHING])),
    version,
  }
}

/** Canonical JSON. Undefined where a part is unknown and no version stands for it. */
export function structureText({ input, output, errors, version }: Structure): string | undefined {
  const parts = [input, ...(output === undefined ? [] : [output]), ...errors.values()]
  if (version === undefined && parts.some(({ form }) => form === 'unknown')) return undefined
  return write({
    map: sorted([
      ['errors', { map: sorted([...errors].map(([code, part]) => [code, treeOf(part)])) }],
      ['input', treeOf(input)],
      ...(output === undefined ? [] : [['output', treeOf(output)] as const]),
      ...(version === undefined ? [] : [['version', leaf(version)] as const]),
    ]),
  })
}

const treeOf = (part: Part): Tree =>
  part.form !== 'schema'
    ? leaf(part.form)
    : { map: [['json', { text: part.json }], ...(part.optional ? [['optional', leaf(true)] as const] : [])] }

const NOTHING: Part = { form: 'nothing' }
const UNKNOWN: Part = { form: 'unknown' }

function partOf(schema: Schema): Part {
  if (isBytes(schema)) return { form: 'bytes' }
  if (isNothing(schema)) return NOTHING
  try {
    const { jsonSchema, vendor } = schema['~standard']
    if (jsonSchema === undefined) return UNKNOWN
    const libraryOptions = vendor === 'arktype' ? ARKTYPE : undefined
    const json = canonicalSchema(jsonSchema.input({ target: 'draft-2020-12', libraryOptions }))
    return { form: 'schema', json, optional: takesUndefined(schema) }
  } catch {
    // JSON Schema has no words for a Date, a bigint, bytes within other data …
    return UNKNOWN
  }
}

/** An answer that takes its time counts as no. */
function takesUndefined(schema: Schema): boolean {
  try {
    const result = schema['~standard'].validate(undefined)
    if (!(result instanceof Promise)) return result.issues === undefined
    result.catch(() => undefined)
  } catch {
    // A transform that cannot do with undefined does not take it.
  }
  return false
}

const noWords = (): never => {
  throw new Error('JSON Schema has no words for this')
}

/** Left to itself it says `{}`, anything at all, of what it cannot describe. A Date would be the same as a bigint. */
const ARKTYPE = {
  fallback: Object.fromEntries(
    [
      'arrayObject',
      'arrayPostfix',
      'date',
      'domain',
      'patternIntersection',
      'proto',
      'symbolKey',
      'unit',
    ].map((what) => [what, noWords]),
  ),
}

/** JSON whose order is settled, but for the names of its references. */
type Tree =
  | { readonly text: string }
  | { readonly list: readonly Tree[] }
  | { readonly map: readonly (readonly [name: string, Tree])[] }
  | { readonly ref: string }

/** What says nothing about which data are valid. */
const ANNOTATIONS = new Set([
  ...['$schema', '$id', '$comment', 'id', 'title', 'description', 'examples', 'example', 'default'],
  ...['deprecated', 'readOnly', 'writeOnly'],
])
const SCHEMA_IN = new Set([
  ...['items', 'additionalProperties', 'propertyNames', 'contains', 'not', 'if', 'then', 'else'],
  ...['unevaluatedItems', 'unevaluatedProperties'],
])
const SCHEMAS_IN_ORDER = new Set(['prefixItems'])
const SCHEMAS = new Set(['anyOf', 'oneOf', 'allOf'])
const SCHEMAS_BY_NAME = new Set(['properties', 'patternProperties', 'dependentSchemas'])
const VALUES = new Set(['required', 'enum', 'type'])

const MAX_DEPTH = 100

/**
 * A JSON Schema as text: keys sorted, what only annotates dropped, lists without an order sorted, `const` written as
 * `enum`, definitions named by where they are first used. Throws on what is no JSON.
 */
export function canonicalSchema(schema: unknown): string {
  const root = schemaTree(schema, 0)
  const names = new Map<string, string>()
  const rename = (ref: string): string => {
    if (definition(schema, ref) === undefined) return ref
    const known = names.get(ref)
    if (known !== undefined) return known
    const name = `#/$defs/${names.size}`
    names.set(ref, name)
    return name
  }
  const body = write(root, rename)
  if (names.size === 0) return body
  // A definition may use others, which are then added behind it.
  const definitions: string[] = []
  for (const ref of names.keys()) {
    const text = write(schemaTree(definition(schema, ref), 0), rename)
    definitions.push(`${JSON.stringify(String(definitions.length))}:${text}`)
  }
  return `{"$defs":{${definitions.join()}},${body.slice(1)}`
}

const DEFINITION = /^#\/(\$defs|definitions)\/([^/]+)$/

/** What a reference to a definition of the whole stands for. */
export function definition(root: unknown, ref: string): unknown {
  const [, place = '', name = ''] = DEFINITION.exec(ref) ?? []
  const definitions = own(root, place)
  return own(definitions, decodeURIComponent(name).replaceAll('~1', '/').replaceAll('~0', '~'))
}

const own = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined

function schemaTree(schema: unknown, depth: number): Tree {
  if (depth > MAX_DEPTH) throw new Error('nested too deep')
  if (typeof schema === 'boolean') return leaf(schema)
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema))
    throw new Error('no JSON Schema')
  const inner = (part: unknown): Tree => schemaTree(part, depth + 1)
  const entries: (readonly [string, Tree])[] = []
  for (const [key, value] of Object.entries(schema) as [string, unknown][]) {
    if (value === undefined || ANNOTATIONS.has(key)) continue
    if (depth === 0 && (key === '$defs' || key === 'definitions')) continue
    if (key === '$ref' && typeof value === 'string') entries.push([key, { ref: value }])
    else if (key === 'const') entries.push(['enum', { list: [jsonTree(value, depth + 1)] }])
    else if (SCHEMA_IN.has(key)) entries.push([key, inner(value)])
    else if (SCHEMAS_IN_ORDER.has(key)) entries.push([key, { list: listOf(value).map(inner) }])
    else if (SCHEMAS.has(key)) entries.push([key, { list: byText(listOf(value).map(inner)) }])
    else if (VALUES.has(key) && Array.isArray(value)) entries.push([key, valuesTree(key, value, depth)])
    else if (SCHEMAS_BY_NAME.has(key) || key === '$defs') {
      const named = Object.entries(value as object).map(([name, part]) => [name, inner(part)] as const)
      entries.push([key, { map: sorted(named) }])
    } else entries.push([key, jsonTree(value, depth + 1)])
  }
  return { map: sorted(entries) }
}

function valuesTree(key: string, values: readonly unknown[], depth: number): Tree {
  const list = byText(values.map((value) => jsonTree(value, depth + 1)))
  return key === 'type' && list.length === 1 ? list[0]! : { list }
}

function jsonTree(value: unknown, depth: number): Tree {
  if (depth > MAX_DEPTH) throw new Error('nested too deep')
  if (Array.isArray(value)) return { list: value.map((item) => jsonTree(item, depth + 1)) }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined)
    return { map: sorted(entries.map(([key, item]) => [key, jsonTree(item, depth + 1)])) }
  }
  return leaf(value)
}

const leaf = (value: unknown): Tree => {
  const text = JSON.stringify(value) as string | undefined
  if (text === undefined) throw new Error('no JSON')
  return { text }
}

function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error('no list')
  return value
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const sorted = (entries: readonly (readonly [string, Tree])[]): readonly (readonly [string, Tree])[] =>
  [...entries].sort(([a], [b]) => compare(a, b))

/** Names of definitions are not to decide: some libraries count them anew in every process. */
const byText = (trees: readonly Tree[]): readonly Tree[] =>
  trees
    .map((tree) => ({ tree, text: write(tree, () => '') }))
    .sort((a, b) => compare(a.text, b.text))
    .map(({ tree }) => tree)

function write(tree: Tree, rename: (ref: string) => string = (ref) => ref): string {
  if ('text' in tree) return tree.text
  if ('ref' in tree) return JSON.stringify(rename(tree.ref))
  if ('list' in tree) return `[${tree.list.map((item) => write(item, rename)).join()}]`
  return `{${tree.map.map(([name, item]) => `${JSON.stringify(name)}:${write(item, rename)}`).join()}}`
}

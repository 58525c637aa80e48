import { SockError, printable } from './errors.ts'

/**
 * Any schema of the Standard Schema specification (standardschema.dev), version 1: those of zod, valibot, arktype
 * and others are such. `In` is what senders pass, `Out` what handlers get.
 */
export interface Schema<In = unknown, Out = In> {
  readonly '~standard': SchemaProps<In, Out>
}

export interface SchemaProps<In = unknown, Out = In> {
  readonly version: 1
  /** The library that it is of. */
  readonly vendor: string
  readonly validate: (value: unknown) => SchemaResult<Out> | Promise<SchemaResult<Out>>
  /** For the compiler alone. */
  readonly types?: { readonly input: In; readonly output: Out } | undefined
  /** Of the sister specification, Standard JSON Schema. Not every library has it. */
  readonly jsonSchema?: JsonSchemaProps | undefined
}

export interface JsonSchemaProps {
  /** What is sent. Throws where JSON Schema has no words for it. */
  readonly input: (options: JsonSchemaOptions) => Record<string, unknown>
  readonly output: (options: JsonSchemaOptions) => Record<string, unknown>
}

export interface JsonSchemaOptions {
  readonly target: 'draft-2020-12'
  readonly libraryOptions?: Record<string, unknown> | undefined
}

export type SchemaResult<Out> =
  | { readonly value: Out; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

export interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** What senders pass. */
export type InferInput<S extends Schema> = NonNullable<S['~standard']['types']>['input']
/** What handlers get. */
export type InferOutput<S extends Schema> = NonNullable<S['~standard']['types']>['output']

/** Whether it can be used as a schema. Those of arktype are functions. */
export function isSchema(value: unknown): value is Schema {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  const props = (value as { readonly '~standard'?: Partial<SchemaProps> })['~standard']
  return props?.version === 1 && typeof props.validate === 'function'
}

// Registered symbols: two copies of this package in one program mean the same.
const BYTES: unique symbol = Symbol.for('socktools.bytes')
const NOTHING: unique symbol = Symbol.for('socktools.nothing')

/** A schema for bytes that no codec touches. */
export interface BytesSchema extends Schema<Uint8Array> {
  readonly [BYTES]: true
}

/** A schema for no data at all. */
export interface NothingSchema extends Schema<void, undefined> {
  readonly [NOTHING]: true
}

/** Bytes, sent as they are, past the codec. */
export const bytes = (): BytesSchema => bytesSchema

/** No data: `peer.request('ping')` needs no second argument. */
export const nothing = (): NothingSchema => nothingSchema

export const isBytes = (schema: Schema): schema is BytesSchema =>
  (schema as Partial<BytesSchema>)[BYTES] === true

export const isNothing = (schema: Schema): schema is NothingSchema =>
  (schema as Partial<NothingSchema>)[NOTHING] === true

function own<In, Out>(wanted: string, is: (value: unknown) => boolean): SchemaProps<In, Out> {
  const issue = { message: `expected ${wanted}`, expected: wanted }
  return Object.freeze({
    version: 1,
    vendor: 'socktools',
    validate: (value: unknown): SchemaResult<Out> =>
      is(value) ? { value: value as Out } : { issues: [issue] },
  } as const)
}

const bytesProps: BytesSchema['~standard'] = own('bytes', (value) => value instanceof Uint8Array)
const nothingProps: NothingSchema['~standard'] = own('no data', (value) => value === undefined)

/** What makes anything a schema of bytes. */
export const bytesSchema: BytesSchema = Object.freeze({
  '~standard': bytesProps,
  [BYTES]: true,
} as const)

const nothingSchema: NothingSchema = Object.freeze({
  '~standard': nothingProps,
  [NOTHING]: true,
} as const)

/**
 * The output of `schema` for `data`: at once where the schema answers at once, else a promise. Throws, or rejects
 * with, BAD_MESSAGE. Its text says where in the data, and what was expected there; never what was found: that may be
 * secret, and the text goes into logs and to the other side.
 */
export function validate<S extends Schema>(
  schema: S,
  data: unknown,
): InferOutput<S> | Promise<InferOutput<S>> {
  const props = schema['~standard']
  let result: SchemaResult<unknown> | Promise<SchemaResult<unknown>>
  try {
    result = props.validate(data)
  } catch (thrown) {
    throw schemaFailed(thrown)
  }
  if (!isThenable(result)) return outputOf(result, props.vendor)
  return Promise.resolve(result).then(
    (settled) => outputOf(settled, props.vendor),
    (thrown: unknown) => {
      throw schemaFailed(thrown)
    },
  )
}

/** Libraries may have promises of their own. */
const isThenable = (result: unknown): result is Promise<SchemaResult<unknown>> =>
  typeof (result as { then?: unknown } | null | undefined)?.then === 'function'

function outputOf(result: SchemaResult<unknown> | null | undefined, vendor: string): unknown {
  if (typeof result !== 'object' || result === null) throw schemaFailed(undefined)
  if (result.issues === undefined) return result.value
  throw new SockError('BAD_MESSAGE', `not what the schema takes: ${shownIssues(result.issues, vendor)}`)
}

const schemaFailed = (cause: unknown): SockError =>
  new SockError('BAD_MESSAGE', 'the schema itself failed', { cause })

/** How many issues are told, and how long each may be, in characters. */
const SHOWN = 3
const ISSUE = 200

/** `room.lines[3]: expected string; e: invalid value; and 2 more` */
function shownIssues(issues: readonly SchemaIssue[], vendor: string): string {
  try {
    const shown = Array.from({ length: Math.min(SHOWN, issues.length) }, (_, i) =>
      shownIssue(issues[i]!, vendor),
    )
    const more = issues.length - shown.length
    return shown.join('; ') + (more > 0 ? `; and ${more} more` : '')
  } catch {
    return 'issues that cannot be printed'
  }
}

function shownIssue(issue: SchemaIssue, vendor: string): string {
  const path = shownPath(issue.path ?? [])
  return printable(`${path === '' ? 'the data' : path}: ${wanted(issue, vendor)}`, ISSUE)
}

/** `room.lines[3]`, whatever the library has for a step. */
export function shownPath(path: NonNullable<SchemaIssue['path']>): string {
  let text = ''
  for (const step of path) {
    const key: unknown = typeof step === 'object' ? step.key : step
    if (typeof key === 'number') text += `[${key}]`
    else if (typeof key === 'string')
      text += NAME.test(key) ? (text === '' ? key : `.${key}`) : `[${JSON.stringify(key)}]`
    // A symbol, or the key of a Map, which may be anything.
    else text += '[…]'
    if (text.length > ISSUE) break
  }
  return text
}

const NAME = /^[\p{L}_$][\p{L}\d_$]*$/u

/** Whose `expected` is made of the schema alone. All of them put the data into `message`, and so may any other. */
const PLAIN = ['zod', 'valibot', 'arktype', 'socktools']

/** What the schema wanted, as far as that can be told without what it got. */
function wanted(issue: SchemaIssue, vendor: string): string {
  if (!PLAIN.includes(vendor)) return 'not as expected'
  const { expected, code, type } = issue as { expected?: unknown; code?: unknown; type?: unknown }
  // arktype's `expected` of these is the messages of their branches.
  const compound = code === 'union' || code === 'intersection'
  if (typeof expected === 'string' && !compound) return `expected ${expected}`
  const kind = typeof code === 'string' ? code : type
  return typeof kind === 'string' ? kind.replaceAll('_', ' ') : 'not as expected'
}

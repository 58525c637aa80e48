import { fail } from '../errors.ts'
import { type Schema, isBytes, isSchema } from '../schema.ts'
import { type Structure, structureOf, structureText } from './canonical.ts'
import { type Declaration, type Kind, PRIORITIES } from './declare.ts'
import type { Ack, Delivery } from './delivery.ts'

/** What two peers can say to each other: plain data that both import. */
export interface Protocol {
  readonly [name: string]: Declaration
}

/** A type of a protocol, ready for use. */
export interface TypeInfo {
  readonly name: string
  readonly kind: Kind
  /** Its place among the names, sorted by their UTF-8 bytes: what stands for it on the wire. */
  readonly index: number
  /** 0 is `high`, 3 is `bulk`. */
  readonly priority: 0 | 1 | 2 | 3
  /** Milliseconds; of calls alone. */
  readonly deadline: number | undefined
  /** Of calls: to do it twice is as good as to do it once. */
  readonly idempotent: boolean
  /** Of messages; undefined: reliable. */
  readonly delivery: Exclude<Delivery, 'reliable'> | undefined
  /** Of messages: what a receipt waits for, where the sender does not say. */
  readonly ack: Ack | undefined
  readonly maxSize: number | undefined
  /** Of a message; of what is asked; of what the opener of a channel sends. */
  readonly input: Schema
  /** Of the answer, of each item, of what the serving side of a channel sends. */
  readonly output: Schema | undefined
  /** Whether these are sent past the codec. */
  readonly inputBytes: boolean
  readonly outputBytes: boolean
  /** Declared errors, with the schemas of their data. */
  readonly errors: ReadonlyMap<string, Schema | undefined>
  /** What is known of the form of its data. */
  readonly parts: Structure
  /** The same as canonical JSON; undefined where part of it is unknown. */
  readonly structure: string | undefined
}

export interface Contract {
  /** Sorted by the UTF-8 bytes of the names: `types[i].index` is i. */
  readonly types: readonly TypeInfo[]
  readonly byName: ReadonlyMap<string, TypeInfo>
}

const MAX_TYPES = 4096
const MAX_NAME = 255

/** Checks a protocol and makes it ready for use. Throws BAD_OPTION. */
export function compile(protocol: Protocol): Contract {
  if (typeof (protocol as unknown) !== 'object' || (protocol as unknown) === null || !isPlain(protocol)) {
    // `{ __proto__: msg(…) }` is no key but a prototype: the type would be missing without a word.
    fail('BAD_OPTION', 'a protocol is a plain object of msg(), call(), feed() and channel()')
  }
  const names = Object.keys(protocol).map((name) => ({ name, utf8: bytesOfName(name) }))
  if (names.length > MAX_TYPES) {
    fail('BAD_OPTION', `a protocol of ${names.length} types, and ${MAX_TYPES} is the most`)
  }
  names.sort((a, b) => compareBytes(a.utf8, b.utf8))
  const types = names.map(({ name }, index) => typeInfo(name, index, protocol[name]))
  return Object.freeze({
    types: Object.freeze(types),
    byName: new Map(types.map((type) => [type.name, type])),
  })
}

/** An object literal or the namespace of a module, of this realm or another. */
function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null
  return prototype === null || (Object.getPrototypeOf(prototype) === null && 'hasOwnProperty' in prototype)
}

const utf8 = new TextEncoder()

function bytesOfName(name: string): Uint8Array {
  const shown = JSON.stringify(name)
  if (!(name as string & { isWellFormed(): boolean }).isWellFormed()) {
    fail('BAD_OPTION', `the type name ${shown} has half a surrogate pair in it, which has no form in UTF-8`)
  }
  const encoded = utf8.encode(name)
  if (encoded.length >= 1 && encoded.length <= MAX_NAME) return encoded
  return fail(
    'BAD_OPTION',
    `a type name has 1 to ${MAX_NAME} bytes in UTF-8, and ${shown} has ${encoded.length}`,
  )
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return a.length - b.length
}

function typeInfo(name: string, index: number, declaration: Declaration | undefined): TypeInfo {
  const sides = sidesOf(declaration)
  if (declaration === undefined || sides === undefined) {
    return fail(
      'BAD_OPTION',
      `${JSON.stringify(name)} of the protocol is not what msg(), call(), feed() or channel() returned`,
    )
  }
  const { kind, priority, maxSize } = declaration
  const errors = new Map(kind === 'msg' ? [] : Object.entries(declaration.errors))
  const parts = structureOf({ ...sides, errors, version: declaration.version })
  return Object.freeze({
    name,
    kind,
    index,
    priority: PRIORITIES.indexOf(priority) as TypeInfo['priority'],
    deadline: kind === 'call' ? declaration.deadline : undefined,
    idempotent: kind === 'call' && declaration.idempotent,
    delivery: kind === 'msg' && declaration.delivery !== 'reliable' ? declaration.delivery : undefined,
    ack: kind === 'msg' ? declaration.ack : undefined,
    maxSize,
    ...sides,
    inputBytes: isBytes(sides.input),
    outputBytes: sides.output !== undefined && isBytes(sides.output),
    errors,
    parts,
    structure: structureText(parts),
  })
}

/** The schemas of what goes each way. Undefined for what is no declaration: callers in JavaScript may pass anything. */
function sidesOf(declaration: Declaration | undefined): Pick<TypeInfo, 'input' | 'output'> | undefined {
  const [input, output] = ((): readonly unknown[] => {
    switch (declaration?.kind) {
      case 'msg':
        return [declaration.schema, nothingToo]
      case 'call':
        return [declaration.input, declaration.output]
      case 'feed':
        return [declaration.input, declaration.item]
      case 'channel':
        return [declaration.incoming, declaration.outgoing]
      default:
        return []
    }
  })()
  if (!isSchema(input)) return undefined
  if (output === nothingToo) return { input, output: undefined }
  return isSchema(output) ? { input, output } : undefined
}

/** In the place of an output. */
const nothingToo = Symbol('a message has no answer')

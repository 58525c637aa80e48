/** How deep the data of a message may nest, the pair of type and data included: handlers may recurse over it. */
export const MAX_DEPTH = 64

/** What a codec cannot carry: `a Map`, and what to send in its place. */
interface Refusal {
  readonly what: string
  readonly instead?: string
}

/** The same, and where in the data it stands: `.rows[3].photo`. */
export interface Fault extends Refusal {
  readonly path: string
}

/** What a codec says of data. */
export interface Rules {
  /** How many arrays and objects may stand within each other. */
  readonly depth: number
  /**
   * How many arrays, objects, items and properties there may be, all together. A message that shares its parts has few,
   * and they are written many times over: this is what ends the walk before that is tried.
   */
  readonly most: number
  /** What has more: `more than … holds`. */
  readonly tooMuch: string
  /**
   * Judges what is neither a primitive that every codec takes, nor an array or a plain object: it is `fine`, to be
   * judged by its properties (`inside`), or refused.
   */
  judge(value: bigint | object): 'fine' | 'inside' | Refusal
}

/**
 * The first thing in `data` that would be lost or altered on its way: functions, symbols, what the rules refuse,
 * and nesting that is too deep, which is also how a circle ends.
 */
export function faultIn(data: unknown, rules: Rules): Fault | undefined {
  const walk: Walk = { rules, left: rules.most }
  const fault = inValue(data, walk, rules.depth)
  return walk.left < 0 ? { what: rules.tooMuch, path: '' } : fault
}

interface Walk {
  readonly rules: Rules
  /** Of what `most` counts. Below 0 the walk is over. */
  left: number
}

function inValue(data: unknown, walk: Walk, depth: number): Fault | undefined {
  const { rules } = walk
  switch (typeof data) {
    case 'object':
      return data === null ? undefined : inObject(data, walk, depth)
    case 'function':
    case 'symbol':
      return { what: `a ${typeof data}`, path: '' }
    case 'bigint':
      return faultOf(rules.judge(data))
    default:
      return undefined
  }
}

/** `answer`: what toJSON said, which is not asked again. */
function inObject(value: object, walk: Walk, depth: number, answer = false): Fault | undefined {
  const { rules } = walk
  const array = Array.isArray(value)
  const plain = array || isPlain(value)
  if (!plain) {
    const verdict = rules.judge(value)
    if (verdict !== 'inside') return faultOf(verdict)
  }
  if (!answer) {
    const { toJSON } = value as { toJSON?: unknown }
    if (typeof toJSON === 'function') {
      const said: unknown = toJSON.call(value, '')
      const isObject = typeof said === 'object' && said !== null
      return isObject ? inObject(said, walk, depth, true) : inValue(said, walk, depth)
    }
  }
  if (!plain) {
    if (isBoxed(value)) return undefined
    const refusal = hollow(value)
    if (refusal !== undefined) return faultOf(refusal)
  }
  if (depth === 0) return { what: `what nests deeper than ${rules.depth}, or in a circle,`, path: '' }
  walk.left -= array ? 1 + value.length : 1
  if (walk.left < 0) return faultOf({ what: rules.tooMuch })
  return array ? inArray(value, walk, depth - 1) : inProperties(value as Properties, walk, depth - 1, plain)
}

function inArray(items: readonly unknown[], walk: Walk, depth: number): Fault | undefined {
  for (let i = 0; i < items.length; i++) {
    const item = items[i]
    if (typeof item === 'number' || typeof item === 'string') continue
    const fault = inValue(item, walk, depth)
    if (fault !== undefined) return { ...fault, path: `[${i}]${fault.path}` }
  }
  return undefined
}

type Properties = Readonly<Record<string, unknown>>

function inProperties(value: Properties, walk: Walk, depth: number, plain: boolean): Fault | undefined {
  // The fastest way through an object. It also shows what is inherited; that is looked at if it would matter.
  for (const key in value) {
    const item = value[key]
    if (item !== undefined && (plain || Object.hasOwn(value, key))) walk.left--
    if (typeof item === 'number' || typeof item === 'string') continue
    const fault = inValue(item, walk, depth)
    if (fault !== undefined && Object.hasOwn(value, key)) {
      return { ...fault, path: stepOf(key) + fault.path }
    }
  }
  return undefined
}

const NAME = /^[\p{L}_$][\p{L}\d_$]*$/u

/** One step of a path: the property of this name. */
export const stepOf = (key: string): string => (NAME.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`)

export function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

const faultOf = (verdict: ReturnType<Rules['judge']>): Fault | undefined =>
  typeof verdict === 'string' ? undefined : { ...verdict, path: '' }

/** Whether it is memory rather than something in it. */
export const isBytes = (value: unknown): boolean => ArrayBuffer.isView(value) || value instanceof ArrayBuffer

/** What only JSON.stringify takes for its parts. `value` is of a class. */
export const refusedOfClass = (value: object): Refusal | undefined => (isBoxed(value) ? BOXED : hollow(value))

/** What every codec here would write without what it is about, and without a word. `value` is of a class. */
function hollow(value: object): Refusal | undefined {
  if (value instanceof Map) return { what: 'a Map', instead: 'send Object.fromEntries(map) or [...map]' }
  if (value instanceof Set) return { what: 'a Set', instead: 'send [...set]' }
  if (value instanceof Promise) return { what: 'a promise', instead: 'await it first' }
  if (value instanceof Error) return { what: 'an Error', instead: 'send its message' }
  if (value instanceof RegExp) return { what: 'a RegExp', instead: 'send its source' }
  // All others that keep what they hold where only their methods see it.
  for (const key in value) if (Object.hasOwn(value, key)) return undefined
  // `{}` of another realm is plain, too: what it inherits from inherits from nothing.
  const root = Object.getPrototypeOf(Object.getPrototypeOf(value)) === null
  return root ? undefined : { what: nameOf(value), instead: 'send its parts' }
}

function nameOf(value: object): string {
  const { constructor } = value as { constructor?: unknown }
  const name = typeof constructor === 'function' ? constructor.name : ''
  return `an object${name === '' ? '' : ` of class ${name}`} without properties of its own`
}

const BOXED: Refusal = { what: 'a boxed primitive', instead: 'send its valueOf()' }

const isBoxed = (value: object): boolean =>
  value instanceof String || value instanceof Number || value instanceof Boolean || value instanceof BigInt

/** The text for CANNOT_ENCODE. */
export function cannotSend(codec: string, { what, path, instead }: Fault): string {
  const at = path === '' ? '' : ` at data${path.length > 200 ? `${path.slice(0, 200)}…` : path}`
  return `${codec}() cannot send ${what}${at}${instead === undefined ? '' : `: ${instead}`}`
}

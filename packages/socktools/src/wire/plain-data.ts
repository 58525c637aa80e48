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
  /** Whether `toJSON` is asked, and its answer written; else it is a function like any other. */
  readonly asksToJSON: boolean
  /** Whether text, that of keys too, must have a form in UTF-8: half a surrogate pair has none. */
  readonly wellFormed: boolean
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
export function faultIn(data: unknown, rules: Rules, depth = rules.depth): Fault | undefined {
  switch (typeof data) {
    case 'object':
      return data === null ? undefined : inObject(data, rules, depth)
    case 'function':
    case 'symbol':
      return { what: `a ${typeof data}`, path: '' }
    case 'bigint':
      return faultOf(rules.judge(data))
    case 'string':
      return isText(data, rules) ? undefined : { what: HALF, path: '' }
    default:
      return undefined
  }
}

/** `answer`: what toJSON said, which is not asked again. */
function inObject(value: object, rules: Rules, depth: number, answer = false): Fault | undefined {
  const array = Array.isArray(value)
  if (!array && !isPlain(value)) {
    const verdict = rules.judge(value)
    if (verdict !== 'inside') return faultOf(verdict)
  }
  if (rules.asksToJSON && !answer) {
    const { toJSON } = value as { toJSON?: unknown }
    if (typeof toJSON === 'function') {
      const said: unknown = toJSON.call(value, '')
      const isObject = typeof said === 'object' && said !== null
      return isObject ? inObject(said, rules, depth, true) : faultIn(said, rules, depth)
    }
  }
  if (depth === 0) return { what: `what nests deeper than ${rules.depth}, or in a circle,`, path: '' }
  return array ? inArray(value, rules, depth - 1) : inProperties(value as Properties, rules, depth - 1)
}

function inArray(items: readonly unknown[], rules: Rules, depth: number): Fault | undefined {
  for (let i = 0; i < items.length; i++) {
    const item = items[i]
    if (typeof item === 'number' || (typeof item === 'string' && isText(item, rules))) continue
    const fault = faultIn(item, rules, depth)
    if (fault !== undefined) return { ...fault, path: `[${i}]${fault.path}` }
  }
  return undefined
}

type Properties = Readonly<Record<string, unknown>>

function inProperties(value: Properties, rules: Rules, depth: number): Fault | undefined {
  // The fastest way through an object. It also shows what is inherited; that is looked at if it would matter.
  for (const key in value) {
    const item = value[key]
    if (!isText(key, rules)) return { what: `${HALF} in a key`, path: '' }
    if (typeof item === 'number' || (typeof item === 'string' && isText(item, rules))) continue
    const fault = faultIn(item, rules, depth)
    if (fault !== undefined && Object.hasOwn(value, key)) {
      const step = NAME.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
      return { ...fault, path: step + fault.path }
    }
  }
  return undefined
}

const HALF = 'half a surrogate pair'

/** Costs next to nothing: an engine knows which texts have no such characters at all. */
const isText = (text: string, { wellFormed }: Rules): boolean =>
  !wellFormed || (text as string & { isWellFormed(): boolean }).isWellFormed()

const NAME = /^[\p{L}_$][\p{L}\d_$]*$/u

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

const faultOf = (verdict: ReturnType<Rules['judge']>): Fault | undefined =>
  typeof verdict === 'string' ? undefined : { ...verdict, path: '' }

/** Whether it is memory rather than something in it. */
export const isBytes = (value: unknown): boolean => ArrayBuffer.isView(value) || value instanceof ArrayBuffer

/** What every codec here would write as an empty object, its contents lost without a word. */
export function hollow(value: object): Refusal | undefined {
  if (value instanceof Map) return { what: 'a Map', instead: 'send Object.fromEntries(map) or [...map]' }
  if (value instanceof Set) return { what: 'a Set', instead: 'send [...set]' }
  if (value instanceof Promise) return { what: 'a promise', instead: 'await it first' }
  return undefined
}

/** The text for CANNOT_ENCODE. */
export function cannotSend(codec: string, { what, path, instead }: Fault): string {
  const at = path === '' ? '' : ` at data${path.length > 200 ? `${path.slice(0, 200)}…` : path}`
  return `${codec}() cannot send ${what}${at}${instead === undefined ? '' : `: ${instead}`}`
}

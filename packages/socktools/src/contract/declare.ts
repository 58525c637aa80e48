/**
 * What a protocol is made of: `msg`, `call`, `feed` and `channel`, each a frozen plain object that both sides import.
 * Wrong uses are BAD_OPTION here, where they are written, rather than later, at the other end of a wire.
 */
import { errorCodes, fail, needKnown } from '../errors.ts'
import { type InferInput, type Schema, isSchema } from '../schema.ts'
import { type Ack, ACKS, type Delivery, needDelivery } from './delivery.ts'

/** In which order messages leave when more waits than the wire takes: `high` first, `bulk` last. */
export type Priority = (typeof PRIORITIES)[number]
export const PRIORITIES = ['high', 'normal', 'low', 'bulk'] as const

interface CommonOptions {
  /** Default `normal`. */
  readonly priority?: Priority
  /** Bytes that one encoded message of this type may have, in either direction. Default: what the sock allows. */
  readonly maxSize?: number
  /**
   * Change it when the data change, and `compat` and the fingerprint see that. For schemas that cannot tell their
   * structure (valibot's, dates, bigints): without it, nobody can tell whether two peers mean the same.
   */
  readonly version?: string | number
}

export interface MsgOptions<T = never> extends CommonOptions {
  /** What becomes of one that cannot leave at once. Default `reliable`. */
  readonly delivery?: Delivery<T>
  /**
   * What the outcome of a receipt waits for, where the sender does not say. It is the sender's affair, as delivery is.
   * Default: `received` of what is sent to a peer, `processed` of what is posted.
   */
  readonly ack?: Ack
}

/**
 * Errors that are part of the protocol: their codes, capital letters, digits and `_`, each with the schema of the
 * data that it comes with, or undefined where it comes without.
 */
export interface Errors {
  readonly [code: string]: Schema | undefined
}

/** No declared errors. */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type -- no key at all is what it is to have
export type NoErrors = {}

export interface FeedOptions<E extends Errors = Errors> extends CommonOptions {
  readonly errors?: E
}

export interface CallOptions<E extends Errors = Errors> extends FeedOptions<E> {
  /** Milliseconds that a caller waits if it names no time itself. Default: what the sock has. */
  readonly deadline?: number
  /**
   * To do it twice is as good as to do it once. Then a call whose answer was lost with its connection rejects with
   * ASK_AGAIN in the place of OUTCOME_UNKNOWN. Default false.
   */
  readonly idempotent?: boolean
}

interface Common {
  readonly priority: Priority
  readonly maxSize: number | undefined
  readonly version: string | number | undefined
}

/** One message, one way. */
export interface Msg<S extends Schema = Schema> extends Common {
  readonly kind: 'msg'
  readonly schema: S
  readonly delivery: Delivery
  readonly ack: Ack | undefined
}

/** A question and its answer. */
export interface Call<I extends Schema = Schema, O extends Schema = Schema, E extends Errors = Errors>
  extends Common {
  readonly kind: 'call'
  readonly input: I
  readonly output: O
  readonly errors: E
  readonly deadline: number | undefined
  readonly idempotent: boolean
}

/** A question and any number of answers, one after another. */
export interface Feed<I extends Schema = Schema, T extends Schema = Schema, E extends Errors = Errors>
  extends Common {
  readonly kind: 'feed'
  readonly input: I
  readonly item: T
  readonly errors: E
}

/** Any number of items each way. */
export interface Channel<In extends Schema = Schema, Out extends Schema = Schema, E extends Errors = Errors>
  extends Common {
  readonly kind: 'channel'
  /** What the opener sends. */
  readonly incoming: In
  /** What the serving side sends. */
  readonly outgoing: Out
  readonly errors: E
}

export type Declaration = Msg | Call | Feed | Channel
export type Kind = Declaration['kind']

const COMMON_OPTIONS = ['priority', 'maxSize', 'version']
const MSG_OPTIONS = [...COMMON_OPTIONS, 'delivery', 'ack']
const FEED_OPTIONS = [...COMMON_OPTIONS, 'errors']
const CALL_OPTIONS = [...FEED_OPTIONS, 'deadline', 'idempotent']

/** A message: `msg(Line)`. */
export function msg<S extends Schema>(schema: S, options: MsgOptions<InferInput<S>> = {}): Msg<S> {
  needSchema(schema, 'msg(schema)')
  const shared = common(options, MSG_OPTIONS, 'msg()')
  const { delivery = 'reliable', ack } = options
  needDelivery(delivery, 'msg()')
  if (ack !== undefined && !ACKS.includes(ack))
    fail('BAD_OPTION', `msg({ ack }) is one of ${ACKS.join(', ')}`)
  return Object.freeze({ kind: 'msg', schema, delivery, ack, ...shared })
}

/** A question and its answer: `call(Room, z.array(Line))`. `nothing()` stands for either where there is no data. */
export function call<I extends Schema, O extends Schema, const E extends Errors = NoErrors>(
  input: I,
  output: O,
  options: CallOptions<E> = {},
): Call<I, O, E> {
  needSchema(input, 'call(input, …)')
  needSchema(output, 'call(…, output)')
  const shared = common(options, CALL_OPTIONS, 'call()')
  const { deadline, idempotent = false } = options
  needPositive(deadline, 'call({ deadline })', 'milliseconds', 2 ** 32 - 1)
  if (typeof (idempotent as unknown) !== 'boolean')
    fail('BAD_OPTION', 'call({ idempotent }) is true or false')
  return Object.freeze({
    kind: 'call',
    input,
    output,
    errors: errorsOf(options, 'call()'),
    deadline,
    idempotent,
    ...shared,
  })
}

/** A question and a sequence of answers: `feed(Room, Line)`. */
export function feed<I extends Schema, T extends Schema, const E extends Errors = NoErrors>(
  input: I,
  item: T,
  options: FeedOptions<E> = {},
): Feed<I, T, E> {
  needSchema(input, 'feed(input, …)')
  needSchema(item, 'feed(…, item)')
  const shared = common(options, FEED_OPTIONS, 'feed()')
  return Object.freeze({ kind: 'feed', input, item, errors: errorsOf(options, 'feed()'), ...shared })
}

/** Items both ways: `channel(incoming, outgoing)`, as the serving side sees them. Who opens it sends `incoming`. */
export function channel<In extends Schema, Out extends Schema, const E extends Errors = NoErrors>(
  incoming: In,
  outgoing: Out,
  options: FeedOptions<E> = {},
): Channel<In, Out, E> {
  needSchema(incoming, 'channel(incoming, …)')
  needSchema(outgoing, 'channel(…, outgoing)')
  const shared = common(options, FEED_OPTIONS, 'channel()')
  return Object.freeze({
    kind: 'channel',
    incoming,
    outgoing,
    errors: errorsOf(options, 'channel()'),
    ...shared,
  })
}

function needSchema(schema: unknown, what: string): void {
  if (isSchema(schema)) return
  fail(
    'BAD_OPTION',
    `${what} takes a schema of a Standard Schema library (zod 4, valibot 1, arktype 2 …), bytes() or nothing()`,
  )
}

function common(options: CommonOptions, known: readonly string[], what: string): Common {
  if (typeof (options as unknown) !== 'object' || (options as unknown) === null || isSchema(options)) {
    fail('BAD_OPTION', `${what} takes an object of options last`)
  }
  needKnown(options, known, what)
  const { priority = 'normal', maxSize, version } = options
  if (!PRIORITIES.includes(priority)) {
    fail('BAD_OPTION', `${what} takes as priority one of ${PRIORITIES.join(', ')}`)
  }
  needPositive(maxSize, `${what} { maxSize }`, 'bytes', 2 ** 32 - 1)
  const isVersion =
    version === undefined || Number.isFinite(version) || (typeof version === 'string' && version !== '')
  if (!isVersion) fail('BAD_OPTION', `${what} takes as version a text or a number`)
  return { priority, maxSize, version }
}

function needPositive(value: unknown, what: string, unit: string, most: number): void {
  if (value === undefined || (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= most))
    return
  fail('BAD_OPTION', `${what} takes a whole number of ${unit} from 1 to ${most}`)
}

/** How a code is written; its length is a byte on the wire. */
const CODE = /^[A-Z][A-Z0-9_]{0,254}$/

function errorsOf<E extends Errors>({ errors }: FeedOptions<E>, what: string): E {
  const given: unknown = errors === undefined ? {} : errors
  if (typeof given !== 'object' || given === null || isSchema(given)) {
    fail('BAD_OPTION', `${what} takes as errors an object: { NOT_FOUND: undefined, FULL: schema }`)
  }
  for (const [code, schema] of Object.entries(given as Errors)) {
    const shown = JSON.stringify(code)
    if (!CODE.test(code)) {
      fail(
        'BAD_OPTION',
        `${what} declares the error ${shown}: write it like NOT_FOUND, 255 characters at most`,
      )
    }
    if ((errorCodes as readonly string[]).includes(code)) {
      fail(
        'BAD_OPTION',
        `${what} declares the error ${shown}, which is one of socktools itself: rename yours`,
      )
    }
    if (schema !== undefined && !isSchema(schema)) {
      fail('BAD_OPTION', `${what} gives the error ${shown} what is no schema: undefined stands for no data`)
    }
  }
  return Object.freeze({ ...given }) as E
}

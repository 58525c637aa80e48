/*
 * `socktools call`, `watch` and `send`: one question to one peer under wire v1.
 *
 *   contract (of --protocol, or of the name alone) ──▶ dial ──▶ ask ──▶ JSON lines on stdout ──▶ end in good order
 *
 * A peer of whose contract nothing is known tells its own types in the handshake: a name that it lacks is an error that
 * lists them.
 */
import { text as textOf } from 'node:stream/consumers'
import { type Codec, type Kind, type Peer, PipeSock, type Protocol } from 'socktools'
import { TYPED_FIX, isUsage } from '../errors.ts'
import { EXIT, type ExitCode } from '../exit.ts'
import { firstInterrupt } from '../interrupt.ts'
import { loadProtocol } from '../load.ts'
import { Reporter } from '../reporter.ts'
import { type Secured, securityOf } from '../secured.ts'
import { Stdout } from '../stdout.ts'
import { PARTS } from '../transports.ts'
import { type Typed, checkType, guessed, known, valueLine } from '../values.ts'

export interface AskOptions extends Secured {
  /** A module. Without it any answer is taken. */
  readonly protocol?: string
  readonly header?: Readonly<Record<string, string>>
  readonly json?: boolean
  /** Seconds, of calls; 0: for ever. */
  readonly timeout?: number
  /** Of feeds: how many items. */
  readonly count?: number
  /** Bytes go to stdout as they are. */
  readonly raw?: boolean
}

/** One question on its way. */
interface Asking {
  readonly type: string
  readonly data: unknown
  readonly options: AskOptions
  readonly stdout: Stdout
  /** Aborted by SIGINT or SIGTERM. */
  readonly signal: AbortSignal
}

/** How long the far side has to end what failed here, in milliseconds. */
const GIVEN_UP = 500

/** How long the far side has to show that it speaks wire v1, in milliseconds: less than it has to answer the dial at all. */
const GREETED = 5000

type Remote = Peer<Codec<unknown>, Protocol>
type Ask = (peer: Remote, asking: Asking) => Promise<void>

/** Prints the answer. */
const call: Ask = async (peer, { type, data, options, stdout, signal }) => {
  const { header, timeout } = options
  const answer: unknown = await peer.request(type, data, {
    signal,
    ...(header === undefined ? {} : { headers: header }),
    ...(timeout === undefined ? {} : { timeout: timeout * 1000 }),
  })
  await print(answer, stdout, options)
}

/** Prints each item; a full stdout holds the far side back. Leaving the loop, or a signal, ends the feed over there. */
const watch: Ask = async (peer, { type, data, options, stdout, signal }) => {
  const { header, count = Infinity } = options
  let left = count
  if (left === 0) return
  const headers = header === undefined ? {} : { headers: header }
  try {
    for await (const item of peer.stream(type, data, { signal, ...headers }) as AsyncIterable<unknown>) {
      await print(item, stdout, options)
      if (--left === 0) return
    }
  } catch (error) {
    // Whoever interrupts it has seen enough: that is an end like any other.
    if (!signal.aborted) throw error
  }
}

const send: Ask = (peer, { type, data, options: { header } }) =>
  peer.sendMsg(type, data, header === undefined ? {} : { headers: header })

const ASKS: Record<Exclude<Kind, 'channel'>, Ask> = { call, feed: watch, msg: send }

/** What is asked, and of whom. `text`: the data as JSON; `-`: they are on stdin. */
export interface Question {
  readonly kind: keyof typeof ASKS
  readonly address: string
  readonly type: string
  readonly text: string | undefined
}

export async function runAsk(question: Question, options: AskOptions): Promise<ExitCode> {
  const reporter = new Reporter({ json: options.json ?? false }, TYPED_FIX)
  try {
    const typed = await typedOf(question, options)
    return await ask(question, typed, options)
  } catch (error) {
    reporter.error(error)
    return isUsage(error) ? EXIT.usage : EXIT.failed
  }
}

async function typedOf({ kind, type, text }: Question, options: AskOptions): Promise<Typed> {
  const { protocol: file, raw = false } = options
  const protocol = file === undefined ? undefined : await loadProtocol(file)
  // Before stdin is read: what is wrong already is told at once.
  if (protocol !== undefined) checkType(protocol, type, kind)
  const data = text === '-' ? await textOf(process.stdin) : text
  return protocol === undefined ? guessed(kind, type, data, raw) : known(protocol, type, data, raw)
}

async function ask(
  { kind, address, type }: Question,
  { protocol, codec, data }: Typed,
  options: AskOptions,
): Promise<ExitCode> {
  const sock = new PipeSock<Codec<unknown>, Protocol>(
    { protocol, codec, handshakeTimeout: GREETED, ...(await securityOf(options)) },
    PARTS,
  )
  // At once, as after a second signal or where nobody reads our stdout any more: the far side is told all the same.
  process.once('exit', () => void sock.close())
  const interrupted = new AbortController()
  void firstInterrupt().then((name) => {
    interrupted.abort(new Error(name))
  })
  const { signal } = interrupted
  const { timeout = 0 } = options
  try {
    const peer = await sock.connectTo(address, {
      signal,
      ...(timeout > 0 ? { timeout: timeout * 1000 } : {}),
    })
    await ASKS[kind](peer, { type, data, options, stdout: new Stdout(), signal })
  } catch (error) {
    // A call that was given up may never be answered.
    await sock.drain({ timeout: GIVEN_UP })
    throw error
  }
  const { unsent } = await sock.drain()
  if (unsent > 0) throw new Error(`${address} ended before it took the message`)
  return EXIT.ok
}

/** The promise is there while stdout is full. */
const print = (value: unknown, stdout: Stdout, { raw }: AskOptions): Promise<void> | undefined =>
  raw === true && value instanceof Uint8Array ? stdout.bytes(value) : stdout.line(valueLine(value))

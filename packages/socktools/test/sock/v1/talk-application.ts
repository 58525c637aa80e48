/** An application over one sock, told what to do step by step: for the conversations of spec/vectors/v1.json. */
import {
  CallError,
  bytes,
  call,
  channel,
  feed,
  json,
  msg,
  type Peer,
  type PipeSock,
  RemoteError,
} from '../../../src/index.ts'
import { encodePrefix, prefixFlags } from '../../../src/wire/v1/bodies.ts'
import { signal as signalOf, type Signal } from '../../support/events.ts'
import { toHex } from '../../wire/bytes.ts'
import type { World } from '../../support/world.ts'

/** Bytes: so that a case may have what it likes in a body. */
export const protocol = {
  add: call(bytes(), bytes()),
  chat: channel(bytes(), bytes()),
  count: feed(bytes(), bytes()),
  say: msg(bytes()),
}
type Tested = PipeSock<ReturnType<typeof json>, typeof protocol>

/** Kind, lane, type by name (empty: it has none), body as hex; undefined: the application is not told. */
export type Heard = readonly [kind: string, lane: number, type: string, body: string | undefined]

type Command = { readonly item: Uint8Array } | 'end' | 'fail'

export class Application {
  readonly heard: Heard[] = []
  readonly sock: Tested
  peer: Peer<ReturnType<typeof json>, typeof protocol> | undefined
  /** What the sock said of the end: codes of the events `gone` and `refused`. */
  readonly ends: (string | undefined)[] = []
  /** Kind and lane of the frame that is delivered now: what the application hears now is its doing. */
  now = { kind: '', lane: 0 }
  /** Set: what the handlers of events wait for. */
  stuck: Signal | undefined
  /** Of feeds that it opened only what comes first is read. */
  lazy = false
  readonly #calls = new Map<number, Signal<Uint8Array>>()
  readonly #served = new Map<number, (command: Command) => void>()
  readonly #opened = new Map<
    number,
    { send?: (item: Uint8Array) => Promise<void>; end?: () => Promise<void>; giveUp(): void }
  >()
  readonly #givenUp = new Set<number>()

  constructor(world: World, options: { readonly bind?: string; readonly maxMessage: number }) {
    this.sock = world.sock({
      ...options,
      codec: json(),
      protocol,
      readMark: 65_536,
      streamWindow: 65_536,
      maxCalls: 2,
      maxStreams: 2,
      heartbeat: 0,
      timeout: 0,
      handlers: {
        add: (data, { headers, timeLeft, signal }) => {
          const { lane } = this.now
          this.#hear('REQUEST', 'add', prefixed(data, timeLeft, headers))
          this.#cancelled(signal)
          const answer = signalOf<Uint8Array>()
          this.#calls.set(lane, answer)
          return answer.promise
        },
        chat: async (opened, { signal }) => {
          const { lane } = this.now
          this.#hear('OPEN', 'chat', undefined)
          this.#cancelled(signal)
          const over = signalOf()
          signal.addEventListener('abort', () => over.give())
          this.#served.set(lane, (command) => {
            if (command === 'end') void opened.end()
            else if (command === 'fail') over.give()
            else void opened.send(command.item)
          })
          await Promise.race([this.#read(lane, opened), over.promise])
          await over.promise
        },
        count: (data, { headers, signal }) => {
          const { lane } = this.now
          this.#hear('OPEN', 'count', prefixed(data, undefined, headers))
          this.#cancelled(signal)
          const commands: Command[] = []
          let wake = signalOf()
          this.#served.set(lane, (command) => {
            commands.push(command)
            wake.give()
          })
          return (async function* () {
            for (;;) {
              const command = commands.shift()
              if (command === 'end') return
              if (command === 'fail') throw new CallError('FAILED', undefined, '')
              if (command !== undefined) yield command.item
              else {
                wake = signalOf()
                await wake.promise
              }
            }
          })()
        },
        say: (data, { headers }) => {
          this.#hear('EVENT', 'say', prefixed(data, undefined, headers))
          return this.stuck?.promise
        },
      },
    })
    this.sock.on('peer', ({ peer }) => {
      this.peer = peer
    })
    this.sock.on('unhandled', ({ type, data }) => this.#hear('EVENT', String(type), data as Uint8Array))
    this.sock.on('gone', ({ error }) => this.ends.push(error?.code))
    this.sock.on('refused', ({ error }) => this.ends.push(error.code))
  }

  #hear(kind: string, type: string, body: Uint8Array | undefined): void {
    this.heard.push([kind, this.now.lane, type, body && toHex(body)])
  }

  #cancelled(signal: AbortSignal): void {
    signal.addEventListener('abort', () => {
      if (this.now.kind === 'CANCEL') this.#hear('CANCEL', '', new Uint8Array(0))
    })
  }

  async #read(lane: number, items: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      for await (const item of items) {
        this.#hear('ITEM', '', item)
        if (this.lazy) {
          await new Promise(() => undefined)
          return
        }
      }
      if (this.now.kind === 'END') this.#hear('END', '', new Uint8Array(0))
    } catch (error) {
      if (!this.#givenUp.has(lane)) this.#failed(error)
    }
  }

  /** ERROR and RESET: code and text are what the application is told. */
  #failed(error: unknown): void {
    if (!(error instanceof RemoteError)) return
    const { code, text } = error.remote
    this.heard.push([this.now.kind, this.now.lane, '', `${code} ${text}`])
  }

  // What it does

  /** Does what makes its side send such a frame. False: that cannot be brought about from here. */
  act(kind: string, lane: number, type: number, body: Uint8Array): boolean {
    const { peer } = this
    if (peer === undefined) return false
    const served = this.#served.get(lane)
    const opened = this.#opened.get(lane)
    switch (kind) {
      case 'EVENT':
        void peer.sendMsg('say', body)
        return true
      case 'REQUEST':
        this.#request(peer, lane, body)
        return true
      case 'OPEN':
        this.#open(peer, lane, type, body)
        return true
      case 'REPLY':
      case 'ERROR':
        this.#calls.get(lane)?.give(body)
        return true
      case 'CANCEL':
        opened?.giveUp()
        return opened !== undefined
      case 'ITEM':
        served?.({ item: body })
        return served !== undefined
      case 'END':
        served?.('end')
        return served !== undefined
      case 'RESET':
        served?.('fail')
        return served !== undefined
      default:
        return kind === 'CREDIT'
    }
  }

  #request(peer: NonNullable<Application['peer']>, lane: number, body: Uint8Array): void {
    const aborter = new AbortController()
    this.#opened.set(lane, {
      giveUp: () => {
        this.#givenUp.add(lane)
        aborter.abort()
      },
    })
    peer.request('add', body, { timeout: 0, signal: aborter.signal }).then(
      (reply) => {
        this.#hear('REPLY', '', reply)
      },
      (error: unknown) => {
        this.#failed(error)
      },
    )
  }

  #open(peer: NonNullable<Application['peer']>, lane: number, type: number, body: Uint8Array): void {
    if (type === 1) {
      void this.#read(lane, peer.channel('chat'))
      return
    }
    const items = peer.stream('count', body)
    this.#opened.set(lane, {
      giveUp: () => {
        this.#givenUp.add(lane)
        void items.return?.()
      },
    })
    void this.#read(lane, items)
  }

  /** Whether it gave up what is on this lane: then it is told nothing of it any more. */
  gaveUp(lane: number): boolean {
    return this.#givenUp.has(lane)
  }
}

/** As it stands in a body: what was told apart put together again. */
function prefixed(
  data: Uint8Array,
  deadline: number | undefined,
  headers: Readonly<Record<string, string>>,
): Uint8Array {
  const given = Object.keys(headers).length > 0 ? { ...headers } : undefined
  if (prefixFlags(deadline, given) === 0) return data
  return Uint8Array.from(Buffer.concat([encodePrefix(deadline, given), data]))
}

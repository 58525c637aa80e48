/**
 * A talk as a class of its own: all that a subclass of TcpSock can override. Whatever it does could be options
 * as well; a class keeps it in one place, and gives both sides the same.
 *
 *   npx tsx examples/subclass.ts      a hub and two who talk by way of it, on this machine
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import {
  type Candidate,
  type Codec,
  json,
  type Message,
  type Middleware,
  TcpSock,
  type TcpSockOptions,
} from 'socktools'

interface Line {
  readonly from: string
  readonly text: string
}
type Lines = Codec<Line, Line>
type Around = Parameters<Middleware<Lines>>

class Talk extends TcpSock<Lines> {
  readonly #name: string
  #told = 0

  constructor(name: string, options: TcpSockOptions<Lines> = {}) {
    super({ codec: json<Line>(), ...options })
    this.#name = name
  }

  /** Before the first bind or dial: the handlers that everyone in a talk has. */
  protected override setUp(): void {
    this.addHandler('say', (line, { peer }) => {
      console.log(`${this.#name} hears ${line.from}: ${line.text}`)
      return this.sendMsg('say', line, { except: peer })
    })
  }

  /** Text shrinks well. */
  protected override serialise(type: string | number, data: Line): Uint8Array {
    return deflateRawSync(super.serialise(type, data))
  }

  /** And a small payload must not grow without end. */
  protected override parse(payload: Uint8Array): Message<Line> {
    return super.parse(inflateRawSync(payload, { maxOutputLength: 64 * 1024 }))
  }

  /** Nobody's control characters reach the terminals of the others; what is no line at all goes no further. */
  protected override handleAll(...[message, { peer }, next]: Around): unknown {
    const { from, text } = message.data as Partial<Line>
    if (typeof from !== 'string' || typeof text !== 'string') return peer.close()
    message.data = { from: from.replace(/\p{C}/gu, '?'), text: text.replace(/\p{C}/gu, '?') }
    return next()
  }

  /** A talk is for ten, and for whom the option of this name lets in. */
  protected override goodPeer(who: Candidate) {
    return this.knownPeers.length < 10 && super.goodPeer(who)
  }

  /** Whoever has a hub in it hears how many are there, once it has changed. */
  protected override tick(): void {
    const here = this.knownPeers.length
    if (this.address === undefined || here === this.#told) return
    this.#told = here
    void this.sendMsg('say', { from: this.#name, text: `${here} are here` })
  }
}

const hub = new Talk('hub', { bind: 'tcp://127.0.0.1:0', tickInterval: 50 })
const address = await hub.startServer()
const [ann, bob] = [new Talk('ann'), new Talk('bob')]
await ann.connectTo(address)
await bob.connectTo(address)

// Bob has heard how many are here before he hears what Ann says.
for await (const [line] of bob.messages('say')) {
  if (line.text === '2 are here') await ann.sendMsg('say', { from: 'ann', text: 'hello,\tall of you' })
  if (line.from === 'ann') break
}
await Promise.all([ann.drain(), bob.drain(), hub.drain()])

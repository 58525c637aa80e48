import type { Endpoint, Pipe, PipeSink } from '../net/pipe.ts'
import type { PipeNetwork, SimHost } from './sim-network.ts'
import { EVENTS } from './trace.ts'

type Item = Uint8Array | 'end' | 'reset'

/** Bytes under way in one direction, or arrived and unread, before the writer is told to wait. */
const CAPACITY = 64 * 1024
/** The most that is read at once. */
const READ = 64 * 1024
/** The most pieces that one chunk is split into, whatever a fault asks for. */
const MOST_PIECES = 64

/**
 * One end of a simulated TCP connection. It belongs to a process (`host`): when that is gone, no sink is called any
 * more, and no method does anything.
 */
export class SimPipe implements Pipe {
  readonly remote: Endpoint
  readonly host: SimHost
  readonly #net: PipeNetwork
  #far: SimPipe | undefined
  #sink: PipeSink | undefined
  /** What we wrote that is under way, each with the time of its arrival. */
  readonly #wire: { readonly item: Item; at: number }[] = []
  #lastAt = 0
  #held = false
  /** Bytes that we wrote and the far side has not read. */
  #outstanding = 0
  #writerWaits = false
  /** What has arrived and is not read. */
  #unread: (Uint8Array | 'end')[] = []
  #paused = true
  #reading = false
  /** We have finished sending; the far side has, and our sink was told. */
  #ended = false
  #farEnded = false
  #closed = false
  #closeDue: { readonly error: Error | undefined } | undefined
  /** Our machine lost its power: what did not get through is never sent again. */
  #powerless = false
  /** A machine on the way has forgotten this connection: it swallows what is written, or answers by a reset. */
  #forgotten: 'swallows' | 'resets' | undefined

  constructor(net: PipeNetwork, host: SimHost, remote: Endpoint) {
    this.#net = net
    this.host = host
    this.remote = remote
  }

  join(far: SimPipe): void {
    this.#far = far
    far.#far = this
  }

  get far(): SimPipe | undefined {
    return this.#far
  }

  get closed(): boolean {
    return this.#closed
  }

  // What its process does with it

  attach(sink: PipeSink): void {
    this.#sink = sink
    if (this.#closeDue !== undefined) this.#tellClosed()
  }

  write(chunks: readonly Uint8Array[]): boolean {
    if (this.#over || this.#ended) return false
    for (const chunk of chunks) {
      this.#outstanding += chunk.length
      const most = this.#net.splitAt(this.#from, this.#to)
      const n = Math.max(most, Math.ceil(chunk.length / MOST_PIECES))
      // Copied, as a kernel would: the writer may reuse its memory, and the reader keeps what it gets.
      for (let at = 0; at < chunk.length; at += n) this.#transmit(chunk.slice(at, at + n))
    }
    this.#writerWaits = this.#outstanding > CAPACITY
    return !this.#writerWaits
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    if (this.#over) return
    this.#paused = false
    this.readSoon()
  }

  end(): void {
    if (this.#over || this.#ended) return
    this.#ended = true
    this.#transmit('end')
    if (this.#farEnded) this.#close()
  }

  /** As TCP does: a clean end if everything was read, else a reset. */
  destroy(): void {
    if (this.#over) return
    this.#leave()
    this.#close()
  }

  get #over(): boolean {
    return this.#closed || !this.host.alive
  }

  get #from(): number {
    return this.host.node
  }

  get #to(): number {
    return this.#far?.host.node ?? this.host.node
  }

  // What its system does

  /** The process is gone. A system that lives on ends its connections; one without power tells nobody. */
  orphan(how: 'kill' | 'power'): void {
    if (this.#closed) return
    if (how === 'kill') this.#leave()
    else if (this.#held) this.#wire.length = 0
    this.#powerless = how === 'power'
    this.#closed = true
    this.#unread = []
    this.#net.forget(this)
  }

  /** Looks for something to read, in an event of its own. */
  readSoon(): void {
    if (this.#reading || this.#unread.length === 0) return
    this.#reading = true
    this.#net.after(0, () => {
      this.#reading = false
      this.#readNow()
    })
  }

  /** From now on what is written is swallowed; once that is over, whatever comes is answered by a reset. */
  forgotten(how: 'swallows' | 'resets'): void {
    this.#forgotten = how
    // What waits for its acknowledgement is sent again.
    if (how === 'resets' && this.#outstanding > 0) this.resetSoon(this.#net.retransmission())
  }

  /** The machine of the far side is up again, and knows nothing of this connection. */
  farRestarted(): void {
    if (this.#outstanding > 0 || this.#ended) this.resetSoon(this.#net.retransmission())
  }

  /** A reset arrives here, `after` milliseconds. It is not sent again where it does not get through. */
  resetSoon(after: number): void {
    this.#net.after(after, () => {
      if (!this.#net.blocked(this.#to, this.#from)) this.#reset()
    })
  }

  #reset(): void {
    if (this.#closed) return
    this.#net.count('resets')
    this.#wire.length = 0
    this.#close(new Error('read ECONNRESET'))
  }

  /** Tells the far side that nobody is here any more. */
  #leave(): void {
    if (this.#unread.some((item) => item !== 'end')) this.#transmit('reset')
    else if (!this.#ended) this.#transmit('end')
    this.#ended = true
  }

  #transmit(item: Item): void {
    const net = this.#net
    net.count('segments')
    if (this.#forgotten !== undefined) {
      net.count('swallowed')
      if (this.#forgotten === 'resets') this.resetSoon(net.latency(this.#to, this.#from))
      return
    }
    this.#lastAt = Math.max(this.#lastAt, net.now() + net.latency(this.#from, this.#to))
    this.#wire.push({ item, at: this.#lastAt })
    net.after(this.#lastAt - net.now(), () => this.#pump())
  }

  /** Hands over what has arrived by now, in order. */
  #pump(): void {
    const net = this.#net
    const wire = this.#wire
    const far = this.#far as SimPipe
    while (!this.#held && (wire[0]?.at ?? Infinity) <= net.now()) {
      if (this.#forgotten !== undefined) wire.length = 0
      else if (net.blocked(this.#from, this.#to)) {
        // Whoever has no power sends nothing again, and a reset is sent once.
        if (this.#powerless || wire[0]?.item === 'reset') wire.shift()
        else this.#hold()
      } else far.#arrive(wire.shift()?.item ?? 'end')
    }
  }

  #hold(): void {
    this.#held = true
    this.#net.count('held')
    this.#net.whenOpen(this.#from, this.#to, () => {
      this.#held = false
      this.#pump()
    })
  }

  #arrive(item: Item): void {
    const net = this.#net
    if (!net.isOn(this.#from)) {
      net.count('swallowed')
      return
    }
    if (item === 'reset') {
      this.#reset()
      return
    }
    if (this.#closed) {
      // Nobody is here any more.
      if (item !== 'end') this.#far?.resetSoon(net.latency(this.#from, this.#to))
      return
    }
    this.#unread.push(item)
    this.#readNow()
  }

  #readNow(): void {
    if (!this.#closed && !this.#paused && !this.#net.stalled(this.#from))
      this.host.run(EVENTS.data, this.#read)
  }

  /** In the turn of its process. */
  readonly #read = (): void => {
    const far = this.#far as SimPipe
    while (!this.#paused && !this.#over && !this.#net.stalled(this.#from)) {
      const item = this.#unread[0]
      if (item === undefined) return
      if (item === 'end') {
        this.#unread.shift()
        this.#farEnded = true
        this.#net.trace.event(EVENTS.end, this.#from, 0)
        this.#sink?.end()
        if (this.#ended) this.#close()
        continue
      }
      const chunk = this.#take()
      far.#wasRead(chunk.length)
      this.#net.trace.bytes(chunk)
      this.#sink?.data(chunk)
    }
  }

  /** What lies there, as one piece, as a read of a socket gives it. */
  #take(): Uint8Array {
    const parts: Uint8Array[] = []
    let length = 0
    for (const item of this.#unread) {
      if (item === 'end' || (length > 0 && length + item.length > READ)) break
      parts.push(item)
      length += item.length
    }
    this.#unread.splice(0, parts.length)
    if (parts.length === 1) return parts[0] as Uint8Array
    const whole = new Uint8Array(length)
    let at = 0
    for (const part of parts) {
      whole.set(part, at)
      at += part.length
    }
    return whole
  }

  /** The far side has read; we hear of it when its acknowledgement comes through. */
  #wasRead(bytes: number): void {
    this.#outstanding -= bytes
    if (!this.#writerWaits || this.#outstanding > CAPACITY / 2) return
    this.#writerWaits = false
    const net = this.#net
    net.after(net.latency(this.#to, this.#from), () => {
      net.whenOpen(this.#to, this.#from, () => {
        this.host.run(EVENTS.drain, () => {
          if (!this.#closed) this.#sink?.drain()
        })
      })
    })
  }

  #close(error?: Error): void {
    if (this.#closed) return
    this.#closed = true
    this.#unread = []
    this.#net.forget(this)
    this.#closeDue = { error }
    if (this.#sink !== undefined) this.#tellClosed()
  }

  #tellClosed(): void {
    const due = this.#closeDue
    this.#closeDue = undefined
    // In an event of its own: never from within a call of ours.
    if (due !== undefined)
      this.#net.after(0, () => this.host.run(EVENTS.close, () => this.#sink?.close(due.error)))
  }
}

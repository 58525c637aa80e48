/** What is between two nodes and means harm: it changes one byte, ends the stream early, keeps what it saw and says it again. */
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import type { Ending } from '../support/child.ts'

export type Way = 'up' | 'down'

/** Of a byte on its way: the type of the record of TLS that it is in, and where in it; its header has 5 bytes. */
export interface Place {
  readonly type: number
  readonly offset: number
}

/** What happens to the byte at `at` of the next connection, counted from its begin. */
export interface Plan {
  readonly how: 'flip' | 'cut'
  readonly way: Way
  readonly at: number
}

/** Finds its way through records of TLS. */
class Records {
  readonly lengths: { type: number; length: number }[] = []
  #type = 0
  #length = 0
  #offset = 0

  /** Where `byte` is, which comes next. */
  next(byte: number): Place {
    const offset = this.#offset++
    if (offset === 0) this.#type = byte
    if (offset === 3) this.#length = byte * 256
    if (offset === 4) this.#length += byte
    if (offset >= 4 && offset === 4 + this.#length) {
      this.lengths.push({ type: this.#type, length: this.#length })
      this.#offset = 0
    }
    return { type: this.#type, offset }
  }
}

/** One connection that passed. */
export class Passed {
  readonly bytes: Record<Way, Buffer> = { up: Buffer.alloc(0), down: Buffer.alloc(0) }
  readonly records = { up: new Records(), down: new Records() }
  /** Where the plan was carried out; undefined: there was no such byte. */
  done: Place | undefined
}

/** In front of a node: each connection to it passes here. */
export class Bent {
  readonly port: number
  /** Taken by the next connection; those behind it pass as they are. */
  plan: Plan | undefined
  /** In the place of the node, to the next that dials: this, and then the end. */
  answer: Buffer | undefined
  readonly passed: Passed[] = []
  readonly #to: number

  private constructor(server: net.Server, to: number) {
    this.port = (server.address() as AddressInfo).port
    this.#to = to
  }

  static async listen(t: Ending, to: number): Promise<Bent> {
    const sockets = new Set<net.Socket>()
    const server = net.createServer({ allowHalfOpen: true }, (near) => {
      if (bent.answer === undefined) {
        const far = net.connect({ host: '127.0.0.1', port: to, allowHalfOpen: true })
        sockets.add(far.on('close', () => sockets.delete(far)))
        bent.#join(near, far)
      } else {
        near.on('error', () => undefined).resume()
        near.end(bent.answer)
        bent.answer = undefined
      }
      sockets.add(near.on('close', () => sockets.delete(near)))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const bent = new Bent(server, to)
    t.after(() => {
      for (const socket of sockets) socket.destroy()
      server.close()
    })
    return bent
  }

  /** Says again to the node what somebody else has said; resolves to what it answers. */
  async replay(bytes: Buffer): Promise<Buffer> {
    const socket = net.connect({ host: '127.0.0.1', port: this.#to })
    let answer = Buffer.alloc(0)
    socket
      .on('error', () => undefined)
      .on('data', (chunk: Buffer) => (answer = Buffer.concat([answer, chunk])))
    socket.write(bytes)
    await once(socket, 'close')
    return answer
  }

  #join(near: net.Socket, far: net.Socket): void {
    const passed = new Passed()
    const { plan } = this
    this.plan = undefined
    this.passed.push(passed)
    const pass = (from: net.Socket, to: net.Socket, way: Way): void => {
      from.on('error', () => undefined)
      from.on('close', () => to.destroy())
      from.on('end', () => to.end())
      from.on('data', (chunk: Buffer) => {
        const begin = passed.bytes[way].length
        passed.bytes[way] = Buffer.concat([passed.bytes[way], chunk])
        const index = plan?.way === way && passed.done === undefined ? plan.at - begin : -1
        for (let i = 0; i < chunk.length; i++) {
          const place = passed.records[way].next(chunk[i] ?? 0)
          if (i === index) passed.done = place
        }
        if (passed.done === undefined || index < 0 || index >= chunk.length) {
          // What comes behind a cut goes nowhere.
          if (!to.writableEnded) to.write(chunk)
        } else if (plan?.how === 'flip') {
          const other = Buffer.from(chunk)
          other[index] = (other[index] ?? 0) ^ (1 << (plan.at % 8))
          to.write(other)
        } else {
          // Ended, not reset: nothing but TLS can tell that from what the far side has said.
          to.end(chunk.subarray(0, index))
          from.end()
        }
      })
    }
    pass(near, far, 'up')
    pass(far, near, 'down')
  }
}

/** What holds of every transport. Each has a file of some ten lines that runs this suite over it. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseAddress } from '../../src/address.ts'
import { SockError } from '../../src/errors.ts'
import type { Pipe } from '../../src/net/pipe.ts'
import type { Listener, Transport } from '../../src/net/transport.ts'
import { pattern } from '../wire/bytes.ts'
import { Side } from './side.ts'

/** Where a scenario plays: the transport, and the time and network that it lives in. */
export interface World {
  readonly transport: Transport
  /** An address to listen on that is free. */
  free(): string
  run(scenario: () => Promise<void>): Promise<void>
}

const KiB = 1024
const MiB = 1024 * KiB
/** A hang is a failure, not a run that never ends. */
const HANG = { timeout: 20_000 }

/** `missing`: an address that this machine has not, so that nothing can run. */
export function transportSuite(name: string, world: () => World, missing?: string): void {
  /** A test with a network of its own. */
  const given = (what: string, scenario: (net: Net) => Promise<void>): void => {
    test(what, HANG, () => {
      const where = world()
      return where.run(async () => {
        const net = new Net(where)
        try {
          await scenario(net)
        } finally {
          await net.close()
        }
      })
    })
  }

  describe(`transport ${name}`, { skip: missing !== undefined && `this machine has no ${missing}` }, () => {
    given('each side hears of the other, and knows where it is', async (net) => {
      const { near, far } = await net.connect()
      assert.equal(near.pipe.remote.address, net.address)
      assert.equal(parseAddress(far.pipe.remote.address).protocol, `${net.transport.scheme}:`)
      assert.deepEqual([near.pipe.remote.local, far.pipe.remote.local], [true, true])
      assert.equal(near.pipe.remote.host, far.pipe.remote.host)
    })

    given('two who dialed can be told apart', async (net) => {
      const [one, other] = [await net.connect(), await net.connect()]
      assert.notEqual(one.far.pipe.remote.address, other.far.pipe.remote.address)
    })

    given('a name that is taken is ADDRESS_IN_USE until its listener is closed', async (net) => {
      const listener = await net.listen()
      const again = (): Promise<Listener> =>
        net.transport.listen(parseAddress(listener.address), {}, () => undefined)
      await assert.rejects(again(), { code: 'ADDRESS_IN_USE' })
      await listener.close()
      const next = await again()
      assert.equal(next.address, listener.address)
      await next.close()
    })

    given('closing a listener twice is harmless, also when its name has a new owner', async (net) => {
      const listener = await net.listen()
      await listener.close()
      const next = await net.listen(listener.address)
      await listener.close()
      await net.connect()
      await next.close()
    })

    given('where nobody listens, a dial is CONNECT_FAILED and says where', async (net) => {
      const { address } = await net.listen()
      await net.listener?.close()
      await assert.rejects(net.dial(address), (error) => {
        assert.ok(error instanceof SockError, String(error))
        assert.deepEqual([error.code, error.address], ['CONNECT_FAILED', address])
        return true
      })
    })

    given('an aborted signal ends a dial before it begins', async (net) => {
      await net.listen()
      await assert.rejects(net.dial(net.address, AbortSignal.abort('why')), { code: 'ABORTED', cause: 'why' })
    })

    given('an abort ends a dial that is under way', async (net) => {
      await net.listen()
      const aborter = new AbortController()
      const dialing = net.dial(net.address, aborter.signal)
      aborter.abort('why')
      await assert.rejects(dialing, { code: 'ABORTED', cause: 'why' })
    })

    given('an abort after the dial changes nothing', async (net) => {
      const aborter = new AbortController()
      const { near, far } = await net.connect(aborter.signal)
      aborter.abort()
      await exchange(near, far)
    })

    given('a closed listener accepts no more; connections live on', async (net) => {
      const { near, far } = await net.connect()
      const { address } = net
      await net.listener?.close()
      await assert.rejects(net.dial(address), { code: 'CONNECT_FAILED' })
      await exchange(near, far)
    })

    for (const [size, piece] of [
      [1, 1],
      [3000, 7],
      [64 * KiB, 64 * KiB],
      [MiB, 999],
      [8 * MiB, 100_000],
      [8 * MiB, 8 * MiB],
    ] as const) {
      given(
        `${size} bytes in pieces of ${piece} arrive whole and in order, both ways at once`,
        async (net) => {
          const { near, far } = await net.connect()
          near.resume()
          far.resume()
          const [there, back] = [pattern(size), pattern(size, 99)]
          await Promise.all([sendAll(near, there, piece), sendAll(far, back, piece)])
          await Promise.all([near.until(() => near.bytes === size), far.until(() => far.bytes === size)])
          assert.equal(Buffer.compare(far.read(), there), 0)
          assert.equal(Buffer.compare(near.read(), back), 0)
        },
      )
    }

    given('many chunks of one write arrive in their order', async (net) => {
      const { near, far } = await net.connect()
      far.resume()
      near.write(...Array.from({ length: 2000 }, (_, i) => pattern(i % 50, i)))
      const want = Buffer.concat(Array.from({ length: 2000 }, (_, i) => pattern(i % 50, i)))
      await far.until(() => far.bytes === want.length)
      assert.equal(Buffer.compare(far.read(), want), 0)
    })

    given('memory may be used again after true, or when drained', async (net) => {
      const { near, far } = await net.connect()
      far.resume()
      const [total, chunk] = [4 * MiB, new Uint8Array(48 * KiB)]
      const want = pattern(total)
      for (let at = 0; at < total; at += chunk.length) {
        const part = chunk.subarray(0, Math.min(chunk.length, total - at))
        part.set(want.subarray(at, at + part.length))
        await near.send(part)
        part.fill(0xee)
      }
      await far.until(() => far.bytes === total)
      assert.equal(Buffer.compare(far.read(), want), 0)
    })

    given('nothing is read before the first resume', async (net) => {
      const { near, far } = await net.connect()
      near.write(pattern(1000))
      near.end()
      await net.calm()
      assert.deepEqual([far.bytes, far.ends], [0, 0])
      far.resume()
      await far.until(() => far.ends === 1)
      assert.equal(far.bytes, 1000)
    })

    given('nothing is read while paused, and all of it after resume', async (net) => {
      const { near, far } = await net.connect()
      far.resume()
      near.write(pattern(10))
      await far.until(() => far.bytes === 10)
      far.pause()
      near.write(pattern(1000))
      await net.calm()
      assert.equal(far.bytes, 10)
      far.resume()
      await far.until(() => far.bytes === 1010)
    })

    given('pause takes effect at once, also from within data', async (net) => {
      const { near, far } = await net.connect()
      far.onChunk = () => far.pause()
      far.resume()
      for (let i = 0; i < 40; i++) await near.send(pattern(1000, i))
      await net.calm()
      assert.equal(far.chunks.length, 1)
    })

    given('the side that dialed pauses, resumes and hears the end as the other does', async (net) => {
      const { near, far } = await net.connect()
      near.onChunk = () => near.pause()
      far.write(pattern(10))
      await net.calm()
      assert.equal(near.bytes, 0, 'before the first resume')
      near.resume()
      await near.until(() => near.bytes === 10)
      for (let i = 0; i < 40; i++) await far.send(pattern(1000, i))
      far.end()
      await net.calm()
      assert.deepEqual([near.chunks.length, near.ends], [1, 0], 'pause holds, from within data too')
      near.onChunk = () => undefined
      near.resume()
      await near.until(() => near.ends === 1)
      assert.equal(near.bytes, 40_010)
    })

    given('a reader that is paused stops the writer; drain comes when it reads again', async (net) => {
      const { near, far } = await net.connect()
      const { sent, drains } = await net.fill(near)
      assert.equal(far.bytes, 0)
      far.resume()
      await near.until(() => near.drains > drains)
      await far.until(() => far.bytes === sent)
      await net.calm()
      assert.equal(near.drains, drains + 1, 'one drain for one false')
    })

    given('end is heard once, behind the last byte, while the other direction flows', async (net) => {
      const { near, far } = await net.connect()
      near.resume()
      far.resume()
      const sent = near.send(pattern(MiB))
      near.end()
      await sent
      await far.until(() => far.ends === 1)
      assert.equal(far.bytes, MiB)
      await sendAll(far, pattern(MiB, 7), 10_000)
      await near.until(() => near.bytes === MiB)
      assert.deepEqual([near.ends, near.closes, far.closes], [0, [], []])
      far.end()
      await Promise.all([near, far].map((side) => side.until(() => side.closes.length === 1)))
      assert.deepEqual([near.ends, near.closes, far.ends, far.closes], [1, [undefined], 1, [undefined]])
    })

    given('ending twice is ending once', async (net) => {
      const { near, far } = await net.connect()
      far.resume()
      near.end()
      near.end()
      await far.until(() => far.ends === 1)
      await net.calm()
      assert.equal(far.ends, 1)
    })

    given('destroy closes here at once, and there in good order if all was read', async (net) => {
      const { near, far } = await net.connect()
      near.resume()
      far.resume()
      near.destroy()
      near.destroy()
      await near.until(() => near.closes.length > 0)
      await far.until(() => far.ends === 1)
      far.end()
      await far.until(() => far.closes.length > 0)
      assert.deepEqual([near.closes, far.closes], [[undefined], [undefined]])
    })

    given('destroy with something unread breaks the connection, and the writer hears why', async (net) => {
      const { near, far } = await net.connect()
      near.resume()
      near.write(pattern(1000))
      await net.calm()
      far.destroy()
      await near.until(() => near.closes.length > 0)
      await far.until(() => far.closes.length > 0)
      assert.ok(near.closes[0] instanceof Error, 'an error')
      assert.equal(far.closes[0], undefined, 'who destroys it knows why')
    })

    given('a writer whose reader is gone is closed, not left waiting', async (net) => {
      const { near, far } = await net.connect()
      near.resume()
      const { drains } = await net.fill(near)
      far.destroy()
      await near.until(() => near.closes.length > 0)
      assert.equal(near.drains, drains, 'what is lost was not drained')
    })

    given('what is asked of a pipe that is closed is harmless, and nothing more is heard', async (net) => {
      const { near, far } = await net.connect()
      near.resume()
      far.resume()
      far.write(pattern(10))
      near.destroy()
      await near.until(() => near.closes.length === 1)
      near.write(pattern(10))
      near.pause()
      near.resume()
      near.end()
      near.destroy()
      await net.calm()
      assert.equal(near.closes.length, 1)
    })

    given('events go to the sink that was attached last', async (net) => {
      const { near, far } = await net.connect()
      const later = net.instead(far)
      later.resume()
      near.write(pattern(10))
      near.destroy()
      await later.until(() => later.ends === 1)
      assert.deepEqual([later.bytes, far.bytes, far.ends], [10, 0, 0])
    })

    given('fifty connections at once do not mix', async (net) => {
      const pairs: { near: Side; far: Side }[] = []
      for (let i = 0; i < 50; i++) pairs.push(await net.connect())
      await Promise.all(pairs.map(({ near, far }, i) => exchange(near, far, i)))
    })
  })
}

/** What a scenario has open. In the end every side is closed, and checked for its contract. */
class Net {
  readonly transport: Transport
  listener: Listener | undefined
  readonly #world: World
  readonly #sides = new Set<Side>()
  #accepted: Side[] = []
  #onAccept: () => void = () => undefined

  constructor(world: World) {
    this.#world = world
    this.transport = world.transport
  }

  get address(): string {
    return this.listener?.address ?? assert.fail('nobody listens')
  }

  async listen(at = this.#world.free()): Promise<Listener> {
    this.listener = await this.transport.listen(parseAddress(at), {}, (pipe) => {
      this.#accepted.push(this.#side(pipe))
      this.#onAccept()
    })
    return this.listener
  }

  dial(address: string, signal?: AbortSignal): Promise<Pipe> {
    return this.transport.dial(parseAddress(address), signal === undefined ? {} : { signal })
  }

  /** Both ends of a new connection, paused as they come. */
  async connect(signal?: AbortSignal): Promise<{ near: Side; far: Side }> {
    if (this.listener === undefined) await this.listen()
    const near = this.#side(await this.dial(this.address, signal))
    while (this.#accepted.length === 0) await new Promise<void>((resolve) => (this.#onAccept = resolve))
    return { near, far: this.#accepted.shift()! }
  }

  /** The same pipe, heard by someone else from now on. */
  instead(side: Side): Side {
    this.#sides.delete(side)
    return this.#side(side.pipe)
  }

  /** Whatever can happen has happened, when bytes have gone there and back twice on another connection. */
  async calm(): Promise<void> {
    const { near, far } = await this.connect()
    for (let i = 1; i <= 2; i++) await exchange(near, far, i)
    near.destroy()
    far.destroy()
  }

  /** Writes until the far side, which does not read, holds it up: a pipe may also hold what it will pass on by itself. */
  async fill(near: Side): Promise<{ sent: number; drains: number }> {
    for (let sent = 0; ; ) {
      const { drains } = near
      let taken: boolean
      do {
        taken = near.write(pattern(256 * KiB, sent))
        assert.ok((sent += 256 * KiB) < 256 * MiB, 'the writer is never stopped')
      } while (taken)
      await this.calm()
      if (near.drains === drains) return { sent, drains }
      assert.equal(near.drains, drains + 1, 'one drain for one false')
    }
  }

  async close(): Promise<void> {
    await this.listener?.close()
    for (const side of this.#sides) side.destroy()
    for (const side of this.#sides) await side.until(() => side.closes.length > 0)
    for (const side of this.#sides) side.check()
  }

  #side(pipe: Pipe): Side {
    const side = new Side(pipe)
    this.#sides.add(side)
    return side
  }
}

/** A few bytes each way. */
async function exchange(near: Side, far: Side, salt = 0): Promise<void> {
  const [there, back] = [pattern(100, salt), pattern(50, salt + 1)]
  const [heard, answered] = [far.bytes, near.bytes]
  near.resume()
  far.resume()
  near.write(there)
  await far.until(() => far.bytes === heard + there.length)
  far.write(back)
  await near.until(() => near.bytes === answered + back.length)
  assert.equal(Buffer.compare(far.read().subarray(heard), there), 0)
  assert.equal(Buffer.compare(near.read().subarray(answered), back), 0)
}

async function sendAll(side: Side, bytes: Uint8Array, piece: number): Promise<void> {
  for (let at = 0; at < bytes.length; at += piece) await side.send(bytes.subarray(at, at + piece))
}

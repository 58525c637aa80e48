/** What holds of every network of datagrams. Each has a file of some ten lines that runs this suite over it. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { familyOf, hostPort, parseAddress, udpAddress } from '../../src/address.ts'
import { SockError } from '../../src/errors.ts'
import type { DatagramNetwork, DatagramOptions, Datagrams, DatagramAddress } from '../../src/net/datagrams.ts'
import { pattern } from '../wire/bytes.ts'

/** Where a scenario plays. */
export interface World {
  readonly network: DatagramNetwork
  /** The IP address that everyone binds. */
  readonly host: string
  /** Where a broadcast is heard, bound to every interface. Absent: there is no broadcast. */
  readonly broadcast?: string
  /** A group, and the interface on which it can be joined. Absent: no group is heard. */
  readonly group?: Group
  run(scenario: () => Promise<void>): Promise<void>
}

interface Group {
  readonly host: string
  readonly on: string
  /** The interface itself brings back whatever leaves by it. */
  readonly echoes?: boolean
}

/** A hang is a failure, not a run that never ends. */
const HANG = { timeout: 20_000 }

/** `missing`: an address that this machine has not, so that nothing can run. */
export function datagramSuite(name: string, world: () => World, missing?: string): void {
  /** A test with a network of its own. */
  const given = (
    what: string,
    scenario: (net: Net) => Promise<void>,
    options: { readonly skip?: string | false } = {},
  ): void => {
    test(what, { ...HANG, ...options }, () => {
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
  const { host, broadcast, group } = world()

  describe(`datagrams ${name}`, { skip: missing !== undefined && `this machine has no ${missing}` }, () => {
    given('port 0 is any that is free, and the address tells which', async (net) => {
      const [one, other] = [await net.open(), await net.open()]
      assert.match(one.socket.address, /:[1-9]\d*$/)
      assert.notEqual(one.socket.address, other.socket.address)
      assert.equal(one.socket.family, familyOf(host))
    })

    given('a datagram arrives whole, with the address to answer to', async (net) => {
      const [near, far] = [await net.open(), await net.open()]
      assert.equal(await near.send(far.at, pattern(1000)), undefined)
      const heard = await far.next()
      assert.deepEqual(heard.bytes, pattern(1000))
      assert.equal(udpAddress(heard.host, heard.port), near.socket.address)
      await far.send(remote(heard.host, heard.port), pattern(5))
      assert.deepEqual((await near.next()).bytes, pattern(5))
    })

    given('the borders between datagrams stay, empty ones too', async (net) => {
      const [near, far] = [await net.open(), await net.open()]
      const sizes = [3, 0, 1, 1472, 0]
      for (const n of sizes) await near.send(far.at, pattern(n))
      const got: number[] = []
      for (const _ of sizes) got.push((await far.next()).bytes.length)
      assert.deepEqual(got.sort(byNumber), [...sizes].sort(byNumber))
    })

    given('the longest datagram arrives; a longer one is TOO_LARGE, and the socket lives on', async (net) => {
      const [near, far] = [await net.open(), await net.open()]
      await near.send(far.at, pattern(65_507))
      assert.deepEqual((await far.next()).bytes, pattern(65_507))
      const error = await near.send(far.at, pattern(65_528))
      assert.ok(error instanceof SockError, String(error))
      assert.deepEqual([error.code, error.address], ['TOO_LARGE', far.socket.address])
      await near.send(far.at, pattern(1))
      assert.deepEqual((await far.next()).bytes, pattern(1))
    })

    given('memory may be used again when done', async (net) => {
      const [near, far] = [await net.open(), await net.open()]
      const bytes = pattern(500)
      await near.send(far.at, bytes)
      bytes.fill(0xee)
      assert.deepEqual((await far.next()).bytes, pattern(500))
    })

    given('what arrived is the receiver’s to keep', async (net) => {
      const [near, far] = [await net.open(), await net.open()]
      await near.send(far.at, pattern(500, 1))
      const { bytes } = await far.next()
      await near.send(far.at, pattern(500, 2))
      await far.next()
      assert.deepEqual(bytes, pattern(500, 1))
    })

    given('done comes once, and never from within send', async (net) => {
      const [near, far] = [await net.open(), await net.open()]
      const calls: number[] = []
      let within = true
      const done = Promise.all(
        [0, 65_528, 10].map(
          (n, i) =>
            new Promise<void>((resolve) => {
              near.socket.send(pattern(n), far.at, () => {
                assert.equal(within, false)
                calls.push(i)
                resolve()
              })
            }),
        ),
      )
      within = false
      await done
      await near.send(far.at, pattern(1))
      assert.deepEqual(calls.sort(byNumber), [0, 1, 2])
    })

    given('a port that is taken is ADDRESS_IN_USE until its socket is closed', async (net) => {
      const one = await net.open()
      await assert.rejects(net.open(one.port), { code: 'ADDRESS_IN_USE', address: one.socket.address })
      await one.socket.close()
      assert.equal((await net.open(one.port)).socket.address, one.socket.address)
    })

    given('with reuseAddr, several may have one port', async (net) => {
      const one = await net.open(0, { reuseAddr: true })
      const other = await net.open(one.port, { reuseAddr: true })
      assert.equal(one.socket.address, other.socket.address)
      await assert.rejects(net.open(one.port), { code: 'ADDRESS_IN_USE' })
    })

    given('closing twice is closing once; a closed socket hears nothing and sends nothing', async (net) => {
      const [near, far] = [await net.open(), await net.open()]
      await far.socket.close()
      await far.socket.close()
      const error = (await far.send(near.at, pattern(1))) as SockError | undefined
      assert.equal(error?.code, 'SEND_FAILED')
      await near.send(far.at, pattern(1))
      const next = await net.open(far.port)
      await near.send(next.at, pattern(2))
      await next.until(() => next.heard.some(({ bytes }) => bytes.length === 2))
      assert.deepEqual(far.heard, [])
    })

    given('a port to which nothing can be sent is an error, not an exception', async (net) => {
      const near = await net.open()
      const error = (await near.send(remote(host, 0), pattern(1))) as SockError | undefined
      assert.equal(error?.code, 'SEND_FAILED')
    })

    given('localhost has IP addresses; an unknown name is CONNECT_FAILED', async ({ world }) => {
      const all = await world.network.resolve('localhost')
      assert.ok(all.length > 0 && all.every((one) => familyOf(one) !== 0), all.join())
      await assert.rejects(world.network.resolve('nobody.invalid'), { code: 'CONNECT_FAILED' })
    })

    given(
      'a broadcast needs its option, and is heard by everyone at its port',
      async (net) => {
        const everywhere = { family: 4, host: '0.0.0.0' } as const
        const far = await net.open(0, {}, everywhere)
        const to = remote(broadcast ?? '', far.port)
        const shy = await net.open(0, {}, everywhere)
        const error = (await shy.send(to, pattern(1))) as SockError | undefined
        assert.equal(error?.code, 'BROADCAST_OFF')
        const near = await net.open(0, { broadcast: true }, everywhere)
        assert.equal(await near.send(to, pattern(2)), undefined)
        assert.deepEqual((await far.next()).bytes, pattern(2))
        assert.equal(far.heard.length, 0)
      },
      { skip: broadcast === undefined && `nothing carries a broadcast from ${host}` },
    )

    given(
      'a group is heard from join to leave, as its senders; joining twice is GROUP_FAILED',
      async (net) => {
        const { host: name, on } = group as Group
        const any = { family: net.family, host: net.family === 4 ? '0.0.0.0' : '::' } as const
        const options = { reuseAddr: true, interface: on }
        const far = await net.open(0, options, any)
        const near = await net.open(0, options, any)
        assert.throws(() => far.socket.leave(name, on), { code: 'GROUP_FAILED' })
        far.socket.join(name, on)
        assert.throws(() => far.socket.join(name, on), { code: 'GROUP_FAILED' })
        assert.equal(await near.send(remote(name, far.port), pattern(7)), undefined)
        const heard = await far.next()
        assert.deepEqual([heard.bytes, heard.port], [pattern(7), near.port])
        assert.notEqual(heard.host, name)
        far.socket.leave(name, on)
        await near.send(remote(name, far.port), pattern(8))
        await near.send(remote(host, far.port), pattern(9))
        assert.deepEqual((await far.next()).bytes, pattern(9))
      },
      { skip: group === undefined && `nothing carries multicast from ${host}` },
    )

    given(
      'who is in the group that it sends to hears itself, unless loopback is off',
      async (net) => {
        const { host: name, on, echoes = false } = group as Group
        const any = { family: net.family, host: net.family === 4 ? '0.0.0.0' : '::' } as const
        for (const loopback of [true, false]) {
          const self = await net.open(0, { interface: on, loopback, ttl: 0 }, any)
          self.socket.join(name, on)
          await self.send(remote(name, self.port), pattern(1))
          await self.send(remote(host, self.port), pattern(2))
          await self.until(() => self.heard.some(({ bytes }) => bytes.length === 2))
          assert.equal(self.heard.length, loopback || echoes ? 2 : 1)
        }
      },
      { skip: group === undefined && `nothing carries multicast from ${host}` },
    )
  })
}

const byNumber = (a: number, b: number): number => a - b

const remote = (host: string, port: number): DatagramAddress => ({
  address: udpAddress(host, port),
  host,
  port,
  family: familyOf(host) === 6 ? 6 : 4,
})

/** What a scenario has open. In the end all of it is closed. */
class Net {
  readonly world: World
  readonly #open: Socket[] = []

  constructor(world: World) {
    this.world = world
  }

  get family(): 4 | 6 {
    return familyOf(this.world.host) === 6 ? 6 : 4
  }

  async open(
    port = 0,
    options: DatagramOptions = {},
    where?: { host: string; family: 4 | 6 },
  ): Promise<Socket> {
    const { host, family } = where ?? { host: this.world.host, family: this.family }
    const at = { address: udpAddress(host, port), host, port, family }
    const socket = new Socket(await this.world.network.open(at, options))
    this.#open.push(socket)
    return socket
  }

  async close(): Promise<void> {
    for (const { socket } of this.#open) await socket.close()
    for (const { errors } of this.#open) assert.deepEqual(errors, [])
  }
}

interface Heard {
  readonly bytes: Uint8Array
  readonly host: string
  readonly port: number
}

class Socket {
  readonly socket: Datagrams
  readonly heard: Heard[] = []
  readonly errors: Error[] = []
  #wake: () => void = () => undefined

  constructor(socket: Datagrams) {
    this.socket = socket
    socket.attach({
      message: (bytes, host, port) => {
        this.heard.push({ bytes: new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length), host, port })
        this.#wake()
      },
      error: (error) => this.errors.push(error),
    })
  }

  get at(): DatagramAddress {
    const { host, port } = hostPort(parseAddress(this.socket.address))
    return remote(host, port)
  }

  get port(): number {
    return this.at.port
  }

  /** Resolves to what `done` was called with. */
  send(to: DatagramAddress, bytes: Uint8Array): Promise<Error | undefined> {
    return new Promise((resolve) => this.socket.send(bytes, to, resolve))
  }

  async until(ready: () => boolean): Promise<void> {
    while (!ready()) await new Promise<void>((resolve) => (this.#wake = resolve))
  }

  async next(): Promise<Heard> {
    await this.until(() => this.heard.length > 0)
    return this.heard.shift()!
  }
}

/** The methods that a subclass overrides: each in the place of an option, contained as everything of the application's. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type Candidate,
  type Codec,
  json,
  type Message,
  type Middleware,
  PipeSock,
  SockError,
  type SockOptions,
  TcpSock,
  type Tick,
} from '../../src/index.ts'
import { coded } from '../support/coded.ts'
import { noCrashes } from '../support/crashes.ts'
import { all, Arrivals } from '../support/events.ts'
import { GUARD } from '../support/tcp.ts'
import { simulate, type World } from '../support/world.ts'

noCrashes()

interface Line {
  readonly text: string
}
type Lines = Codec<Line, Line>
type Around = Parameters<Middleware<Lines>>

const options = (given: SockOptions<Lines> = {}): SockOptions<Lines> => ({ codec: json<Line>(), ...given })
const parts = ({ platform, transports }: World) => ({ platform, transports })

/** Payloads begin with a `#`. */
class Marked extends PipeSock<Lines> {
  protected override parse(payload: Uint8Array): Message<Line> {
    if (payload[0] !== 35) throw new Error('no mark')
    return super.parse(payload.subarray(1))
  }

  protected override serialise(type: string | number, data: Line): Uint8Array {
    if (data.text === 'unspeakable') throw new Error('not that')
    return Buffer.concat([Buffer.from('#'), super.serialise(type, data)])
  }
}

describe('parse and serialise', GUARD, () => {
  test('stand in the place of the codec, which super asks, whichever way a message is sent', () =>
    simulate(async (world) => {
      const heard: unknown[] = []
      const handlers = { say: ({ text }: Line) => void heard.push(text) }
      const server = new Marked(options({ bind: 'memory:a', handlers }), parts(world))
      const client = new Marked(options(), parts(world))
      await server.start()
      const peer = await client.connectTo('memory:a')
      const raw = server.readRaw()
      await client.sendMsg('say', { text: 'to all' })
      await client.sendMsg('say', { text: 'to some' }, { to: peer })
      await peer.sendMsg('say', { text: 'to one' })
      await world.quiet()
      assert.deepEqual(heard, ['to all', 'to some', 'to one'])
      const { value } = await raw.next()
      assert.equal(Buffer.from(value?.[0] ?? []).toString(), '#["say",{"text":"to all"}]')
      await client.close()
      await server.close()
    }))

  test('what parse throws is BAD_MESSAGE, and the messages after it are handled', () =>
    simulate(async (world) => {
      const heard: unknown[] = []
      const handlers = { say: ({ text }: Line) => void heard.push(text) }
      const server = new Marked(options({ bind: 'memory:a', handlers }), parts(world))
      const invalid = all(server, 'invalid')
      await server.start()
      const plain = await world.open(options({ connect: 'memory:a' }))
      await plain.sendMsg('say', { text: 'unmarked' })
      await plain.sendRaw(Buffer.from('#["say",{"text":"marked"}]'))
      await world.quiet()
      assert.deepEqual(heard, ['marked'])
      assert.deepEqual(
        invalid.map(({ error }) => [error.code, (error.cause as Error).message]),
        [['BAD_MESSAGE', 'no mark']],
      )
      await server.close()
    }))

  test('a parse that answers with no message: BAD_MESSAGE', () =>
    simulate(async (world) => {
      class Broken extends PipeSock<Lines> {
        protected override parse(): Message<Line> {
          return undefined as never
        }
      }
      const server = new Broken(options({ bind: 'memory:a' }), parts(world))
      const invalid = all(server, 'invalid')
      await server.start()
      const client = await world.open(options({ connect: 'memory:a' }))
      await client.sendMsg('say', { text: 'x' })
      await world.quiet()
      assert.deepEqual(
        invalid.map(({ error }) => error.code),
        ['BAD_MESSAGE'],
      )
      await server.close()
    }))

  test('what serialise throws is CANNOT_ENCODE at the sender, and counted', () =>
    simulate(async (world) => {
      await world.open(options({ bind: 'memory:a' }))
      const client = new Marked(options(), parts(world))
      const peer = await client.connectTo('memory:a')
      const expected = coded('CANNOT_ENCODE', /not that/)
      await assert.rejects(client.sendMsg('say', { text: 'unspeakable' }), expected)
      await assert.rejects(peer.sendMsg('say', { text: 'unspeakable' }), expected)
      assert.deepEqual(client.stats().dropped, { unsendable: 2 })
      await client.close()
    }))

  test('each may be overridden without the other', () =>
    simulate(async (world) => {
      class Loud extends PipeSock<Lines> {
        protected override serialise(type: string | number, { text }: Line): Uint8Array {
          return super.serialise(type, { text: text.toUpperCase() })
        }
      }
      class Trusting extends PipeSock<Lines> {
        protected override parse(payload: Uint8Array): Message<Line> {
          const message = super.parse(payload)
          return { ...message, type: 'heard' }
        }
      }
      const heard: unknown[] = []
      const server = new Trusting(
        options({
          bind: 'memory:a',
          handlers: { heard: ({ text }, { peer }) => peer.sendMsg('say', { text }) },
        }),
        parts(world),
      )
      await server.start()
      const handlers = { say: ({ text }: Line) => void heard.push(text) }
      const client = new Loud(options({ connect: 'memory:a', handlers }), parts(world))
      await client.start()
      await client.sendMsg('say', { text: 'hello' })
      await world.quiet()
      assert.deepEqual(heard, ['HELLO'])
      await client.close()
      await server.close()
    }))
})

describe('handleAll', GUARD, () => {
  class Watched extends PipeSock<Lines> {
    readonly steps: string[] = []
    protected override async handleAll(...[message, { peer, sock }, next]: Around): Promise<void> {
      assert.deepEqual([sock, sock.knownPeers.includes(peer)], [this, true])
      this.steps.push(`in ${message.data.text}`)
      if (message.data.text === 'spam') return
      if (message.data.text === 'boom') throw new Error('boom')
      message.type = 'say'
      await next()
      this.steps.push('out')
    }
  }

  const scene = async (world: World) => {
    const server = new Watched(options({ bind: 'memory:a' }), parts(world))
    server.use(async (_message, _context, next) => {
      server.steps.push('use')
      await world.sim.sleep(0.0001)
      await next()
    })
    server.addHandler('say', ({ text }) => void server.steps.push(text))
    await server.start()
    return { server, client: await world.open(options({ connect: 'memory:a' })) }
  }

  test('is around everything, may rewrite and stop a message, and the next waits for it', () =>
    simulate(async (world) => {
      const { server, client } = await scene(world)
      for (const text of ['one', 'spam', 'two']) await client.sendMsg('any', { text })
      await world.quiet()
      const around = (text: string): string[] => [`in ${text}`, 'use', text, 'out']
      assert.deepEqual(server.steps, [...around('one'), 'in spam', ...around('two')])
      await server.close()
    }))

  test('what it throws is a fault, and the next message comes', () =>
    simulate(async (world) => {
      const { server, client } = await scene(world)
      const faults = all(server, 'fault')
      for (const text of ['boom', 'one']) await client.sendMsg('any', { text })
      await world.quiet()
      assert.deepEqual(
        faults.map(({ error }) => (error.cause as Error).message),
        ['boom'],
      )
      assert.equal(server.steps.at(-1), 'out')
      await server.close()
    }))
})

describe('goodPeer', GUARD, () => {
  const asked: Candidate[] = []
  class Guarded extends PipeSock<Lines> {
    protected override async goodPeer(who: Candidate): Promise<boolean> {
      asked.push(who)
      if (this.knownPeers.length === 2) throw new Error('too many')
      return (await super.goodPeer(who)) && this.knownPeers.length < 2
    }
  }

  test('decides, and super says what the option says, else yes; one that throws is a closed gate', () =>
    simulate(async (world) => {
      const knock = async (): Promise<string> => {
        const client = await world.open(options())
        await client.connectTo('memory:a')
        await world.quiet()
        return client.knownPeers.length === 1 ? 'in' : 'out'
      }
      const server = new Guarded(options({ bind: 'memory:a' }), parts(world))
      const [faults, refused] = [all(server, 'fault'), all(server, 'refused')]
      await server.start()
      assert.deepEqual([await knock(), await knock(), await knock()], ['in', 'in', 'out'])
      assert.deepEqual(
        faults.map((fault) => fault.in),
        ['goodPeer'],
      )
      assert.deepEqual(
        refused.map(({ error }) => error.code),
        ['REFUSED'],
      )
      await server.close()
      const choosy = new Guarded(options({ bind: 'memory:a', goodPeer: () => false }), parts(world))
      await choosy.start()
      assert.equal(await knock(), 'out')
      await choosy.close()
    }))

  test('is asked about whom we dial as well', () =>
    simulate(async (world) => {
      await world.open({ bind: 'memory:b' })
      const client = new Guarded(options(), parts(world))
      asked.length = 0
      await client.connectTo('memory:b')
      assert.deepEqual(
        asked.map(({ dialed }) => dialed),
        [true],
      )
      await client.close()
    }))
})

describe('tick', GUARD, () => {
  class Ticking extends PipeSock {
    readonly counts: number[] = []
    protected override tick(tick: Tick): unknown {
      this.counts.push(tick.count)
      if (tick.count === 2) throw new Error('tock')
      return super.tick(tick)
    }
  }

  test('ticks without the option, and super is the option', () =>
    simulate(async (world) => {
      for (const option of [true, false]) {
        const counts: number[] = []
        const sock = new Ticking(
          { tickInterval: 100, ...(option && { tick: ({ count }) => counts.push(count) }) },
          parts(world),
        )
        const faults = all(sock, 'fault')
        await sock.start()
        await world.sim.sleep(350)
        await sock.close()
        assert.deepEqual(sock.counts, [1, 2, 3])
        assert.deepEqual(counts, option ? [1, 3] : [])
        assert.deepEqual(
          faults.map((fault) => fault.in),
          ['tick'],
        )
      }
    }))
})

describe('setUp', GUARD, () => {
  class Prepared extends PipeSock<Lines> {
    calls = 0
    readonly addresses: (string | undefined)[] = []
    readonly heard = new Arrivals()
    fail: Error | undefined
    during: (() => unknown) | undefined

    protected override async setUp(): Promise<void> {
      this.calls++
      this.addresses.push(this.address)
      this.addHandler('say', ({ text }) => this.heard.push(Buffer.from(text)))
      await this.during?.()
      if (this.fail !== undefined) throw this.fail
    }
  }

  for (const first of ['start', 'startServer', 'connectTo'] as const) {
    test(`comes before the first bind or dial, once, when ${first} comes first and the others come while it runs`, () =>
      simulate(async (world) => {
        await world.open(options({ bind: 'memory:other' }))
        const sock = new Prepared(options({ ...(first !== 'start' && { bind: 'memory:a' }) }), parts(world))
        const began: string[] = []
        sock.on('listening', () => began.push('listening'))
        sock.on('peer', () => began.push('peer'))
        sock.during = async () => {
          await world.sim.sleep(100)
          began.push('set up')
        }
        const calls: Record<string, () => Promise<unknown>> = {
          start: () => sock.start(),
          startServer: () => sock.startServer(first === 'start' ? { bind: 'memory:a' } : {}),
          connectTo: () => sock.connectTo('memory:other'),
        }
        const others = ['startServer', 'connectTo'].filter((name) => name !== first)
        await Promise.all([first, ...others].map(async (name) => calls[name]?.()))
        await sock.connectTo('memory:other')
        assert.deepEqual([sock.calls, sock.addresses], [1, [undefined]])
        assert.deepEqual([began[0], began.slice(1).sort()], ['set up', ['listening', 'peer', 'peer']])
        await sock.close()
      }))
  }

  test('the handlers that it adds are there for the first message', () =>
    simulate(async (world) => {
      const server = new Prepared(options({ bind: 'memory:a' }), parts(world))
      await server.start()
      const client = await world.open(options({ connect: 'memory:a' }))
      await client.sendMsg('say', { text: 'first' })
      assert.deepEqual(await server.heard.atLeast(1), ['first'])
      await server.close()
    }))

  test('when it throws, that call rejects and nothing was begun; the next call tries again', () =>
    simulate(async (world) => {
      const sock = new Prepared(options({ bind: 'memory:a' }), parts(world))
      sock.fail = new Error('no disk')
      const failed = coded('HANDLER_FAILED', /setUp: no disk/)
      await assert.rejects(sock.start(), failed)
      await assert.rejects(sock.connectTo('memory:a'), failed)
      sock.fail = new SockError('REFUSED', 'not today')
      await assert.rejects(sock.startServer(), coded('REFUSED', /not today/))
      assert.deepEqual([sock.address, sock.calls], [undefined, 3])
      sock.fail = undefined
      await sock.start()
      assert.deepEqual([sock.address, sock.calls], ['memory:a', 4])
      await sock.close()
    }))

  test('a call in it that would wait for it: DEADLOCK', () =>
    simulate(async (world) => {
      await world.open(options({ bind: 'memory:b' }))
      const sock = new Prepared(options({ bind: 'memory:a' }), parts(world))
      const expected = coded('DEADLOCK', /setUp/)
      for (const call of [() => sock.connectTo('memory:b'), () => sock.start(), () => sock.startServer()]) {
        sock.during = call
        await assert.rejects(sock.connectTo('memory:b'), expected)
      }
      sock.during = undefined
      await sock.start()
      await sock.close()
    }))

  test('of a sock that is closed meanwhile: CLOSED, and nothing comes up', () =>
    simulate(async (world) => {
      await world.open(options({ bind: 'memory:b' }))
      for (const call of ['start', 'startServer', 'connectTo'] as const) {
        const sock = new Prepared(options({ bind: 'memory:a' }), parts(world))
        sock.during = () => world.sim.sleep(10)
        const begun = call === 'connectTo' ? sock.connectTo('memory:b') : sock[call]()
        void sock.close()
        await assert.rejects(begun, coded('CLOSED', /open a new one/))
        assert.deepEqual([sock.address, sock.knownPeers], [undefined, []])
      }
    }))
})

describe('hooks', GUARD, () => {
  test('that nobody overrides are not there: everyone reads the options as given', () => {
    const given = { codec: json<Line>(), goodPeer: () => true, tick: () => undefined }
    const { settings } = (new TcpSock(given) as any).core
    for (const name of ['codec', 'goodPeer', 'tick'] as const) assert.equal(settings[name], given[name], name)
    const { goodPeer, tick } = (new TcpSock() as any).core.settings
    assert.deepEqual([goodPeer, tick], [undefined, undefined])
  })

  test('a codec with more than a codec needs keeps it', () => {
    const codec = { ...json<Line>(), version: 2 }
    const { settings } = (new Marked({ codec }, { platform: {} as never, transports: [] }) as any).core
    assert.deepEqual([settings.codec.version, settings.codec.name], [2, 'json'])
  })

  test('written as fields, which the constructor cannot see: BAD_OPTION at the first dial or bind', async () => {
    class Fields extends TcpSock {
      protected override tick = (): void => undefined
    }
    const expected = coded('BAD_OPTION', /tick is a field; a hook is a method/)
    await assert.rejects(new Fields().connectTo('memory:a'), expected)
    await assert.rejects(new Fields().start(), expected)
    await assert.rejects(new Fields({ bind: 'memory:a' }).startServer(), expected)
  })

  test('are typed by the codec of the class', () => {
    class Chat extends TcpSock<Lines> {
      protected override parse(payload: Uint8Array): Message<Line> {
        const { type, data } = super.parse(payload)
        return { type, data: { text: data.text.trim() } }
      }
      protected override handleAll(...[message, context, next]: Around): unknown {
        // @ts-expect-error: a line has no such thing
        message.data.colour(() => context.peer.sendMsg('say', { text: 'hi' }))
        return next()
      }
      // @ts-expect-error: this codec sends lines
      protected override serialise(type: string | number, data: { readonly colour: number }): Uint8Array {
        return super.serialise(type, data as never)
      }
    }
    assert.ok(new Chat({ codec: json<Line>() }) instanceof TcpSock)
  })
})

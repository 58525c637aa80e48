/**
 * A node in a process of its own, attacked by the ssl of Python and by openssl: whoever cannot prove an id hears nothing and says nothing
 * that is handled, each has its own code and counter, and others are served after that.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { TcpSock } from '../../src/index.ts'
import { Proven, type ProvenReport, protocol } from '../support/proven.ts'
import { GUARD } from '../support/tcp.ts'
import type { Ending } from '../support/child.ts'
import { type Guise, passage, Python, sClient, sServer } from './tls-attackers.ts'
import { Certificates, lacking } from './tls-certificates.ts'

/** Bytes of a rejection with REFUSED: header, magic, begin, and one field. */
const REFUSAL = 4 + 16 + 3 + 3 + (1 + 'REFUSED'.length) + (2 + 'this connection is not taken'.length)

/** Times are short where silence is part of an attack. */
const SHORT = { handshakeTimeout: 5_000, backoff: { first: 5, max: 50 }, heartbeat: 500, timeout: 5_000 }

const certificates = lacking === false ? new Certificates() : undefined
const made = certificates as Certificates

/** Whoever shows this is refused for it, whichever side he is on. */
const GUISES: readonly (readonly [string, string, () => Guise])[] = [
  ['a key of RSA', 'WRONG_KEY_TYPE', () => made.selfSigned('rsa')],
  ['a key of P-256', 'WRONG_KEY_TYPE', () => made.selfSigned('p256')],
  ['a chain from an authority', 'NOT_SELF_SIGNED', () => made.chain()],
  ['its own and 250 others behind it', 'BAD_CERTIFICATE', () => made.crowd(250)],
  ['a certificate that has expired', 'NOT_SELF_SIGNED', () => made.dated('2020', '2021')],
  ['a certificate that is not valid yet', 'NOT_SELF_SIGNED', () => made.dated('2090', '2091')],
  ['a wrong signature of its own', 'BAD_CERTIFICATE', () => made.damaged()],
  ['TLS 1.2', 'TLS_VERSION', () => ({ ...made.honest(), version: '1.2' })],
  ['no ALPN', 'TLS_ALPN', () => ({ ...made.honest(), alpn: '' })],
  ['another ALPN', 'TLS_ALPN', () => ({ ...made.honest(), alpn: 'h2' })],
]

/** The end of a suite, for what its hooks begin. */
function ending(): Ending {
  const all: (() => unknown)[] = []
  after(() => {
    for (const fn of all) fn()
  })
  return { after: (fn) => void all.push(fn) }
}

describe('whoever dials in', { ...GUARD, skip: lacking }, () => {
  const suite = ending()
  let victim: Proven
  let friend: ReturnType<Certificates['honest']>
  let own: ReturnType<Certificates['honest']>
  before(async () => {
    own = made.honest()
    friend = made.honest()
    victim = await Proven.start(suite, {
      ...SHORT,
      ...{ key: own.key, bind: 'tcp://127.0.0.1:0', trust: [friend.identity.id] },
    })
  })

  /** `attack` is refused for `code`, and nothing else happens. It gives what the attacker decrypted, in bytes: as many as are `told`. */
  async function refused(code: string, attack: () => Promise<number>, told = 0): Promise<void> {
    const was = await victim.report(true)
    const count = ({ stats }: ProvenReport): number =>
      (stats.refused[code] ?? 0) - (was.stats.refused[code] ?? 0)
    assert.equal(await attack(), told, 'the attacker hears nothing, or that it is refused')
    const is = await victim.until(
      (report) => count(report) >= 1 && report.stats.pending === 0,
      `refused ${code}`,
    )
    assert.deepEqual(is.stats.refused, {
      ...was.stats.refused,
      [code]: (was.stats.refused[code] ?? 0) + 1,
    })
    const counted = ({ stats }: ProvenReport): readonly number[] => [
      stats.messagesIn,
      stats.bytesIn,
      stats.messagesOut,
      stats.bytesOut,
      stats.peers,
      stats.faults,
    ]
    assert.deepEqual(counted(is), counted(was))
    assert.deepEqual([is.handled, is.asked], [[], was.asked], 'nothing is handled, and goodPeer is not asked')
    await serves()
  }

  async function serves(): Promise<void> {
    const sock = await TcpSock.open({ identity: friend.identity, protocol })
    const peer = await sock.connectTo(victim.address)
    assert.equal(await peer.request('echo', 'still'), 'still')
    await sock.drain()
    await victim.until(({ stats }) => stats.peers === 0, 'alone again')
    await victim.report(true)
  }

  const byBoth = (what: string, code: string, guise: () => Guise, told = 0): void => {
    test(`${what}: ${code}`, async (t) => {
      const shown = guise()
      await refused(
        code,
        async () => (await new Python(t, 'client', { port: victim.port, ...shown }).hear()).heard,
        told,
      )
      await refused(code, () => sClient(t, victim.port, shown), told)
    })
  }
  byBoth('no certificate', 'NO_CERTIFICATE', () => ({}))
  for (const [what, code, guise] of GUISES) byBoth(what, code, guise)
  // Whoever has proven a key hears that it is refused, in the same words whatever the reason.
  byBoth('an id that is not in `trust`', 'UNKNOWN_ID', () => made.honest(), REFUSAL)
  byBoth('our own key', 'OWN_ID', () => own, REFUSAL)

  test('words behind the handshake, said without a certificate, are read by nobody', async (t) => {
    const words = '\0\0\0\x10SOCK'.repeat(1000)
    await refused('NO_CERTIFICATE', async () => {
      const { heard } = await new Python(t, 'client', { port: victim.port, words }).hear()
      return heard
    })
    await refused('NO_CERTIFICATE', () => sClient(t, victim.port, {}, { words }))
  })

  test('a ticket of TLS that was saved: TLS_RESUMED', async (t) => {
    const { key, cert } = friend
    const python = new Python(t, 'resume', { port: victim.port, key, cert })
    assert.deepEqual(await python.hear<unknown>(), { saved: true })
    await victim.until(({ stats }) => stats.pending === 0, 'alone again')
    await refused('TLS_RESUMED', async () => {
      python.goOn()
      const { heard, resumed } = await python.hear()
      assert.equal(resumed, true, 'the attack was one')
      return heard
    })
    const ticket = join(made.folder, 'ticket')
    const aborter = new AbortController()
    const { signal } = aborter
    const first = sClient(t, victim.port, friend, { signal, more: ['-sess_out', ticket] })
    await victim.until(
      () => existsSync(ticket) && readFileSync(ticket, 'latin1').includes('END SSL'),
      'a ticket',
    )
    aborter.abort()
    await first
    await victim.until(({ stats }) => stats.pending === 0, 'alone again')
    await refused('TLS_RESUMED', () =>
      sClient(t, victim.port, {}, { words: 'x', more: ['-sess_in', ticket] }),
    )
  })

  test('control: these attackers are let in as the friend, whose words then are no HELLO', async (t) => {
    const was = await victim.report(true)
    const { key, cert } = friend
    const facts = await new Python(t, 'client', {
      port: victim.port,
      key,
      cert,
      words: 'GET / \r\n\r\n',
    }).hear()
    await sClient(t, victim.port, friend, { words: 'GET / \r\n\r\n' })
    const { stats } = await victim.until(
      (report) =>
        (report.stats.refused['FOREIGN_PROTOCOL'] ?? 0) - (was.stats.refused['FOREIGN_PROTOCOL'] ?? 0) >= 2,
      'let in as far as HELLO',
    )
    assert.equal(facts.handshake, true, JSON.stringify(stats))
    await serves()
  })
})

describe('whoever answers', { ...GUARD, skip: lacking }, () => {
  const suite = ending()
  let dialer: Proven
  let friend: Proven
  let me: ReturnType<Certificates['honest']>
  let friends: ReturnType<Certificates['honest']>
  before(async () => {
    me = made.honest()
    friends = made.honest()
    ;[dialer, friend] = await Promise.all([
      Proven.start(suite, { ...SHORT, key: me.key, store: join(made.folder, 'outbox') }),
      Proven.start(suite, {
        ...{ ...SHORT, key: friends.key, bind: 'tcp://127.0.0.1:0' },
        ...{ trust: [me.identity.id], store: join(made.folder, 'inbox') },
      }),
    ])
    await dialer.post(friends.identity.id, 'posted 1', 'posted 2')
  })
  const address = (port: number): string => `tcp://${friends.identity.id}@127.0.0.1:${port}`

  /** The dialer, with messages for the friend, refuses whoever is at `port` instead. */
  async function refuses(code: string, port: number): Promise<void> {
    const { stats: was } = await dialer.report()
    assert.equal(await dialer.dial(address(port)), code)
    const { stats: is } = await dialer.report()
    assert.deepEqual(is.refused, { ...was.refused, [code]: (was.refused[code] ?? 0) + 1 })
    assert.deepEqual([is.messagesOut, is.bytesOut, is.messagesIn, is.peers], [0, 0, 0, 0])
    assert.equal(is.durable?.underway, 0)
  }

  const byBoth = (what: string, code: string, guise: () => Guise): void => {
    test(`${what}: ${code}, and none of the messages that wait`, async (t) => {
      const shown = guise()
      const python = new Python(t, 'server', shown)
      await refuses(code, (await python.hear<{ port: number }>()).port)
      assert.equal((await python.hear()).heard, 0)
      const door = await passage(t)
      door.to = join(made.folder, `s${door.port}`)
      const { over } = await sServer(t, door.to, shown)
      await refuses(code, door.port)
      assert.equal(await over, 0)
    })
  }
  for (const [what, code, guise] of GUISES) byBoth(what, code, guise)
  byBoth('another key than the one that was dialed', 'WRONG_ID', () => made.honest())
  byBoth('our own key', 'OWN_ID', () => me)

  test('our own connection, turned back to us: OWN_ID', async (t) => {
    const [one, door] = [made.honest(), await passage(t)]
    const both = await Proven.start(t, { ...SHORT, key: one.key, bind: 'tcp://127.0.0.1:0' })
    door.to = both.port
    assert.equal(await both.dial(address(door.port)), 'OWN_ID')
    // Whoever refuses first ends it, and the other may not have heard the end of the handshake.
    const { stats, asked } = await both.until(({ stats: { refused } }) => sum(refused) === 2, 'refused twice')
    assert.ok(
      stats.refused['OWN_ID'] === 2 || stats.refused['TLS_FAILED'] === 1,
      JSON.stringify(stats.refused),
    )
    assert.deepEqual([stats.bytesOut, stats.bytesIn, asked], [0, 0, 0])
  })

  test('a proxy that ends TLS with its own key: WRONG_ID here, UNKNOWN_ID there', async (t) => {
    const { stats: was } = await friend.report(true)
    const python = new Python(t, 'proxy', { ...made.honest(), to: friend.port })
    await refuses('WRONG_ID', (await python.hear<{ port: number }>()).port)
    const { up, down } = await python.hear<{ up: number; down: number }>()
    assert.deepEqual([up, down], [0, 0])
    const { stats, handled } = await friend.until(
      ({ stats: { refused } }) => refused['UNKNOWN_ID'] === 1,
      'refused',
    )
    assert.deepEqual([handled, stats.bytesIn, stats.bytesOut], [[], was.bytesIn, was.bytesOut])
  })

  test('control: whoever has the key of the friend hears a HELLO; and the friend all that waited', async (t) => {
    const python = new Python(t, 'server', { ...friends, enough: 1 })
    const { port } = await python.hear<{ port: number }>()
    assert.equal(await dialer.dial(address(port)), 'PEER_NOT_SESSION')
    assert.ok((await python.hear()).heard > 0)
    await gets(friend, () => dialer.dial(friend.address), ['posted 1', 'posted 2'])
  })

  test('a session whose friend went away, and somebody else at his place: WRONG_ID, and nothing of what was sent meanwhile', async (t) => {
    const door = await passage(t)
    door.to = friend.port
    await friend.report(true)
    assert.equal(await dialer.dial(address(door.port)), 'connected')
    const python = new Python(t, 'server', made.honest())
    door.to = (await python.hear<{ port: number }>()).port
    door.cut()
    // Until then the friend may say something.
    const { stats: was, handled } = await dialer.until(({ state }) => state === 'detached', 'detached')
    await dialer.send('sent 1', 'sent 2')
    await dialer.post(friends.identity.id, 'posted 3')
    assert.deepEqual([(await python.hear()).heard, (await python.hear()).heard], [0, 0])
    const { stats, ...is } = await dialer.report()
    assert.ok((stats.refused['WRONG_ID'] ?? 0) - (was.refused['WRONG_ID'] ?? 0) >= 2)
    // Not what came: there is another connection with the friend, which has its pings.
    assert.deepEqual(is.handled, handled)
    await gets(friend, () => void (door.to = friend.port), ['posted 3', 'sent 1', 'sent 2'])
  })
})

const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((a, b) => a + b, 0)

/** Each once, as a set: what is posted and what is sent go separate ways. */
async function gets(friend: Proven, start: () => unknown, texts: readonly string[]): Promise<void> {
  await start()
  const { handled } = await friend.until(
    (report) => report.handled.length >= texts.length,
    `heard ${texts.join()}`,
  )
  assert.deepEqual([...handled].sort(), [...texts])
}

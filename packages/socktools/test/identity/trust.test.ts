/** Whom a sock speaks with: policies, pins, records; sessions that belong to a key; and addresses that name one. */
import assert from 'node:assert/strict'
import fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import {
  call,
  firstUse,
  Identity,
  isJoinProof,
  joinProof,
  known,
  msg,
  nothing,
  revocation,
  rotation,
  TcpSock,
  type TcpSockOptions,
} from '../../src/index.ts'
import { bytes } from '../../src/schema.ts'
import { opened } from './opened.ts'

const GUARD = { timeout: 20_000 }
const protocol = { hi: msg(nothing()), join: call(bytes(), nothing()) }
type Options = TcpSockOptions<never, typeof protocol>
const LATER = Date.now() + 3_600_000

const open = (t: TestContext, options?: Partial<Options>): ReturnType<typeof opened<typeof protocol>> =>
  opened(t, protocol, options)

const serve = (t: TestContext, options: Partial<Options> = {}): ReturnType<typeof open> =>
  open(t, { bind: 'tcp://127.0.0.1:0', ...options })

const addressOf = (sock: { address: string | undefined }): string => sock.address ?? assert.fail('it listens')
/** The same without the id. */
const bare = (sock: { address: string | undefined }): string => addressOf(sock).replace(/\/\/.*@/, '//')
const at = (id: string, sock: { address: string | undefined }): string => bare(sock).replace('//', `//${id}@`)

describe('addresses', GUARD, () => {
  test('a sock without an identity cannot dial an id, and a broken id is told before anything is dialed', async (t) => {
    const server = await serve(t)
    const plain = new TcpSock()
    t.after(() => plain.close())
    await assert.rejects(plain.connectTo(addressOf(server)), { code: 'UNPROVEN' })
    const client = await open(t)
    await assert.rejects(client.connectTo(at('sock1nobody', server)), { code: 'BAD_ID' })
    await assert.rejects(client.connectTo(addressOf(server).replace('@', ':password@')), {
      code: 'BAD_ADDRESS',
    })
    assert.deepEqual(server.stats().refused, {})
  })

  test('what a sock listens on may name itself and nobody else', async (t) => {
    const identity = Identity.generate()
    const first = await serve(t, { identity })
    const address = addressOf(first)
    await first.close()
    assert.equal(addressOf(await serve(t, { identity, bind: address })), address)
    await assert.rejects(serve(t, { bind: address }), { code: 'BAD_ADDRESS' })
  })

  test('with an identity the plain wire is proven as well', async (t) => {
    const [a, b] = [Identity.generate(), Identity.generate()]
    const heard: string[] = []
    const server = await TcpSock.open({
      identity: a,
      bind: 'tcp://127.0.0.1:0',
      handlers: { 0: (data, { peer }) => void heard.push(`${peer.identity} ${String(data)}`) },
    })
    const client = await TcpSock.open({ identity: b })
    t.after(() => Promise.all([server.close(), client.close()]))
    const peer = await client.connectTo(addressOf(server))
    await peer.sendMsg(0, 'hi')
    await peer.drain()
    assert.deepEqual([peer.identity, heard.length], [a.id, 1])
    assert.match(heard[0] ?? '', new RegExp(b.id))
  })

  test('goodPeer is told who it is, when that is proven', async (t) => {
    const told: unknown[] = []
    const server = await serve(t, {
      goodPeer: async ({ identity, dialed }) => told.push({ identity, dialed }) > 0,
    })
    const client = await open(t)
    await client.connectTo(addressOf(server))
    assert.deepEqual(told, [{ identity: client.identity?.id, dialed: false }])
  })
})

describe('policies', GUARD, () => {
  test('a list: who is in it comes in, and may be dialed without an id; nobody else', async (t) => {
    const [friend, stranger] = [Identity.generate(), Identity.generate()]
    const server = await serve(t, { trust: [friend.id] })
    const client = await open(t, { identity: friend, trust: [server.identity?.id ?? ''] })
    await client.connectTo(bare(server))
    const other = await open(t, { identity: stranger, trust: [friend.id] })
    await assert.rejects(other.connectTo(bare(server)), { code: 'UNKNOWN_ID' })
    await assert.rejects(other.connectTo(addressOf(server)), { code: 'REFUSED' })
    assert.deepEqual([server.stats().refused['UNKNOWN_ID'], server.knownPeers.length], [1, 1])
  })

  test('a function: only `true` opens; one that throws or rejects is a no', async (t) => {
    let answer: () => unknown = () => true
    const server = await serve(t, { trust: () => answer() as boolean })
    const client = await open(t)
    await client.connectTo(addressOf(server))
    for (const one of [
      () => 1,
      () => undefined,
      () => Promise.resolve('yes'),
      () => {
        throw new Error('no')
      },
      () => Promise.reject(new Error('no')),
    ]) {
      answer = one
      await assert.rejects((await open(t)).connectTo(addressOf(server)), { code: 'REFUSED' })
    }
    assert.deepEqual(server.stats().refused, { UNKNOWN_ID: 5 })
  })

  test('trust without an identity, or of the wrong kind, is BAD_OPTION or BAD_ID', () => {
    assert.throws(() => new TcpSock({ trust: [] }), { code: 'BAD_OPTION' })
    const identity = Identity.generate()
    assert.throws(() => new TcpSock({ identity, trust: {} as never }), { code: 'BAD_OPTION' })
    assert.throws(() => new TcpSock({ identity, trust: ['somebody'] }), { code: 'BAD_ID' })
    assert.throws(() => new TcpSock({ identity: {} as never }), { code: 'BAD_OPTION' })
    assert.throws(() => known({ ids: ['somebody'] }), { code: 'BAD_ID' })
  })

  test('first use: who answered first is pinned, over restarts; another key there is PIN_CHANGED, loudly', async (t) => {
    const folder = await fs.mkdtemp(join(tmpdir(), 'pins-'))
    t.after(() => fs.rm(folder, { recursive: true }))
    const path = join(folder, 'pins.json')
    const first = await serve(t)
    const address = bare(first)
    for (let i = 0; i < 2; i++) await (await open(t, { trust: await firstUse(path) })).connectTo(address)
    assert.equal((await fs.stat(path)).mode & 0o777, 0o600)
    await first.close()
    const usurper = await serve(t, { bind: address })
    const lines: string[] = []
    const client = await open(t, {
      trust: await firstUse(path),
      logger: { error: (text: string) => lines.push(text) },
    })
    await assert.rejects(client.connectTo(address), { code: 'PIN_CHANGED' })
    assert.equal(lines.length, 1)
    assert.deepEqual(usurper.knownPeers, [])
    // Whoever says whom he means needs no pin.
    await client.connectTo(addressOf(usurper))
    await fs.writeFile(path, '{"a":"b"}')
    await assert.rejects(firstUse(path), { code: 'BAD_PIN_FILE' })
    await fs.writeFile(path, '{')
    await assert.rejects(firstUse(path), { code: 'BAD_PIN_FILE' })
  })

  test('rotation: a new key for an old one, live connections live on, and the old one ends with the overlap', async (t) => {
    const [old, next] = [Identity.generate(), Identity.generate()]
    const server = await serve(t, { identity: old })
    const roster = known({ ids: [old.id] })
    const client = await open(t, { trust: roster })
    const peer = await client.connectTo(bare(server))
    server.changeIdentity(next)
    await peer.flushed()
    assert.equal(peer.state, 'open')
    const another = await open(t, { trust: roster })
    await assert.rejects(another.connectTo(bare(server)), { code: 'UNKNOWN_ID' })
    await assert.rejects(another.connectTo(at(old.id, server)), { code: 'WRONG_ID' })
    roster.add(JSON.stringify(rotation(old, next, LATER)))
    assert.equal((await another.connectTo(bare(server))).identity, next.id)
    assert.equal((await (await open(t, { trust: roster })).connectTo(at(old.id, server))).identity, next.id)
    // Within the overlap the old one counts as well, and not behind it.
    const before = await serve(t, { identity: old })
    await (await open(t, { trust: roster })).connectTo(bare(before))
    roster.add(rotation(old, next, Date.now() - 1))
    await assert.rejects((await open(t, { trust: roster })).connectTo(bare(before)), { code: 'REVOKED_ID' })
  })

  test('revocation: by the key itself or by the list, also of one that is dialed by id; it vouches for nobody', async (t) => {
    const [old, next] = [Identity.generate(), Identity.generate()]
    const roster = known({ records: [rotation(old, next, LATER)] })
    const server = await serve(t, { identity: old })
    await (await open(t, { trust: roster })).connectTo(addressOf(server))
    roster.add(revocation(old))
    await assert.rejects((await open(t, { trust: roster })).connectTo(addressOf(server)), {
      code: 'REVOKED_ID',
    })
    server.changeIdentity(next)
    await assert.rejects((await open(t, { trust: roster })).connectTo(at(old.id, server)), {
      code: 'WRONG_ID',
    })
    await (await open(t, { trust: roster })).connectTo(at(next.id, server))
    roster.revoke(next.id)
    await assert.rejects((await open(t, { trust: roster })).connectTo(at(next.id, server)), {
      code: 'REVOKED_ID',
    })
  })

  test('a record that its keys did not sign is BAD_RECORD', () => {
    const [a, b, c] = [Identity.generate(), Identity.generate(), Identity.generate()]
    const good = rotation(a, b, LATER)
    const roster = known()
    for (const bad of [
      { ...good, next: c.id },
      { ...good, old: c.id },
      { ...good, until: LATER + 1 },
      { ...good, byOld: good.byNext },
      { ...good, byNext: good.byOld },
      { ...good, byNext: undefined },
      { ...revocation(a), id: b.id },
      { record: 'other' },
      'no record',
      undefined,
      'x'.repeat(5000),
    ])
      assert.throws(() => roster.add(bad), { code: 'BAD_RECORD' }, JSON.stringify(bad))
    assert.deepEqual(roster.add(JSON.stringify(good)), good)
    assert.throws(() => rotation(a, a, LATER), { code: 'BAD_OPTION' })
    assert.throws(() => rotation(a, b, NaN), { code: 'BAD_OPTION' })
  })
})

test('a join token is shown for this connection and from this side alone', GUARD, async (t) => {
  const verdicts: boolean[] = []
  const server = await serve(t, {
    handlers: {
      join: (shown: Uint8Array, { peer }: { peer: Parameters<typeof isJoinProof>[1] }) =>
        void verdicts.push(isJoinProof('a token', peer, shown)),
    },
  })
  const [one, other] = [await open(t), await open(t)]
  const peer = await one.connectTo(addressOf(server))
  const elsewhere = await other.connectTo(addressOf(server))
  const [accepted] = server.knownPeers
  assert.ok(accepted !== undefined)
  await peer.request('join', joinProof('a token', peer))
  await peer.request('join', joinProof('another', peer))
  await peer.request('join', joinProof('a token', accepted))
  await peer.request('join', joinProof('a token', elsewhere))
  assert.deepEqual(verdicts, [true, false, false, false])
  assert.equal(isJoinProof('a token', peer, joinProof('a token', accepted)), true)
  assert.throws(() => joinProof('a token', { dialed: true }), { code: 'UNPROVEN' })
})

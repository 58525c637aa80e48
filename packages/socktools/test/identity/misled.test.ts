/** What strangers found: ways to have a policy trust more than it says. */
import assert from 'node:assert/strict'
import fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import {
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
import { opened } from './opened.ts'

const GUARD = { timeout: 20_000 }
const protocol = { hi: msg(nothing()) }
const NOW = Date.now()
const HOUR = 3_600_000
const [a, b, c] = [Identity.generate(), Identity.generate(), Identity.generate()]

const open = (
  t: TestContext,
  options?: Partial<TcpSockOptions<never, typeof protocol>>,
): ReturnType<typeof opened<typeof protocol>> => opened(t, protocol, options)

test('a key whose place is taken names no other heir, and has no more time', () => {
  const roster = known({ ids: [a.id], records: [rotation(a, b, NOW - 1)] })
  assert.throws(() => roster.add(rotation(a, c, NOW + HOUR)), { code: 'BAD_RECORD' })
  roster.add(rotation(a, b, NOW + HOUR))
  const codeOf = ({ id }: Identity): string | undefined =>
    roster.judge({ id, proof: { by: 'tls', id }, address: 'tcp://h:1', dialed: false, named: false })?.code
  assert.deepEqual([a, b, c].map(codeOf), ['REVOKED_ID', undefined, 'UNKNOWN_ID'])
  const shorter = known({ ids: [a.id], records: [rotation(a, b, NOW + HOUR), rotation(a, b, NOW - 1)] })
  assert.equal(
    shorter.judge({
      id: a.id,
      proof: { by: 'tls', id: a.id },
      address: 'tcp://h:1',
      dialed: true,
      named: true,
    })?.code,
    'REVOKED_ID',
  )
})

test('a pin is of a host and port, however they are written', GUARD, async (t) => {
  const folder = await fs.mkdtemp(join(tmpdir(), 'pins-'))
  t.after(() => fs.rm(folder, { recursive: true }))
  const trust = await firstUse(join(folder, 'pins.json'))
  const client = await open(t, { trust })
  const server = await open(t, { bind: 'tcp://127.0.0.1:0' })
  const { port } = new URL(server.address ?? '')
  await client.connectTo(`tcp://localhost:${port}`)
  server.changeIdentity(Identity.generate())
  for (const text of [
    `tcp://localhost:${port}`,
    `tcp://LOCALHOST:${port}`,
    `tcp://localhost:0${port}`,
    `tcp://localhost:${port}/`,
  ])
    await assert.rejects(client.connectTo(text), { code: 'PIN_CHANGED' }, text)
  for (const text of [
    `tcp://localhost:${port}?x`,
    `tcp://localhost:${port}#`.concat('x'),
    ` tcp://localhost:${port}`,
    `tcp://local\thost:${port}`,
  ])
    await assert.rejects(client.connectTo(text), { code: 'BAD_ADDRESS' }, text)
  for (const text of [`tcp://@localhost:${port}`, `tcp://:@localhost:${port}`])
    await assert.rejects(client.connectTo(text), { code: 'BAD_ID' }, text)
})

test('policies that share a file of pins keep those of each other', GUARD, async (t) => {
  const folder = await fs.mkdtemp(join(tmpdir(), 'pins-'))
  t.after(() => fs.rm(folder, { recursive: true }))
  const path = join(folder, 'pins.json')
  const servers = await Promise.all(Array.from({ length: 8 }, () => open(t, { bind: 'tcp://127.0.0.1:0' })))
  await Promise.all(
    servers.map(async ({ address }) => {
      const client = await open(t, { trust: await firstUse(path) })
      await client.connectTo(`tcp://127.0.0.1:${new URL(address ?? '').port}`)
    }),
  )
  assert.equal(Object.keys(JSON.parse(await fs.readFile(path, 'utf8')) as object).length, 8)
})

test('a policy that was written wrongly opens nothing', () => {
  for (const wrong of [
    [a.id],
    { id: [a.id] },
    { ids: a.id },
    { ids: null },
    { ids: new Set([a.id]) },
    { records: 'x' },
  ])
    assert.throws(() => known(wrong as never), { code: 'BAD_OPTION' }, JSON.stringify(wrong))
})

test('an identity listens on and dials what can prove it, or says so at once', GUARD, async (t) => {
  await assert.rejects(open(t, { bind: `unix:${join(tmpdir(), 'never.sock')}` }), { code: 'UNSUPPORTED' })
  await assert.rejects(open(t, { bind: 'memory:never' }), { code: 'UNSUPPORTED' })
  await assert.rejects((await open(t, {})).connectTo('memory:never'), { code: 'UNSUPPORTED' })
})

test('an end that is over, or in another unit, is no end of a rotation; one of this very moment is', () => {
  for (const until of [30, NOW / 1000, NOW - HOUR, -1, 1.5, NaN, Infinity, '30'])
    assert.throws(
      () => rotation(a, b, until as number),
      { code: 'BAD_OPTION', message: /Date\.now\(\) \+ 30 \* 86_400_000/ },
      String(until),
    )
  assert.equal(rotation(a, b, NOW).until, NOW)
})

test('what is no identity, or no policy, is told as that; a promise of one is to be awaited', async (t) => {
  const path = join(await fs.mkdtemp(join(tmpdir(), 'id-')), 'id.pem')
  t.after(() => fs.rm(join(path, '..'), { recursive: true }))
  const told = (fn: () => unknown, message: RegExp): void => {
    assert.throws(fn, { code: 'BAD_OPTION', message })
  }
  const loading = Identity.load(path, { create: true })
  await loading
  const promise = loading as never
  told(() => new TcpSock({ identity: promise }), /await/)
  told(() => new TcpSock({ identity: a, trust: firstUse(join(path, '..', 'pins')) as never }), /await/)
  told(() => rotation(promise, b, NOW), /await/)
  told(() => rotation(a, promise, NOW), /await/)
  told(() => revocation(promise), /await/)
  for (const wrong of [undefined, null, 'x', a.id, { id: a.id }, {}] as never[]) {
    told(() => rotation(wrong, b, NOW), /Identity/)
    told(() => rotation(a, wrong, NOW), /Identity/)
    told(() => revocation(wrong), /Identity/)
  }
  for (const wrong of [{ roster: {} }, { roster: [a.id] }, { roster: null }, { rooster: known() }] as never[])
    await assert.rejects(firstUse(path, wrong), { code: 'BAD_OPTION' })
  await assert.rejects(firstUse(path, { roster: promise }), { code: 'BAD_OPTION', message: /await/ })
})

test('a join token that is none proves nothing', () => {
  const proof = { by: 'tls', id: a.id, exported: () => new Uint8Array(32) }
  for (const token of ['', new Uint8Array(), undefined, 7])
    assert.throws(() => joinProof(token as string, { dialed: true, proof }), { code: 'BAD_OPTION' })
  assert.equal(isJoinProof('a token', { dialed: true, proof }, null as never), false)
})

/** The file of pins: what it may hold, who may use it at once, and how a pin is looked at and taken back. */
import assert from 'node:assert/strict'
import fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { firstUse, Identity, msg, nothing, TcpSock } from '../../src/index.ts'
import { Child } from '../support/child.ts'

const GUARD = { timeout: 60_000 }
const protocol = { hi: msg(nothing()) }

async function fileOf(t: TestContext): Promise<string> {
  const folder = await fs.mkdtemp(join(tmpdir(), 'pins-'))
  t.after(() => fs.rm(folder, { recursive: true }))
  return join(folder, 'pins.json')
}

test('a file that holds anything else is told, and stays', async (t) => {
  const path = await fileOf(t)
  const { id } = Identity.generate()
  for (const text of [
    ...['[]', '5', 'null', '"x"', 'true', '', '{', '{"tcp://h:1":5}', `["${id}"]`],
    // A pin that no dial would ever find.
    ...['h:1', 'tcp://h', 'tcp://H:1', 'tcp://h:01', `tcp://${id}@h:1`, 'x'].map((at) => `{"${at}":"${id}"}`),
  ]) {
    await fs.writeFile(path, text, { mode: 0o600 })
    await assert.rejects(firstUse(path), { code: 'BAD_PIN_FILE', message: /pins\.json/ }, text)
    assert.equal(await fs.readFile(path, 'utf8'), text)
  }
  await fs.writeFile(path, `{"tcp://h:1":"${id}","tcp://[::1]:2":"${id}"}`, { mode: 0o600 })
  await firstUse(path)
})

test('processes that use one file at once keep the pins of each other', GUARD, async (t) => {
  const path = await fileOf(t)
  const children = [1, 2, 3].map((n) => Child.start(t, 'pins', path, String(n)))
  await Promise.all(children.map((child) => child.hear()))
  for (const child of children) child.tell('go')
  await Promise.all(children.map((child) => child.hear()))
  const pins = Object.keys(JSON.parse(await fs.readFile(path, 'utf8')) as object)
  assert.equal(pins.length, 60)
})

test('a key that changed is taken in when its pin is taken back', GUARD, async (t) => {
  const trust = await firstUse(await fileOf(t))
  const [server, client] = await Promise.all([
    TcpSock.open({ identity: Identity.generate(), bind: 'tcp://127.0.0.1:0', protocol }),
    TcpSock.open({ identity: Identity.generate(), protocol, trust }),
  ])
  t.after(() => Promise.all([server.close(), client.close()]))
  const address = `tcp://127.0.0.1:${new URL(server.address ?? '').port}`
  await client.connectTo(address)
  const before = server.identity?.id
  assert.deepEqual([...(await trust.pins())], [[address, before]])
  server.changeIdentity(Identity.generate())
  await assert.rejects(client.connectTo(address), { code: 'PIN_CHANGED' })
  assert.equal(await trust.unpin(address.replace('tcp://', `tcp://${before}@`)), before)
  assert.equal(await trust.unpin(address), undefined)
  await client.connectTo(address)
  assert.deepEqual([...(await trust.pins())], [[address, server.identity?.id]])
})

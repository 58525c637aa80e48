/** What is special about Unix sockets: they are files. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { parseAddress } from '../../src/address.ts'
import type { Listener } from '../../src/net/transport.ts'
import { unix } from '../../src/net/unix.ts'
import { nodePlatform } from '../../src/platform/node.ts'

const folder = mkdtempSync(join(os.tmpdir(), 'socktools-'))
const open = new Set<Listener>()
after(async () => {
  for (const listener of open) await listener.close()
  rmSync(folder, { recursive: true })
})
let names = 0
const fresh = (): string => join(folder, `s${++names}`)

async function listen(path: string): Promise<Listener> {
  const at = parseAddress(`unix:${path.split('/').map(encodeURIComponent).join('/')}`)
  const listener = await unix(nodePlatform).listen(at, {}, (pipe) => pipe.destroy())
  open.add(listener)
  return listener
}

async function dial(address: string): Promise<void> {
  const pipe = await unix(nodePlatform).dial(parseAddress(address), {})
  pipe.destroy()
}

/** A socket file whose process died before it could remove it. */
function abandoned(): string {
  const path = fresh()
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
  assert.throws(() => execFileSync(process.execPath, ['-e', script]))
  assert.equal(existsSync(path), true)
  return path
}

describe('unix socket files', () => {
  test('one that a dead process left is replaced', async () => {
    const path = abandoned()
    await assert.rejects(dial(`unix:${path}`), { code: 'CONNECT_FAILED' })
    await listen(path)
    await dial(`unix:${path}`)
  })

  test('one that answers is ADDRESS_IN_USE, and stays', async () => {
    const path = fresh()
    await listen(path)
    await assert.rejects(listen(path), { code: 'ADDRESS_IN_USE', address: `unix:${path}` })
    await dial(`unix:${path}`)
  })

  test('it is removed when its listener is closed', async () => {
    const path = fresh()
    const listener = await listen(path)
    assert.equal(existsSync(path), true)
    await listener.close()
    assert.equal(existsSync(path), false)
  })

  test('a file that is no socket is ADDRESS_IN_USE, and is never removed', async () => {
    const path = fresh()
    writeFileSync(path, 'precious')
    await assert.rejects(listen(path), { code: 'ADDRESS_IN_USE' })
    assert.equal(readFileSync(path, 'utf8'), 'precious')
  })

  test('nor is a folder, or a link to a file', async () => {
    const [dir, file, link] = [fresh(), fresh(), fresh()]
    mkdirSync(dir)
    writeFileSync(file, 'precious')
    symlinkSync(file, link)
    for (const path of [dir, link]) await assert.rejects(listen(path), { code: 'ADDRESS_IN_USE' }, path)
    assert.equal(readFileSync(link, 'utf8'), 'precious')
  })

  test('where there is no folder for it is LISTEN_FAILED', async () => {
    await assert.rejects(listen(join(folder, 'none', 's')), { code: 'LISTEN_FAILED' })
  })

  test('a path that is too long is BAD_ADDRESS, not cut', async () => {
    const room = 107 - folder.length - 1
    await listen(join(folder, 'x'.repeat(room)))
    for (const name of ['x'.repeat(room + 1), 'é'.repeat(room / 2 + 1)]) {
      await assert.rejects(listen(join(folder, name)), { code: 'BAD_ADDRESS' })
      await assert.rejects(dial(`unix:${folder}/${name}`), { code: 'BAD_ADDRESS' })
    }
  })

  for (const name of ['with space', 'per%cent', 'what?', 'no#1', 'ünï', '100%25']) {
    test(`the address that listen gives for "${name}" can be dialed`, async () => {
      const listener = await listen(join(folder, name))
      assert.equal(existsSync(join(folder, name)), true)
      await dial(listener.address)
    })
  }
})

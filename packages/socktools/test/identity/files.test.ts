import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { Identity } from '../../src/index.ts'

async function folder(t: TestContext): Promise<string> {
  const path = await fs.mkdtemp(join(tmpdir(), 'identity-'))
  t.after(() => fs.rm(path, { recursive: true }))
  return path
}

const modeOf = async (path: string): Promise<string> => ((await fs.lstat(path)).mode & 0o777).toString(8)

describe('the file of a key', { skip: process.platform === 'win32' && 'Windows has no modes' }, () => {
  test('is made for its owner alone, in a folder of the same kind, and is the same identity from then on', async (t) => {
    const path = join(await folder(t), 'a', 'b', 'id.pem')
    const mask = process.umask(0)
    t.after(() => process.umask(mask))
    const made = await Identity.load(path, { create: true })
    assert.deepEqual([await modeOf(path), await modeOf(join(path, '..'))], ['600', '700'])
    assert.deepEqual([await modeOf(join(path, '../..'))], ['700'])
    assert.equal((await Identity.load(path)).id, made.id)
    assert.equal((await Identity.load(path, { create: true })).id, made.id)
    assert.deepEqual(await fs.readdir(join(path, '..')), ['id.pem'], 'no drafts are left')
  })

  test('of ten who make it at once all get the one that there is', async (t) => {
    const path = join(await folder(t), 'id.pem')
    const all = await Promise.all(Array.from({ length: 10 }, () => Identity.load(path, { create: true })))
    assert.equal(new Set(all.map(({ id }) => id)).size, 1)
  })

  test('without `create` there has to be one', async (t) => {
    const path = join(await folder(t), 'id.pem')
    await assert.rejects(Identity.load(path), { code: 'NO_KEY_FILE' })
    await assert.rejects(fs.stat(path), { code: 'ENOENT' })
  })

  for (const mode of [0o640, 0o604, 0o660, 0o610]) {
    test(`mode ${mode.toString(8)} is refused`, async (t) => {
      const path = join(await folder(t), 'id.pem')
      await Identity.load(path, { create: true })
      await fs.chmod(path, mode)
      await assert.rejects(Identity.load(path, { create: true }), {
        code: 'UNSAFE_FILE',
        message: /chmod 600/,
      })
    })
  }

  test('a folder in which others can write is refused, for reading and for making', async (t) => {
    const path = join(await folder(t), 'id.pem')
    await Identity.load(path, { create: true })
    await fs.chmod(join(path, '..'), 0o770)
    await assert.rejects(Identity.load(path), { code: 'UNSAFE_FILE' })
    await assert.rejects(Identity.load(`${path}2`, { create: true }), { code: 'UNSAFE_FILE' })
    await fs.chmod(join(path, '..'), 0o700)
    assert.deepEqual(await fs.readdir(join(path, '..')), ['id.pem'])
  })

  test('a link is refused, also one that leads nowhere; so is what is no file', async (t) => {
    const path = join(await folder(t), 'id.pem')
    await Identity.load(path, { create: true })
    await fs.symlink(path, `${path}.link`)
    await fs.symlink(`${path}.nowhere`, `${path}.dangling`)
    await fs.mkdir(`${path}.folder`, { mode: 0o700 })
    execFileSync('mkfifo', ['-m', '600', `${path}.fifo`])
    for (const one of ['link', 'dangling', 'folder', 'fifo'])
      await assert.rejects(Identity.load(`${path}.${one}`, { create: true }), { code: 'UNSAFE_FILE' }, one)
    await assert.rejects(fs.stat(`${path}.nowhere`), { code: 'ENOENT' })
  })

  test('what is no private key of Ed25519 is told, stays, and is not shown', async (t) => {
    const path = join(await folder(t), 'id.pem')
    for (const text of [
      '',
      'secret words',
      execFileSync('openssl', ['genpkey', '-algorithm', 'x25519']).toString(),
    ]) {
      await fs.writeFile(path, text, { mode: 0o600 })
      await assert.rejects(Identity.load(path, { create: true }), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'BAD_KEY_FILE')
        assert.ok(text === '' || !error.message.includes(text.slice(0, 12)), error.message)
        return true
      })
      assert.equal(await fs.readFile(path, 'utf8'), text)
    }
  })

  test('a key that openssl made is one', async (t) => {
    const path = join(await folder(t), 'id.pem')
    await fs.writeFile(path, execFileSync('openssl', ['genpkey', '-algorithm', 'ed25519']), { mode: 0o600 })
    assert.equal((await Identity.load(path)).id.length, 63)
  })
})

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

  test('a folder further up in which others can write is refused as well, unless it is as /tmp', async (t) => {
    const top = await folder(t)
    const path = join(top, 'a', 'b', 'id.pem')
    await Identity.load(path, { create: true })
    await fs.chmod(top, 0o777)
    for (const one of [path, `${path}2`, join(top, 'new', 'id.pem')])
      await assert.rejects(
        Identity.load(one, { create: true }),
        { code: 'UNSAFE_FILE', message: /chmod go-w/ },
        one,
      )
    assert.deepEqual(await fs.readdir(top), ['a'])
    await fs.chmod(top, 0o1777)
    await Identity.load(path)
  })

  test('a link to a folder is taken for where it leads, over which way it may', async (t) => {
    const top = await folder(t)
    const path = join(top, 'a', 'b', 'id.pem')
    const { id } = await Identity.load(path, { create: true })
    await fs.mkdir(join(top, 'open', 'in'), { recursive: true, mode: 0o700 })
    await fs.symlink('../a/b', join(top, 'open', 'relative'))
    await fs.symlink(join(top, 'open', 'relative'), join(top, 'absolute'))
    await fs.symlink('loop', join(top, 'loop'))
    assert.equal((await Identity.load(join(top, 'absolute', 'id.pem'))).id, id)
    assert.equal((await Identity.load(`${top}/absolute/../b/id.pem`)).id, id)
    await assert.rejects(Identity.load(join(top, 'loop', 'id.pem')))
    await fs.chmod(join(top, 'open'), 0o777)
    // Others can have the link lead elsewhere.
    await assert.rejects(Identity.load(join(top, 'absolute', 'id.pem')), { code: 'UNSAFE_FILE' })
    await fs.chmod(join(top, 'open'), 0o700)
    await fs.chmod(join(top, 'a'), 0o777)
    await assert.rejects(Identity.load(join(top, 'absolute', 'id.pem')), { code: 'UNSAFE_FILE' })
  })

  const asRoot = process.getuid?.() !== 0 && 'only root can give files away'
  test('a folder, or a link to one, of somebody else is refused', { skip: asRoot }, async (t) => {
    const top = await folder(t)
    const path = join(top, 'a', 'b', 'id.pem')
    await Identity.load(path, { create: true })
    await fs.symlink('a', join(top, 'link'))
    for (const one of ['a', 'a/b', 'link']) {
      await fs.lchown(join(top, one), 4711, 4711)
      const refused = { code: 'UNSAFE_FILE', message: /another user/ }
      await assert.rejects(Identity.load(join(top, 'link', 'b', 'id.pem')), refused, one)
      await fs.lchown(join(top, one), 0, 0)
    }
    await Identity.load(join(top, 'link', 'b', 'id.pem'))
  })

  test('a file with another name is refused; what a process left that ended while it made it is none', async (t) => {
    const path = join(await folder(t), 'id.pem')
    await Identity.load(path, { create: true })
    await fs.link(path, join(path, '..', '.draft.1.abc'))
    await Identity.load(path)
    await fs.link(path, `${path}.copy`)
    await assert.rejects(Identity.load(path), { code: 'UNSAFE_FILE', message: /hard link/ })
    await fs.rm(`${path}.copy`)
    await Identity.load(path)
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

  test('one that is encrypted, or of another form, is told in words of our own', async (t) => {
    const path = join(await folder(t), 'id.pem')
    const pem = Identity.generate().toPem()
    const encrypted = (...how: string[]): string =>
      execFileSync('openssl', how, { input: pem, stdio: ['pipe', 'pipe', 'ignore'] }).toString()
    for (const [text, words] of [
      [
        encrypted('pkcs8', '-topk8', '-v2', 'aes-256-cbc', '-passout', 'pass:word'),
        /it is encrypted: .*openssl pkey/,
      ],
      [pem.replace(/PRIVATE KEY/g, 'OPENSSH PRIVATE KEY'), /it is in the form of OpenSSH/],
      [encrypted('pkey', '-pubout'), /it is a public key/],
      ['words', /it has no "-----BEGIN PRIVATE KEY-----"/],
      [pem.replace('M', '!'), /what stands in it is no key/],
    ] as const) {
      await fs.writeFile(path, text, { mode: 0o600 })
      await assert.rejects(Identity.load(path), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'BAD_KEY_FILE')
        assert.match(error.message, words)
        assert.doesNotMatch(error.message, /error:|routines|Passphrase|DECODER|unsupported/)
        return true
      })
    }
  })

  test('a key that openssl made is one', async (t) => {
    const path = join(await folder(t), 'id.pem')
    await fs.writeFile(path, execFileSync('openssl', ['genpkey', '-algorithm', 'ed25519']), { mode: 0o600 })
    assert.equal((await Identity.load(path)).id.length, 63)
  })
})

/** `outbox`: what waits in a store, whether it is whole, and the exit code. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, describe, test } from 'node:test'
import { Store } from 'socktools/store'
import { run, temporary } from './cli.ts'

const AT = 1_700_000_000_000
const FAR = '0123456789abcdef'.repeat(2)

async function filled(t: TestContext): Promise<{ folder: string; id: string; store: Store }> {
  const folder = join(temporary(t), 'outbox')
  const store = await Store.open(folder)
  for (const [peer, text] of [
    ['warehouse', 'one'],
    ['warehouse', 'two'],
    ['\x1b[2J', 'three'],
    ['warehouse', 'four'],
  ] as const)
    await store.append(peer, 'order', Buffer.from(text), { at: AT })
  await store.settle('warehouse', 2, 'delivered')
  await store.advance(FAR, 7)
  return { folder, id: store.id, store }
}

const parsed = (stdout: string): Record<string, unknown>[] =>
  stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>)

describe('outbox', () => {
  test('ls: peers, cursors, the sum; while a process has it open, and harmless to a terminal', async (t) => {
    const { folder, id, store } = await filled(t)
    const { code, stdout, stderr } = await run(t, ['outbox', 'ls', folder])
    assert.equal(stderr, '')
    assert.equal(code, 0)
    assert.doesNotMatch(stdout, /\x1b/)
    const lines = parsed(stdout)
    assert.deepEqual(
      lines.map(({ event, peer, pending, last }) => [event, peer, pending, last]),
      [
        ['peer', '\x1b[2J', 1, 1],
        ['peer', 'warehouse', 2, 3],
        ['cursor', undefined, undefined, undefined],
        ['store', undefined, 3, undefined],
      ],
    )
    assert.deepEqual(lines[2], { event: 'cursor', store: FAR, n: 7 })
    assert.equal(lines[3]?.['id'], id)
    const one = parsed((await run(t, ['outbox', 'ls', '--peer', 'warehouse', folder])).stdout)
    assert.deepEqual(one, [lines[1]])
    await store.close()
  })

  test('export: what is pending, in order', async (t) => {
    const { folder, id, store } = await filled(t)
    await store.close()
    const { code, stdout } = await run(t, ['outbox', 'export', folder, '--peer', 'warehouse'])
    assert.equal(code, 0)
    assert.deepEqual(parsed(stdout), [
      { peer: 'warehouse', id: `${id}/1`, n: 1, type: 'order', at: AT, base64: 'b25l' },
      { peer: 'warehouse', id: `${id}/3`, n: 3, type: 'order', at: AT, base64: 'Zm91cg==' },
    ])
    assert.equal(parsed((await run(t, ['outbox', 'export', folder])).stdout).length, 3)
  })

  test('verify: 0 and the verdict where it is whole, what is torn told', async (t) => {
    const { folder, store } = await filled(t)
    await store.close()
    const file = join(folder, '000000000001.seg')
    writeFileSync(file, Buffer.concat([readFileSync(file), Buffer.from('cut short')]))
    const before = readFileSync(file)
    const { code, stdout } = await run(t, ['outbox', 'verify', folder])
    assert.equal(code, 0)
    const [segment, verdict] = parsed(stdout)
    assert.deepEqual(
      [segment?.['event'], segment?.['name'], segment?.['pending']],
      ['segment', '000000000001.seg', 3],
    )
    const { ok, torn, verified } = verdict ?? {}
    assert.deepEqual({ ok, torn, verified }, { ok: true, torn: 9, verified: 3 })
    assert.deepEqual(readFileSync(file), before, 'and nothing was changed')
  })

  test('1 where it is damaged: told where, and nothing exported', async (t) => {
    const { folder, store } = await filled(t)
    await store.close()
    const file = join(folder, '000000000001.seg')
    const bytes = readFileSync(file)
    bytes[bytes.indexOf('three')]! ^= 1
    writeFileSync(file, bytes)
    for (const action of ['ls', 'export', 'verify']) {
      const { code, stdout, stderr } = await run(t, ['outbox', action, folder])
      assert.equal(code, 1)
      assert.match(stderr, /^socktools: 000000000001\.seg, at byte \d+: [^\n]*\[STORE_CORRUPT\]\n$/)
      if (action !== 'verify') assert.equal(stdout, '')
      else
        assert.deepEqual(
          parsed(stdout).map(({ ok, code }) => [ok, code]),
          [[false, 'STORE_CORRUPT']],
        )
    }
  })

  test('2 where there is none, and none is made', async (t) => {
    const folder = temporary(t)
    const { code, stdout, stderr } = await run(t, ['outbox', 'ls', folder])
    assert.deepEqual([code, stdout], [2, ''])
    assert.match(stderr, /^socktools: there is no store in [^\n]*\n$/)
    assert.deepEqual(readdirSync(folder), [])
    assert.equal((await run(t, ['outbox', 'verify', join(folder, 'nowhere')])).code, 2)
    assert.equal(existsSync(join(folder, 'nowhere')), false)
  })
})

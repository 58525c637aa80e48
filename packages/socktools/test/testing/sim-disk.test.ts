/** The simulated disk forgets what a real one forgets, and nothing else. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { nodeDisk } from '../../src/platform/node-disk.ts'
import type { Disk } from '../../src/platform/disk.ts'
import { diskError, SimDisk } from '../../src/testing/index.ts'
import { xoshiro128 } from '../../src/testing/sim-platform.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const newDisk = (seed = 1): SimDisk => new SimDisk({ random: xoshiro128(seed) })
const textOf = (disk: SimDisk, path: string): string | undefined => {
  const content = disk.content(path)
  return content && Buffer.from(content).toString()
}

/** What every disk does. */
const both: [name: string, make: () => { disk: Disk; folder: string; end: () => void }][] = [
  ['simulated', () => ({ disk: newDisk(), folder: '/d', end: () => undefined })],
  [
    "Node's",
    () => {
      const folder = mkdtempSync(join(tmpdir(), 'socktools-disk-'))
      return {
        disk: nodeDisk,
        folder: join(folder, 'a', 'b'),
        end: () => rmSync(folder, { recursive: true }),
      }
    },
  ],
]
for (const [name, make] of both) {
  test(`a disk, ${name}: files, names, errors with codes`, async () => {
    const { disk, folder, end } = make()
    await assert.rejects(disk.list(folder), { code: 'ENOENT' })
    await disk.makeDirectory(folder)
    await disk.makeDirectory(folder)
    await assert.rejects(disk.open(`${folder}/x`, 'read'), { code: 'ENOENT' })
    await assert.rejects(disk.open(`${folder}/x`, 'write'), { code: 'ENOENT' })
    const file = await disk.open(`${folder}/x`, 'create')
    await file.write(bytes('hello'), 2)
    await file.write(bytes('ab'), 0)
    await file.sync()
    const into = new Uint8Array(10)
    assert.equal(await file.read(into, 1), 6)
    assert.deepEqual(into.subarray(0, 6), bytes('bhello'))
    assert.equal(await file.read(into, 100), 0)
    await file.truncate(3)
    assert.equal(await file.size(), 3)
    await file.truncate(5)
    assert.equal(await file.read(into, 0), 5)
    assert.deepEqual(into.subarray(0, 5), new Uint8Array([...bytes('abh'), 0, 0]), 'what was cut off is gone')
    await disk.rename(`${folder}/x`, `${folder}/y`)
    await disk.syncDirectory(folder)
    assert.deepEqual(await disk.list(folder), ['y'])
    await file.close()
    const lock = await disk.lock(folder)
    await assert.rejects(disk.lock(folder), { code: 'ELOCKED' })
    await lock.release()
    await (await disk.lock(folder)).release()
    await disk.remove(`${folder}/y`)
    await assert.rejects(disk.remove(`${folder}/y`), { code: 'ENOENT' })
    await assert.rejects(disk.rename(`${folder}/y`, `${folder}/z`), { code: 'ENOENT' })
    // The check value of CRC-32/ISO-HDLC, and the same in two steps.
    assert.equal(disk.crc32(bytes('123456789')), 0xcbf43926)
    assert.equal(disk.crc32(bytes('6789'), disk.crc32(bytes('12345'))), 0xcbf43926)
    end()
  })
}

describe('a simulated disk', () => {
  test('loses content that was not synced, and names whose directory was not', async () => {
    const disk = newDisk()
    await disk.makeDirectory('/d')
    const file = await disk.open('/d/x', 'create')
    await file.write(bytes('one'), 0)
    await file.sync()
    assert.equal(textOf(disk.afterCrash('lost'), '/d/x'), undefined, 'nobody knows its name')
    await disk.syncDirectory('/d')
    await file.write(bytes('two'), 0)
    assert.equal(textOf(disk.afterCrash('lost'), '/d/x'), 'one')
    assert.equal(textOf(disk.afterCrash('kept'), '/d/x'), 'two')
    await disk.rename('/d/x', '/d/y')
    assert.deepEqual(disk.afterCrash('lost').names(), ['/d/x'])
    assert.deepEqual(disk.afterCrash('kept').names(), ['/d/y'])
    const torn = new Set(
      Array.from({ length: 50 }, (_, i) => disk.afterCrash('torn', xoshiro128(i)).names().join()),
    )
    assert.deepEqual([...torn].sort(), ['/d/x', '/d/y'], 'a rename is one step')
    disk.crash('lost')
    assert.deepEqual(disk.names(), ['/d/x'])
  })

  test('tears what was not synced, never what was', async () => {
    const disk = newDisk()
    await disk.makeDirectory('/d')
    const file = await disk.open('/d/x', 'create')
    await file.write(new Uint8Array(2000).fill(1), 0)
    await file.sync()
    await disk.syncDirectory('/d')
    await file.write(new Uint8Array(3000).fill(2), 2000)
    const found = Array.from({ length: 200 }, (_, i) =>
      disk.afterCrash('torn', xoshiro128(i)).content('/d/x'),
    )
    for (const content of found) assert.ok(content?.subarray(0, 2000).every((byte) => byte === 1))
    const kinds = new Set(
      found.map((content) =>
        Array.from(content?.subarray(2000) ?? [])
          .join('')
          .replace(/(.)\1+/g, '$1'),
      ),
    )
    for (const kind of ['', '2', '0', '02', '20']) assert.ok(kinds.has(kind), `"${kind}" is among them`)
  })

  test('never makes up for a sync that failed', async () => {
    const disk = newDisk()
    await disk.makeDirectory('/d')
    const file = await disk.open('/d/x', 'create')
    await disk.syncDirectory('/d')
    await file.write(bytes('one'), 0)
    disk.before = ({ kind }) => {
      if (kind === 'sync') throw diskError('EIO')
    }
    await assert.rejects(file.sync(), { code: 'EIO' })
    disk.before = () => undefined
    await file.sync()
    assert.equal(textOf(disk, '/d/x'), 'one')
    assert.equal(textOf(disk.afterCrash('torn'), '/d/x'), '')
  })

  test('is full in the middle of a write; to write over what is there takes no space', async () => {
    const disk = newDisk()
    disk.capacity = 5
    await disk.makeDirectory('/d')
    const file = await disk.open('/d/x', 'create')
    await assert.rejects(file.write(bytes('sevenxx'), 0), { code: 'ENOSPC' })
    assert.equal(textOf(disk, '/d/x'), 'seven')
    await file.write(bytes('eight'), 0)
    assert.equal(disk.used, 5)
    await disk.remove('/d/x')
    assert.equal(disk.used, 0)
  })

  test('cuts off who had it open when it crashes or the process is killed', async () => {
    for (const end of ['crash', 'kill'] as const) {
      const disk = newDisk()
      await disk.makeDirectory('/d')
      const file = await disk.open('/d/x', 'create')
      await disk.syncDirectory('/d')
      await disk.lock('/d')
      let settled = false
      void file.write(bytes('late'), 0).finally(() => (settled = true))
      disk[end]()
      void file.write(bytes('later'), 0).finally(() => (settled = true))
      await (await disk.lock('/d')).release()
      await new Promise((resolve) => setImmediate(resolve))
      assert.equal(settled, false)
      assert.equal(textOf(disk, '/d/x'), '')
    }
  })
})

/** One process at a time, on a real disk. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Store } from '../../src/store/index.ts'
import { nodeDisk } from '../../src/platform/node-disk.ts'
import { Child } from '../support/child.ts'
import { coded } from '../support/coded.ts'
import { temporary } from './kill.ts'

const lockOf = (folder: string): string => {
  const [name = '', ...more] = readdirSync(folder).filter((name) => name.startsWith('lock'))
  assert.deepEqual(more, [])
  return join(folder, name)
}

describe('the lock of a store', () => {
  test('is held within a process, and free after close', async (t) => {
    const folder = temporary(t)
    const store = await Store.open(folder)
    await assert.rejects(Store.open(folder), coded('STORE_LOCKED', /one process at a time/))
    await store.close()
    await store.close()
    await (await Store.open(folder)).close()
    lockOf(folder)
  })

  test('is held among processes; one that is killed has it no longer', async (t) => {
    const folder = temporary(t)
    const first = Child.start(t, 'store', folder, 'lock')
    assert.equal(await first.hear(), 'open')
    await assert.rejects(Store.open(folder), (error: Error) => {
      assert.match((error.cause as Error).message, new RegExp(`process ${first.process.pid} `))
      return coded('STORE_LOCKED', /one process/)(error)
    })
    first.process.kill('SIGKILL')
    await first.exit
    const others = Array.from({ length: 4 }, () => Child.start(t, 'store', folder, 'lock'))
    const said = await Promise.all(others.map((child) => child.hear<string>()))
    assert.deepEqual(said.sort(), ['STORE_LOCKED', 'STORE_LOCKED', 'STORE_LOCKED', 'open'])
  })

  test('of a dead process whose number lives on in another does not count', async (t) => {
    const folder = temporary(t)
    const store = await Store.open(folder)
    const held = readFileSync(lockOf(folder), 'utf8')
    const file = lockOf(folder)
    await store.close()
    const [, pid = '', start = ''] = /^(\d+) (.*)\n$/.exec(held) ?? []
    assert.equal(pid, String(process.pid))
    if (start === '') {
      t.skip(
        'this system does not tell when a process began, by which the lock tells two of one number apart',
      )
      return
    }
    writeFileSync(file, held)
    await assert.rejects(Store.open(folder), { code: 'STORE_LOCKED' })
    writeFileSync(file, `${pid} ${start}1\n`)
    await (await Store.open(folder)).close()
    writeFileSync(lockOf(folder), 'what is this')
    await (await Store.open(folder)).close()
  })

  test('goes to one of many that find a dead one, however they race', async (t) => {
    for (let round = 0; round < 30; round++) {
      const folder = temporary(t)
      if (round % 3 > 0)
        writeFileSync(join(folder, 'lock.7'), round % 3 === 1 ? 'free\n' : '1 not this boot\n')
      let holders = 0
      const tries = Array.from({ length: 8 }, async () => {
        const lock = await nodeDisk.lock(folder).catch((error: unknown) => {
          assert.equal((error as { code?: string }).code, 'ELOCKED')
          return undefined
        })
        if (lock === undefined) return false
        assert.equal(++holders, 1)
        await new Promise((resolve) => setImmediate(resolve))
        holders--
        await lock.release()
        return true
      })
      const got = (await Promise.all(tries)).filter(Boolean).length
      assert.ok(got >= 1, 'somebody had it')
      lockOf(folder)
    }
  })

  test('of a directory that cannot be used tells why', async (t) => {
    const file = join(temporary(t), 'file')
    writeFileSync(file, '')
    await assert.rejects(Store.open(join(file, 'in')), (error: Error) => {
      assert.equal((error.cause as NodeJS.ErrnoException).code, 'ENOTDIR')
      return coded('STORE_FAILED', /the cause tells/)(error)
    })
    await assert.rejects(Store.open(''), { code: 'BAD_OPTION' })
  })
})

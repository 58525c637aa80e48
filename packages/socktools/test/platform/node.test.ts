import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { nodePlatform } from '../../src/platform/node.ts'
import { platformSuite } from './platform-suite.ts'

platformSuite('node', () => ({ platform: nodePlatform, run: (scenario) => scenario() }))

describe("Node's platform", () => {
  const folder = mkdtempSync(join(os.tmpdir(), 'socktools-'))
  after(() => rmSync(folder, { recursive: true }))

  test('unlink removes a socket, and no other file', async () => {
    const [path, file] = [join(folder, 's'), join(folder, 'file')]
    const server = net.createServer().listen(path)
    await once(server, 'listening')
    await nodePlatform.unlink(path)
    assert.equal(existsSync(path), false)
    server.close()

    writeFileSync(file, 'precious')
    await assert.rejects(nodePlatform.unlink(file), /no socket/)
    await assert.rejects(nodePlatform.unlink(folder), /no socket/)
    assert.equal(existsSync(file), true)
  })

  test('report is a warning of the process: it ends nothing, and is not lost', async () => {
    const warned = once(process, 'warning')
    const error = new Error('from user code')
    nodePlatform.report(error)
    assert.deepEqual(await warned, [error])
  })
})

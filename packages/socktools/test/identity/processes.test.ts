import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { z } from 'zod'
import { call, Identity, TcpSock } from '../../src/index.ts'
import { Child } from '../support/child.ts'

const HANG = { timeout: 30_000 }
const protocol = { who: call(z.string(), z.string()) }

test(
  'two processes talk, each knows who the other is, and the key in the file stays the same',
  HANG,
  async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'identity-'))
    t.after(() => rm(folder, { recursive: true }))
    const start = async (): Promise<{ address: string; id: string }> =>
      Child.start(t, 'identified', join(folder, 'keys', 'id.pem')).hear()
    const { address, id } = await start()
    const identity = Identity.generate()
    const sock = await TcpSock.open({ identity, protocol })
    t.after(() => sock.close())
    const peer = await sock.connectTo(address)
    assert.equal(new URL(address).username, id)
    assert.equal(peer.identity, id)
    assert.equal(await peer.request('who', 'you are'), `you are ${identity.id}`)
    assert.equal((await start()).id, id)
  },
)

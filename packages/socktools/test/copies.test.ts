/** Two copies of the library in one program: of its sources, and as it is published. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import * as published from 'socktools'
import { isCallError } from '../src/errors.ts'
import { CallError, RemoteError, call, nothing } from '../src/index.ts'
import { all } from './support/events.ts'
import { GUARD } from './support/tcp.ts'
import { simulate } from './support/world.ts'

const codeless = Object.assign(new Error('it looks like one'), { code: 'FULL', data: { left: 0 }, text: '' })

describe('a CallError of another copy', GUARD, () => {
  test('is none of this copy’s class, and is recognised all the same', () => {
    const theirs = new published.CallError('FULL', { left: 0 })
    assert.ok(!(theirs instanceof CallError))
    assert.ok(isCallError(theirs))
    assert.ok(isCallError(new (class extends published.CallError {})('FULL')))
    for (const other of [codeless, {}, undefined, 'FULL']) assert.ok(!isCallError(other))
  })

  test('thrown by a handler, under a contract that the other copy made: it arrives as what it is, with its data', () =>
    simulate(async (world) => {
      const Left = z.object({ left: z.number() })
      const protocol = {
        theirs: published.call(published.nothing(), z.string(), { errors: { FULL: Left } }),
        ours: call(nothing(), z.string(), { errors: { FULL: Left } }),
        undeclared: call(nothing(), z.string()),
        looks: call(nothing(), z.string(), { errors: { FULL: Left } }),
      }
      const full = (): never => {
        throw new published.CallError('FULL', { left: 0 }, 'no room')
      }
      const looks = (): never => {
        throw codeless
      }
      const handlers = { theirs: full, ours: full, undeclared: full, looks }
      const server = await world.open({ protocol, bind: 'memory:a', handlers })
      const faults = all(server, 'fault')
      const peer = await (await world.open({ protocol })).connectTo('memory:a')
      for (const type of ['theirs', 'ours'] as const) {
        await assert.rejects(peer.request(type), (error) => {
          assert.ok(error instanceof CallError)
          assert.deepEqual([error.code, error.data, error.text], ['FULL', { left: 0 }, 'no room'])
          return true
        })
      }
      for (const [type, code] of [
        ['undeclared', 'FULL'],
        ['looks', 'HANDLER_FAILED'],
      ] as const) {
        await assert.rejects(peer.request(type), (error) => {
          assert.ok(error instanceof RemoteError)
          assert.equal(error.remote.code, code)
          return true
        })
      }
      // An answer is no fault of the handler; what only looks like one is.
      assert.deepEqual(
        faults.map(({ error }) => error.cause),
        [codeless],
      )
    }))
})

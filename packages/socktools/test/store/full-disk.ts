/** A real disk of 1 MiB, in a namespace of its own: a store fills it, again and again. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { Child } from '../support/child.ts'
import type { Filled } from '../support/children/full-disk.ts'
import { alone, cannot } from '../support/namespace.ts'
import { temporary } from './kill.ts'

const MIB = 1024 * 1024

export async function fullDisk(t: TestContext, rounds: number): Promise<void> {
  const directory = temporary(t)
  const mount = `mount -t tmpfs -o size=${MIB} tmpfs '${directory}'`
  const why = cannot(alone('-rm', mount))
  if (why !== undefined) {
    t.skip(why)
    return
  }
  // Twice: the first one is killed when the disk is full.
  const both = alone('-rm', `${mount}\n"$@" killed || test $? = 137`)
  const child = Child.under(t, both, 'full-disk', directory, String(rounds))
  const { accepted, refused, least, most } = await child.hear<Filled>()
  assert.deepEqual(await child.exit, { code: 0, signal: null }, child.errors)
  assert.ok(refused >= 2 * rounds && accepted > 10 * rounds, `${accepted} accepted, ${refused} refused`)
  assert.ok(least > MIB / 2 && most <= MIB, `${least} to ${most} bytes`)
  t.diagnostic(
    `${rounds} rounds: ${accepted} accepted, ${refused} refused, ${least} to ${most} bytes when full`,
  )
}

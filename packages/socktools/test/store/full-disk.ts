/** A real disk of 1 MiB, in a namespace of its own: a store fills it, again and again. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { Child } from '../support/child.ts'
import type { Filled } from '../support/children/full-disk.ts'
import { alone, cannot } from '../support/namespace.ts'
import { temporary } from './kill.ts'

const MIB = 1024 * 1024
const mount = (at: string): readonly string[] => alone('-rm', `mount -t tmpfs -o size=${MIB} tmpfs '${at}'`)

export async function fullDisk(t: TestContext, rounds: number): Promise<void> {
  const directory = temporary(t)
  const why = cannot(mount(directory))
  if (why !== undefined) {
    t.skip(why)
    return
  }
  const child = Child.under(t, mount(directory), 'full-disk', directory, String(rounds))
  const { accepted, refused, least, most } = await child.hear<Filled>()
  assert.deepEqual(await child.exit, { code: 0, signal: null }, child.errors)
  assert.ok(refused >= 2 * rounds && accepted > 10 * rounds, `${accepted} accepted, ${refused} refused`)
  assert.ok(least > MIB / 2 && most <= MIB, `${least} to ${most} bytes`)
  t.diagnostic(
    `${rounds} rounds: ${accepted} accepted, ${refused} refused, ${least} to ${most} bytes when full`,
  )
}

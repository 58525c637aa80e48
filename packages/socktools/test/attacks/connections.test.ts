/** Connections without an end: what a process keeps for others, and for itself. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { platform } from 'node:os'
import { LIMITS } from '../support/attacked.ts'
import { attacked, Attacker, Victim } from '../support/attacker.ts'
import { noCrashes } from '../support/crashes.ts'
import { GUARD } from '../support/tcp.ts'

noCrashes()

describe('a flood of connections', GUARD, () => {
  const theVictim = attacked('plain')

  test('more than maxPeers: turned away, and those that are up are served', async (t) => {
    const victim = theVictim()
    const { more } = await victim.bears(
      () => Promise.all(Array.from({ length: LIMITS.maxPeers + 50 }, () => Attacker.dial(t, victim))),
      { when: ({ TOO_MANY_PEERS = 0 }) => TOO_MANY_PEERS >= 50 },
    )
    assert.equal((more['accepted'] ?? 0) + (more['TOO_MANY_PEERS'] ?? 0), LIMITS.maxPeers + 50)
  })
})

describe('no descriptors left', {
  ...GUARD,
  skip: platform() !== 'linux' && 'Linux tells how many there are',
}, () => {
  test('the last ones are kept: newcomers are refused, others are served, the process can open files', async (t) => {
    const under = ['sh', '-c', 'ulimit -n 150; exec "$@"', 'sh']
    const victim = await Victim.start(t, 'plain', {}, under)
    const all: Attacker[] = []
    const { lines } = await victim.bears(
      async () => {
        for (let i = 0; i < 200; i++) all.push(await Attacker.dial(t, victim))
      },
      { when: ({ TOO_MANY_FILES = 0 }) => TOO_MANY_FILES >= 50 },
    )
    await victim.report('files')
    const about = lines.filter((line) => line.includes('TOO_MANY_FILES'))
    assert.ok(about.length > 0 && about.length < 20, `${about.length} lines`)
    // There is room again when some have left.
    for (const one of all) one.socket.destroy()
    await victim.until(({ peers }) => peers === 1)
    const { accepted } = (await victim.report()).stats
    await Attacker.dial(t, victim)
    await victim.until((stats) => stats.accepted === accepted + 1)
  })
})

/** Multicast, on the simulated network. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Arrivals } from '../support/events.ts'
import { simulateUdp } from '../support/udp-world.ts'

describe('groups', () => {
  test('what is sent to a group is heard by its members, as its sender’s, until they leave', () =>
    simulateUdp(async (world) => {
      const got = new Arrivals()
      const member = await world.open({
        bind: 'udp://0.0.0.0:4000',
        multicast: { groups: ['udp://239.1.2.3'] },
        handlers: { 0: got.push },
      })
      const sock = await world.open()
      await sock.sendMsg(0, 'one', { to: 'udp://239.1.2.3:4000' })
      await world.quiet()
      assert.deepEqual([got.list, sock.knownPeers], [['one'], []])
      assert.equal(member.knownPeers[0]?.address, sock.address?.replace('0.0.0.0', '127.0.0.1'))
      member.leave('udp://239.1.2.3')
      await member.join('udp://239.4.5.6')
      await sock.sendMsg(0, 'two', { to: 'udp://239.1.2.3:4000' })
      await sock.sendMsg(0, 'three', { to: 'udp://239.4.5.6:4000' })
      await world.quiet()
      assert.deepEqual(got.list, ['one', 'three'])
    }))

  test('join binds, if nothing is bound', () =>
    simulateUdp(async (world) => {
      const sock = await world.open()
      await sock.join('udp://[ff02::123]')
      assert.match(sock.address ?? '', /^udp:\/\/\[::\]:\d+$/)
    }))

  const bad: [string, string, string][] = [
    ['no group', 'udp://127.0.0.1', 'BAD_ADDRESS'],
    ['a port', 'udp://239.1.2.3:4000', 'BAD_ADDRESS'],
    ['a name', 'udp://localhost', 'BAD_ADDRESS'],
    ['another scheme', 'tcp://239.1.2.3', 'BAD_ADDRESS'],
    ['the other family', 'udp://[ff02::1]', 'WRONG_FAMILY'],
    ['a group that it is in', 'udp://239.9.9.9', 'GROUP_FAILED'],
  ]
  for (const [what, group, code] of bad) {
    test(`${what} is ${code}`, () =>
      simulateUdp(async (world) => {
        const sock = await world.open({ bind: 'udp://0.0.0.0:4000' })
        await sock.join('udp://239.9.9.9')
        await assert.rejects(sock.join(group), { code })
        if (code === 'GROUP_FAILED') return
        assert.throws(() => sock.leave(group), { code })
        const other = world.sock({ bind: 'udp://0.0.0.0:5000', multicast: { groups: [group] } })
        await assert.rejects(other.start(), { code })
        // Nothing of it is left: the port is free.
        await world.open({ bind: 'udp://0.0.0.0:5000' })
      }))
  }

  test('leaving what nobody joined is GROUP_FAILED', () =>
    simulateUdp(async (world) => {
      const sock = await world.open()
      assert.throws(() => sock.leave('udp://239.1.2.3'), { code: 'GROUP_FAILED' })
      await sock.startServer({ bind: 'udp://0.0.0.0:4000' })
      assert.throws(() => sock.leave('udp://239.1.2.3'), { code: 'GROUP_FAILED' })
    }))
})

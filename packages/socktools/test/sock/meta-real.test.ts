/** A MetaSock over what it is for: one table of handlers, over TCP and a Unix socket at once. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { json, MetaSock, TcpSock } from '../../src/index.ts'
import { noCrashes } from '../support/crashes.ts'
import { ANY, at, GUARD, open } from '../support/tcp.ts'

noCrashes()

test(
  'a room with a door in TCP and one in a Unix socket: whoever speaks is heard by all others, in order',
  GUARD,
  async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'meta-'))
    t.after(() => rm(folder, { recursive: true, force: true }))
    const room = new MetaSock({
      handlers: {
        say: async (line, { peer }) => {
          // The next of this peer waits for it.
          await new Promise((resolve) => setImmediate(resolve))
          await room.sendMsg('say', line, { except: peer })
        },
      },
    })
    t.after(() => room.close())
    const tcp = room.add(new TcpSock({ codec: json(), bind: ANY }))
    const unix = room.add(new TcpSock({ codec: json(), bind: `unix:${join(folder, 'room')}` }))
    await room.start()
    assert.deepEqual(room.addresses, [tcp.address, unix.address])

    const doors = [tcp, tcp, unix, unix]
    const guests = await Promise.all(
      doors.map(async (door, i) => {
        const heard = new Map<number, number[]>()
        let count = 0
        let all: () => void = () => undefined
        const done = new Promise<void>((resolve) => (all = resolve))
        const guest = await open(t, {
          codec: json<[number, number]>(),
          handlers: {
            say: ([who, n]) => {
              heard.set(who, [...(heard.get(who) ?? []), n])
              if (++count === 3 * 200) all()
            },
          },
        })
        await guest.connectTo(at(door))
        return { i, guest, heard, done }
      }),
    )
    // They know that they are connected before the room does.
    while (room.knownPeers.length < doors.length) await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual([tcp.knownPeers.length, unix.knownPeers.length], [2, 2])
    for (let n = 0; n < 200; n++) for (const { guest, i } of guests) await guest.sendMsg('say', [i, n])
    await Promise.all(guests.map(({ done }) => done))
    const inOrder = Array.from({ length: 200 }, (_, n) => n)
    for (const { i, heard } of guests) {
      assert.deepEqual(
        [...heard.keys()].sort(),
        [0, 1, 2, 3].filter((other) => other !== i),
      )
      for (const list of heard.values()) assert.deepEqual(list, inOrder)
    }
    assert.equal(room.stats().messagesIn, 4 * 200)
    await room.drain()
    assert.deepEqual([room.addresses, room.stats().dropped], [[], {}])
  },
)

/**
 * A room in which everything that is said has a type.
 *
 *   npx tsx examples/typed-chat/server.ts [tcp://127.0.0.1:4000]
 *   npx tsx examples/typed-chat/client.ts ann [tcp://127.0.0.1:4000]      as often as you like
 */
import { CallError, TcpSock } from 'socktools'
import { protocol } from './protocol.ts'

const MOST = 10
const names = new Map<string, string>() // by the id of the peer
const nameOf = (peer: { readonly id: string }): string => names.get(peer.id) ?? '?'

const room = new TcpSock({ protocol, bind: process.argv[2] ?? 'tcp://127.0.0.1:4000' })
/** Those who have entered. */
const guests = () => room.knownPeers.filter(({ id }) => names.has(id))

room.addHandler('enter', ({ name }, { peer }) => {
  const here = [...names.values()]
  if (here.includes(name)) throw new CallError('NAME_TAKEN', { free: `${name.slice(0, 16)}-${peer.id}` })
  if (here.length >= MOST) throw new CallError('FULL')
  void tell(`${name} is here`)
  names.set(peer.id, name)
  return here
})

room.addHandler('say', ({ text }, { peer }) => {
  // One who has not entered is heard by nobody.
  if (!names.has(peer.id)) return
  return room.sendMsg('said', { from: nameOf(peer), text }, { to: guests(), except: peer })
})

// Either side may ask the other. Here one question becomes several, all under way at once.
room.addHandler('who', (_nothing, { signal }) =>
  Promise.all(
    guests().map(async (guest) => {
      const idle = await guest.request('idle', undefined, { signal }).catch(() => Infinity)
      return { name: nameOf(guest), idle: Math.min(idle, 1e6) }
    }),
  ),
)

function tell(text: string): Promise<void> {
  return room.sendMsg('said', { from: 'room', text }, { to: guests() })
}

room.on('gone', ({ peer }) => {
  const name = names.get(peer.id)
  names.delete(peer.id)
  if (name !== undefined) void tell(`${name} left`)
})
room.on('invalid', ({ peer, error }) => {
  console.log(`${peer.address} said what is none of our contract: ${error.what}`)
})
room.on('listening', ({ address }) => {
  console.log(`the room is at ${address}`)
})

process.once('SIGINT', () => void room.drain()).once('SIGTERM', () => void room.drain())
await room.start()

import dgram from 'node:dgram'
import { once } from 'node:events'

/** Whether this system carries a datagram on its loopback interface to a group (`on` it), or to everyone. */
export async function carried(type: 'udp4' | 'udp6', to: string, on?: string): Promise<boolean> {
  const socket = dgram.createSocket({ type, reuseAddr: true })
  try {
    socket.bind(0)
    await once(socket, 'listening')
    if (on === undefined) socket.setBroadcast(true)
    else {
      socket.setMulticastInterface(on)
      socket.addMembership(to, on)
    }
    const heard = once(socket, 'message', { signal: AbortSignal.timeout(1_000) })
    socket.send('x', socket.address().port, to)
    await heard
    return true
  } catch {
    return false
  } finally {
    socket.close()
  }
}

/** An implementation that breaks a rule: the one of this library, behind a proxy that changes its frames. */
import { once } from 'node:events'
import net from 'node:net'
import type { TestContext } from 'node:test'
import { portOf } from './cli.ts'

const GOODBYE = 0x1b
const PONG = 0x19

interface Fault {
  /** What the implementation says, a frame behind the handshake at a time; undefined: it does not say that. */
  readonly says?: (payload: Buffer) => Buffer | undefined
  /** What it is told. */
  readonly hears?: () => (payload: Buffer) => Buffer | undefined
  /** In the place of the first frame, which is of the handshake. */
  readonly first?: (payload: Buffer) => Buffer
  /** It does not see that the other side has ended. */
  readonly endless?: true
}

const withAck = (payload: Buffer, ack: (n: number) => number): Buffer => {
  payload.writeBigUInt64BE(BigInt(ack(Number(payload.readBigUInt64BE(16)))), 16)
  return payload
}

export const FAULTS = {
  /** It acknowledges one more than has come. */
  'acks too much': { says: (payload) => withAck(payload, (n) => n + 1) },
  'acks nothing': { says: (payload) => withAck(payload, () => 0) },
  /** It ends connections without a word. */
  'no GOODBYE': { says: (payload) => (payload[0] === GOODBYE ? undefined : payload) },
  'PONG with other bytes': {
    says: (payload) => {
      if (payload[0] === PONG) payload[24] = (payload[24] ?? 0) ^ 0xff
      return payload
    },
  },
  /** It takes frames as they come, whatever their seq. */
  'any seq will do': {
    hears: () => {
      let last = 0n
      return (payload) => {
        if (payload.readBigUInt64BE(8) > 0n) payload.writeBigUInt64BE(++last, 8)
        return payload
      }
    },
  },
  /** It never says anything behind its handshake. */
  'says nothing': { says: () => undefined },
  'takes whatever begins with the magic for HELLO': {
    first: (payload) => {
      payload[16] = 1
      return payload
    },
  },
  'waits on where the other side has ended': { endless: true },
} as const satisfies Record<string, Fault>

/** Where an implementation listens that does this wrong. */
export async function wrong(
  t: TestContext,
  address: string,
  { says, hears, first, endless }: Fault,
): Promise<string> {
  const sockets: net.Socket[] = []
  const server = net.createServer({ allowHalfOpen: true }, (near) => {
    const far = net.connect({ port: portOf(address), host: '127.0.0.1', allowHalfOpen: true })
    sockets.push(near, far)
    passOn(near, far, hears?.(), first, endless)
    passOn(far, near, says)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `tcp://127.0.0.1:${(server.address() as net.AddressInfo).port}`
}

/** Frame by frame, but the first, which is of the handshake. */
function passOn(
  from: net.Socket,
  to: net.Socket,
  change: (payload: Buffer) => Buffer | undefined = (it) => it,
  greet: (payload: Buffer) => Buffer = (it) => it,
  endless = false,
) {
  let bytes = Buffer.alloc(0)
  let first = true
  from.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk])
    while (bytes.length >= 4 && bytes.length >= 4 + bytes.readUInt32BE(0)) {
      const end = 4 + bytes.readUInt32BE(0)
      const payload = Buffer.from(bytes.subarray(4, end))
      const changed = first ? greet(payload) : payload.length < 24 ? payload : change(payload)
      first = false
      if (changed !== undefined && to.writable) to.write(Buffer.concat([bytes.subarray(0, 4), changed]))
      bytes = bytes.subarray(end)
    }
  })
  from.on('end', () => {
    if (to.writable && !endless) to.end(bytes)
  })
  from.on('error', () => to.destroy())
  from.on('close', () => to.destroy())
}

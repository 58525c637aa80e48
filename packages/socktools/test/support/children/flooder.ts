/** Two that harm a v1 sock at this address: one sends messages without an end, each of which takes 0.05 ms, one never reads what it has asked for. Says when it has begun. */
import { once } from 'node:events'
import net from 'node:net'
import * as kinds from '../../../src/wire/v1/frame.ts'
import { encodeCredit } from '../../../src/wire/v1/bodies.ts'
import { typeOf } from '../attacked.ts'
import { Attacker } from '../attacker.ts'
import { say } from './say.ts'

const [address = ''] = process.argv.slice(2)
const t = { after: () => undefined }

const deaf = await Attacker.greet(t, { address }, { nodeId: new Uint8Array(16).fill(1) })
deaf.socket.pause()
for (let i = 0; i < 8; i++) {
  await deaf.send(kinds.OPEN, { lane: 5 + 2 * i, type: typeOf('pour') })
  await deaf.send(kinds.CREDIT, {}, encodeCredit([[5 + 2 * i, 2 ** 50]]))
}

const socket = net.connect(Number(new URL(address).port), '127.0.0.1')
await once(socket, 'connect')
const flood = new Attacker(socket)
await flood.hello({ nodeId: new Uint8Array(16).fill(2) })
say('begun')
const type = typeOf('say')
const frames = Buffer.concat(
  Array.from({ length: 2_000 }, () => flood.framed(kinds.VOLATILE, { lane: 1, type }, '1')),
)
for (;;) await flood.write(frames)

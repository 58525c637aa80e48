/**
 * A codec of one's own: where players of a game are, in 10 bytes each. As JSON it would be some 40.
 *
 *   npx tsx examples/custom-codec.ts      two socks exchange a state, and say how long it is on the wire
 *
 *   u8     type, 0 to 255
 *   u32    tick                  all of them big endian
 *   then for each player:
 *   u16    id
 *   f32    x
 *   f32    y
 */
import { type Codec, SockError, TcpSock } from 'socktools'

export interface Player {
  readonly id: number
  /** On the wire these have 24 bits of precision. */
  readonly x: number
  readonly y: number
}

export interface State {
  readonly tick: number
  readonly players: readonly Player[]
}

const HEAD = 5
const PLAYER = 10

export function gameState(): Codec<State, State> {
  return {
    name: 'gameState',
    encode(type, state) {
      needUint(type, 8, 'the type')
      if (!isState(state)) return refuse('a state is { tick, players }')
      needUint(state.tick, 32, 'tick')
      const payload = new Uint8Array(HEAD + PLAYER * state.players.length)
      const view = new DataView(payload.buffer)
      view.setUint8(0, type)
      view.setUint32(1, state.tick)
      for (const [i, player] of state.players.entries()) {
        if (!isPlayer(player)) return refuse(`players[${i}] is not { id, x, y }`)
        needUint(player.id, 16, `players[${i}].id`)
        const at = HEAD + PLAYER * i
        view.setUint16(at, player.id)
        view.setFloat32(at + 2, player.x)
        view.setFloat32(at + 6, player.y)
      }
      return payload
    },
    decode(payload) {
      const { buffer, byteOffset, length } = payload
      // Whoever sent it may be anybody: the length is all that can be wrong with this layout.
      if (length < HEAD || (length - HEAD) % PLAYER !== 0) {
        throw new SockError('BAD_MESSAGE', `no game state has ${length} bytes`)
      }
      const view = new DataView(buffer, byteOffset, length)
      const players: Player[] = []
      for (let at = HEAD; at < length; at += PLAYER) {
        players.push({ id: view.getUint16(at), x: view.getFloat32(at + 2), y: view.getFloat32(at + 6) })
      }
      return { type: view.getUint8(0), data: { tick: view.getUint32(1), players } }
    },
  }
}

// JavaScript takes anything: what has another shape would be written as zeros.

function needUint(value: unknown, bits: number, what: string): asserts value is number {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** bits) return
  refuse(`${what} is an integer of ${bits} bits, from 0`)
}

const isState = (value: unknown): value is State =>
  Array.isArray((value as Partial<State> | null | undefined)?.players)

function isPlayer(value: unknown): value is Player {
  const { x, y } = (value ?? {}) as Partial<Player>
  return typeof x === 'number' && typeof y === 'number'
}

function refuse(what: string): never {
  throw new SockError('CANNOT_ENCODE', what)
}

if (process.argv[1] === import.meta.filename) {
  const MOVED = 1
  const server = await TcpSock.open({
    bind: 'tcp://127.0.0.1:0',
    codec: gameState(),
    handlers: {
      [MOVED]: ({ tick, players }, { peer }) => {
        console.log(
          `tick ${tick}, ${peer.stats().bytesIn} bytes: ${players.map(({ id, x, y }) => `${id} at ${x}, ${y}`).join('; ')}`,
        )
      },
    },
  })
  const client = await TcpSock.open({ codec: gameState(), connect: server.address ?? '' })
  await client.sendMsg(MOVED, {
    tick: 42,
    players: [
      { id: 7, x: 1.5, y: -2.25 },
      { id: 8, x: 0, y: 0.5 },
    ],
  })
  await client.drain()
  await server.drain()
}

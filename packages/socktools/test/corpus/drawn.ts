/** What the corpus has beyond pure readers: sessions, and first flights of TLS, as drawn by the fuzzing of each. Their run takes a node. */
import { clientFlight, type Flight } from '../attacks/fuzz-flights.ts'
import { acceptor, type End } from '../attacks/fuzz-tls.ts'
import { arrives, payloadsIn } from '../sock/v1/far.ts'
import { begin, opened, protocol, session } from '../sock/v1/fuzz.ts'
import type { Ending } from '../support/child.ts'
import { diceOf } from '../support/dice.ts'
import { knocking } from '../support/knock.ts'
import { frame } from '../support/tcp.ts'
import { join } from '../wire/bytes.ts'

export interface Drawn {
  /** What the case of this number says. */
  readonly draw: (n: number) => Promise<Uint8Array>
  readonly open: (t: Ending) => Promise<(bytes: Uint8Array) => Promise<End>>
}

/** Pieces as frames, behind a number. */
function packed(number: number, pieces: readonly Uint8Array[]): Uint8Array {
  const head = Buffer.alloc(4)
  head.writeUInt32BE(number)
  return join([head, ...pieces.map(frame)])
}

function unpacked(bytes: Uint8Array): { number: number; pieces: Buffer[] } {
  const view = Buffer.from(bytes)
  return { number: view.readUInt32BE(0), pieces: payloadsIn(view.subarray(4)) }
}

/** A peer says these pieces, each after all that came of the one before; the number draws what we have going with it. */
async function ran(bytes: Uint8Array): Promise<End> {
  const { number, pieces } = unpacked(bytes)
  let end: End = { code: 'open' }
  await knocking(async (world, door) => {
    const server = await opened(world)
    const { far, peer } = await arrives(world, door, server, protocol)
    server.on('gone', ({ error }) => {
      end = { code: error?.code ?? 'well', why: error?.message.replaceAll(/\d+/g, 'n') }
    })
    begin(diceOf(number), peer)
    for (const piece of pieces) {
      far.pipe.say(piece)
      await world.quiet()
    }
    const { code, why } = end
    peer.close()
    far.pipe.break()
    await world.quiet()
    end = { code, why }
  })
  return end
}

const ENDS = ['fin', 'reset', 'silence'] as const

export const drawn = {
  session: {
    async draw(n) {
      const said: Uint8Array[] = []
      await knocking(async (world, door) => {
        const tally = { frames: 0, ended: 0, lived: 0 }
        await session(world, door, await opened(world), n, tally, (bytes) => said.push(bytes.slice()))
      })
      return packed(n, said)
    },
    open: async () => ran,
  },
  'tls-accept': {
    async draw(n) {
      const { pieces, end } = clientFlight(diceOf(n))
      return packed(ENDS.indexOf(end), pieces)
    },
    async open(t) {
      const attack = await acceptor(t)
      return async (bytes) => {
        const { number, pieces } = unpacked(bytes)
        const flight: Flight = { pieces, end: ENDS[number] ?? 'fin' }
        return attack(() => flight)
      }
    },
  },
} satisfies Record<string, Drawn>

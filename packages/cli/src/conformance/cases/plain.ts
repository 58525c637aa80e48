/** P: the plain wire. The implementation sends back every message. */
import { octets, same, sized, uint, utf8Bytes } from '../bytes.ts'
import { type Case, need, one } from '../case.ts'
import { Failed } from '../failed.ts'
import type { Line } from '../line.ts'
import type { Stage } from '../stage.ts'

const rule = (n: number): string => `The plain wire ${n}`
const MAX = 16 * 1024 * 1024

/** The next message that came back. */
export async function back(line: Line, due: Uint8Array): Promise<void> {
  const payload = await line.payload(MAX, `a message of ${due.length} bytes`)
  if (typeof payload === 'string')
    throw new Failed(`a message of ${due.length} bytes was due, and the connection ended`)
  need(same(payload, due), `a message of ${payload.length} bytes came back that is not the one that was sent`)
}

export async function over(line: Line): Promise<void> {
  const payload = await line.payload(MAX, 'the end of the stream')
  need(typeof payload === 'string', 'a message came that nobody sent')
}

const row = (id: string, n: number, what: string, run: (line: Line, stage: Stage) => Promise<void>): Case =>
  one(id, rule(n), what, async (stage) => run(await stage.line(), stage), { wire: 'plain' })

const HI = sized(4, utf8Bytes('hi'))

export const plain: readonly Case[] = [
  row('P01', 1, 'a frame in pieces of one byte', async (line) => {
    for (const byte of HI) line.write(Uint8Array.of(byte))
    await back(line, utf8Bytes('hi'))
  }),
  row('P02', 1, 'a hundred frames in one write', async (line) => {
    line.write(octets(`${Buffer.from(HI).toString('hex')}*100`))
    for (let i = 0; i < 100; i++) await back(line, utf8Bytes('hi'))
  }),
  row('P03', 2, 'an empty message', async (line) => {
    line.put(new Uint8Array(0))
    await back(line, new Uint8Array(0))
  }),
  row('P04', 2, 'a thousand messages in their order', async (line) => {
    for (let i = 0; i < 1000; i++) line.put(uint(4, i))
    for (let i = 0; i < 1000; i++) await back(line, uint(4, i))
  }),
  row('P05', 3, 'a length above 16 MiB ends the connection with the byte that decides it', async (line) => {
    line.write(uint(4, MAX + 1))
    await over(line)
  }),
  row('P06', 3, 'a length of 4 GiB', async (line) => {
    line.write(uint(4, 0xffff_ffff))
    await over(line)
  }),
  row('P07', 3, 'a message of 16 MiB', async (line) => {
    const payload = new Uint8Array(MAX).fill(97)
    line.put(payload)
    await back(line, payload)
  }),
  row(
    'P08',
    6,
    'after the end of the stream it answers what arrived, and ends its direction',
    async (line) => {
      for (let i = 0; i < 10; i++) line.put(uint(4, i))
      line.end()
      for (let i = 0; i < 10; i++) await back(line, uint(4, i))
      await over(line)
    },
  ),
  row('P09', 6, 'the end of the stream within a header', async (line) => {
    line.write(octets('0000'))
    line.end()
    await over(line)
  }),
  row('P10', 6, 'the end of the stream within a payload', async (line) => {
    line.write(octets('00000005 6869'))
    line.end()
    await over(line)
  }),
  row('P11', 6, 'a connection that breaks leaves the next one alone', async (line, stage) => {
    line.put(utf8Bytes('hi'))
    await back(line, utf8Bytes('hi'))
    line.reset()
    const next = await stage.line()
    next.put(utf8Bytes('ho'))
    await back(next, utf8Bytes('ho'))
  }),
  row('P12', 1, 'a header in two pieces, and a payload in three', async (line) => {
    for (const piece of ['0000', '0006 61', '62 63', '64 65 66']) {
      line.write(octets(piece))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await back(line, utf8Bytes('abcdef'))
  }),
]

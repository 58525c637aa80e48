/** The examples of PROTOCOL.md are what the library writes. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'
import * as bodies from '../packages/socktools/src/wire/v1/bodies.ts'
import * as f from '../packages/socktools/src/wire/v1/frame.ts'
import { encodeHello, encodeWelcome } from '../packages/socktools/src/wire/v1/hello-bytes.ts'
import { withMarks } from '../packages/socktools/src/wire/v1/marks.ts'
import { withPlaces } from '../packages/socktools/src/wire/v1/resent.ts'
import { tablesOf } from './support/markdown.ts'

const text = readFileSync(resolve(import.meta.dirname, '../PROTOCOL.md'), 'utf8')

const bytes = (first: number, n: number): Uint8Array => Uint8Array.from({ length: n }, (_, i) => first + i)
const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))
const latin = (text: string): Uint8Array => new TextEncoder().encode(text)

type Fields = Partial<Record<'flags' | 'type' | 'lane' | 'seq' | 'ack', number>>

function frame(
  kind: number,
  { flags = 0, type = 0, lane = 0, seq = 0, ack = 0 }: Fields,
  ...body: Uint8Array[]
): Uint8Array {
  const payload = Buffer.concat([new Uint8Array(f.HEADER), ...body])
  f.writeHeader(payload, 0, kind, flags, type, lane, seq, ack)
  // What is shown is right, too.
  new f.Header().read(payload)
  return payload
}

const BEFORE = 'd0d1d2d3d4d5d6d7d8d9dadbdcdddedf'
const KEPT = { store: '00112233445566778899aabbccddeeff', n: 1765, redelivered: false }

/** In their order; one that has two blocks is written as two frames. */
const examples: Record<string, Uint8Array[]> = {
  event: [frame(f.EVENT, { type: 2, lane: 1, seq: 7, ack: 5 }, json('hi'))],
  request: [
    frame(
      f.REQUEST,
      { flags: f.HEADERS | f.DEADLINE, type: 1, lane: 5, seq: 1 },
      bodies.encodePrefix(5000, { trace: 'abc' }),
      json([1, 2]),
    ),
  ],
  fault: [
    frame(
      f.ERROR,
      { lane: 5, seq: 9, ack: 1 },
      bodies.encodeFault('NO_FUNDS', 'only 3 left', json({ has: 3 })),
    ),
  ],
  hello: [
    encodeHello({
      low: 1,
      high: 1,
      features: 0n,
      maxMessage: 2 ** 24,
      eventWindow: 2 ** 20,
      laneWindow: 2 ** 18,
      maxCalls: 64,
      maxStreams: 256,
      heartbeat: 15_000,
      ttl: 45_000,
      nodeId: bytes(0xa0, 16),
      incarnation: bytes(0xb0, 16),
      fingerprint: bytes(0xc0, 16),
      codecs: ['json', 'msgpack'],
    }),
  ],
  rejection: [
    encodeWelcome({ result: 'rejected', version: 1, code: 'NO_COMMON_CODEC', text: 'the dialer takes cbor' }),
  ],
  table: [
    frame(
      f.TABLE,
      {},
      bodies.encodeTable([
        { kind: 'call', name: 'add', hash: bytes(1, 8) },
        { kind: 'msg', name: 'say', hash: bytes(0x11, 8) },
      ]),
    ),
  ],
  chunks: [
    frame(f.ITEM, { flags: f.MORE, lane: 4, seq: 3, ack: 8 }, latin('[1,')),
    frame(f.ITEM, { lane: 4, seq: 4, ack: 8 }, latin('2]')),
  ],
  credit: [
    frame(
      f.CREDIT,
      { ack: 12 },
      bodies.encodeCredit([
        [5, 393_216],
        [1, 2_097_152],
      ]),
    ),
  ],
  done: [
    frame(
      f.EVENT,
      { flags: f.HEADERS, lane: 1, seq: 3, ack: 2 },
      bodies.encodePrefix(undefined, withMarks(undefined, { done: 'processed', id: KEPT })),
      json('12'),
    ),
    frame(f.DONE, { lane: 1, seq: 4, ack: 3 }, bodies.encodeDone({ seq: 3, code: '' })),
  ],
  ping: [
    frame(
      f.PING,
      { ack: 12 },
      bodies.encodePing({ ttl: 45_000, nonce: Uint8Array.of(0xde, 0xad, 0xbe, 0xef, 0, 0, 0, 1) }),
    ),
  ],
  goodbye: [frame(f.GOODBYE, { ack: 42 }, bodies.encodeGoodbye('PROTOCOL_ERROR'))],
  resent: [
    frame(
      f.EVENT,
      { flags: f.HEADERS, lane: 1, seq: 1, ack: 0 },
      bodies.encodePrefix(undefined, withPlaces(undefined, [{ session: BEFORE, seq: 42 }])),
      json('12'),
    ),
  ],
}

/** By the word behind "Example": the bytes of the blocks that follow. A `#` begins a comment. */
const shown = [...text.matchAll(/^Example (\w+):\n\n((?:```\n[^`]*```\n\n?)+)/gm)].map(
  ([, name = '', blocks = '']) => ({
    name,
    blocks: [...blocks.matchAll(/```\n([^`]*)```/g)].map(([, block = '']) =>
      block.replaceAll(/#.*$/gm, '').replaceAll(/\s/g, ''),
    ),
  }),
)

test('there is an example for each of these, and no other', () => {
  assert.deepEqual(
    shown.map(({ name }) => name),
    Object.keys(examples),
  )
})

for (const { name, blocks } of shown) {
  test(`the example "${name}" is what is written`, () => {
    const written = examples[name]?.map((one) => Buffer.from(one).toString('hex'))
    assert.deepEqual(blocks, written)
  })
}

test('the table of kinds is that of the code, in its order', () => {
  const rows = tablesOf(text).find(({ header }) => header[0] === 'kind')?.rows ?? []
  const kinds = rows.map(({ cells: [number = '', name = '', sequenced] }) => ({
    kind: Number(number.replaceAll('`', '')),
    name,
    sequenced: sequenced === 'yes',
  }))
  const inCode = Array.from({ length: 256 }, (_, kind) => kind).filter((kind) => f.isKnown(kind))
  assert.deepEqual(
    kinds.map(({ kind }) => kind),
    inCode,
  )
  for (const { kind, name, sequenced } of kinds) {
    assert.equal(f.nameOfKind(kind), name)
    assert.equal((f as unknown as Record<string, number>)[name], kind)
    assert.equal(kind < f.ACK, sequenced, name)
  }
})

test('the fixed limits are those of the code', () => {
  const rows = tablesOf(text).find(({ header }) => header[0] === 'limit')?.rows ?? []
  const said = new Map(
    rows.map(({ cells: [what = '', n = ''] }) => [what, Number.parseInt(n.replaceAll(',', ''))]),
  )
  assert.equal(said.get('body of a frame'), f.MAX_CHUNK)
  assert.equal(said.get('header slot'), f.MAX_SLOT)
  assert.equal(said.get('text of a fault'), bodies.MAX_TEXT)
  assert.equal(said.get('types of a contract'), bodies.MAX_TYPES)
})

/**
 * First flights of TLS for fuzz-tls.ts: hellos of either side, drawn field by field around one that was recorded, in records as they
 * should be or not, with anything before and behind them. What stands in them is told by the dice alone.
 */
import { readCorpus } from '../corpus/corpus.ts'
import type { Dice } from '../support/dice.ts'
import { join } from '../wire/bytes.ts'

/** What is said, in pieces that are written one by one, and what the one who says it does then. */
export interface Flight {
  readonly pieces: readonly Uint8Array[]
  readonly end: 'fin' | 'reset' | 'silence'
}

interface Hello {
  readonly server: boolean
  version: number
  random: Uint8Array
  session: Uint8Array
  ciphers: Uint8Array
  compression: Uint8Array
  extensions: [type: number, data: Uint8Array][]
}

const [CHANGE, ALERT, HANDSHAKE, DATA] = [20, 21, 22, 23]
/** The longest record is 2^14 bytes, and 256 more when it is encrypted. */
const RECORD = 16_384

/** One of each as it passed between two nodes. */
const seeds = new Map(readCorpus('tls').map(({ name, bytes }) => [name, bytes]))
const seed = (name: string): Uint8Array => {
  const bytes = seeds.get(name)
  if (bytes === undefined) throw new Error(`there is no ${name} in the corpus`)
  return bytes
}

export function clientFlight(dice: Dice): Flight {
  const hello = dice(12) === 0 ? seed('client hello') : written(dice, drawn(dice, seed('client hello')))
  return flight(dice, hello, seed('client, behind its hello'))
}

/** An answer to `asked`, which is a record with the hello of a client, or something else. */
export function serverFlight(dice: Dice, asked: Uint8Array): Flight {
  const hello = drawn(dice, seed('server hello'))
  // Without that it goes no further than here.
  if (dice(6) > 0 && asked.length > 76) hello.session = asked.slice(44, 44 + (asked[43] ?? 0))
  return flight(dice, written(dice, hello), seed('server, behind its hello'))
}

/** A message with its header of four bytes, to be told apart: a record is read as one. */
function drawn(dice: Dice, record: Uint8Array): Hello {
  const hello = read(record)
  // Most are damaged in one place only, or nothing behind it is ever looked at.
  for (let times = [0, 1, 1, 1, 2, 4][dice(6)]!; times > 0; times--) change(dice, hello)
  return hello
}

function read(record: Uint8Array): Hello {
  const view = Buffer.from(record)
  const server = view[5] === 2
  let at = 9
  const take = (n: number): Uint8Array => Uint8Array.from(view.subarray(at, (at += n)))
  const version = view.readUInt16BE(at)
  at += 2
  const random = take(32)
  const session = take(take(1)[0]!)
  const ciphers = take(server ? 2 : Buffer.from(take(2)).readUInt16BE())
  const compression = take(server ? 1 : take(1)[0]!)
  const extensions: Hello['extensions'] = []
  for (at += 2; at + 4 <= view.length; ) {
    const [type, length] = [view.readUInt16BE(at), view.readUInt16BE(at + 2)]
    at += 4
    extensions.push([type, take(length)])
  }
  return { server, version, random, session, ciphers, compression, extensions }
}

/** Of a random that asks for another hello, and of one that says that TLS 1.3 was known (RFC 8446, 4.1.3). */
const RANDOMS = [
  'cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c',
  `${'77'.repeat(24)}444f574e47524401`,
]
const VERSIONS = [0x0303, 0x0304, 0x0302, 0x0300, 0x0200, 0x7f1c, 0, 0xffff]
const CIPHERS = [0x1301, 0x1302, 0x1303, 0x1304, 0x00ff, 0x5600, 0x0a0a, 0xc02f, 0, 0xffff]
const GROUPS = [29, 23, 24, 25, 30, 256, 0x11ec, 0x0a0a, 0, 0xffff]
/** Known ones, greased ones, and any. */
const EXTENSIONS = [
  ...[
    0, 1, 5, 10, 11, 13, 14, 15, 16, 18, 19, 20, 21, 22, 23, 27, 28, 35, 41, 42, 43, 44, 45, 47, 48, 49, 50,
  ],
  ...[51, 57, 0x0a0a, 0x3374, 0xff01, 0xfe0d, 0xffff],
]

function change(dice: Dice, hello: Hello): void {
  const { extensions } = hello
  const at = dice(extensions.length)
  const one = extensions[at]
  switch (dice(14)) {
    case 0:
      hello.version = VERSIONS[dice(VERSIONS.length)]!
      break
    case 1:
      hello.session = any(dice, dice(3) > 0 ? dice(33) : 33 + dice(223))
      break
    case 2:
      hello.ciphers = u16s(Array.from({ length: hello.server ? 1 : dice(20) }, () => pick(dice, CIPHERS)))
      if (!hello.server && dice(4) === 0) hello.ciphers = any(dice, [0, 1, 3, 65_534][dice(4)]!)
      break
    case 3:
      hello.compression = any(dice, hello.server ? 1 : [0, 1, 2, 255][dice(4)]!)
      break
    case 4:
      hello.random = Buffer.from(RANDOMS[dice(2)]!, 'hex')
      break
    case 5:
      extensions.splice(at, 1)
      break
    case 6:
      if (one !== undefined) extensions.splice(dice(extensions.length + 1), 0, one)
      break
    case 7:
      if (one !== undefined) one[0] = pick(dice, EXTENSIONS)
      break
    case 8:
    case 9:
      if (one !== undefined) one[1] = bent(dice, one[1])
      break
    case 10:
      // Many, or large ones, that nobody knows: up to all that a hello can have.
      for (let left = [3, 40, 4000][dice(3)]!; left > 0; left--) {
        extensions.push([0x2000 + dice(0xa000), any(dice, [0, 1, 10][dice(3)]!)])
      }
      if (dice(4) === 0) extensions.push([pick(dice, EXTENSIONS), any(dice, dice(60_000))])
      break
    case 11:
      extensions.push([pick(dice, EXTENSIONS), any(dice, dice(40))])
      break
    case 12:
      put(extensions, ...said(dice, hello.server))
      break
    default:
      extensions.reverse()
  }
}

/** Extensions of the right form, which ask for something else than what is meant. */
function said(dice: Dice, server: boolean): [number, Uint8Array] {
  const group = pick(dice, GROUPS)
  const share = join([u16s([group]), long(any(dice, [32, 65, 0, 31, 1184][dice(5)]!))])
  switch (dice(8)) {
    case 0:
      return [
        43,
        server ? u16s([pick(dice, VERSIONS)]) : short(u16s([pick(dice, VERSIONS), pick(dice, VERSIONS)])),
      ]
    case 1:
      // With a group alone a server asks for a share of it, and a client with none for such a question.
      return [
        51,
        server ? (dice(3) > 0 ? share : u16s([group])) : long(dice(3) > 0 ? share : new Uint8Array(0)),
      ]
    case 2:
      return [10, long(u16s(Array.from({ length: dice(200) }, () => pick(dice, GROUPS))))]
    case 3:
      return [16, long(join(Array.from({ length: dice(20) }, () => short(any(dice, dice(12))))))]
    case 4:
      return [13, long(u16s(Array.from({ length: dice(40) }, () => dice(65_536))))]
    case 5:
      // Early data, which wants a key that was shared before.
      return [42, new Uint8Array(0)]
    case 6: {
      const identities = long(join([long(any(dice, 1 + dice(300))), any(dice, 4)]))
      return [
        41,
        server ? u16s([dice(3)]) : join([identities, long(short(any(dice, [32, 48, 31, 0][dice(4)]!)))]),
      ]
    }
    default:
      return [44, long(any(dice, [0, 1, 32, 4000][dice(4)]!))]
  }
}

/** The hello as records, some of whose lengths may lie. */
function written(dice: Dice, hello: Hello): Uint8Array {
  const { server, version, random, session, ciphers, compression, extensions } = hello
  const list = join(extensions.map(([type, data]) => join([u16s([type]), long(data)])))
  const fields = [
    u16s([version]),
    random,
    short(session),
    server ? ciphers : long(ciphers),
    server ? compression : short(compression),
    // Without any, there is not even a length.
    ...(extensions.length === 0 && dice(2) === 0 ? [] : [long(list.subarray(0, 65_535))]),
  ]
  const body = join(fields)
  const message = join([Uint8Array.of(server ? 2 : 1, ...u24(lied(dice, body.length))), body])
  return inRecords(dice, HANDSHAKE, message)
}

/** In one record, or in several of any size; a few have another type, version or length than they should. */
function inRecords(dice: Dice, type: number, message: Uint8Array): Uint8Array {
  const step = [RECORD, RECORD, RECORD, 1 + dice(300), 1 + dice(8), RECORD + 300][dice(6)]!
  const records: Uint8Array[] = []
  // A thousand of them show what one does.
  for (let at = 0; at < message.length && records.length < 1000; at += step) {
    const said = dice(60) === 0 ? dice(256) : type
    const version = dice(40) === 0 ? pick(dice, VERSIONS) : 0x0301
    records.push(record(said, message.subarray(at, at + step), version, lied(dice, -1)))
    if (dice(60) === 0) records.push(record(dice(30), new Uint8Array(0)))
  }
  return join(records)
}

const lied = (dice: Dice, n: number): number =>
  dice(25) > 0 ? n : [0, 1, n + 1, Math.max(0, n - 1), 65_535, dice(70_000)][dice(6)]!

/** With what may stand around it; then damaged now and then, and cut in pieces. */
function flight(dice: Dice, hello: Uint8Array, behind: Uint8Array): Flight {
  const parts: Uint8Array[] = []
  if (dice(12) === 0) parts.push(anything(dice, hello, behind))
  if (dice(15) > 0) parts.push(hello)
  for (let some = dice(4); some > 0; some--) parts.push(anything(dice, hello, behind))
  if (dice(15) === 0) parts.reverse()
  let bytes: Uint8Array = join(parts)
  for (let times = dice(6) === 0 ? 1 + dice(3) : 0; times > 0; times--) bytes = bent(dice, bytes)
  const end = dice(8) === 0 ? 'silence' : dice(6) === 0 ? 'reset' : 'fin'
  return { pieces: pieces(dice, bytes), end }
}

const TEXTS = [
  'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
  'SSH-2.0-x\r\n',
  '\0\0\0\x05hello',
  '\x80\x2e\x01\x03\x01',
  '\n',
]
const ALERTS = [
  0, 10, 20, 22, 40, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 70, 71, 80, 86, 90, 109, 116, 120, 255,
]

export function anything(dice: Dice, hello: Uint8Array, behind: Uint8Array): Uint8Array {
  switch (dice(12)) {
    case 0:
      return record(CHANGE, dice(3) > 0 ? Uint8Array.of(1) : any(dice, dice(4)))
    case 1:
    case 2:
      return record(ALERT, dice(5) > 0 ? Uint8Array.of(1 + dice(2), pick(dice, ALERTS)) : any(dice, dice(6)))
    case 3:
      return record(DATA, any(dice, [0, 16, 17, 300, RECORD + 256, RECORD + 257][dice(6)]!))
    case 4: {
      // A message of any type, whose length may be far beyond what comes of it.
      const body = any(dice, dice(200))
      const length = [body.length, 0, 0xff_ffff, 200_000][dice(4)]!
      return inRecords(dice, HANDSHAKE, join([Uint8Array.of(dice(26), ...u24(length)), body]))
    }
    case 5:
      return hello
    case 6:
      return behind
    case 7:
      return bent(dice, behind)
    case 8:
      return Buffer.from(pick(dice, TEXTS), 'latin1')
    case 9:
      return any(dice, dice(600))
    case 10:
      return record(dice(256), any(dice, dice(20)), pick(dice, VERSIONS))
    default: {
      if (dice(8) > 0) return record(HANDSHAKE, new Uint8Array(0))
      // A message that never ends, or records of nothing.
      const long = dice(2) === 0
      const one = record(HANDSHAKE, new Uint8Array(long ? RECORD : 0))
      const head = record(HANDSHAKE, Uint8Array.of(long ? 1 : 0, 0xff, 0xff, 0xff))
      return join([head, ...Array.from({ length: long ? 64 : 5000 }, () => one)])
    }
  }
}

/** Cut, put, changed or doubled at one place. */
export function bent(dice: Dice, bytes: Uint8Array): Uint8Array {
  const at = dice(bytes.length + 1)
  switch (dice(6)) {
    case 0:
      return bytes.subarray(0, at)
    case 1:
      return join([bytes.subarray(0, at), any(dice, 1 + dice(3)), bytes.subarray(at)])
    case 2:
      return join([bytes.subarray(0, at), bytes.subarray(at + 1 + dice(4))])
    case 3:
      return join([bytes, bytes.subarray(at)])
    default: {
      const other = bytes.slice()
      if (at < other.length)
        other[at] = dice(2) === 0 ? other[at]! ^ (1 << dice(8)) : pick(dice, [0, 1, 0x7f, 0x80, 0xff])
      return other
    }
  }
}

function pieces(dice: Dice, bytes: Uint8Array): Uint8Array[] {
  const cuts = [0, bytes.length]
  const most = Math.min(bytes.length, dice(8) === 0 ? 40 : 600)
  for (let some = [0, 0, 1, 3, 8][dice(5)]!; some > 0; some--) cuts.push(dice(most + 1))
  cuts.sort((a, b) => a - b)
  return cuts.slice(1).flatMap((to, i) => (to > cuts[i]! ? [bytes.subarray(cuts[i], to)] : []))
}

const pick = <T>(dice: Dice, items: readonly T[]): T => items[dice(items.length)]!
const any = (dice: Dice, n: number): Uint8Array => {
  // Beyond a few hundred bytes it is of no use that each is drawn.
  const some = Uint8Array.from({ length: Math.min(n, 300) }, () => dice(256))
  return n <= 300 ? some : Uint8Array.from({ length: n }, (_, i) => some[i % 300]!)
}
const u16s = (values: readonly number[]): Uint8Array =>
  Uint8Array.from(values.flatMap((n) => [(n >> 8) & 0xff, n & 0xff]))
const u24 = (n: number): number[] => [(n >> 16) & 0xff, (n >> 8) & 0xff, n & 0xff]
const short = (bytes: Uint8Array): Uint8Array => join([Uint8Array.of(bytes.length & 0xff), bytes])
const long = (bytes: Uint8Array): Uint8Array => join([u16s([bytes.length]), bytes])

export function record(type: number, body: Uint8Array, version = 0x0303, length = -1): Uint8Array {
  return join([Uint8Array.of(type), u16s([version, length < 0 ? body.length : length]), body])
}

function put(extensions: Hello['extensions'], type: number, data: Uint8Array): void {
  const one = extensions.find(([is]) => is === type)
  // One of keys that were shared before has to come last.
  if (one === undefined || type === 41) extensions.push([type, data])
  else one[1] = data
}

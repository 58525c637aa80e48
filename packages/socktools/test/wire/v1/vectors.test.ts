/** spec/vectors/v1.json: what the far side says, and what becomes of it here. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as bodies from '../../../src/wire/v1/bodies.ts'
import { Header, isKnown, writeHeader } from '../../../src/wire/v1/frame.ts'
import { decodeHello, decodeWelcome, encodeHello, encodeWelcome } from '../../../src/wire/v1/hello-bytes.ts'
import {
  type Accepted,
  type Hello,
  judgeWelcome,
  negotiate,
  type Versions,
} from '../../../src/wire/v1/hello.ts'
import { codeOf, toHex } from '../bytes.ts'
import { type Case, casesOf, octets, said, vectors } from './vectors.ts'

/** One test for each case of `group`; with an error it is what `read` ends with. */
function each(group: string, read: (one: Case) => unknown, good: (one: Case, got: any) => void): void {
  describe(group, () => {
    for (const one of casesOf(group)) {
      test(`${one.id}: ${one.what}`, () => {
        let got: unknown
        const code = codeOf(() => (got = read(one)))
        assert.equal(code, one.error)
        if (code === undefined) good(one, got)
      })
    }
  })
}

test('there are as many as it says, each with an id of its own', () => {
  const { cases, good, bad } = vectors
  assert.equal(new Set(cases.map(({ id }) => id)).size, good + bad)
  assert.equal(cases.filter(({ error }) => error === undefined).length, good)
  assert.ok(good >= 150 && bad >= 150)
  // Those of "talk" are run with a whole sock: see test/sock/v1/talk.test.ts; those of "marks" and "resent": see marks.test.ts.
  const run = ['frame', 'body', 'hello', 'welcome', 'negotiate', 'judge', 'talk', 'marks', 'resent']
  assert.deepEqual([...new Set(cases.map(({ group }) => group))], run)
})

each(
  'frame',
  (one) => {
    const header = new Header()
    header.read(octets(one['payload'] as string))
    return header
  },
  (one, header: Header) => {
    const { kind, flags, type, lane, seq, ack } = header
    assert.deepEqual({ kind, flags, type, lane, seq, ack }, one['frame'])
    assert.equal(isKnown(kind), one['ignored'] !== true)
    const payload = octets(one['payload'] as string)
    const written = payload.slice().fill(0xaa, 0, 24)
    assert.equal(writeHeader(written, 0, kind, flags, type, lane, seq, ack), 24)
    assert.equal(toHex(written), toHex(payload))
  },
)

/** How each kind of body is read, said in the words of the vectors, and written. */
const kinds: Record<string, { read: (p: Uint8Array, one: Case) => any; write: (m: any) => Uint8Array[] }> = {
  prefix: {
    read(payload, { flags }) {
      const { at, ...prefix } = bodies.decodePrefix(payload, flags as number)
      return { ...prefix, data: payload.subarray(at) }
    },
    write: ({ deadline, headers, data }) => [bodies.encodePrefix(deadline, headers), octets(data)],
  },
  fault: {
    read: bodies.decodeFault,
    write: ({ code, text, data }) => [bodies.encodeFault(code, text, octets(data))],
  },
  DONE: { read: bodies.decodeDone, write: (done) => [bodies.encodeDone(done)] },
  CREDIT: {
    read: (payload) => ({ credits: bodies.decodeCredit(payload) }),
    write: ({ credits }) => [bodies.encodeCredit(credits)],
  },
  TABLE: {
    read: (payload) => ({
      types: bodies.decodeTable(payload).map(({ kind, name, hash }) => [kind, name, hash]),
    }),
    write: ({ types }) => [
      bodies.encodeTable(
        types.map(([kind, name, hash]: string[]) => ({ kind, name, hash: octets(hash!) }) as any),
      ),
    ],
  },
  PING: {
    read: bodies.decodePing,
    write: ({ ttl, nonce }) => [bodies.encodePing({ ttl, nonce: octets(nonce) })],
  },
  GOAWAY: { read: bodies.decodeGoaway, write: (goaway) => [bodies.encodeGoaway(goaway)] },
  GOODBYE: {
    read: (payload) => ({ code: bodies.decodeGoodbye(payload) }),
    write: ({ code }) => [bodies.encodeGoodbye(code)],
  },
}

each(
  'body',
  (one) => kinds[one['of']]!.read(payloadOf(one), one),
  (one, got) => {
    assert.deepEqual(said(got), one['means'])
    const written = Buffer.concat(kinds[one['of']]!.write(one['means']))
    assert.equal(toHex(written), toHex(octets(one['body'])))
  },
)

/** With a header before it, as it arrives: what stands there is none of a decoder's affair. */
const payloadOf = (one: Case): Uint8Array => octets(`+ff*24+${one['body']}`)

each(
  'hello',
  (one) => decodeHello(octets(one['payload'])),
  (one, hello: Hello) => {
    assert.deepEqual(said(hello), one['means'])
    if (one.read !== 'only') assert.equal(toHex(encodeHello(hello)), toHex(octets(one['payload'])))
  },
)

each(
  'welcome',
  (one) => decodeWelcome(octets(one['payload'])),
  (one, welcome) => {
    assert.deepEqual(said(welcome), one['means'])
    if (one.read !== 'only') assert.equal(toHex(encodeWelcome(welcome)), toHex(octets(one['payload'])))
  },
)

/** Some side, for all that a case does not say of it. */
const side = decodeHello(octets(casesOf('hello')[0]!['payload'] as string))

each(
  'negotiate',
  (one) => {
    const { low = 1, high = 1, codecs } = one['mine'] as { low?: number; high?: number; codecs: string[] }
    const mine = { ...side, low, high, codecs }
    const hello = decodeHello(octets(one['hello'] as string), mine)
    const welcome = negotiate(hello, mine)
    // A rejection reaches the dialer under its code, and over the wire.
    return judgeWelcome(decodeWelcome(encodeWelcome(welcome)), hello)
  },
  (one, welcome: Accepted) => {
    assert.equal(welcome.result, 'new')
    assert.deepEqual([welcome.version, ...welcome.codecs], [one['version'], one['codec']])
    assert.deepEqual(welcome.nodeId, side.nodeId)
  },
)

each(
  'judge',
  (one) => {
    const { low, high } = versionsOf(one['hello'] as string)
    const hello = decodeHello(octets(one['hello'] as string), { low, high })
    return judgeWelcome(decodeWelcome(octets(one['welcome'] as string)), hello)
  },
  (one, welcome: Accepted) => {
    assert.deepEqual([welcome.version, ...welcome.codecs], [one['version'], one['codec']])
  },
)

/** Of a HELLO that a version to come says. */
const versionsOf = (hello: string): Versions => {
  const [low = 0, high = 0] = octets(hello).subarray(17)
  return { low, high }
}

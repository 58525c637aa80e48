/** The client of examples/dns.ts against a resolver that others wrote and built; and its messages on their own. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { Resolver } from 'node:dns/promises'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import net from 'node:net'
import { join } from 'node:path'
import { type TestContext, after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { findProgram } from '../test/support/programs.ts'
import { type Server, startServer } from '../test/support/servers.ts'
import { type Dns, DnsError, decodeReply, encodeQuery, openDns } from './dns.ts'

const { program, skip } = await findProgram('dnsmasq', 'dnsmasq-base')

/** The addresses of many.example.test: more than the 512 bytes that a reply over UDP had room for. */
const MANY = Array.from({ length: 100 }, (_, i) => `192.0.2.${i + 1}`)
const LONG = ['a'.repeat(255), 'b'.repeat(255), 'c']

/** All that this resolver knows; it asks nobody else. */
const config = (port: number, folder: string): string[] => [
  ...[`port=${port}`, 'listen-address=127.0.0.1', 'bind-interfaces', 'no-resolv', 'no-hosts', 'local=/test/'],
  ...[
    `pid-file=${join(folder, 'pid')}`,
    'log-facility=-',
    ...(process.getuid?.() === 0 ? ['user=root'] : []),
  ],
  'host-record=one.example.test,192.0.2.1,2001:db8::1',
  'host-record=zeros.example.test,0.0.0.0,::',
  'cname=alias.example.test,one.example.test',
  'txt-record=example.test,"v=spf1 -all"',
  `txt-record=long.example.test,${LONG.join()}`,
  ...MANY.map((address) => `host-record=many.example.test,${address}`),
]

describe('a DNS server over TCP, through lengthPrefixed({ length: 2 })', { skip }, () => {
  let server: Server
  let dns: Dns
  const dataOf = async (...[name, type]: Parameters<Dns['lookup']>): Promise<string[]> =>
    (await dns.lookup(name, type)).map(({ data }) => data)

  before(async () => {
    server = await startServer(program!, async (port, folder) => {
      const file = join(folder, 'dnsmasq.conf')
      await writeFile(file, config(port, folder).join('\n'))
      return ['--keep-in-foreground', `--conf-file=${file}`]
    })
    dns = openDns(server.address)
  })
  after(async () => {
    await dns.end()
    await server.stop()
  })

  test('A, AAAA and TXT records', async () => {
    assert.deepEqual(await dataOf('one.example.test', 'A'), ['192.0.2.1'])
    assert.deepEqual(await dataOf('one.example.test', 'AAAA'), ['2001:db8::1'])
    assert.deepEqual(await dataOf('zeros.example.test', 'AAAA'), ['::'])
    assert.deepEqual(await dataOf('example.test', 'TXT'), ['v=spf1 -all'])
  })

  test('a text of several strings is one text, a name in capitals the same name', async () => {
    assert.deepEqual(await dataOf('LONG.Example.Test.', 'TXT'), [LONG.join('')])
  })

  test('an alias comes with the name that it stands for, which is written by pointers', async () => {
    const records = await dns.lookup('alias.example.test')
    assert.deepEqual(
      records.map(({ name, type, data }) => [name, type, data]),
      [
        ['alias.example.test', 'CNAME', 'one.example.test'],
        ['one.example.test', 'A', '192.0.2.1'],
      ],
    )
  })

  test('a reply far above the 512 bytes of UDP comes whole', async () => {
    assert.deepEqual((await dataOf('many.example.test')).sort(), [...MANY].sort())
  })

  test('no such name is NXDOMAIN; a name without such records has none', async () => {
    await assert.rejects(dns.lookup('nobody.example.test'), (error) => {
      assert.ok(error instanceof DnsError)
      return error.code === 'NXDOMAIN'
    })
    assert.deepEqual(await dns.lookup('one.example.test', 'TXT'), [])
  })

  test('600 questions at once: each gets its own answer, though this server ends a connection after 100', async () => {
    const questions = [
      ['one.example.test', 'A', '192.0.2.1'],
      ['one.example.test', 'AAAA', '2001:db8::1'],
      ['example.test', 'TXT', 'v=spf1 -all'],
    ] as const
    const asked = Array.from({ length: 600 }, (_, i) => questions[i % 3]!)
    const answers = await Promise.all(asked.map(([name, type]) => dataOf(name, type)))
    for (const [i, [name, type, data]] of asked.entries())
      assert.deepEqual(answers[i], [data], `${type} ${name}`)
  })

  test('another client, over UDP, is told the same', async () => {
    const resolver = new Resolver()
    resolver.setServers([`127.0.0.1:${server.port}`])
    assert.deepEqual(await resolver.resolve4('one.example.test'), await dataOf('one.example.test', 'A'))
    assert.deepEqual(await resolver.resolve6('one.example.test'), await dataOf('one.example.test', 'AAAA'))
    const texts = (await resolver.resolveTxt('example.test')).map((strings) => strings.join(''))
    assert.deepEqual(texts, await dataOf('example.test', 'TXT'))
  })

  test('from the command line', async () => {
    const file = fileURLToPath(new URL('dns.ts', import.meta.url))
    const args = ['--import', 'tsx', file, server.address, 'one.example.test', 'AAAA']
    const { stdout } = await promisify(execFile)(process.execPath, args)
    assert.equal(stdout, 'AAAA "2001:db8::1"\n')
  })
})

describe('messages of DNS', () => {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
  const reply = (text: string) => decodeReply(Buffer.from(text.replace(/\s/g, ''), 'hex'))
  /** A reply with no question and one answer. */
  const HEADER = '1234 8180 0000 0001 0000 0000'

  test('a question, byte by byte', () => {
    const header = '123401000001000000000000'
    assert.equal(hex(encodeQuery(0x1234, 'a.test', 'AAAA')), `${header}0161047465737400001c0001`)
    assert.equal(hex(encodeQuery(0x1234, '.', 'A')), `${header}0000010001`)
  })

  test('a name of another script goes as punycode', () => {
    assert.equal(hex(encodeQuery(0, 'bücher.test', 'A')), hex(encodeQuery(0, 'xn--bcher-kva.test', 'A')))
  })

  for (const name of ['a..b', `${'x'.repeat(64)}.test`, 'x.'.repeat(128), 'two words']) {
    test(`${JSON.stringify(name.slice(0, 20))} is no name`, () => {
      assert.throws(() => encodeQuery(0, name, 'A'), TypeError)
    })
  }

  test('the longest name there is: 253 characters', () => {
    const name = [63, 63, 63, 61].map((n) => 'x'.repeat(n)).join('.')
    const query = encodeQuery(0, name, 'A')
    assert.equal(query.length, 12 + 255 + 4)
  })

  test('a reply is read byte by byte; types it does not know are left out', () => {
    const known = '0161 00 0001 0001 0000003c 0004 c0000201'
    const unknown = '0162 00 0063 0001 00000000 0003 010203'
    assert.deepEqual(reply(`1234 8183 0000 0002 0000 0000 ${unknown} ${known}`), {
      id: 0x1234,
      code: 3,
      answers: [{ name: 'a', type: 'A', ttl: 60, data: '192.0.2.1' }],
    })
  })

  const hostile = {
    'nothing at all': '',
    'half a header': '1234 8180 0000',
    'a question': '1234 0100 0000 0000 0000 0000',
    'a name that points at itself': `${HEADER} c00c 0001 0001 00000000 0004 01020304`,
    'a name that points ahead': `${HEADER} c010 0001 0001 00000000 0004 01020304`,
    'a name that runs into the pointer that it came from': `${HEADER} 0161 c00c 0001 0001 00000000 0000`,
    'a name beyond the end': `${HEADER} 3f61`,
    'a label of a kind that there is not': `${HEADER} 4061 00 0001 0001 00000000 0004 01020304`,
    'a name of 256 bytes': `${HEADER} ${'0161'.repeat(128)} 00 0001 0001 00000000 0004 01020304`,
    'a record beyond the end': `${HEADER} 00 0001 0001 00000000 0005 01020304`,
    'an address of three bytes': `${HEADER} 00 0001 0001 00000000 0003 010203`,
    'fewer answers than it says': `1234 8180 0000 ffff 0000 0000`,
  }
  for (const [what, bytes] of Object.entries(hostile)) {
    test(`${what} is no reply: RangeError`, () => {
      assert.throws(() => reply(bytes), RangeError)
    })
  }
})

describe('a server that does wrong', () => {
  /** Does `act` with each connection when the first question has come. */
  async function misbehaving(t: TestContext, act: (socket: net.Socket) => void) {
    const seen = { connections: 0 }
    const server = net.createServer((socket) => {
      seen.connections++
      t.after(() => socket.destroy())
      socket.once('data', () => act(socket))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const dns = openDns(`tcp://127.0.0.1:${(server.address() as net.AddressInfo).port}`)
    t.after(() => dns.end())
    t.after(() => server.close())
    return { dns, seen }
  }

  test('it answers nonsense: everything asked is rejected, and the next question finds a new connection', async (t) => {
    const { dns, seen } = await misbehaving(t, (socket) => socket.write(Buffer.from('0003ffffff', 'hex')))
    const asked = ['a.test', 'b.test'].map((name) => assert.rejects(dns.lookup(name), /HANDLER_FAILED/))
    await Promise.all(asked)
    await assert.rejects(dns.lookup('c.test'), /HANDLER_FAILED/)
    assert.equal(seen.connections, 2)
  })

  test('it ends the connection without an answer: rejected, and not asked again for ever', async (t) => {
    const { dns, seen } = await misbehaving(t, (socket) => socket.end())
    await assert.rejects(dns.lookup('a.test'), /answers nothing/)
    assert.equal(seen.connections, 1)
  })

  test('it says nothing: end() rejects what waits', async (t) => {
    const { dns } = await misbehaving(t, () => undefined)
    const asked = assert.rejects(dns.lookup('a.test'), /given up/)
    await dns.end()
    await asked
  })

  test('nobody is there: CONNECT_FAILED', async () => {
    const dns = openDns('tcp://127.0.0.1:1')
    await assert.rejects(dns.lookup('a.test'), { code: 'CONNECT_FAILED' })
    await dns.end()
  })
})

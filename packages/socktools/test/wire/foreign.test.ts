/**
 * What a length-prefixed decoder with the usual limit of 16 MiB makes of the first bytes of other protocols.
 * Most are named. Some only announce a frame that is too long; and where the first four bytes are a length
 * that is allowed, they are the beginning of a frame like any other (frameGrace ends those).
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SockError } from '../../src/errors.ts'
import { foreignProtocol } from '../../src/wire/foreign.ts'
import { lengthPrefixed } from '../../src/wire/length-prefixed.ts'
import { hex, latin1, toHex } from './bytes.ts'

const MAX = 16 * 1024 * 1024

/** FOREIGN_PROTOCOL with this name in its text; FRAME_TOO_LARGE; or so many whole frames and bytes behind them. */
type Outcome = string | { code: 'FRAME_TOO_LARGE' } | { frames: number; partial: number }

const TOO_LARGE = { code: 'FRAME_TOO_LARGE' } as const
const partial = (n: number): Outcome => ({ frames: 0, partial: n })

const openers: [what: string, bytes: Uint8Array, outcome: Outcome][] = [
  // A record of type handshake (22), then ClientHello and the version that it asks for.
  ['TLS 1.0', hex('16 0301 002f 01 00002b 0301 5f0a7c11'), 'TLS'],
  ['TLS 1.1', hex('16 0301 0031 01 00002d 0302 5f0a7c11'), 'TLS'],
  ['TLS 1.2', hex('16 0301 00c8 01 0000c4 0303 9b1f22e0'), 'TLS'],
  ['TLS 1.3', hex('16 0301 0200 01 0001fc 0303 9b1f22e0'), 'TLS'],
  ['SSL 3.0', hex('16 0300 0055 01 000051 0300 9b1f22e0'), 'TLS'],
  ['a TLS alert', hex('15 0303 0002 02 28'), 'TLS'],
  ['SSL 2.0', hex('802e 01 0002 0015 0000 0010'), TOO_LARGE],

  ['HTTP GET', latin1('GET / HTTP/1.1\r\nHost: x\r\n\r\n'), 'HTTP'],
  ['HTTP HEAD', latin1('HEAD / HTTP/1.0\r\n\r\n'), 'HTTP'],
  ['HTTP POST', latin1('POST /api HTTP/1.1\r\n'), 'HTTP'],
  ['HTTP PUT', latin1('PUT /a HTTP/1.1\r\n'), 'HTTP'],
  ['HTTP DELETE', latin1('DELETE /a HTTP/1.1\r\n'), 'HTTP'],
  ['HTTP OPTIONS', latin1('OPTIONS * HTTP/1.1\r\n'), 'HTTP'],
  ['HTTP PATCH', latin1('PATCH /a HTTP/1.1\r\n'), 'HTTP'],
  ['HTTP TRACE', latin1('TRACE / HTTP/1.1\r\n'), 'HTTP'],
  ['HTTP CONNECT', latin1('CONNECT a:443 HTTP/1.1\r\n'), 'HTTP CONNECT'],
  ['WebDAV', latin1('PROPFIND / HTTP/1.1\r\n'), 'HTTP'],
  ['WebSocket', latin1('GET /chat HTTP/1.1\r\nUpgrade: websocket\r\n'), 'HTTP'],
  ['an HTTP response', latin1('HTTP/1.1 400 Bad Request\r\n'), 'an HTTP response'],
  ['HTTP/2', latin1('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), 'HTTP/2'],
  ['gRPC', latin1('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\x04\0\0\0\0\0'), 'gRPC'],

  ['SSH', latin1('SSH-2.0-OpenSSH_9.6\r\n'), 'SSH'],
  ['PROXY v1', latin1('PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n'), 'the PROXY protocol'],
  ['PROXY v2', hex('0d0a0d0a000d0a515549540a 21 11 000c'), 'the PROXY protocol'],
  ['SOCKS4', hex('04 01 0050 7f000001 00'), TOO_LARGE],
  ['SOCKS5, one method', hex('05 01 00'), partial(3)],
  ['SOCKS5, three methods', hex('05 03 00 01 02'), TOO_LARGE],
  ['RDP', hex('03 00 0013 0e e0 0000 0000 00 01 0008 00 00000000'), TOO_LARGE],
  ['VNC', latin1('RFB 003.008\n'), 'VNC'],
  ['Telnet DO', hex('ff fd 18 ff fd 20 ff fd 23'), 'Telnet'],
  ['Telnet WILL', hex('ff fb 1f ff fb 20'), 'Telnet'],
  ['X11', hex('6c 00 0b00 0000 0000 0000 0000'), TOO_LARGE],

  ['SMTP, a client', latin1('EHLO mail.example.org\r\n'), 'SMTP'],
  ['SMTP, an old client', latin1('HELO mail.example.org\r\n'), 'SMTP'],
  ['SMTP, a server', latin1('220 mail.example.org ESMTP\r\n'), 'SMTP'],
  ['LMTP', latin1('LHLO mail.example.org\r\n'), 'LMTP'],
  ['FTP, a client', latin1('USER anonymous\r\n'), 'FTP'],
  ['FTP, a server', latin1('220-Welcome\r\n'), 'FTP'],
  ['POP3, a server', latin1('+OK POP3 ready\r\n'), 'POP3'],
  ['POP3, a client', latin1('CAPA\r\n'), 'POP3'],
  ['IMAP, a server', latin1('* OK IMAP4rev1 ready\r\n'), 'IMAP'],
  ['IMAP, a client', latin1('a001 CAPABILITY\r\n'), TOO_LARGE],
  ['IRC NICK', latin1('NICK alice\r\n'), 'IRC'],
  ['IRC CAP', latin1('CAP LS 302\r\n'), 'IRC'],
  ['IRC PASS', latin1('PASS secret\r\n'), 'IRC'],
  ['XMPP', latin1("<?xml version='1.0'?><stream:stream"), 'XMPP'],
  ['XMPP without a prologue', latin1("<stream:stream to='x'"), 'XMPP'],
  ['SIP INVITE', latin1('INVITE sip:bob@example.org SIP/2.0\r\n'), 'SIP'],
  ['SIP REGISTER', latin1('REGISTER sip:example.org SIP/2.0\r\n'), 'SIP'],
  ['RTSP OPTIONS', latin1('OPTIONS rtsp://x/y RTSP/1.0\r\n'), 'RTSP'],
  ['RTSP DESCRIBE', latin1('DESCRIBE rtsp://x/y RTSP/1.0\r\n'), 'RTSP'],
  ['RTSP, a server', latin1('RTSP/1.0 200 OK\r\n'), 'RTSP'],

  ['Redis', latin1('*1\r\n$4\r\nPING\r\n'), 'Redis'],
  ['Redis with many arguments', latin1('*7\r\n$4\r\nMSET\r\n'), 'Redis'],
  ['Redis, inline', latin1('PING\r\n'), 'Redis'],
  ['memcached get', latin1('get key\r\n'), 'memcached'],
  ['memcached set', latin1('set key 0 0 1\r\n'), 'memcached'],
  ['memcached stats', latin1('stats\r\n'), 'memcached'],
  ['memcached version', latin1('version\r\n'), 'memcached'],
  ['memcached, binary', hex('80 00 0003 00 00 0000'), TOO_LARGE],
  ['AMQP 0-9-1', hex('414d5150 00 00 09 01'), 'AMQP'],
  ['AMQP 1.0', hex('414d5150 03 01 00 00'), 'AMQP'],
  ['MQTT 3.1', hex('10 0f 0006 4d5149736470 03 02 003c 0001 61'), 'MQTT'],
  ['MQTT 3.1.1', hex('10 0d 0004 4d515454 04 02 003c 0001 61'), 'MQTT'],
  ['MQTT 5', hex('10 0e 0004 4d515454 05 02 003c 00 0001 61'), 'MQTT'],
  ['NATS, a server', latin1('INFO {"server_id":"N"}\r\n'), 'NATS'],
  ['NATS, a client', latin1('CONNECT {"verbose":false}\r\n'), 'NATS'],
  ['STOMP CONNECT', latin1('CONNECT\naccept-version:1.2\n'), 'STOMP'],
  ['STOMP', latin1('STOMP\naccept-version:1.2\n'), 'STOMP'],
  ['ZeroMQ', hex('ff 0000000000000001 7f 03 00'), 'ZeroMQ'],
  ['Kafka ApiVersions', hex('0000000e 0012 0003 00000001 0001 61 00 00 00'), { frames: 1, partial: 0 }],
  ['PostgreSQL SSLRequest', hex('00000008 04d2162f'), partial(8)],
  ['PostgreSQL StartupMessage', hex('00000010 00030000 75736572 00 6100 00'), partial(16)],
  ['MySQL, a server', hex('4a 000000 0a 382e302e3336 00'), TOO_LARGE],
  ['MongoDB', hex('3a000000 01000000 00000000 dd070000'), TOO_LARGE],
  ['Cassandra', hex('04 00 0000 05 00000000'), TOO_LARGE],
  ['SQL Server', hex('12 01 002f 0000 01 00'), TOO_LARGE],
  ['Oracle', hex('003a 0000 01 00 0000'), partial(8)],
  ['LDAP', hex('30 0c 02 01 01 60 07 02 01 03 04 00 80 00'), TOO_LARGE],
  ['SMB 1', hex('00 000054 ff534d42 72 00000000'), partial(13)],
  ['SMB 2', hex('00 000004 fe534d42'), { frames: 1, partial: 0 }],
  ['DNS over TCP', hex('001d 1a2b 0100 0001 0000 0000 0000 07'), partial(15)],
  ['BitTorrent', latin1('\x13BitTorrent protocol\0\0\0\0\0\0\0\0'), 'BitTorrent'],
  ['Bitcoin', hex('f9beb4d9 76657273696f6e0000000000'), TOO_LARGE],
  ['BGP', hex('ffffffffffffffffffffffffffffffff 001d 01 04'), TOO_LARGE],
  ['Diameter', hex('01 000080 80 000101'), TOO_LARGE],
  ['Modbus', hex('0001 0000 0006 01 03 0000 0001'), partial(12)],
  ['git', latin1('0033git-upload-pack /project.git\0host=x\0'), TOO_LARGE],
  ['syslog', latin1('<34>1 2003-10-11T22:14:15.003Z mymachine su'), TOO_LARGE],
  ['JSON in lines', latin1('{"jsonrpc":"2.0"}\n'), TOO_LARGE],
]

describe('openers of other protocols', () => {
  test('there are at least forty, each once', () => {
    const different = new Set(openers.map(([, bytes]) => toHex(bytes)))
    assert.ok(different.size >= 40, `${different.size} different ones`)
  })

  for (const [what, bytes, outcome] of openers) {
    const title = typeof outcome === 'string' ? `is called ${outcome}` : JSON.stringify(outcome)
    test(`${what}: ${title}`, () => {
      for (const step of [bytes.length, 5, 1]) check(cut(bytes, step), outcome)
      // All that is needed for a name is the header.
      if (typeof outcome === 'string') check([bytes.subarray(0, 4)], outcome)
    })
  }

  test('what differs from one of them in a byte is none of them', () => {
    for (const [bytes, name] of [
      ['16030100', 'TLS'],
      ['15030300', 'TLS'],
      ['16020100', undefined],
      ['17030300', undefined],
      ['10ff0004', 'MQTT'],
      ['10ff0006', 'MQTT'],
      ['11ff0004', undefined],
      ['10ff0104', undefined],
      ['10ff0005', undefined],
      ['2a310d0a', 'Redis'],
      ['2a300d0a', undefined],
      ['202a310d', undefined],
    ] as const)
      assert.equal(foreignProtocol(hex(bytes)), name, bytes)
  })

  test('only the first frame can be an opener: later it is a frame that is too large', () => {
    check([hex('00000001 61'), latin1('GET / HTTP/1.1')], TOO_LARGE)
    check([hex('00000000'), latin1('SSH-'), latin1('2.0')], TOO_LARGE)
  })

  test('a limit that takes the length takes it for a frame', () => {
    const decoder = lengthPrefixed().decoder(() => assert.fail('not whole'), 0xffff_ffff)
    decoder.push(latin1('GET / HTTP/1.1'))
    assert.equal(decoder.partial, 14)
  })
})

function check(chunks: readonly Uint8Array[], outcome: Outcome): void {
  let frames = 0
  const decoder = lengthPrefixed().decoder(() => frames++, MAX)
  const push = (): void => {
    for (const chunk of chunks) decoder.push(chunk)
  }
  if (typeof outcome === 'string') {
    assert.throws(
      push,
      (e) => e instanceof SockError && e.code === 'FOREIGN_PROTOCOL' && e.message.includes(outcome),
    )
  } else if ('code' in outcome) assert.throws(push, { code: outcome.code })
  else {
    push()
    assert.deepEqual({ frames, partial: decoder.partial }, outcome)
  }
}

const cut = (bytes: Uint8Array, step: number): Uint8Array[] =>
  Array.from({ length: Math.ceil(bytes.length / step) }, (_, i) => bytes.subarray(i * step, (i + 1) * step))

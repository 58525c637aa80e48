import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  familyOf,
  hostPort,
  isLoopback,
  isMulticast,
  parseAddress,
  pathOf,
  schemeOf,
  tcpAddress,
  udpAddress,
  unmapped,
} from '../src/address.ts'
import { SockError } from '../src/errors.ts'
import { codeOf } from './wire/bytes.ts'

describe('parseAddress', () => {
  for (const text of [
    'tcp://127.0.0.1:4000',
    'tcp://[::1]:0',
    'unix:/run/x.sock',
    'memory:name',
    'ws+unix:/x',
    'memory:1',
  ]) {
    test(`takes ${text}`, () => assert.equal(parseAddress(text).href, text))
  }

  const suggestions: [text: string, suggestion: string | undefined][] = [
    ['127.0.0.1:4000', 'tcp://127.0.0.1:4000'],
    ['localhost:4000', 'tcp://localhost:4000'],
    [':4000', 'tcp://127.0.0.1:4000'],
    ['[::1]:4000', 'tcp://[::1]:4000'],
    ['::1:4000', undefined],
    ['127.0.0.1', undefined],
    ['/run/x.sock', undefined],
    ['', undefined],
    [' tcp://127.0.0.1:1', undefined],
  ]
  for (const [text, suggestion] of suggestions) {
    const title = suggestion === undefined ? 'without a guess' : `suggests "${suggestion}"`
    test(`refuses ${JSON.stringify(text)} and ${title}`, () => {
      assert.throws(
        () => parseAddress(text),
        (error) => {
          assert.ok(error instanceof SockError && error.code === 'BAD_ADDRESS', String(error))
          const [, guess] = /did you mean "(.*?)"/.exec(error.message) ?? []
          assert.equal(guess, suggestion)
          if (guess !== undefined) hostPort(parseAddress(guess))
          return true
        },
      )
    })
  }

  test('refuses what is no URL, and what is no string', () => {
    for (const bad of [
      'tcp://127.0.0.1:99999',
      'tcp://[::1:1',
      'tcp://a b:1',
      7,
      null,
      undefined,
      new URL('memory:x'),
    ]) {
      assert.equal(
        codeOf(() => parseAddress(bad as string)),
        'BAD_ADDRESS',
        String(bad),
      )
    }
  })

  test('what was asked for is escaped in the error', () => {
    assert.throws(
      () => parseAddress('\x1b[2J'),
      (error: Error) => !error.message.includes('\x1b'),
    )
  })
})

describe('parts of an address', () => {
  test('host and port of tcp', () => {
    assert.deepEqual(hostPort(new URL('tcp://example.org:80')), { host: 'example.org', port: 80 })
    assert.deepEqual(hostPort(new URL('tcp://[fe80::1]:0/')), { host: 'fe80::1', port: 0 })
    for (const bad of ['tcp:80', 'tcp:///a', 'tcp://a', 'tcp://a:1/b']) {
      assert.equal(
        codeOf(() => hostPort(new URL(bad))),
        'BAD_ADDRESS',
        bad,
      )
    }
  })

  test('the path of unix and the name of memory', () => {
    assert.equal(pathOf(new URL('unix:/run/x.sock')), '/run/x.sock')
    assert.equal(pathOf(new URL('unix:///run/x.sock')), '/run/x.sock')
    assert.equal(pathOf(new URL('unix:/with%20space%25')), '/with space%')
    assert.equal(pathOf(new URL('unix:x.sock')), 'x.sock')
    assert.equal(pathOf(new URL('memory:name')), 'name')
    for (const bad of ['unix:', 'memory:', 'unix:/a%zz', 'unix:/a?b']) {
      assert.equal(
        codeOf(() => pathOf(new URL(bad))),
        'BAD_ADDRESS',
        bad,
      )
    }
  })

  test('two slashes make a host of a path: the error says what to write', () => {
    assert.throws(() => pathOf(new URL('unix://run/x.sock')), /write unix:\/run\/x\.sock/)
  })

  test('schemeOf', () => assert.equal(schemeOf(new URL('tcp://a:1')), 'tcp'))

  test('tcpAddress puts brackets around IPv6, and unwraps IPv4 in IPv6', () => {
    const table: [string, string][] = [
      ['127.0.0.1', 'tcp://127.0.0.1:9'],
      ['::1', 'tcp://[::1]:9'],
      ['::ffff:127.0.0.1', 'tcp://127.0.0.1:9'],
      ['::FFFF:10.0.0.1', 'tcp://10.0.0.1:9'],
      ['::ffff:a', 'tcp://[::ffff:a]:9'],
    ]
    for (const [host, address] of table) {
      assert.equal(tcpAddress(host, 9), address)
      assert.equal(hostPort(parseAddress(address)).host, unmapped(host))
    }
  })

  test('loopback is 127.0.0.0/8 and ::1, in whatever form', () => {
    for (const host of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'])
      assert.ok(isLoopback(host), host)
    for (const host of ['10.0.0.1', '1.127.0.0', '::2', 'unknown', '::ffff:10.0.0.1'])
      assert.ok(!isLoopback(host), host)
  })

  test('udpAddress puts brackets around IPv6', () => {
    assert.deepEqual(
      [udpAddress('10.0.0.1', 9), udpAddress('fe80::1%eth0', 9)],
      ['udp://10.0.0.1:9', 'udp://[fe80::1%eth0]:9'],
    )
    assert.deepEqual(hostPort(parseAddress(udpAddress('::1', 9))), { host: '::1', port: 9 })
    assert.throws(() => hostPort(parseAddress('udp://a:1/b')), /udp has none/)
  })

  test('familyOf tells IP addresses from names', () => {
    for (const host of ['0.0.0.0', '127.0.0.1', '255.255.255.255']) assert.equal(familyOf(host), 4, host)
    for (const host of ['::', '::1', 'fe80::1', '::ffff:1.2.3.4']) assert.equal(familyOf(host), 6, host)
    for (const host of [
      'localhost',
      'a.b',
      '1.2.3',
      '1.2.3.4.5',
      '1.2.3.256',
      '01.2.3.4',
      '1.2.3.4a',
      '',
      '0x7f.1',
      '1e1.0.0.1',
    ])
      assert.equal(familyOf(host), 0, host)
  })

  test('groups are 224.0.0.0/4 and ff00::/8', () => {
    for (const host of ['224.0.0.1', '239.255.255.255', 'ff02::1', 'FF0E::1:2'])
      assert.ok(isMulticast(host), host)
    for (const host of [
      '223.255.255.255',
      '240.0.0.1',
      '255.255.255.255',
      'fe80::1',
      '::ff02',
      '1.224.0.1',
      'ff02.example',
    ])
      assert.ok(!isMulticast(host), host)
  })
})

/**
 * Names the protocol that a stream's first bytes belong to, for the error of whoever dialed the wrong port.
 * Only asked once those bytes made no sense as a frame, so a false match can only mislabel an error.
 */
export function foreignProtocol(first: Uint8Array): string | undefined {
  // TLS record: handshake (22) or alert (21), version 3.x. RFC 8446 section 5.1.
  if ((first[0] === 0x16 || first[0] === 0x15) && first[1] === 3) return 'TLS'
  let text = ''
  for (const byte of first) text += String.fromCharCode(byte)
  for (const [opening, name] of OPENINGS) if (text.startsWith(opening)) return name
  return undefined
}

/** Four bytes decide where no more is at hand: the header is all that is read of a frame that is refused. */
const OPENINGS: readonly (readonly [string, string])[] = [
  ['GET ', 'HTTP'],
  ['HEAD', 'HTTP'],
  ['POST', 'HTTP'],
  ['PUT ', 'HTTP'],
  ['DELE', 'HTTP'],
  ['OPTI', 'HTTP or RTSP'],
  ['PATC', 'HTTP'],
  ['TRAC', 'HTTP'],
  ['CONN', 'HTTP CONNECT, STOMP or NATS'],
  ['HTTP', 'an HTTP response'],
  ['PRI ', 'HTTP/2 or gRPC'],
  ['SSH-', 'SSH'],
  ['PROX', 'the PROXY protocol'],
  ['\r\n\r\n', 'the PROXY protocol'],
  ['RTSP', 'RTSP'],
  ['EHLO', 'SMTP'],
  ['HELO', 'SMTP'],
  ['220 ', 'SMTP or FTP'],
  ['220-', 'SMTP or FTP'],
  ['USER', 'FTP, POP3 or IRC'],
  ['NICK', 'IRC'],
  ['PASS', 'IRC'],
  ['* OK', 'IMAP'],
  ['+OK ', 'POP3'],
  ['AMQP', 'AMQP'],
  ['INFO', 'NATS'],
  ['PING', 'a line protocol such as Redis or NATS'],
  ['<?xm', 'XML or XMPP'],
  ['<str', 'XMPP'],
  ['RFB ', 'VNC'],
  ['\x13Bit', 'BitTorrent'],
  ['\x10\x00\x04M', 'MQTT'],
  ['\xff\x00\x00\x00', 'ZeroMQ'],
  ['\xff\xfb', 'Telnet'],
  ['\xff\xfd', 'Telnet'],
  ['\xffSMB', 'SMB'],
  ['*1\r\n', 'Redis'],
  ['*2\r\n', 'Redis'],
  ['*3\r\n', 'Redis'],
  ['stat', 'memcached'],
  ['get ', 'memcached'],
  ['set ', 'memcached'],
]

/**
 * Names the protocol that a stream's first bytes belong to, for the error of whoever dialed the wrong port.
 * Only asked once those bytes made no sense as a frame, so a false match can only mislabel an error.
 */
export function foreignProtocol(first: Uint8Array): string | undefined {
  // TLS record: handshake (22) or alert (21), version 3.x. RFC 8446 section 5.1.
  if ((first[0] === 0x16 || first[0] === 0x15) && first[1] === 3) return 'TLS'
  // MQTT CONNECT (16), a remaining length below 128, and the length of the name that follows: "MQTT" or "MQIsdp".
  if (first[0] === 0x10 && first[2] === 0 && (first[3] === 4 || first[3] === 6)) return 'MQTT'
  let text = ''
  for (const byte of first) text += String.fromCharCode(byte)
  for (const [opening, name] of OPENINGS) if (text.startsWith(opening)) return name
  return /^\*[1-9]/.test(text) ? 'Redis' : undefined
}

/** Four bytes decide where no more is at hand: the header is all that is read of a frame that is refused. */
const OPENINGS: readonly (readonly [string, string])[] = [
  ['GET ', 'HTTP'],
  ['HEAD', 'HTTP'],
  ['POST', 'HTTP'],
  ['PUT ', 'HTTP'],
  ['DELE', 'HTTP'],
  ['OPTI', 'HTTP, RTSP or SIP'],
  ['PATC', 'HTTP'],
  ['TRAC', 'HTTP'],
  ['PROP', 'HTTP (WebDAV)'],
  ['CONN', 'HTTP CONNECT, STOMP or NATS'],
  ['STOM', 'STOMP'],
  ['HTTP', 'an HTTP response'],
  ['PRI ', 'HTTP/2 or gRPC'],
  ['SSH-', 'SSH'],
  ['PROX', 'the PROXY protocol'],
  ['\r\n\r\n', 'the PROXY protocol'],
  ['RTSP', 'RTSP'],
  ['DESC', 'RTSP'],
  ['INVI', 'SIP'],
  ['REGI', 'SIP'],
  ['EHLO', 'SMTP'],
  ['HELO', 'SMTP'],
  ['LHLO', 'LMTP'],
  ['220 ', 'SMTP or FTP'],
  ['220-', 'SMTP or FTP'],
  ['USER', 'FTP, POP3 or IRC'],
  ['NICK', 'IRC'],
  ['CAP ', 'IRC'],
  ['PASS', 'IRC'],
  ['* OK', 'IMAP'],
  ['+OK ', 'POP3'],
  ['CAPA', 'POP3'],
  ['AMQP', 'AMQP'],
  ['INFO', 'NATS'],
  ['PING', 'a line protocol such as Redis or NATS'],
  ['<?xm', 'XML or XMPP'],
  ['<str', 'XMPP'],
  ['RFB ', 'VNC'],
  ['\x13Bit', 'BitTorrent'],
  ['\xff\x00\x00\x00', 'ZeroMQ'],
  ['\xff\xfb', 'Telnet'],
  ['\xff\xfd', 'Telnet'],
  ['stat', 'memcached'],
  ['vers', 'memcached'],
  ['get ', 'memcached'],
  ['set ', 'memcached'],
]

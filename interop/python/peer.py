#!/usr/bin/env python3
"""An independent peer on the plain wire: a u32 in big endian, then that many bytes. Standard library only.

  peer.py echo listen tcp://127.0.0.1:4000   sends every message back to whoever connects
  peer.py echo dial tcp://127.0.0.1:4000     the same for the one it dials, until that one ends
  peer.py vectors spec/vectors/plain.json    checks encode and decode against the cases; exits 1 if one fails

and on wire v1 (wire.py, session.py, link.py, node.py beside it):

  peer.py v1 serve tcp://127.0.0.1:0         serves the contract of node.py, or the kinds by name in --contract FILE
  peer.py v1 call ADDRESS TYPE JSON          prints {"reply": …} or {"error": …}, as one line of JSON
  peer.py v1 watch ADDRESS TYPE JSON         prints {"item": …} for each item of a feed; --take N: then cancels
  peer.py v1 say | chat ADDRESS TYPE JSON    an event; a channel, each item of the list JSON
                                             JSON may be @FILE; options are --headers, --limits, --timeout … JSON
  peer.py vectors spec/vectors/v1.json       as above; session.py is held against the conversations
"""
import io, json, socket, struct, sys, threading, urllib.parse


def encode(payload):
    return struct.pack('>I', len(payload)) + payload


def decode(stream, limit=2**32 - 1):
    """Yields payloads until a file-like object ends. EOFError: it ended inside a frame."""
    while header := stream.read(4):
        if len(header) < 4:
            raise EOFError('TRUNCATED')
        (size,) = struct.unpack('>I', header)
        if size > limit:
            raise ValueError('FRAME_TOO_LARGE')
        payload = stream.read(size)
        if len(payload) < size:
            raise EOFError('TRUNCATED')
        yield payload


def listen(address):
    """Tells on stdout where it listens, port 0 resolved. Returns an iterator over connections."""
    at = urllib.parse.urlsplit(address)
    server = socket.create_server((at.hostname, at.port))
    say(listening='tcp://%s:%d' % server.getsockname())
    return iter(lambda: server.accept()[0], None)


def dial(address):
    to = urllib.parse.urlsplit(address)
    return socket.create_connection((to.hostname, to.port))


def say(**facts):
    sys.stdout.write(json.dumps(facts) + '\n')
    sys.stdout.flush()


def echo(sock):
    with sock, sock.makefile('rb') as stream:
        for payload in decode(stream):
            sock.sendall(encode(payload))


def octets(text):
    """Hex, in which '*' repeats and '+' joins: 00000003+61*3 is 00000003616161."""
    parts = (part.partition('*') for part in text.split('+'))
    return b''.join(bytes.fromhex(digits) * int(times or 1) for digits, _, times in parts)


def holds(case):
    payloads, stream, decoded, error = [octets(one) for one in case['payloads']], octets(case['stream']), [], None
    try:
        for payload in decode(io.BytesIO(stream), case['max']):
            decoded.append(payload)
    except (ValueError, EOFError) as raised:
        error = str(raised)
    encoded = stream if error else b''.join(map(encode, payloads))
    return decoded == payloads and error == case.get('error') and encoded == stream


def main(what='', *arguments):
    if what == 'v1':
        import node
        sys.exit(node.main(*arguments))
    if what == 'vectors':
        import cases as v1
        cases = json.load(open(arguments[0]))['cases']
        failed = list(v1.check(cases)) if 'group' in cases[0] else [case['id'] for case in cases if not holds(case)]
        say(cases=len(cases), failed=failed)
        sys.exit(len(failed) > 0)
    if what != 'echo':
        sys.exit(__doc__)
    for sock in listen(arguments[1]) if arguments[0] == 'listen' else [dial(arguments[1])]:
        threading.Thread(target=echo, args=(sock,)).start()


if __name__ == '__main__':
    main(*sys.argv[1:])

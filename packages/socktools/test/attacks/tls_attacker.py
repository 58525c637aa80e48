"""Attackers that share no code with what they attack: `client`, `server` and `proxy`, by the ssl of Python.

The second argument is JSON. Each says by lines of JSON what came of it; `heard` is what it decrypted, in bytes.
"""

import json
import socket
import ssl
import sys
import threading

ALPN = 'socktools/1'


def say(**facts):
    sys.stdout.write(json.dumps(facts) + '\n')
    sys.stdout.flush()


def context(side, given):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT if side == 'client' else ssl.PROTOCOL_TLS_SERVER)
    if side == 'client':
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    if given.get('version') == '1.2':
        made.minimum_version = made.maximum_version = ssl.TLSVersion.TLSv1_2
    if given.get('cert'):
        made.load_cert_chain(given['cert'], given['key'])
    alpn = given.get('alpn', ALPN)
    if alpn:
        made.set_alpn_protocols([alpn])
    return made


def hear(stream, enough=float('inf')):
    """All that comes until the far side ends it, in whatever way."""
    heard = b''
    try:
        while True:
            chunk = stream.recv(65536)
            heard += chunk
            if not chunk or len(heard) >= enough:
                return heard
    except OSError:
        return heard


def client(given, session=None):
    tls = given.get('tls') or context('client', given)
    raw = socket.create_connection(('127.0.0.1', given['port']))
    try:
        stream = tls.wrap_socket(raw, session=session)
    except OSError as error:
        raw.close()
        say(handshake=False, heard=0, error=str(error))
        return
    try:
        stream.sendall(given.get('words', '').encode('latin1'))
    except OSError:
        pass
    say(handshake=True, heard=len(hear(stream)), resumed=bool(stream.session_reused))
    stream.close()


def ticket(given, tls):
    """Connects as somebody who may, says nothing, and leaves with a ticket."""
    stream = tls.wrap_socket(socket.create_connection(('127.0.0.1', given['port'])))
    stream.settimeout(0.05)
    while not (stream.session and stream.session.has_ticket):
        try:
            if not stream.recv(1):
                break
        except TimeoutError:
            pass
    saved = stream.session
    stream.close()
    return saved


def resume(given):
    """With a ticket, it proves nothing again: words are all that it has."""
    tls = context('client', given)
    saved = ticket(given, tls)
    say(saved=bool(saved and saved.has_ticket))
    sys.stdin.readline()
    client({'port': given['port'], 'tls': tls, 'words': 'no HELLO'}, saved)


def listen(serve):
    server = socket.create_server(('127.0.0.1', 0))
    say(port=server.getsockname()[1])

    def accept():
        while True:
            raw, _ = server.accept()
            threading.Thread(target=serve, args=(raw,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


def server(given):
    tls = context('server', given)

    def serve(raw):
        try:
            stream = tls.wrap_socket(raw, server_side=True)
        except OSError as error:
            raw.close()
            say(handshake=False, heard=0, error=str(error))
            return
        heard = hear(stream, given.get('enough', float('inf')))
        stream.close()
        say(handshake=True, heard=len(heard))

    listen(serve)


def proxy(given):
    """Ends the TLS of whoever dials it with its own key, and begins one of its own to where they meant to go."""
    near, far = context('server', given), context('client', given)
    counts = {'up': 0, 'down': 0}

    def pump(source, target, way):
        try:
            while True:
                chunk = source.recv(65536)
                if not chunk:
                    break
                counts[way] += len(chunk)
                target.sendall(chunk)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def serve(raw):
        try:
            upstream = far.wrap_socket(socket.create_connection(('127.0.0.1', given['to'])))
            downstream = near.wrap_socket(raw, server_side=True)
        except OSError as error:
            raw.close()
            say(handshake=False, error=str(error), **counts)
            return
        back = threading.Thread(target=pump, args=(upstream, downstream, 'down'))
        back.start()
        pump(downstream, upstream, 'up')
        back.join()
        say(handshake=True, **counts)

    listen(serve)


{'client': client, 'resume': resume, 'server': server, 'proxy': proxy}[sys.argv[1]](json.loads(sys.argv[2]))

#!/usr/bin/env python3
"""The contract of docs/conformance.md, for `socktools conformance`. Standard library only.

  conformance.py listen tcp://127.0.0.1:4000     then: socktools conformance tcp://127.0.0.1:4000
  conformance.py dial tcp://127.0.0.1:4001       after: socktools conformance --role listener tcp://127.0.0.1:4001
  conformance.py plain tcp://127.0.0.1:4002      then: socktools conformance --wire plain tcp://127.0.0.1:4002

What it can do is in conformance.claims beside it.
"""
import asyncio, sys, threading, urllib.parse
import wire
from link import Fault, Gone, Link, pack, unpack
from node import chat
from peer import decode, encode, listen as sockets, say as tell
from wire import Broken

CONTRACT = {'add': 'call', 'chat': 'channel', 'count': 'feed', 'say': 'msg'}
LIMITS = {'maxMessage': 2**20, 'eventWindow': 65536, 'laneWindow': 65536, 'maxCalls': 2, 'maxStreams': 2}
MOST = 1_000_000


async def add(value):
    if not isinstance(value, dict) or not all(isinstance(value.get(name), (int, float)) for name in 'ab'):
        raise Fault('BAD_MESSAGE', 'a and b are due')
    if value['a'] + value['b'] > MOST:
        raise Fault('TOO_MUCH', f'more than {MOST}', {'most': MOST})
    await asyncio.sleep(value.get('wait', 0) / 1000)
    return value['a'] + value['b']


async def count(link, lane, value):
    n, size = (value['n'], value.get('size')) if isinstance(value, dict) else (value, None)
    i = 0
    while i < n:
        await link.send('ITEM', lane, pack(i if size is None else f'{i} '.ljust(size, '.')))
        i += 1
        # Others have their turn.
        await asyncio.sleep(0)


async def say(link, value):
    await link.send('EVENT', 1, pack(value), type=link.index('say'))


async def said(link, value):
    if isinstance(value, dict) and value.get('quiet') is True:
        return
    if not isinstance(value, dict) or 'do' not in value:
        return await say(link, value)
    what = value['do']
    if what == 'drain':
        return link.end(None)
    try:
        done = await ORDERS[what](link, value)
    except Fault as fault:
        done = {'error': fault.code, **({} if fault.data is None else {'data': fault.data})}
    await say(link, {'did': what, **done})


async def call(link, order):
    timeout = order.get('timeout')
    async with link.slots:
        return {'reply': await link.call('add', order['data'], None if timeout is None else timeout / 1000)}


async def watch(link, order):
    lane, items = await link.begin('OPEN', 'count', order['data']), []
    while (item := await link.next(lane)).kind == 'ITEM':
        items.append(unpack(item.body))
        if len(items) == order.get('take'):
            await link.send('CANCEL', lane)
            return {'items': items}
    return {'items': items, 'end': True}


async def talk(link, order):
    lane, items = await link.begin('OPEN', 'chat', None), []
    for one in order['items']:
        await link.send('ITEM', lane, pack(one))
        items.append(unpack((await link.next(lane)).body))
    await link.send('END', lane)
    await link.next(lane)
    return {'items': items}


ORDERS = {'call': call, 'watch': watch, 'chat': talk}


async def serve(link, message):
    kind, name, _ = link.session.their_types[message.type]
    mine, lane, opened = CONTRACT.get(name) == kind, message.lane, message.kind in ('REQUEST', 'OPEN')
    try:
        prefix = wire.prefix(message.flags, message.body)
        deadline = prefix.get('deadline')
        if not mine:
            raise Fault('UNKNOWN_TYPE', f'there is no {kind} called {name} here')
        value = unpack(prefix['data'])
        if not opened:
            link.taken(message)
            return await said(link, value)
        link.taken(message)
        if kind == 'call':
            reply = await asyncio.wait_for(add(value), None if deadline is None else deadline / 1000)
            return await link.send('REPLY', lane, pack(reply))
        await (count if kind == 'feed' else chat)(link, lane, value)
        await link.send('END', lane)
    except Broken as broken:
        link.end(broken)
    except (Exception, asyncio.CancelledError) as why:
        if not opened:
            return link.taken(message) if link.ended is None else None
        fault = why if isinstance(why, Fault) else Fault('ABORTED')
        still = link.session.lanes.get(lane)
        if link.ended is None and still and not still.outgoing.ended:
            body = wire.encode_fault(fault.code, fault.text, b'' if fault.data is None else pack(fault.data))
            await link.send('ERROR' if kind == 'call' else 'RESET', lane, body)


async def meet(reader, writer, role):
    link = Link(reader, writer, role, CONTRACT, serve, LIMITS)
    # As many calls as the other side takes.
    link.slots = asyncio.Semaphore(2)
    try:
        await link.open()
        await link.closed.wait()
    except (Broken, Gone):
        pass
    finally:
        writer.close()


async def listen(host, port):
    server = await asyncio.start_server(lambda *pipe: meet(*pipe, 'acceptor'), host, port)
    tell(listening='tcp://%s:%d' % server.sockets[0].getsockname()[:2])
    await server.serve_forever()


async def dial(host, port):
    while True:
        try:
            await meet(*await asyncio.open_connection(host, port), 'dialer')
        except OSError:
            await asyncio.sleep(0.02)


def echo(sock):
    try:
        with sock, sock.makefile('rb') as stream:
            for payload in decode(stream, 2**24):
                sock.sendall(encode(payload))
    except (OSError, EOFError, ValueError):
        pass


def main(what='', address=''):
    if what not in ('listen', 'dial', 'plain'):
        sys.exit(__doc__)
    if what == 'plain':
        for sock in sockets(address):
            threading.Thread(target=echo, args=(sock,), daemon=True).start()
    at = urllib.parse.urlsplit(address)
    asyncio.run((listen if what == 'listen' else dial)(at.hostname, at.port))


if __name__ == '__main__':
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        pass

"""The v1 commands of peer.py: a side that serves a small contract, and one that calls it. Prints JSON lines."""
import asyncio, json, sys, urllib.parse
import wire
from link import Fault, Gone, Link, pack, unpack
from wire import Broken

CONTRACT = {'echo': 'call', 'add': 'call', 'fail': 'call', 'wait': 'call', 'count': 'feed', 'chat': 'channel', 'say': 'msg'}


def say(**facts):
    sys.stdout.write(json.dumps(facts) + '\n')
    sys.stdout.flush()


async def add(value):
    return value['a'] + value['b']


async def echo(value):
    return value


async def fail(value):
    raise Fault('NO_FUNDS', 'not enough', value)


async def wait(value):
    """So many milliseconds."""
    try:
        await asyncio.sleep(value / 1000)
        return value
    except asyncio.CancelledError:
        say(aborted='wait')
        raise


CALLS = {'add': add, 'fail': fail, 'wait': wait}


async def serve(link, message):
    """A call echoes, unless it is one of those above; a feed counts; a channel echoes; an event is printed."""
    mine = {name: kind for kind, name, _ in link.types}
    kind, name, _ = link.session.their_types[message.type]
    prefix = wire.prefix(message.flags, message.body)
    value, deadline = prefix['data'], prefix.get('deadline')
    link.taken(message)
    if 'headers' in prefix:
        say(headers=prefix['headers'], of=name)
    if message.kind in ('EVENT', 'VOLATILE'):
        say(**{'event': name, 'data': unpack(value), 'lane': message.lane} if mine.get(name) == kind else {'unhandled': name})
        return
    lane = message.lane
    try:
        if mine.get(name) != kind:
            raise Fault('UNKNOWN_TYPE', f'there is no {kind} called {name} here')
        if kind == 'call':
            await link.send('REPLY', lane, pack(await within(deadline, CALLS.get(name, echo)(unpack(value)))))
            return
        await (count if kind == 'feed' else chat)(link, lane, unpack(value))
        await link.send('END', lane)
    except (Fault, Exception, asyncio.CancelledError) as why:
        if link.ended is None:
            fault = why if isinstance(why, Fault) else Fault('ABORTED' if isinstance(why, asyncio.CancelledError) else 'HANDLER_FAILED')
            body = wire.encode_fault(fault.code, fault.text, b'' if fault.data is None else pack(fault.data))
            still = link.session.lanes.get(lane)
            if still and not still.outgoing.ended:
                await link.send('ERROR' if kind == 'call' else 'RESET', lane, body)


async def within(deadline, work):
    """By our own clock."""
    try:
        return await asyncio.wait_for(work, None if deadline is None else deadline / 1000)
    except asyncio.TimeoutError:
        raise Fault('CALL_TIMEOUT', 'the deadline has passed') from None


async def count(link, lane, value):
    """0, 1, 2 … below n; {"n": 3, "size": 1000} makes each a text of 1,000 characters."""
    n, size = (value['n'], value.get('size')) if isinstance(value, dict) else (value, None)
    written = 0
    try:
        for i in range(n):
            await link.send('ITEM', lane, pack(i if size is None else f'{i} '.ljust(size, '.')))
            written += 1
    finally:
        say(feed='count', written=written)


async def chat(link, lane, value):
    """Sends back what comes, until the other side ends its direction."""
    while (item := await link.next(lane)).kind == 'ITEM':
        await link.send('ITEM', lane, item.body)


async def listen(address, contract, limits):
    at = urllib.parse.urlsplit(address)

    async def welcome(reader, writer):
        link = Link(reader, writer, 'acceptor', contract, serve, limits)
        try:
            await link.open()
        except Broken as refused:
            say(refused=refused.code)
            writer.close()
            return
        say(peer=link.session.theirs['nodeId'].hex())
        while link.ended is None:
            link.moved.clear()
            await link.moved.wait()
        say(gone=getattr(link.ended, 'code', str(link.ended)))

    server = await asyncio.start_server(welcome, at.hostname, at.port)
    say(listening='tcp://%s:%d' % server.sockets[0].getsockname()[:2])
    await server.serve_forever()


async def dial(address, contract, limits):
    to = urllib.parse.urlsplit(address)
    link = Link(*await asyncio.open_connection(to.hostname, to.port), 'dialer', contract, serve, limits)
    try:
        await link.open()
    except Broken:
        link.writer.close()
        raise
    return link


async def once(what, address, name, value, options):
    """call, watch, chat or say: the status to exit with."""
    kind = {'call': 'call', 'watch': 'feed', 'chat': 'channel', 'say': 'msg'}[what]
    contract = options.get('contract') or {name: kind}
    try:
        link = await dial(address, contract, options.get('limits', {}))
    except Broken as refused:
        say(failed=refused.code, text=refused.what)
        return 2
    try:
        return await {'call': do_call, 'watch': do_watch, 'chat': do_chat, 'say': do_say}[what](link, name, value, options)
    except Fault as fault:
        say(error={'code': fault.code, 'text': fault.text, 'data': fault.data})
        return 1
    except (Gone, Broken) as why:
        say(failed=getattr(why, 'code', 'PEER_GONE'), text=str(why))
        return 2
    finally:
        await link.close()


async def do_call(link, name, value, options):
    say(reply=await link.call(name, value, options.get('timeout'), options.get('headers')))
    return 0


async def do_watch(link, name, value, options):
    """`take`: so many items and no more, then CANCEL. `quiet`: only how many there were."""
    lane, items = await link.begin('OPEN', name, value), 0
    while (item := await link.next(lane)).kind == 'ITEM':
        items += 1
        if not options.get('quiet'):
            say(item=unpack(item.body))
        if items == options.get('take'):
            await link.send('CANCEL', lane)
            while lane in link.session.lanes:
                try:
                    await link.next(lane)
                except Fault:
                    pass
            say(cancelled=items)
            return 0
        if options.get('pause'):
            await asyncio.sleep(options['pause'])
    say(end=items)
    return 0


async def do_chat(link, name, value, options):
    """Each item of the list `value`, and what comes back."""
    lane = await link.begin('OPEN', name, None)
    for one in value:
        await link.send('ITEM', lane, pack(one))
        say(item=unpack((await link.next(lane)).body))
    await link.send('END', lane)
    wire.need((await link.next(lane)).kind == 'END', 'an end was due')
    say(end=len(value))
    return 0


async def do_say(link, name, value, options):
    headers = options.get('headers')
    for one in value if options.get('each') else [value]:
        meant, flags = {'data': pack(one)}, 0
        if headers is not None:
            meant, flags = {**meant, 'headers': headers}, wire.HEADERS
        await link.send('EVENT', options.get('lane', 1), wire.encode_prefix(meant), flags, link.index(name))
    # Until it is known to have arrived.
    while link.session.acked < link.session.sent:
        if link.ended is not None:
            raise link.ended
        link.moved.clear()
        await link.moved.wait()
    say(acked=link.session.acked)
    return 0


def main(what='', address='', *arguments):
    """`arguments`: of serve, options; of the others a name, a value (JSON, or @FILE) and options. Each option is JSON,
    the file apart."""
    if what == 'serve':
        options = options_of(arguments)
        try:
            asyncio.run(listen(address, options.get('contract', CONTRACT), options.get('limits', {})))
        except KeyboardInterrupt:
            pass
        return 0
    name, value, *more = arguments
    value = json.load(open(value[1:])) if value.startswith('@') else json.loads(value)
    return asyncio.run(once(what, address, name, value, options_of(more)))


def options_of(arguments):
    """--contract FILE, and --NAME JSON for any other."""
    options = {}
    for flag, value in zip(arguments[::2], arguments[1::2]):
        name = flag.removeprefix('--')
        options[name] = json.load(open(value)) if name == 'contract' else json.loads(value)
    return options

"""One connection of wire v1: asyncio around wire.py and session.py. Standard library only."""
import asyncio, hashlib, json, os, struct
import wire
from session import CREDITED, Session
from wire import DEADLINE, HEADER, HEADERS, MORE, NUMBERS, Broken, Frame

CHUNK = 61440
LIMITS = {'maxMessage': 2**24, 'eventWindow': 2**20, 'laneWindow': 2**18, 'maxCalls': 64, 'maxStreams': 256,
          'heartbeat': 15000, 'ttl': 45000}
PROCESS = os.urandom(16)


class Gone(Exception):
    """The connection has ended."""


class Fault(Exception):
    """An ERROR or RESET, one that came or one to be sent."""

    def __init__(self, code, text='', data=None):
        super().__init__(f'{code}: {text}')
        self.code, self.text, self.data = code, text, data


def pack(value):
    """json() without the type. None is sent as null; no bytes mean that there is nothing."""
    return json.dumps(value, separators=(',', ':'), ensure_ascii=False).encode()


def unpack(data):
    try:
        return json.loads(data) if data else None
    except ValueError as raised:
        raise Fault('BAD_MESSAGE', str(raised)) from None


def types_of(contract):
    """`contract`: kinds by name. The hashes are of the kinds alone: nothing here knows more of a type."""
    names = sorted(contract, key=str.encode)
    return [[contract[name], name, hashlib.sha256(contract[name].encode()).digest()[:8]] for name in names]


class Lane:
    """What came on a lane and was not taken yet."""

    def __init__(self):
        self.inbox, self.task = asyncio.Queue(), None


class Link:
    """`serve(link, message)` is a coroutine for each event, call, feed and channel that the other side begins."""

    def __init__(self, reader, writer, role, contract, serve, limits={}):
        self.reader, self.writer, self.role, self.serve = reader, writer, role, serve
        self.types, self.limits = types_of(contract), {**LIMITS, **limits}
        self.lanes, self.writing, self.tasks = {}, {}, set()
        self.next_lane = 5 if role == 'dialer' else 4
        self.moved, self.ended, self.draining, self.closed = asyncio.Event(), None, False, asyncio.Event()
        self.unacked, self.bulk, self.ack_timer = 0, 0, None
        self.heard = 0.0

    # The handshake.

    def offer(self):
        mark = json.dumps(self.types, default=bytes.hex).encode()
        return {**self.limits, 'features': 0, 'nodeId': PROCESS, 'incarnation': PROCESS, 'codecs': ['json'],
                'fingerprint': hashlib.sha256(mark).digest()[:16]}

    async def open(self):
        """Rejects with Broken."""
        mine = {'low': 1, 'high': 1, **self.offer()}
        if self.role == 'dialer':
            self.put(wire.encode_hello(mine))
            theirs = wire.welcome(await self.first(Broken('nothing came back', 'PEER_NOT_SESSION')))
            wire.judge(theirs, mine)
        else:
            theirs = await self.answer(mine)
        due = theirs['fingerprint'] != mine['fingerprint']
        self.session = Session(self.role, self.types, self.limits, theirs, due)
        if due:
            self.cut('TABLE', 0, wire.encode_table(self.types))
        self.reading = self.task(self.read())
        self.task(self.live(theirs))

    async def answer(self, mine):
        try:
            theirs = wire.hello(await self.first(Broken('nothing came', 'WIRE_MISMATCH')))
            version, codec = wire.negotiate(theirs, mine)
        except Broken as refused:
            if refused.code != 'WIRE_MISMATCH':
                rejection = {'version': 1, 'result': 'rejected', 'code': refused.code, 'text': refused.what}
                self.put(wire.encode_welcome(rejection))
            raise
        self.put(wire.encode_welcome({**self.offer(), 'version': version, 'result': 'new', 'codecs': [codec]}))
        return theirs

    async def first(self, otherwise):
        try:
            return await asyncio.wait_for(self.frame(wire.MAX_HELLO), 10)
        except asyncio.TimeoutError:
            raise Broken('the other side is silent', 'HANDSHAKE_TIMEOUT') from None
        except (asyncio.IncompleteReadError, OSError):
            raise otherwise from None

    # Bytes.

    async def frame(self, most):
        size = int.from_bytes(await self.reader.readexactly(4), 'big')
        wire.need(size <= most, f'a frame of {size} bytes', 'FRAME_TOO_LARGE')
        return await self.reader.readexactly(size)

    def put(self, payload):
        self.writer.write(struct.pack('>I', len(payload)) + payload)

    def control(self, name, body=b'', flags=0):
        self.write(Frame(NUMBERS[name], flags, 0, 0, 0, self.session.received, body))

    def write(self, frame):
        self.session.send(frame)
        self.put(wire.encode(frame))
        self.unacked = self.bulk = 0

    # What comes.

    async def read(self):
        try:
            while not self.session.over:
                frame = wire.decode(await self.frame(HEADER + wire.MAX_CHUNK))
                self.heard = self.now()
                self.take(frame)
            self.end(None)
        except Broken as broken:
            self.end(broken)
        except (asyncio.IncompleteReadError, OSError):
            self.end(Gone('the connection broke'))
        try:
            await asyncio.wait_for(self.rest(), 1)
        except (asyncio.TimeoutError, OSError):
            pass
        finally:
            self.writer.close()
            self.closed.set()

    async def rest(self):
        """What is closed with bytes unread is reset, and our GOODBYE may never be read."""
        while await self.reader.read(65536):
            pass

    def take(self, frame):
        message = self.session.receive(frame)
        if self.ended is not None:
            # Ours was the last word.
            return
        if frame.name == 'PING':
            self.control('PONG', frame.body)
        if frame.name == 'GOAWAY':
            self.draining = True
        if message:
            self.arrived(message)
        if frame.seq:
            self.unacked += 1
            self.bulk += len(frame.body) + HEADER if frame.name == 'ITEM' or frame.flags & MORE else 0
        self.grant()
        self.moved.set()
        if self.unacked >= 64 or self.bulk >= 65536:
            self.control('ACK')
        elif self.unacked and self.ack_timer is None:
            self.ack_timer = asyncio.get_running_loop().call_later(0.02, self.late)

    def late(self):
        self.ack_timer = None
        if self.unacked and self.ended is None:
            self.control('ACK')

    def grant(self):
        if due := self.session.credit_due():
            self.control('CREDIT', wire.encode_credits(due))

    def arrived(self, message):
        if message.kind in ('REQUEST', 'OPEN', 'EVENT', 'VOLATILE'):
            lane = Lane()
            if message.lane > 3:
                self.lanes[message.lane] = lane
            lane.task = self.task(self.serve(self, message))
        elif message.lane in self.lanes:
            lane = self.lanes[message.lane]
            lane.inbox.put_nowait(message)
            if message.kind == 'CANCEL' and lane.task:
                # Once it has begun: one that is cancelled before that never answers.
                asyncio.get_running_loop().call_soon(lane.task.cancel)
        elif message.lane in self.session.lanes and not self.session.lanes[message.lane].outgoing.ended:
            # It was given up before it was whole: nobody serves it.
            name = 'ERROR' if self.session.lanes[message.lane].kind == 'call' else 'RESET'
            self.task(self.send(name, message.lane, wire.encode_fault('CANCELLED')))

    def taken(self, message):
        """The application has it: there is room for more."""
        self.session.taken(message.lane, message.cost)
        if self.ended is None:
            self.grant()

    # What leaves.

    async def send(self, name, lane, body=b'', flags=0, type=0):
        """A whole message, as soon as credit allows. Others on the lane wait until it is written."""
        async with self.writing.setdefault(lane, asyncio.Lock()):
            begun = False
            try:
                for at in range(0, max(1, len(body)), CHUNK):
                    chunk = body[at:at + CHUNK]
                    while not self.fits(name, lane, chunk):
                        self.moved.clear()
                        await self.moved.wait()
                    more = MORE if at + CHUNK < len(body) else 0
                    first = 0 if at else flags
                    self.write(self.numbered(name, first | more, type, lane, chunk))
                    begun = bool(more)
                    await self.writer.drain()
            except asyncio.CancelledError:
                # Nobody keeps part of a message.
                if begun and self.ended is None:
                    self.write(self.numbered('RESET', 0, 0, lane, wire.encode_fault('ABORTED')))
                raise

    def fits(self, name, lane, chunk):
        if self.ended is not None:
            raise self.ended
        if name not in CREDITED or lane not in self.session.lanes:
            return True
        way = self.session.lanes[lane].outgoing
        return way.used + HEADER + len(chunk) <= way.limit

    def numbered(self, name, flags, type, lane, body):
        session = self.session
        return Frame(NUMBERS[name], flags, type, lane, session.sent + 1, session.received, body)

    def cut(self, name, flags, body):
        for at in range(0, max(1, len(body)), CHUNK):
            self.control(name, body[at:at + CHUNK], flags | (MORE if at + CHUNK < len(body) else 0))

    async def begin(self, name, type, value, deadline=None, headers=None):
        """A call, feed or channel: its lane."""
        if self.draining:
            raise Fault('DRAINING', 'the other side is about to leave')
        lane, self.next_lane = self.next_lane, self.next_lane + 2
        self.lanes[lane] = Lane()
        meant, flags = {'data': pack(value)}, 0
        if deadline is not None:
            meant, flags = {**meant, 'deadline': deadline}, DEADLINE
        if headers is not None:
            meant, flags = {**meant, 'headers': headers}, flags | HEADERS
        await self.send(name, lane, wire.encode_prefix(meant), flags, self.index(type))
        return lane

    def index(self, name):
        return [one[1] for one in self.types].index(name)

    async def next(self, lane):
        """What comes next on a lane. Raises Fault for ERROR and RESET, Gone or Broken if nothing can come any more."""
        inbox = self.lanes[lane].inbox
        if inbox.empty() and self.ended is not None:
            raise self.ended
        message = await inbox.get()
        if isinstance(message, Exception):
            raise message
        self.taken(message)
        if message.kind == 'CANCEL':
            raise Fault('CANCELLED', 'the other side gave it up')
        if message.kind in ('ERROR', 'RESET'):
            fault = wire.fault(message.body)
            raise Fault(fault['code'], fault['text'], unpack(fault['data']))
        return message

    async def call(self, type, value, timeout=None, headers=None):
        lane = await self.begin('REQUEST', type, value, None if timeout is None else int(timeout * 1000), headers)
        try:
            reply = await asyncio.wait_for(self.next(lane), timeout)
        except asyncio.TimeoutError:
            await self.send('CANCEL', lane)
            raise Fault('DEADLINE', 'no answer in time') from None
        return unpack(reply.body)

    # Life and end.

    async def live(self, theirs):
        self.heard, pings = self.now(), 0
        step = self.limits['heartbeat'] / 1000
        while step:
            await asyncio.sleep(step / 4)
            silent = self.now() - self.heard
            if self.limits['ttl'] and silent * 1000 >= self.limits['ttl']:
                self.end(Gone('the other side is silent'))
            pings = pings if silent >= step else 0
            if silent >= step * (pings + 1) and pings < 2:
                pings += 1
                self.control('PING', self.limits['ttl'].to_bytes(4, 'big') + os.urandom(8))

    def now(self):
        return asyncio.get_running_loop().time()

    def task(self, coroutine):
        task = asyncio.ensure_future(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def end(self, why):
        """`why`: None if all is well."""
        if self.ended is not None:
            return
        # Nothing is written any more after this.
        self.control('GOODBYE', wire.encode_reason(why.code if isinstance(why, Broken) else ''))
        said = self.session.farewell
        self.ended = why or Gone(f'the other side said goodbye: {said}' if said else 'the other side said goodbye')
        self.moved.set()
        for lane in self.lanes.values():
            lane.inbox.put_nowait(self.ended)
        for task in self.tasks - {self.reading, asyncio.current_task()}:
            task.cancel()
        if isinstance(why, Gone):
            self.writer.close()
        else:
            # Our direction. What comes is read to its end.
            self.writer.write_eof()

    async def close(self):
        """Ends in good order: the other side says goodbye, too."""
        self.end(None)
        try:
            await asyncio.wait_for(self.closed.wait(), 5)
            await self.writer.wait_closed()
        except (OSError, asyncio.TimeoutError):
            self.writer.close()

"""Wire v1 as bytes: headers, bodies, handshake, as PROTOCOL.md has them. Pure, standard library only."""
import re
import struct
from typing import NamedTuple

HEADER, MAX_CHUNK, MAX_SLOT, MAX_TEXT, MAX_TYPES, MAX_HELLO = 24, 65536, 8192, 1024, 4096, 4096
TOP = 2**53 - 1
MORE, HEADERS, DEADLINE, IGNORABLE = 1, 2, 4, 0x40


class Broken(Exception):
    """A rule that the far side broke, under a code."""

    def __init__(self, what, code='PROTOCOL_ERROR'):
        super().__init__(f'{what} [{code}]')
        self.what, self.code = what, code


def need(truth, what, code='PROTOCOL_ERROR'):
    if not truth:
        raise Broken(what, code)


class Kind(NamedTuple):
    name: str
    sequenced: bool
    lanes: range
    typed: bool
    flags: int
    sizes: range


NONE, OF_EVENTS, OWN, ANY = range(1), range(4), range(4, 2**32), range(2**32)
EMPTY, DATA = range(1), range(MAX_CHUNK + 1)
KINDS = {
    0x01: Kind('EVENT', True, OF_EVENTS, True, MORE | HEADERS, DATA),
    0x02: Kind('REQUEST', True, OWN, True, MORE | HEADERS | DEADLINE, DATA),
    0x03: Kind('REPLY', True, OWN, False, MORE, DATA),
    0x04: Kind('ERROR', True, OWN, False, MORE, DATA),
    0x05: Kind('OPEN', True, OWN, True, MORE | HEADERS | DEADLINE, DATA),
    0x06: Kind('ITEM', True, OWN, False, MORE, DATA),
    0x07: Kind('END', True, OWN, False, 0, EMPTY),
    0x08: Kind('RESET', True, OWN, False, MORE, DATA),
    0x09: Kind('CANCEL', True, OWN, False, 0, EMPTY),
    0x0A: Kind('DONE', True, ANY, False, 0, range(9, 265)),
    0x10: Kind('ACK', False, NONE, False, 0, EMPTY),
    0x11: Kind('CREDIT', False, NONE, False, 0, range(12, MAX_CHUNK + 1, 12)),
    0x12: Kind('TABLE', False, NONE, False, MORE, DATA),
    0x18: Kind('PING', False, NONE, False, 0, range(12, 13)),
    0x19: Kind('PONG', False, NONE, False, 0, range(12, 13)),
    0x1A: Kind('GOAWAY', False, NONE, False, 0, range(5, 261)),
    0x1B: Kind('GOODBYE', False, NONE, False, 0, range(1, 257)),
    0x1C: Kind('VOLATILE', False, OF_EVENTS, True, MORE | HEADERS, DATA),
}
NUMBERS = {kind.name: number for number, kind in KINDS.items()}


class Frame(NamedTuple):
    kind: int
    flags: int
    type: int
    lane: int
    seq: int
    ack: int
    body: bytes

    @property
    def name(self):
        return KINDS[self.kind].name if self.kind in KINDS else None


def encode(frame):
    return struct.pack('>BBHIQQ', *frame[:6]) + frame.body


def decode(payload):
    need(len(payload) >= HEADER, 'a frame without a whole header')
    frame = Frame(*struct.unpack_from('>BBHIQQ', payload), payload[HEADER:])
    size = len(frame.body)
    need(size <= MAX_CHUNK and frame.seq <= TOP and frame.ack <= TOP, 'a body, seq or ack too large')
    kind = KINDS.get(frame.kind)
    if kind is None:
        need(frame.kind & IGNORABLE, f'the unknown kind {frame.kind}')
        return frame
    need(not frame.flags & ~kind.flags, f'flags that {kind.name} has not')
    need(kind.sequenced == (frame.seq > 0), f'{kind.name} with the seq {frame.seq}')
    need(kind.typed or frame.type == 0, f'a type on {kind.name}')
    need(frame.lane in kind.lanes, f'{kind.name} on lane {frame.lane}')
    need(size in kind.sizes, f'{kind.name} with {size} bytes')
    need(size > 0 or not frame.flags & MORE, 'a chunk of nothing')
    if frame.flags & (HEADERS | DEADLINE):
        split(frame.flags, frame.body)
    return frame


class Fields:
    """Takes one field after the other from the front."""

    def __init__(self, data, code='PROTOCOL_ERROR'):
        self.data, self.at, self.code = data, 0, code

    def left(self):
        return len(self.data) - self.at

    def take(self, n):
        need(n <= self.left(), 'cut off', self.code)
        self.at += n
        return self.data[self.at - n:self.at]

    def number(self, width):
        return int.from_bytes(self.take(width), 'big')

    def u64(self):
        n = self.number(8)
        need(n <= TOP, 'a number above 2^53 - 1', self.code)
        return n

    def text(self, width):
        try:
            return str(self.take(self.number(width)), 'utf-8')
        except UnicodeDecodeError:
            raise Broken('text that is not UTF-8', self.code) from None

    def ascii(self, allowed, empty=False):
        name = self.take(self.number(1))
        need((name or empty) and all(byte in allowed for byte in name), f'{name!r} for a name', self.code)
        return str(name, 'ascii')

    def end(self):
        need(self.left() == 0, 'bytes too many', self.code)


UPPER = b'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_'
LOWER = b'abcdefghijklmnopqrstuvwxyz0123456789-'
PRINTED = bytes(range(0x21, 0x7F))


def packed(width, data):
    return len(data).to_bytes(width, 'big') + data


def split(flags, body):
    """Where the slot of a first chunk begins and ends, which is where the data begins."""
    at = 4 if flags & DEADLINE else 0
    end = at
    if flags & HEADERS:
        need(len(body) >= at + 2, 'a prefix that is cut off')
        size = int.from_bytes(body[at:at + 2], 'big')
        need(size <= MAX_SLOT, 'a slot that is too long')
        end = at + 2 + size
    need(len(body) >= end, 'a prefix that is cut off')
    return at, end


def prefix(flags, body):
    """What stands before the data, and the data."""
    at, end = split(flags, body)
    meant = {}
    if flags & DEADLINE:
        meant['deadline'] = int.from_bytes(body[:4], 'big')
    if flags & HEADERS:
        slot, meant['headers'] = Fields(body[at + 2:end]), {}
        while slot.left():
            key = slot.ascii(LOWER)
            need(key not in meant['headers'], 'a header twice')
            meant['headers'][key] = slot.text(2)
    return {**meant, 'data': body[end:]}


def encode_prefix(meant):
    out = b''
    if 'deadline' in meant:
        out += meant['deadline'].to_bytes(4, 'big')
    if 'headers' in meant:
        pairs = meant['headers'].items()
        out += packed(2, b''.join(packed(1, key.encode()) + packed(2, text.encode()) for key, text in pairs))
    return out + meant['data']


def marks(headers):
    """What a message wants told with DONE, and its id, from the keys of its slot that are the wire's own."""
    level, name = headers.get('-done'), headers.get('-id')
    if level is None:
        need(name is None, 'an id without DONE')
        return None
    need(level in ('processed', 'durable'), 'an unknown level of DONE')
    if name is None:
        return {'done': level}
    found = re.fullmatch('([0-9a-f]{32})/([1-9][0-9]{0,15})(/again)?', name, re.ASCII)
    need(found and int(found[2]) < 2 ** 53, 'no id of a message')
    return {'done': level, 'id': {'store': found[1], 'n': int(found[2]), 'redelivered': found[3] is not None}}


def resent(headers):
    """Where a message that was sent before stood in sessions that are lost."""
    text = headers.get('-resent')
    if text is None:
        return None
    places = [re.fullmatch('([0-9a-f]{32})/([1-9][0-9]{0,15})', one, re.ASCII) for one in text.split(' ')]
    need(len(places) <= 8 and all(one and int(one[2]) < 2 ** 53 for one in places), 'no places of a message')
    return [{'session': one[1], 'seq': int(one[2])} for one in places]


def fault(body):
    fields = Fields(body)
    code, text = fields.ascii(UPPER), fields.text(2)
    need(len(text.encode()) <= MAX_TEXT, 'a text that is too long')
    return {'code': code, 'text': text, 'data': fields.take(fields.left())}


def encode_fault(code, text='', data=b''):
    short = text.encode()[:MAX_TEXT].decode('utf-8', 'ignore').encode()
    return packed(1, code.encode()) + packed(2, short) + data


def credits(body):
    need(body and len(body) % 12 == 0, 'a CREDIT of no whole number of lanes')
    pairs = list(struct.iter_unpack('>IQ', body))
    need(all(limit <= TOP for _, limit in pairs), 'a limit above 2^53 - 1')
    return pairs


def encode_credits(pairs):
    return b''.join(struct.pack('>IQ', *pair) for pair in pairs)


TYPE_KINDS = ['msg', 'call', 'feed', 'channel']


def table(body):
    """[kind, name, hash], each type at its place."""
    fields, types, last = Fields(body), [], b''
    count = fields.number(2)
    need(count <= MAX_TYPES, 'too many types')
    for _ in range(count):
        kind = fields.number(1)
        need(1 <= kind <= 4, f'the kind of type {kind}')
        name = fields.text(1)
        need(name.encode() > last, 'a name that is empty, twice there or out of order')
        last = name.encode()
        types.append([TYPE_KINDS[kind - 1], name, fields.take(8)])
    fields.end()
    return types


def encode_table(types):
    one = lambda kind, name, digest: bytes([TYPE_KINDS.index(kind) + 1]) + packed(1, name.encode()) + digest
    return len(types).to_bytes(2, 'big') + b''.join(one(*entry) for entry in types)


def reason(body, width=0):
    """A number of `width` bytes, then a reason."""
    fields = Fields(body)
    number = fields.u64() if width == 8 else fields.number(width)
    code = fields.ascii(UPPER, empty=True)
    fields.end()
    return number, code


def encode_reason(code, number=0, width=0):
    return number.to_bytes(width, 'big') + packed(1, code.encode())


def done(body):
    seq, code = reason(body, 8)
    need(seq > 0, 'DONE of seq 0')
    return {'seq': seq, 'code': code}


# The handshake.

MAGIC = b'socktools wire\r\n'
RESULTS = ['new', 'resumed', 'rejected']
LIMITS = ['maxMessage', 'eventWindow', 'laneWindow', 'maxCalls', 'maxStreams', 'heartbeat', 'ttl']


def fields_of(fields, lenient=False):
    """By tag: the values that are known, each a Fields."""
    found, last = {}, 0
    while fields.left():
        said = fields.number(1)
        tag, value = said & 0x7F, fields.take(fields.number(2))
        need(tag > last, f'the tag {tag} is 0, twice there or out of order', 'BAD_HELLO')
        last = tag
        known = tag <= 8 or tag in (0x10, 0x11, 0x12, 0x13, 0x20, 0x21, 0x30)
        need(known or lenient or said == tag, f'the critical field {tag} is unknown', 'UNSUPPORTED')
        found[tag] = Fields(value, 'BAD_HELLO')
    return found


def value(found, tag, read):
    need(tag in found, f'the field {tag} is missing', 'BAD_HELLO')
    got = read(found[tag])
    found[tag].end()
    return got


def offer(found):
    means = {name: value(found, 2 + i, lambda fields: fields.number(4)) for i, name in enumerate(LIMITS)}
    for name in ('eventWindow', 'laneWindow'):
        need(means[name] >= 65536, f'{name} is too small', 'BAD_HELLO')
    means['features'] = value(found, 1, lambda fields: fields.number(8)) if 1 in found else 0
    means['nodeId'] = value(found, 0x10, lambda fields: fields.take(fields.left()))
    need(16 <= len(means['nodeId']) <= 64, 'a nodeId of another length', 'BAD_HELLO')
    means['incarnation'] = value(found, 0x11, lambda fields: fields.take(16))
    means['fingerprint'] = value(found, 0x12, lambda fields: fields.take(16))
    names = []
    while not names or found[0x13].left():
        need(0x13 in found, 'codecs are missing', 'BAD_HELLO')
        names.append(found[0x13].ascii(PRINTED))
    return {**means, 'codecs': names}


def session(with_generation):
    def read(fields):
        meant = {'sessionId': fields.take(16), 'token': fields.take(16)}
        if with_generation:
            meant['connGen'] = fields.number(4)
        return {**meant, 'lastRecv': fields.u64()}
    return read


def encode_offer(means):
    fields = [(1, means['features'].to_bytes(8, 'big'))] if means.get('features') else []
    fields += [(2 + i, means[name].to_bytes(4, 'big')) for i, name in enumerate(LIMITS)]
    fields += [(0x10, means['nodeId']), (0x11, means['incarnation']), (0x12, means['fingerprint'])]
    fields += [(0x13, b''.join(packed(1, name.encode()) for name in means['codecs']))]
    for tag, name in (0x20, 'resume'), (0x21, 'session'):
        if name in means:
            one = means[name]
            generation = one['connGen'].to_bytes(4, 'big') if 'connGen' in one else b''
            fields.append((tag, one['sessionId'] + one['token'] + generation + one['lastRecv'].to_bytes(8, 'big')))
    return encode_fields(fields)


def encode_fields(fields):
    return b''.join(bytes([tag]) + packed(2, data) for tag, data in fields)


def begin(payload, message, otherwise):
    need(payload[:16] == MAGIC and payload[16:17] in (b'', bytes([message])), 'something else came first', otherwise)
    need(len(payload) <= MAX_HELLO, 'it is too long', 'BAD_HELLO')
    fields = Fields(payload[16:], 'BAD_HELLO')
    fields.take(1)
    return fields


def hello(payload, low=1, high=1):
    """`low` and `high`: the versions spoken here."""
    fields = begin(payload, 1, 'WIRE_MISMATCH')
    lowest, highest = fields.number(1), fields.number(1)
    need(1 <= lowest <= highest, 'senseless versions', 'BAD_HELLO')
    ours = f'the dialer speaks {lowest} to {highest}, the acceptor {low} to {high}'
    need(lowest <= high and low <= highest, ours, 'VERSION_MISMATCH')
    found = fields_of(fields)
    means = {'low': lowest, 'high': highest, **offer(found)}
    return {**means, 'resume': value(found, 0x20, session(True))} if 0x20 in found else means


def encode_hello(means):
    return MAGIC + bytes([1, means['low'], means['high']]) + encode_offer(means)


def welcome(payload):
    fields = begin(payload, 2, 'PEER_NOT_SESSION')
    version, result = fields.number(1), fields.number(1)
    need(version >= 1 and result <= 2, 'an unknown version or result', 'BAD_HELLO')
    means = {'version': version, 'result': RESULTS[result]}
    found = fields_of(fields, result == 2)
    if result == 2:
        why = lambda fields: {'code': fields.ascii(UPPER), 'text': fields.text(2)}
        return {**means, **value(found, 0x30, why)}
    means.update(offer(found))
    need(len(means['codecs']) == 1, 'not one codec', 'BAD_HELLO')
    if result == 1 or 0x21 in found:
        means['session'] = value(found, 0x21, session(False))
    return means


def encode_welcome(means):
    start = MAGIC + bytes([2, means['version'], RESULTS.index(means['result'])])
    if means['result'] != 'rejected':
        return start + encode_offer(means)
    return start + encode_fields([(0x30, packed(1, means['code'].encode()) + packed(2, means['text'].encode()))])


def negotiate(theirs, mine):
    """What the acceptor chooses: a version and a codec."""
    version = min(theirs['high'], mine.get('high', 1))
    need(version >= max(theirs['low'], mine.get('low', 1)), 'no version in common', 'VERSION_MISMATCH')
    common = [name for name in theirs['codecs'] if name in mine['codecs']]
    need(common, f'{theirs["codecs"]} there, {mine["codecs"]} here', 'NO_COMMON_CODEC')
    return version, common[0]


KNOWN_CODES = ('BAD_HELLO', 'VERSION_MISMATCH', 'NO_COMMON_CODEC', 'UNSUPPORTED', 'TOO_MANY_PEERS', 'DRAINING')


def judge(answer, mine):
    """What the dialer makes of WELCOME: a version and a codec."""
    if answer['result'] == 'rejected':
        code = answer['code']
        raise Broken(f'{code}: {answer["text"]}', code if code in KNOWN_CODES else 'REFUSED')
    need(mine['low'] <= answer['version'] <= mine['high'], 'a version that was not offered', 'BAD_HELLO')
    need(answer['codecs'][0] in mine['codecs'], 'a codec that was not offered', 'BAD_HELLO')
    need(answer['result'] == 'new' or 'resume' in mine, 'a session that nobody asked for', 'BAD_HELLO')
    return answer['version'], answer['codecs'][0]

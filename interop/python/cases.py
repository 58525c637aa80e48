"""Holds wire.py and session.py against spec/vectors/v1.json. The file says what each group of cases means."""
import wire
from session import Session
from wire import Broken, Frame

TYPES = [[kind, name, bytes(8)] for kind, name in (('call', 'add'), ('channel', 'chat'), ('feed', 'count'), ('msg', 'say'))]
GRANTS = {'maxMessage': 1048576, 'eventWindow': 65536, 'laneWindow': 65536, 'maxCalls': 2, 'maxStreams': 2}


def octets(text):
    """Hex, in which spaces mean nothing, '*' repeats and '+' joins."""
    parts = (part.partition('*') for part in text.split('+'))
    return b''.join(bytes.fromhex(digits) * int(times or 1) for digits, _, times in parts)


def said(value):
    """As the cases say it: bytes as hex, pairs as lists."""
    if isinstance(value, dict):
        return {key: str(one) if key == 'features' else said(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [said(one) for one in value]
    return value.hex() if isinstance(value, bytes) else value


def meant(value, like):
    """The way back: hex as bytes where the other has bytes."""
    if isinstance(like, dict):
        return {key: int(value[key]) if key == 'features' else meant(value[key], like[key]) for key in like}
    if isinstance(like, (list, tuple)):
        return [meant(one, other) for one, other in zip(value, like)]
    return bytes.fromhex(value) if isinstance(like, bytes) else value


def frame(case):
    payload = octets(case['payload'])
    got = wire.decode(payload)
    assert wire.encode(Frame(**case['frame'], body=payload[24:])) == payload
    assert (got.name is None) == case.get('ignored', False)
    return {'frame': {name: one for name, one in got._asdict().items() if name != 'body'}}


BODIES = {
    'prefix': (lambda case, body: wire.prefix(case['flags'], body), wire.encode_prefix),
    'fault': (lambda case, body: wire.fault(body), lambda means: wire.encode_fault(*means.values())),
    'DONE': (lambda case, body: wire.done(body), lambda means: wire.encode_reason(means['code'], means['seq'], 8)),
    'CREDIT': (lambda case, body: {'credits': wire.credits(body)}, lambda means: wire.encode_credits(means['credits'])),
    'TABLE': (lambda case, body: {'types': wire.table(body)}, lambda means: wire.encode_table(means['types'])),
    'PING': (lambda case, body: {'ttl': int.from_bytes(body[:4], 'big'), 'nonce': body[4:]},
             lambda means: means['ttl'].to_bytes(4, 'big') + means['nonce']),
    'GOAWAY': (lambda case, body: dict(zip(('delay', 'code'), wire.reason(body, 4))),
               lambda means: wire.encode_reason(means['code'], means['delay'], 4)),
    'GOODBYE': (lambda case, body: {'code': wire.reason(body)[1]}, lambda means: wire.encode_reason(means['code'])),
}


def body(case):
    read, write = BODIES[case['of']]
    octs = octets(case['body'])
    got = read(case, octs)
    if 'means' in case:
        assert write(meant(case['means'], got)) == octs, 'written otherwise'
    return {'means': said(got)}


def handshake(read, write):
    def check(case):
        payload = octets(case['payload'])
        got = read(payload)
        assert case.get('read') == 'only' or write(got) == payload, 'written otherwise'
        return {'means': said(got)}
    return check


def negotiate(case):
    mine = case['mine']
    theirs = wire.hello(octets(case['hello']), mine.get('low', 1), mine.get('high', 1))
    return dict(zip(('version', 'codec'), wire.negotiate(theirs, mine)))


def judge(case):
    hello = octets(case['hello'])
    mine = wire.hello(hello, hello[17], hello[18])
    return dict(zip(('version', 'codec'), wire.judge(wire.welcome(octets(case['welcome'])), mine)))


def marks(case):
    return {'means': wire.marks(case['headers'])}


def resent(case):
    return {'means': wire.resent(case['headers'])}


def talk(case):
    grants = {**GRANTS, 'maxMessage': case.get('maxMessage', GRANTS['maxMessage'])}
    session = Session(case['role'], TYPES, grants, grants, case.get('table', False))
    messages, steps = [], case['steps']
    for i, (way, text) in enumerate(steps):
        try:
            one = wire.decode(octets(text))
            if way == 'out':
                session.send(one)
            elif got := session.receive(one):
                messages.append([got.kind, got.lane, got.type, got.body.hex()])
        except Broken:
            assert way == 'in' and i == len(steps) - 1, f'step {i} is refused already'
            raise
    state = {'messages': messages, 'received': session.received, 'acked': session.acked}
    state['open'] = sorted(lane for lane in session.lanes if lane > 3)
    state['limits'] = [[n, session.lanes[n].outgoing.limit] for n, _ in case.get('limits', ())]
    return {name: one for name, one in state.items() if name in case}


GROUPS = {
    'frame': frame, 'body': body, 'negotiate': negotiate, 'judge': judge, 'talk': talk, 'marks': marks,
    'resent': resent,
    'hello': handshake(wire.hello, wire.encode_hello), 'welcome': handshake(wire.welcome, wire.encode_welcome),
}


def fault_in(case):
    """None if the case holds, else what does not."""
    try:
        got = GROUPS[case['group']](case)
    except Broken as raised:
        return None if case.get('error') == raised.code else str(raised)
    except Exception as raised:
        return f'{type(raised).__name__}: {raised}'
    if 'error' in case:
        return 'nothing is refused'
    for name, one in got.items():
        want = case[name]
        if name == 'messages':
            want = [[*message[:3], octets(message[3]).hex()] for message in want]
        if one != want:
            return f'{name} is {one!r:.300}'
    return None


def check(cases):
    faults = {case['id']: fault_in(case) for case in cases}
    return {name: fault for name, fault in faults.items() if fault is not None}

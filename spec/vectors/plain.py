"""Writes plain.json: python3 spec/vectors/plain.py > spec/vectors/plain.json

Independent of both implementations: struct.pack and slices, nothing else.
"""
import hashlib, json, struct

MAX = 2**24  # where a case says nothing else: the default of maxFrame
cases = []


def noise(n):
    """The same on every run and every version of Python; other bytes in every case."""
    return hashlib.shake_128(b'%d %d' % (len(cases), n)).digest(n)


def u32(n):
    return struct.pack('>I', n)


def add(what, payloads, stream=None, max=MAX, **more):
    """`payloads` are bytes, or (byte, times) for long ones. `stream` is derived where the case is a good one."""
    if stream is None:
        stream = ''.join(f'{u32(p[1]).hex()}+{repeated(p)}+' if type(p) is tuple else frame(p).hex() for p in payloads)
    shown = [repeated(p) if type(p) is tuple else p.hex() for p in payloads]
    case = {'id': f'plain-{len(cases) + 1:03}', 'what': what, 'max': max, 'payloads': shown, 'stream': stream.strip('+')}
    cases.append({**case, **more})


def frame(payload):
    return u32(len(payload)) + payload


def repeated(value_and_times):
    return '%02x*%d' % value_and_times


# Good: each payload list encodes to the stream, and the stream decodes to the list.
add('nothing at all', [])
add('one empty message', [b''])
add('empty messages in a row', [b''] * 5)
for n in range(1, 34):
    add(f'{n} bytes', [noise(n)])
for n in (63, 64, 65, 127, 128, 129, 254, 255, 256, 257, 511, 512, 513, 1023, 1024, 1025):
    add(f'{n} bytes', [noise(n)])
for n in (4095, 4096, 4097, 16383, 16384, 16385, 65535, 65536, 65537, 2**20, 2**24 - 1, 2**24):
    add(f'{n} bytes of one value', [(n % 251, n)])
for value in (0x00, 0x01, 0x0A, 0x0D, 0x1B, 0x7F, 0x80, 0xFF):
    add(f'a single byte {value:#04x}', [bytes([value])])
add('text in ASCII', [b'hello'])
add('text in UTF-8', ['grüße, 世界, 👋'.encode()])
add('bytes that are no UTF-8', [b'\xc3\x28\xa0\xa1\xed\xa0\x80'])
add('line ends are bytes like others', [b'a\r\nb\n', b'\n', b'\r\n'])
add('a payload that looks like a header', [u32(5)])
add('a payload that looks like a frame', [frame(b'inner')])
add('frames within a frame', [frame(frame(frame(b'')))])
add('a payload that looks like a huge length', [b'\xff' * 4, b'\xff' * 8])
add('a payload that looks like HTTP', [b'GET / HTTP/1.1\r\nHost: a\r\n\r\n'])
add('a payload that looks like TLS', [bytes.fromhex('16030100c8010000c40303')])
add('the [type, data] of JSON', [json.dumps([0, 'hi']).encode(), json.dumps(['say', {'to': 'all'}]).encode()])
add('an empty message between two others', [b'one', b'', b'two'])
add('an empty message first', [b'', b'two'])
add('an empty message last', [b'one', b''])
add('a long message between short ones', [b'a', (0x62, 70000), b'c'])
add('as long as the limit', [noise(16)], max=16)
add('one below the limit', [noise(15)], max=16)
add('a limit of 0 lets empty messages pass', [b'', b''], max=0)
for n in range(2, 28):
    add(f'{n} messages', [noise((0, 1, 3, 4, 5, 40, 300)[i * n % 7 - i % 3]) for i in range(n)])
good = len(cases)

# Bad: the payloads are those that come before the error.
before = [[], [b''], [b'one'], [b'one', b'', noise(20)]]
for payloads in before:
    head = b''.join(map(frame, payloads))
    after = f'after {len(payloads)} messages'
    for n in (1, 2, 3):
        add(f'{n} bytes of a header {after}', payloads, (head + u32(7)[:n]).hex(), error='TRUNCATED')
    for size, n in ((1, 0), (7, 0), (7, 1), (7, 6), (300, 299), (65536, 3)):
        cut = (head + u32(size) + noise(n)).hex()
        add(f'{n} of {size} bytes {after}', payloads, cut, error='TRUNCATED')
    for size, most in ((33, 32), (2**16, 255), (2**24 + 1, MAX), (2**31, MAX), (2**32 - 1, MAX), (2**32 - 1, 2**32 - 2)):
        big = (head + u32(size)).hex()
        add(f'a length of {size} {after}', payloads, big, max=most, error='FRAME_TOO_LARGE')
add('any byte is too much for a limit of 0', [b''], frame(b'').hex() + u32(1).hex(), max=0, error='FRAME_TOO_LARGE')
add('judged by the header, before the payload has come', [], u32(17).hex(), max=16, error='FRAME_TOO_LARGE')
add('judged by the header, though the payload is there', [], frame(noise(17)).hex(), max=16, error='FRAME_TOO_LARGE')

about = (
    'The plain wire: a u32 in big endian, then that many bytes. Byte strings are hex, in which * repeats and + joins: '
    '00000003+61*3 is 00000003616161. Without "error": the payloads encode to the stream, and the stream decodes to the '
    'payloads. With "error": the stream decodes to the payloads, then fails so. "max" is the longest payload taken.'
)
rows = ',\n'.join('    ' + json.dumps(case) for case in cases)
print(f'{{\n  "about": {json.dumps(about)},\n  "good": {good},\n  "bad": {len(cases) - good},\n  "cases": [\n{rows}\n  ]\n}}')

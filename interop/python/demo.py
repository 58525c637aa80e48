#!/usr/bin/env python3
"""The Python party of `socktools demo`: demo.py PLAN, as packages/cli/src/demo/plan.ts describes it.

On every connection: names first, then both ways at once all that the plan says, then the SHA-256 of that.
"""
import hashlib, itertools, json, sys, threading, time
from peer import decode, dial, encode, listen, say


class Exchange(threading.Thread):
    def __init__(self, sock, plan):
        super().__init__()
        self.sock, self.plan, self.me = sock, plan, plan['name']
        self.incoming, self.out = decode(sock.makefile('rb', 2**20)), sock.makefile('wb', 2**18)
        self.sent, self.received = hashlib.sha256(), hashlib.sha256()
        self.count, self.bytes, self.why = 0, 0, None

    def run(self):
        self.out.write(encode(self.me.encode()))
        self.out.flush()
        self.you, began = next(self.incoming).decode(), time.monotonic()
        sender = threading.Thread(target=self.send)
        sender.start()
        try:
            self.receive()
        except (EOFError, StopIteration, OSError):
            self.blame(f'it ended after {self.count} messages')
        sender.join()
        result = {'peer': self.you, 'messages': self.count, 'bytes': self.bytes, 'why': self.why}
        digests = {'sent': self.sent.hexdigest(), 'received': self.received.hexdigest()}
        say(result={**result, **digests, 'seconds': time.monotonic() - began})
        self.sock.shutdown(1)
        self.sock.makefile('rb').read()  # until the far side has ended too

    def send(self):
        numbered = (f'{self.me}>{self.you} {i}'.encode() for i in range(self.plan['numbered']))
        for payload in itertools.chain(numbered, self.plan['rest']):
            frame = encode(payload)
            self.sent.update(frame)
            self.out.write(frame)
        self.out.write(encode(self.sent.hexdigest().encode()))
        self.out.flush()

    def receive(self):
        numbered = self.plan['numbered']
        for payload in itertools.islice(self.incoming, numbered + len(self.plan['rest'])):
            if self.count < numbered and payload != f'{self.you}>{self.me} {self.count}'.encode():
                self.blame(f'number {self.count} was due and something else came')
            self.received.update(encode(payload))
            self.count += 1
            self.bytes += len(payload)
        if next(self.incoming) != self.received.hexdigest().encode():
            self.blame('the SHA-256 differs')

    def blame(self, why):
        self.why = self.why or why


def main(plan):
    arriving = listen(plan['listen'])
    most = max(1, *plan['sizes'])
    noise = hashlib.shake_128(plan['name'].encode()).digest(2 * most)
    starts = [i * 65537 % most for i in range(len(plan['sizes']))]
    lines = [line.rstrip(b'\n') for line in open(plan['text'], 'rb')]
    plan['rest'] = lines + [noise[start:start + size] for start, size in zip(starts, plan['sizes'])]
    for address in plan['dial']:
        Exchange(dial(address), plan).start()
    for sock in itertools.islice(arriving, plan['accept']):
        Exchange(sock, plan).start()


main(json.loads(sys.argv[1]))

"""The rules of wire v1 between frames: seq, ack, lanes, chunks, credit, types. As PROTOCOL.md has them. Pure."""
from typing import NamedTuple
from wire import HEADER, MAX_CHUNK, MORE, credits, done, fault, need, reason, table

CREDITED = ('EVENT', 'REQUEST', 'REPLY', 'ERROR', 'OPEN', 'ITEM')
# What all messages that are not whole but one are granted beyond their windows, together.
ADVANCE = 4 * 2**20


class Message(NamedTuple):
    """A whole one. `flags` are those of its first chunk, without MORE; `cost` is what it took of the credit."""
    kind: str
    lane: int
    type: int
    flags: int
    body: bytes
    cost: int


class Partial:
    """What came of a message that is not whole: its first frame, the bodies so far, and what that took of the credit."""

    def __init__(self, first):
        self.first, self.body, self.cost = first, bytearray(), 0

    def add(self, frame):
        self.body += frame.body
        self.cost += HEADER + len(frame.body) if frame.name in CREDITED else 0


class Way:
    """One direction of a lane."""

    def __init__(self, limit):
        self.limit, self.used, self.ended, self.partial = limit, 0, False, None


class Lane:
    def __init__(self, kind, mine, incoming, outgoing):
        self.kind, self.mine = kind, mine
        self.incoming, self.outgoing = Way(incoming), Way(outgoing)
        # What was taken, for the credit that is given.
        self.window, self.consumed = incoming, 0

    @property
    def waits(self):
        """Whether whole messages wait for the application."""
        way = self.incoming
        return way.used - self.consumed > (way.partial.cost if way.partial else 0)

    @property
    def advanced(self):
        """What was granted beyond the window."""
        return max(0, self.incoming.limit - self.consumed - self.window)


class Session:
    """`types`: [kind, name, hash] of this side. `granted`: the limits that this side told, `theirs` those of the other."""

    def __init__(self, role, types, granted, theirs, table_due):
        self.role, self.types, self.granted, self.theirs = role, types, granted, theirs
        self.their_types, self.table, self.table_due = types, [], table_due
        self.sent, self.acked, self.received, self.over, self.farewell = 0, 0, 0, False, ''
        # Lanes whose message is not whole, the oldest first, and the one of them whose message may grow.
        self.partials, self.growing = [], None
        self.lanes = {n: Lane('events', None, granted['eventWindow'], theirs['eventWindow']) for n in range(4)}

    # What comes.

    def receive(self, frame):
        """A message if this frame makes one whole. Control frames are the caller's affair, but for ack, CREDIT and TABLE."""
        need(not self.over, 'a frame after GOODBYE')
        need(self.acked <= frame.ack <= self.sent, f'an ack of {frame.ack}, not {self.acked} to {self.sent}')
        self.acked = frame.ack
        need((frame.name == 'TABLE') == self.table_due, 'a TABLE that is missing or not due')
        if frame.seq:
            if frame.seq <= self.received:
                return None
            need(frame.seq == self.received + 1, f'seq {frame.seq} after {self.received}')
            self.received = frame.seq
        if frame.name == 'TABLE':
            self.take_table(frame)
        elif frame.name == 'CREDIT':
            for lane, limit in credits(frame.body):
                self.raise_limit(lane, limit)
        elif frame.name == 'DONE':
            done(frame.body)
        elif frame.name == 'GOAWAY':
            reason(frame.body, 4)
        elif frame.name == 'GOODBYE':
            _, self.farewell = reason(frame.body)
            self.over = True
        elif frame.name and (frame.seq or frame.name == 'VOLATILE'):
            return self.on_lane(frame, False)
        return None

    def take_table(self, frame):
        self.table.append(frame.body)
        most = max(self.granted['maxMessage'], MAX_CHUNK)
        need(sum(map(len, self.table)) <= most, 'a TABLE that is too long')
        if not frame.flags & MORE:
            self.their_types, self.table_due = table(b''.join(self.table)), False

    def raise_limit(self, number, limit):
        if number in self.lanes:
            way = self.lanes[number].outgoing
            need(limit >= way.limit, f'a credit of {limit} after {way.limit}')
            way.limit = limit

    # What leaves.

    def send(self, frame):
        """Counts a frame of this side: one that it may not send is a fault of its own."""
        if frame.seq:
            need(frame.seq == self.sent + 1, 'our own seq is wrong')
            self.sent = frame.seq
        if frame.name == 'CREDIT':
            for number, limit in credits(frame.body):
                if number in self.lanes:
                    self.lanes[number].incoming.limit = limit
        elif frame.name in ('REQUEST', 'OPEN') or frame.lane in self.lanes and (frame.seq or frame.name == 'VOLATILE'):
            self.on_lane(frame, True)

    # Both: `ours` tells whose frame it is.

    def on_lane(self, frame, ours):
        lane = self.lanes.get(frame.lane)
        if frame.name == 'CANCEL':
            return self.cancel(frame, lane, ours)
        if lane is None:
            lane = self.open(frame, ours)
        way = lane.outgoing if ours else lane.incoming
        need(not way.ended, f'{frame.name} after the end of lane {frame.lane}')
        part = way.partial
        if part and frame.name == 'RESET' and part.first.name != 'RESET':
            self.drop(lane, way)
            part = None
        if part:
            first = part.first
            need((frame.kind, frame.type) == (first.kind, first.type), 'a continuation of another kind or type')
            need(not frame.flags & ~MORE, 'a prefix on a continuation')
        else:
            self.begins(frame, lane, ours)
            if frame.flags & MORE and frame.name not in CREDITED:
                free = [one for one in self.ways(ours) if one.partial and one.partial.first.name not in CREDITED]
                need(not free, f'{frame.name} begins in chunks while another one without credit is not whole')
        if frame.name in CREDITED:
            way.used += HEADER + len(frame.body)
            need(way.used <= way.limit, f'{way.used} bytes on lane {frame.lane}, and {way.limit} is the limit')
        if part is None:
            way.partial = part = Partial(frame)
            if not ours and frame.flags & MORE:
                self.partials.append(lane)
        part.add(frame)
        most = (self.theirs if ours else self.granted)['maxMessage']
        most = max(most, MAX_CHUNK) if frame.name in ('ERROR', 'RESET') else most
        need(len(part.body) <= most, f'a message of more than {most} bytes')
        return None if frame.flags & MORE else self.whole(lane, way, part)

    def ways(self, ours):
        return [lane.outgoing if ours else lane.incoming for lane in self.lanes.values()]

    def open(self, frame, ours):
        need(frame.name in ('REQUEST', 'OPEN'), f'{frame.name} on lane {frame.lane}, which is not open')
        dialers = ours == (self.role == 'dialer')
        need(frame.lane % 2 == dialers, f'lane {frame.lane} is not the sender\'s to open')
        kind = self.type_of(frame, ours)
        mine = [lane for lane in self.lanes.values() if lane.mine is ours and (lane.kind == 'call') == (kind == 'call')]
        most = (self.theirs if ours else self.granted)['maxCalls' if kind == 'call' else 'maxStreams']
        need(len(mine) < most, f'more than {most} at once')
        lane = Lane(kind, ours, self.granted['laneWindow'], self.theirs['laneWindow'])
        self.lanes[frame.lane] = lane
        return lane

    def type_of(self, frame, ours):
        types = self.types if ours else self.their_types
        need(frame.type < len(types), f'the type {frame.type} of {len(types)}')
        kind = types[frame.type][0]
        fitting = {'REQUEST': ('call',), 'OPEN': ('feed', 'channel')}.get(frame.name, ('msg',))
        need(kind in fitting, f'{frame.name} with a type that is a {kind}')
        return kind

    def begins(self, frame, lane, ours):
        """Whether a message of this kind may begin on this lane now."""
        opener = lane.mine is ours
        if frame.lane < 4:
            self.type_of(frame, ours)
            return
        fresh = lane.incoming.used == lane.outgoing.used == 0
        if frame.name in ('REQUEST', 'OPEN'):
            need(opener and fresh, f'{frame.name} on lane {frame.lane}, which is open')
        elif lane.kind == 'call':
            need(not opener and frame.name in ('REPLY', 'ERROR', 'RESET') or frame.name == 'RESET', frame.name)
        else:
            need(frame.name in ('ITEM', 'END', 'RESET'), f'{frame.name} on the lane of a {lane.kind}')

    def whole(self, lane, way, part):
        first, body, cost = part.first, bytes(part.body), part.cost
        self.forget(lane, way)
        if first.name in ('ERROR', 'RESET'):
            fault(body)
        ends = first.name in ('REPLY', 'ERROR', 'END', 'RESET', 'REQUEST') or (first.name, lane.kind) == ('OPEN', 'feed')
        self.ended(first.lane, lane, way, ends)
        return Message(first.name, first.lane, first.type, first.flags & ~MORE, body, cost)

    def cancel(self, frame, lane, ours):
        if lane is None:
            return None
        way = lane.outgoing if ours else lane.incoming
        need(not way.partial or way.partial.first.name != 'RESET', 'CANCEL in the middle of a RESET')
        self.drop(lane, way)
        self.ended(frame.lane, lane, way, True)
        return Message('CANCEL', frame.lane, 0, 0, b'', 0)

    def drop(self, lane, way):
        """What was granted for it is spent all the same."""
        if way.partial and way is lane.incoming:
            lane.consumed += way.partial.cost
        self.forget(lane, way)

    def forget(self, lane, way):
        way.partial = None
        if way is lane.incoming and lane in self.partials:
            self.partials.remove(lane)
            self.growing = None if self.growing is lane else self.growing

    def ended(self, number, lane, way, ends):
        way.ended = way.ended or ends
        if lane.incoming.ended and lane.outgoing.ended:
            del self.lanes[number]

    # The credit that this side owes.

    def taken(self, number, cost):
        if number in self.lanes:
            self.lanes[number].consumed += cost

    def credit_due(self):
        """What came of one message counts as taken, and of the others together up to ADVANCE."""
        if self.growing is None:
            self.growing = next((lane for lane in self.partials if not lane.waits), None)
        free = ADVANCE - sum(lane.advanced for lane in self.partials if lane is not self.growing)
        due = []
        for number, lane in self.lanes.items():
            way = lane.incoming
            if way.ended:
                continue
            part = way.partial.cost if way.partial else 0
            most = part if lane is self.growing else min(part, lane.advanced + max(0, free))
            limit = lane.consumed + most + lane.window
            stuck = part and way.limit - way.used < 65560 and limit > way.limit
            if stuck or limit - way.limit >= lane.window // 2:
                due.append((number, limit))
                free -= 0 if lane is self.growing else max(0, limit - lane.consumed - lane.window - lane.advanced)
        return due

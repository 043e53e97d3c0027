"""The link on a port that the test plays: pacing, unplugging, coming back; no thread, no waiting."""

import pytest

from devices.link.captions import LinkCaption
from devices.link.driver import BACK_OFF_MAX_S, BACK_OFF_S, STALL_S, Link
from devices.link.framing import Frame, decode, encode
from devices.link.port import Address
from devices.link.reliable import Outcome
from devices.link.session import LinkState, Session
from devices.link.shared import acquire, release
from devices.link.table import KINDS, LinkError, Message

SEEN = Message("hands", {"seen": 1, "at_ms": 0, "age_ms": 0})


def beat(boot=9):
    return encode(Frame(KINDS["heartbeat"].id, 0, boot, bytes([1]) + bytes(KINDS["heartbeat"].size - 1)))


class FakePort:
    """A port whose other side is a list; reading passes the time."""

    def __init__(self, clock):
        self.clock, self.arrived, self.written = clock, [], []
        self.fails = None
        self.room = 10**9
        self.open = True

    def read(self, timeout):
        if self.fails:
            raise self.fails
        if self.arrived:
            return self.arrived.pop(0)
        self.clock.pass_(max(timeout, 1e-4))
        return b""

    def write(self, data):
        taken = data[: self.room]
        if taken:
            self.written.append((self.clock(), bytes(taken)))
        return len(taken)

    def wake(self):
        pass

    def close(self):
        self.open = False


class World:
    def __init__(self, clock, baud=115200):
        self.clock, self.ports, self.absent, self.tried = clock, [], False, []
        self.link = Link(Address("/dev/fake", baud), Session(1), open_port=self._open, clock=clock, nap=clock.pass_)
        self.notices = []
        self.link.listen(self.notices.append)

    def _open(self, address):
        self.tried.append(self.clock())
        if self.absent:
            raise LinkError("gone")
        self.ports.append(FakePort(self.clock))
        return self.ports[-1]

    def run(self, seconds):
        stop = self.clock() + seconds
        while self.clock() < stop:
            self.link.step()


@pytest.fixture
def world(clock):
    made = World(clock)
    made.link.connect()
    return made


def test_frames_leave_at_the_pace_of_the_wire(world, clock):
    port = world.ports[0]
    port.arrived.append(beat())
    world.run(0.01)
    world.link.show(LinkCaption("word " * 60))
    for _ in range(5):
        world.link.submit(SEEN)
    world.run(0.2)
    free = 0.0
    for at, data in port.written:
        assert at >= free - 1e-9
        free = at + 10 * len(data) / 115200
    assert len(port.written) > 10


def test_an_event_waits_for_one_frame_at_most(world, clock):
    port = world.ports[0]
    port.arrived.append(beat())
    world.run(0.01)
    world.link.show(LinkCaption("word " * 60))
    world.run(0.001)
    begun = clock()
    world.link.submit(SEEN)
    world.run(0.1)
    sent = next(at for at, data in port.written if decode(data[1:-1]).type == KINDS["hands"].id)
    assert sent - begun <= 81 * 10 / 115200


def test_a_lost_port_is_opened_again_with_longer_and_longer_pauses(world, clock):
    world.ports[0].arrived.append(beat())
    world.run(0.01)
    world.absent, world.ports[0].fails = True, OSError(5, "Input/output error")
    begun = clock()
    world.run(12.0)
    pauses = [b - a for a, b in zip([begun, *world.tried[1:]], world.tried[1:], strict=False)]
    wanted = [min(BACK_OFF_S * 2**i, BACK_OFF_MAX_S) for i in range(len(pauses))]
    assert pauses == pytest.approx(wanted, abs=0.02)
    assert not world.ports[0].open
    world.absent = False
    world.run(3.0)
    assert len(world.ports) == 2
    assert world.link.reconnects == 1
    world.ports[1].arrived.append(beat())
    world.run(0.1)
    assert [n.state for n in world.notices if isinstance(n, LinkState)] == ["silent", "up", "closed", "silent", "up"]
    assert world.link._back_off == BACK_OFF_S


def test_what_was_submitted_while_the_port_was_away_goes_out_when_it_is_back(world, clock):
    world.ports[0].arrived.append(beat())
    world.run(0.01)
    world.ports[0].fails = OSError(5, "Input/output error")
    world.run(0.01)
    world.link.submit(SEEN)
    world.run(0.3)
    assert len(world.ports) == 2
    world.ports[1].arrived.append(beat())
    world.run(0.1)
    assert any(decode(data[1:-1]).type == KINDS["hands"].id for _, data in world.ports[1].written)


def test_unplugged_in_mid_frame_both_halves_are_counted(world, clock):
    port = world.ports[0]
    port.arrived.append(beat()[:9])
    world.run(0.001)
    port.room = 5
    while not world.link._unsent:
        world.link.step()
    port.fails = OSError(5, "Input/output error")
    world.run(0.01)
    counts = world.link.session.counters
    assert counts["cut_off"] == 1
    assert counts["cut_out"] == 1
    assert counts.add_up()


def test_a_port_that_takes_nothing_is_opened_anew(world, clock):
    world.ports[0].room = 0
    world.run(STALL_S + 0.5)
    assert not world.ports[0].open
    assert len(world.ports) == 2
    assert world.link.session.counters["cut_out"] == 1


def test_closing_fails_what_is_pending_and_tells_so(world, clock):
    world.ports[0].arrived.append(beat())
    world.run(0.01)
    world.link.submit(SEEN)
    world.link.close()
    assert [n.why for n in world.notices if isinstance(n, Outcome)] == ["closed"]
    assert not world.ports[0].open


@pytest.mark.parametrize(
    ("where", "path", "baud"),
    [("/dev/ttyUSB0", "/dev/ttyUSB0", 115200), ("/dev/a@b@921600", "/dev/a@b", 921600), ("COM3@9600", "COM3", 9600)],
)
def test_addresses(where, path, baud):
    assert Address.parse(where) == Address(path, baud)


@pytest.mark.parametrize("where", ["/dev/ttyUSB0@fast", "/dev/ttyUSB0@300", "", "@9600", "x@"])
def test_addresses_that_are_none(where):
    with pytest.raises(LinkError, match=r"baud rate must be|port is missing"):
        Address.parse(where)


def test_one_port_has_one_link_until_its_last_user_lets_go(clock):
    made = []

    class Started(Link):
        def start(self, answer_s=0.0):
            made.append(self)
            self.connect()

    def make(address):
        return Started(address, Session(1), open_port=lambda a: FakePort(clock), clock=clock)

    first, second = (acquire(Address("/dev/one"), make) for _ in range(2))
    assert first is second
    assert len(made) == 1
    with pytest.raises(LinkError, match="open at 115200 baud already"):
        acquire(Address("/dev/one", 9600), make)
    release(first)
    assert first._port is not None
    release(second)
    assert first._port is None
    assert acquire(Address("/dev/one"), make) is not first
    release(made[-1])

"""Two ends without a wire: what is promised about events and captions, on a clock that the test moves."""

import random
from collections import deque

import pytest

from devices.link.captions import LinkCaption
from devices.link.convert import hand
from devices.link.framing import ENCODED_MAX, Frame, decode, encode
from devices.link.reliable import DEADLINE_S, QUEUE_MAX, RESEND_FIRST_S, Outcome
from devices.link.session import HEARTBEAT_S, SILENT_AFTER_S, LinkState, Session
from devices.link.simulate import OPEN
from devices.link.table import KINDS, LinkError, Message
from devices.link.wire import Noise


def seen(at):
    return Message("hands", {"seen": at & 3, "at_ms": at, "age_ms": 0})


class Cable:
    """Two sessions and what is under way between them; each frame takes `delay` seconds."""

    def __init__(self, clock, host, board, noise=(None, None), delay=0.004):
        self.clock, self.ends, self.noise, self.delay = clock, (host, board), noise, delay
        self.under_way = (deque(), deque())
        self.heard = ([], [])
        for end in self.ends:
            end.opened(clock())

    def run(self, seconds, step=0.001):
        stop = self.clock() + seconds
        while self.clock() < stop:
            now = self.clock()
            for i, end in enumerate(self.ends):
                lane = self.under_way[i]
                # one frame at a time, as on a wire
                if (not lane or lane[-1][0] <= now) and (frame := end.next_frame(now)) is not None:
                    noise = self.noise[i]
                    lane.append((now + self.delay, noise.spoil(frame) if noise else frame))
                while lane and lane[0][0] <= now:
                    self.ends[1 - i].receive(lane.popleft()[1], now)
            for i, end in enumerate(self.ends):
                self.heard[i].extend((now, notice) for notice in end.notices())
            self.clock.pass_(step)

    def of(self, end, kind):
        return [n for _, n in self.heard[end] if isinstance(n, kind)]

    def messages(self, kind="hands"):
        return [n for n in self.of(1, Message) if n.kind == kind]


@pytest.fixture
def cable(clock):
    return Cable(clock, Session(1), Session(2))


def test_a_message_arrives_once_and_is_acknowledged(cable, clock):
    cable.run(0.05)
    ticket = cable.ends[0].submit(seen(7), clock())
    cable.run(0.1)
    assert [m["at_ms"] for m in cable.messages()] == [7]
    (outcome,) = cable.of(0, Outcome)
    assert (outcome.ticket, outcome.delivered, outcome.tries) == (ticket, True, 1)
    assert cable.ends[0].idle


def test_ages_grow_on_the_way(clock):
    host, board = Session(1), Session(2)
    host.submit(seen(0), clock())
    clock.pass_(0.5)
    cable = Cable(clock, host, board)
    cable.run(0.1)
    assert 500 <= cable.messages()[0]["age_ms"] <= 510


@pytest.mark.parametrize("seed", range(12))
def test_noise_neither_loses_nor_doubles_nor_reorders(clock, seed):
    noise = [Noise(random.Random(f"{seed}{i}"), corrupt=0.01, drop=0.002, insert=0.002) for i in (0, 1)]
    cable = Cable(clock, Session(1), Session(2), noise)
    cable.run(0.2)
    rng = random.Random(seed)
    for at in range(60):
        cable.ends[0].submit(seen(at), clock())
        cable.ends[0].show(LinkCaption("The right hand opens. " * 4, at), clock())
        cable.run(rng.uniform(0.0, 0.15), step=0.002)
    cable.run(3.0, step=0.002)
    outcomes = {o.ticket: o for o in cable.of(0, Outcome)}
    assert len(outcomes) == 60
    got = [m["at_ms"] for m in cable.messages()]
    assert got == sorted(set(got))
    assert {t - 1 for t, o in outcomes.items() if o.delivered} <= set(got)
    assert sum(not o.delivered for o in outcomes.values()) == 0
    for end in cable.ends:
        assert end.counters.add_up()
        assert end.counters.died > 0
    # every frame that left either arrived or is missing in the numbers
    host, board = (end.counters for end in cable.ends)
    assert board["accepted"] + board["lost"] <= host["frames_out"] <= board["accepted"] + board["lost"] + 20


def test_what_is_not_acknowledged_in_time_is_reported_and_never_sent_again(clock):
    host, board = Session(1), Session(2)
    cable = Cable(clock, host, board)
    cable.run(0.1)
    cable.noise = (Noise(random.Random(0), drop=1.0), None)
    host.submit(seen(1), clock())
    cable.run(DEADLINE_S + 0.1, step=0.005)
    (failed,) = cable.of(0, Outcome)
    assert (failed.delivered, failed.why) == (False, "deadline")
    assert failed.took_s == pytest.approx(DEADLINE_S, abs=0.01)
    assert failed.tries > 10
    cable.noise = (None, None)
    host.submit(seen(2), clock())
    cable.run(0.3)
    # the next one passes though its forerunner never came
    assert [m["at_ms"] for m in cable.messages()] == [2]
    assert cable.of(0, Outcome)[-1].delivered


def test_a_message_given_up_between_two_others_is_skipped(clock):
    cable = Cable(clock, Session(1, deadline=0.5), Session(2))
    for at, drop in ((1, 0.0), (2, 1.0), (3, 0.0)):
        cable.noise = (Noise(random.Random(0), drop=drop), None)
        cable.run(0.2)
        cable.ends[0].submit(seen(at), clock())
        cable.run(0.7)
    assert [m["at_ms"] for m in cable.messages()] == [1, 3]
    assert [o.delivered for o in cable.of(0, Outcome)] == [True, False, True]
    assert cable.ends[1].counters["given_up"] == 1


def test_a_lost_acknowledgement_costs_a_copy_and_no_second_delivery(clock):
    cable = Cable(clock, Session(1), Session(2))
    cable.run(0.1)
    cable.noise = (None, Noise(random.Random(0), drop=1.0))
    cable.ends[0].submit(seen(5), clock())
    cable.run(0.3)
    cable.noise = (None, None)
    cable.run(0.3)
    assert len(cable.messages()) == 1
    assert cable.ends[1].counters["doubled"] >= 1
    assert [o.delivered for o in cable.of(0, Outcome)] == [True]


def test_a_loss_is_found_by_the_order_of_frames_and_not_by_waiting(clock):
    """The second message's answer says that the first one is missing: it goes out again at once."""
    cable = Cable(clock, Session(1), Session(2))
    cable.run(0.05)
    cable.noise = (Noise(random.Random(0), drop=1.0), None)
    cable.ends[0].submit(seen(1), clock())
    cable.run(0.002)
    cable.noise = (None, None)
    cable.ends[0].submit(seen(2), clock())
    begun = clock()
    cable.run(0.1)
    times = [t for t, n in cable.heard[1] if isinstance(n, Message) and n.kind == "hands"]
    assert [m["at_ms"] for m in cable.messages()] == [1, 2]
    assert times[0] - begun < RESEND_FIRST_S / 2


def test_a_full_queue_is_an_outcome(clock):
    session = Session(1)
    for at in range(QUEUE_MAX):
        session.submit(seen(at), clock())
    assert session.full
    session.submit(seen(99), clock())
    assert [n.why for n in session.notices() if isinstance(n, Outcome)] == ["queue_full"]
    session.end(clock())
    assert [n.why for n in session.notices()] == ["closed"] * QUEUE_MAX


def test_only_reliable_messages_can_be_submitted(clock):
    with pytest.raises(LinkError, match="it is latest"):
        Session(1).submit(hand("left", 0, OPEN), clock())


def test_numbers_pass_65535(clock):
    cable = Cable(clock, Session(1), Session(2))
    cable.ends[0]._reliable_out._number = cable.ends[0]._seq = 65530
    for at in range(12):
        cable.ends[0].submit(seen(at), clock())
        cable.run(0.02)
    cable.run(0.2)
    assert [m["at_ms"] for m in cable.messages()] == list(range(12))
    assert cable.ends[1].counters["lost"] == 0


# captions


def up(clock):
    """A host session that is up, and a way to see what it sends."""
    session = Session(1)
    session.opened(clock())
    session.receive(encode(Frame(KINDS["ack"].id, 0, 9, bytes(8))), clock())
    while session.next_frame(clock()):
        pass
    return session


def _kind(wire):
    number = decode(wire[1:-1]).type
    return next(k.name for k in KINDS.values() if k.id == number)


def test_at_most_the_piece_that_is_leaving_stands_before_an_event(clock):
    session = up(clock)
    session.show(LinkCaption("x" * 200), clock())
    assert _kind(session.next_frame(clock())) == "caption"
    session.submit(seen(1), clock())
    assert [_kind(session.next_frame(clock())) for _ in range(2)] == ["hands", "caption"]


def test_hands_come_before_captions_and_the_newest_of_a_side_wins(clock):
    session = up(clock)
    session.show(LinkCaption("text"), clock())
    session.stream(hand("left", 1, OPEN))
    session.stream(hand("left", 2, OPEN))
    session.stream(hand("right", 2, OPEN))
    assert [_kind(session.next_frame(clock())) for _ in range(3)] == ["hand", "hand", "caption"]
    assert session.counters["replaced"] == 1


def test_a_newer_caption_replaces_the_rest_of_an_older_one(cable, clock):
    cable.run(0.05)
    cable.ends[0].show(LinkCaption("old " * 60, 1), clock())
    cable.run(0.006)
    cable.ends[0].show(LinkCaption("new", 2), clock())
    cable.run(1.5)
    assert [c.text for c in cable.of(1, LinkCaption)] == ["new"]
    assert cable.ends[0].counters["replaced"] == 1
    assert cable.ends[1].counters["captions_partial"] == 1


def test_a_caption_is_told_once_however_often_it_is_sent_and_carries_its_age(cable, clock):
    cable.run(0.05)
    cable.ends[0].show(LinkCaption("Die Hand öffnet sich.", 3, 2, False, 0.5, age_ms=80.0), clock())
    cable.run(2.0)
    (got,) = cable.of(1, LinkCaption)
    assert (got.text, got.phrase, got.revision, got.final, got.confidence) == (
        "Die Hand öffnet sich.",
        3,
        2,
        False,
        0.5,
    )
    assert 80 <= got.age_ms <= 90


def test_a_lost_piece_comes_with_the_next_pass(clock):
    cable = Cable(clock, Session(1), Session(2))
    cable.run(0.05)
    cable.ends[0].show(LinkCaption("a" * 100), clock())
    cable.noise = (Noise(random.Random(0), drop=1.0), None)
    cable.run(0.003)
    cable.noise = (None, None)
    cable.run(0.1)
    assert cable.of(1, LinkCaption) == []
    cable.run(0.4)
    assert [c.text for c in cable.of(1, LinkCaption)] == ["a" * 100]


def test_a_long_caption_is_shortened_between_letters_and_an_empty_one_travels(cable, clock):
    cable.run(0.05)
    cable.ends[0].show(LinkCaption("ö" * 400), clock())
    cable.run(0.2)
    cable.ends[0].show(LinkCaption("", 4), clock())
    cable.run(0.2)
    long, empty = cable.of(1, LinkCaption)
    assert long.shortened
    assert long.text == "ö" * ((384 - 3) // 2) + "…"
    assert (empty.text, empty.phrase, empty.shortened) == ("", 4, False)


# the link itself


def test_heartbeats_keep_it_up_and_silence_is_told(cable, clock):
    cable.run(1.0)
    assert [s.state for s in cable.of(0, LinkState)] == ["silent", "up"]
    beats = cable.ends[0].counters["frames_out"]
    assert beats == pytest.approx(1.0 / HEARTBEAT_S, abs=1)
    cable.noise = (None, Noise(random.Random(0), drop=1.0))
    cable.run(SILENT_AFTER_S + 0.3, step=0.005)
    assert [s.state for s in cable.of(0, LinkState)] == ["silent", "up", "silent"]
    assert cable.ends[0].counters["silences"] == 1


def test_a_board_that_begins_anew_hears_what_was_pending(clock):
    host = Session(1)
    cable = Cable(clock, host, Session(2))
    cable.run(0.1)
    cable.noise = (Noise(random.Random(0), drop=1.0), None)
    host.submit(seen(5), clock())
    cable.run(0.2)
    cable.noise, cable.ends = (None, None), (host, Session(3))
    cable.ends[1].opened(clock())
    cable.run(0.5)
    assert [m["at_ms"] for m in cable.messages()] == [5]
    assert host.counters["reboots"] == 1
    assert [o.delivered for o in cable.of(0, Outcome)] == [True]


def test_another_version_is_told_and_nothing_else_is_sent(clock):
    session = Session(1)
    session.opened(clock())
    session.receive(encode(Frame(1, 0, 9, bytes([7, 1, 2, 3]))), clock())
    assert session.state == LinkState("other_version", "7")
    session.submit(seen(1), clock())
    assert _kind(session.next_frame(clock())) == "heartbeat"
    assert session.next_frame(clock()) is None


def test_an_echo_is_no_other_end(clock):
    session = Session(5)
    session.opened(clock())
    session.receive(session.next_frame(clock()), clock())
    assert session.state.state == "silent"
    assert session.counters["echoed"] == 1
    assert session.counters.add_up()


def test_wake_at_is_when_something_happens(clock):
    """Sleeping until `wake_at` misses nothing and never spins."""
    session = up(clock)
    session.submit(seen(1), clock())
    assert session.wake_at() <= clock()
    assert session.next_frame(clock()) is not None
    spins = 0
    stop = clock() + DEADLINE_S + 1
    while clock() < stop:
        if session.next_frame(clock()) is None:
            wake = session.wake_at()
            assert wake > clock()
            clock.now = wake
        spins += 1
    assert spins < 200
    assert not session.waiting


def test_no_frame_is_longer_than_a_frame_may_be(clock):
    session = up(clock)
    session.show(LinkCaption("z" * 384), clock())
    while (wire := session.next_frame(clock())) is not None:
        assert len(wire) <= ENCODED_MAX + 2

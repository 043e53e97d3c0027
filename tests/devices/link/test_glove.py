"""Hands from a glove: its clock, its two hands, and captions without a camera."""

import numpy as np
import pytest

from devices.link import convert
from devices.link.glove import HOLD_NS, QUEUE, HandClock, HandPairs, SerialHands
from devices.link.port import Address
from devices.link.session import LinkState
from devices.link.simulate import RATE, SCRIPT, angles_at, sample
from devices.link.sink import SerialSink
from devices.link.table import LinkError, pack, unpack
from edge.events import Caption
from edge.hands.frame import LEFT, RIGHT
from edge.hands.model import OPEN, PALM
from edge.pipeline import Captioner
from edge.play import play
from edge.sources import SourceEnded
from tests.devices.link.test_sink import FakeLink


def travelled(message):
    """As it arrives: rounded to what the wire carries."""
    return unpack(*pack(message))


def test_angles_survive_the_wire_and_become_a_hand():
    world, wrist = convert.world(travelled(sample(1.4)))
    from edge.hands.model import flat, landmarks

    np.testing.assert_allclose(world, PALM * landmarks(angles_at(1.4)) @ flat(False).T, atol=1e-4)
    assert np.isnan(wrist).all()


def test_what_is_not_measured_is_filled_in():
    world, _ = convert.world(travelled(convert.hand("right", 0, np.full((5, 4), np.nan))))
    np.testing.assert_allclose(world, convert.world(convert.hand("right", 0, OPEN))[0], atol=1e-4)


def test_turn_and_place():
    half = np.sqrt(0.5)
    said = convert.hand("left", 0, OPEN, turn=np.array([half, half, 0, 0]), wrist=np.array([0.1, -0.2, 0.3]))
    world, wrist = convert.world(travelled(said))
    np.testing.assert_allclose(wrist, [0.1, -0.2, 0.3], atol=1e-3)
    # a quarter turn about x (right): what pointed forward points up
    np.testing.assert_allclose(world[9], [0, -PALM, 0], atol=1e-4)


def test_the_clock_wraps_and_survives_a_reboot():
    clock = HandClock()
    assert clock.time_ns(0xFFFFFF00, 5_000_000_000) == 5_000_000_000
    assert clock.time_ns(0x100, 7) == 5_000_000_000 + 0x200 * 1000
    clock.reset()
    assert clock.time_ns(40, 6_000_000_000) == 6_000_000_000


def test_two_hands_of_one_instant_are_one_frame():
    pairs = HandPairs()
    assert pairs.push(convert.hand("left", 10, OPEN, more=True), 10**9) == []
    (frame,) = pairs.push(convert.hand("right", 10, OPEN), 10**9)
    assert frame.present(LEFT)
    assert frame.present(RIGHT)
    assert frame.track_id.tolist() == [0, 1]


def test_one_lost_sample_is_no_empty_hand():
    pairs = HandPairs()
    for t in (0, 20_000):
        pairs.push(convert.hand("left", t, OPEN, more=True), 10**9)
        pairs.push(convert.hand("right", t, OPEN), 10**9)
    # the right one's is lost: the next instant ends the frame, with the right hand as it was
    assert pairs.push(convert.hand("left", 40_000, OPEN, more=True), 10**9) == []
    frames = pairs.push(convert.hand("left", 60_000, OPEN, more=True), 10**9)
    assert [f.present(RIGHT) for f in frames] == [True]
    late = pairs.push(convert.hand("left", 60_000 + HOLD_NS // 1000, OPEN), 10**9)
    assert [f.present(RIGHT) for f in late] == [True, False]


def test_a_glove_that_is_not_worn_is_no_hand():
    (frame,) = HandPairs().push(convert.hand("right", 0, OPEN, present=False), 0)
    assert not frame.present(RIGHT)


def source(link, arrivals=None, **more):
    times = iter(arrivals or [])
    return SerialHands(link, let_go=lambda _: link.events.append("released"), clock=lambda: next(times, 10**9), **more)


def test_the_simulated_glove_is_captioned_without_a_camera():
    link = FakeLink()
    hands = source(link, patience=0.0)
    # the source is read as fast as samples come, which here is all at once
    seconds = sum(move.seconds for move in SCRIPT)
    frames = []
    pairs = HandPairs()
    for i in range(int(seconds * RATE)):
        frames += pairs.push(travelled(sample(i / RATE)), 10**9)
    hands._frames.extend(frames)
    texts = []

    class Sink:
        def write(self, rgb, hands, events):
            texts.extend(e.text for e in events if isinstance(e, Caption) and e.final)

        def close(self):
            return None

    with Captioner.open("figop-rules", view=hands.view, tracker=None) as captioner:
        outcome = play(hands, captioner, [Sink()])
    assert texts == [
        "The right index finger bends, then straightens.",
        "The right hand closes into a fist, then opens.",
    ]
    assert isinstance(outcome.error, SourceEnded)
    assert outcome.error.reason == "hands_lost"
    assert link.events == ["released"]


def test_a_slow_reader_loses_the_oldest_and_is_told():
    link = FakeLink()
    hands = source(link)
    for i in range(QUEUE + 3):
        link.tell(sample(i / RATE))
    assert hands.dropped["hands_late"] == 3
    assert next(iter(hands)).t_ns == 10**9 + 3 * 20_000_000


def test_a_link_that_breaks_ties_the_clock_anew():
    link = FakeLink()
    hands = source(link, [10**9, 3 * 10**9])
    link.tell(sample(5.0))
    link.tell(LinkState("closed", "unplugged"))
    link.tell(sample(0.0))
    frames = iter(hands)
    assert [next(frames).t_ns for _ in range(2)] == [10**9, 3 * 10**9]


def test_a_board_that_sends_no_hand_is_no_glove():
    with pytest.raises(LinkError, match=r"answers but sends no hand for 0 s; is it a glove"):
        list(source(FakeLink(), patience=0.0))


def test_closing_ends_the_stream():
    link = FakeLink()
    hands = source(link)
    hands.close()
    hands.close()
    assert list(hands) == []
    assert link.events == ["released"]


def test_sink_and_source_share_a_port():
    link = FakeLink()
    assert source(link).name == f"glove {Address('/dev/fake')}"
    SerialSink(link, live=True, tell=lambda _: None, let_go=lambda _: None)
    assert len(link.listeners) == 2

"""Under load a live stream does less in the stated order, says so, and does more again: slow sessions, a fake clock."""

import io
from collections import Counter

import numpy as np
import pytest
from rich.console import Console

from edge.bundle import Bundle
from edge.events import Caption, Dropped
from edge.governor import EASED, LEAST_FPS, LEFT_OUT, LEVELS, PATIENCE_S, WINDOW, Governor, levels_for, says, told
from edge.pipeline import Captioner
from edge.play import play
from edge.recognisers import open_recogniser
from edge.sources import Picture
from edge.terminal import Terminal
from tests.edge.media import MADE

FPS = 30.0
BLACK = np.zeros((48, 64, 3), np.uint8)


class Clock:
    """Seconds that pass only when something says so."""

    now = 100.0

    def __call__(self):
        return self.now


class SlowSession:
    """A network whose run takes `cost(seconds since the start)` of the fake clock: a processor that throttles."""

    def __init__(self, clock, cost):
        self.clock, self.cost, self.runs = clock, cost, []

    def invoke(self):
        self.runs.append(self.clock.now)
        self.clock.now += self.cost(self.clock.now - 100.0)


class Tracker:
    """Runs its session for each picture and answers with recorded hands, over and over."""

    appearance_digest = ""

    def __init__(self, session):
        self.session, self.frames = session, list(MADE.frames())

    def track(self, rgb, t_ns, *, appearance=False):
        from dataclasses import replace

        self.session.invoke()
        turn = round((t_ns * 1e-9 - 100.0) * FPS)
        return replace(self.frames[turn % len(self.frames)], t_ns=t_ns)

    def reset(self):
        pass

    def close(self):
        pass


class Camera:
    """Always its newest frame, by the fake clock; frames that nobody took are late."""

    name, live, fps, count, size, view, mirrored = "camera", True, FPS, 0, (64, 48), None, None

    def __init__(self, clock, seconds):
        self.clock, self.end, self.dropped = clock, clock.now + seconds, Counter()

    def __iter__(self):
        last = -1
        while self.clock.now < self.end:
            newest = int((self.clock.now - 100.0) * FPS + 1e-6)
            if newest <= last:
                newest = last + 1
                self.clock.now = 100.0 + newest / FPS
            self.dropped["late"] += newest - last - 1
            last = newest
            yield Picture(BLACK, round((100.0 + newest / FPS) * 1e9))

    def close(self):
        pass


class Drawer:
    """A sink that draws: each picture costs time."""

    draws = True

    def __init__(self, clock, cost=0.0):
        self.clock, self.cost, self.drawn, self.events = clock, cost, [], []

    def write(self, rgb, hands, events):
        self.events += events
        if hands is not None:
            self.drawn.append(hands.t)
            self.clock.now += self.cost

    def close(self):
        return None


def run(cost, seconds, *, draw_cost=0.0, governed=True, target=100.0):
    clock = Clock()
    session, drawer = SlowSession(clock, cost), Drawer(clock, draw_cost)
    recogniser = open_recogniser(Bundle.open("figop-rules"), "facing", False)
    governor = Governor(target, fps=FPS, draws=True, clock=clock) if governed else None
    captioner = Captioner(recogniser, tracker=Tracker(session), clock=clock)
    outcome = play(Camera(clock, seconds), captioner, [drawer], governor=governor)
    assert outcome.error is None
    return session, drawer, governor


def steps(drawer):
    """(seconds, reason) of every change that was told."""
    return [(e.t_start - 100.0, e.reason) for e in drawer.events if isinstance(e, Dropped) and e.id.startswith("load-")]


def test_a_machine_that_keeps_up_is_left_alone():
    session, drawer, governor = run(lambda t: 0.010, 10.0)
    assert steps(drawer) == []
    assert governor.level.name == "full"
    assert len(drawer.drawn) == len(session.runs) == pytest.approx(300, abs=2)


def test_throttling_lowers_in_the_stated_order_and_cooling_raises_again():
    """Ten seconds cool, then each run takes 12 times as long, then cool again."""
    session, drawer, governor = run(lambda t: 0.12 if 10 <= t < 30 else 0.010, 120.0)
    told_ = steps(drawer)
    down = [name for t, name in told_ if t < 30]
    assert down == [level.name for level in LEVELS[1:]]
    assert all(t > 10 for t, _ in told_)
    up = [name for t, name in told_ if t >= 30]
    assert up == [EASED] * 4
    assert governor.level.name == "full"
    late = [t for t in session.runs if t - 100 > 110]
    assert np.diff(late).mean() == pytest.approx(1 / FPS, rel=0.05)


def test_skipping_pictures_is_enough_where_drawing_is_what_is_slow():
    _, drawer, governor = run(lambda t: 0.010, 20.0, draw_cost=0.15)
    assert governor.level.name == "overlay_skipped"
    assert {name for _, name in steps(drawer)} <= {"overlay_skipped", EASED}
    rate = np.diff([t for t in drawer.drawn if t > 105])
    assert np.median(rate) >= 0.5 - 1e-6, "pictures still come, twice a second"


def test_halving_the_rate_takes_the_wait_out_of_the_latency():
    """75 ms a run at 30 fps: frames wait 15 ms on average at full rate, none at half or third of it."""
    session, drawer, governor = run(lambda t: 0.060, 20.0, target=80.0)
    assert governor.level.every > 1
    assert governor.left_out > 0
    counted = [e for e in drawer.events if isinstance(e, Dropped) and e.reason == LEFT_OUT]
    assert counted[-1].count == governor.left_out, "what was left out is told, in full at the end"
    last = np.diff(session.runs[-20:])
    assert last.min() >= governor.level.every / FPS - 0.01


def test_without_a_governor_nothing_is_left_out():
    _, drawer, _ = run(lambda t: 0.12, 10.0, governed=False)
    assert steps(drawer) == []
    assert not [e for e in drawer.events if isinstance(e, Dropped) and e.reason == LEFT_OUT]


def test_captions_go_on_under_load_and_final_ones_are_all_there():
    _, fast, _ = run(lambda t: 0.010, 20.0)
    _, slow, _ = run(lambda t: 0.12, 20.0)
    finals = [[e for e in d.events if isinstance(e, Caption) and e.final and e.text] for d in (fast, slow)]
    running = [sum(isinstance(e, Caption) and not e.final for e in d.events) for d in (fast, slow)]
    assert len(finals[1]) >= 0.5 * len(finals[0]) > 0
    assert running[1] < running[0]


def feed(governor, clock, latency, seconds):
    """Frames at 30 fps, each so late; the steps that they cause."""
    found = []
    for _ in range(round(seconds * FPS)):
        clock.now += 1 / FPS
        t = clock.now - latency
        if governor.takes(t) and (step := governor.took(t)):
            found.append(step)
    return found


def test_patience_doubles_when_more_was_too_early_and_is_bounded():
    clock = Clock()
    governor = Governor(100.0, fps=FPS, clock=clock)
    waits = []
    for _ in range(7):
        assert feed(governor, clock, 0.2, 1.0)[0].down
        while governor.level.name != "overlay_skipped":
            feed(governor, clock, 0.01, 1.0)
        begun = clock.now
        while governor.level.name != "full":
            feed(governor, clock, 0.01, 0.5)
        waits.append(clock.now - begun)
    assert waits[0] == pytest.approx(PATIENCE_S + WINDOW / FPS, abs=1.1)
    assert waits[2] > 1.5 * waits[1]
    assert max(waits) < 82


def test_one_slow_frame_in_ten_changes_nothing():
    clock = Clock()
    governor = Governor(100.0, fps=FPS, clock=clock)
    for _ in range(30):
        assert feed(governor, clock, 0.5, 1 / FPS) == []
        assert feed(governor, clock, 0.02, 9 / FPS) == []


def test_latencies_between_easy_and_target_change_nothing():
    clock = Clock()
    governor = Governor(100.0, fps=FPS, clock=clock)
    assert feed(governor, clock, 0.2, 1.0)
    level = governor.level
    assert feed(governor, clock, 0.08, 60.0) == []
    assert governor.level == level


def test_the_last_level_is_the_end():
    clock = Clock()
    governor = Governor(100.0, fps=FPS, clock=clock)
    assert [s.level.name for s in feed(governor, clock, 5.0, 30.0)] == [level.name for level in LEVELS[1:]]
    assert feed(governor, clock, 5.0, 30.0) == []


def test_slow_cameras_and_streams_without_pictures_have_fewer_levels():
    assert [level.name for level in levels_for(30, True)] == [level.name for level in LEVELS]
    assert [level.name for level in levels_for(30, False)][1] == "rate_halved"
    assert all(15 / level.every >= LEAST_FPS for level in levels_for(15, True))
    assert [level.every for level in levels_for(20, True)] == [1, 1, 2, 2]
    assert all(level.draws for level in levels_for(30, False))


def test_a_clock_that_is_set_back_stops_nothing():
    governor = Governor(100.0, fps=FPS, clock=Clock())
    assert governor.takes(200.0)
    governor.took(200.0)
    assert governor.takes(50.0)


@pytest.mark.parametrize("zero", [-5000.0, 80_000.0])
def test_a_source_with_a_clock_of_its_own_is_judged_by_its_freshest_frame(zero):
    clock = Clock()
    governor = Governor(100.0, fps=FPS, clock=clock)
    assert feed(governor, clock, zero + 0.02, 20.0) == []
    assert feed(governor, clock, zero + 0.3, 1.0)[0].level.name == "overlay_skipped"


def test_longer_units_are_longer_and_silent_between_their_ends():
    frames = list(MADE.frames())
    said = []
    for factor in (1.0, 2.0):
        captioner = Captioner(open_recogniser(Bundle.open("figop-rules"), "facing", False))
        captioner.relax(factor)
        events, units = [], []
        for frame in frames:
            events += captioner.push(frame)
            units += captioner.units
        events += captioner.flush()
        captions = [e for e in events if isinstance(e, Caption)]
        said.append((units, [c for c in captions if not c.final], [c.text for c in captions if c.final]))
    (short, often, finals), (long, seldom, same) = said
    assert len(long) < len(short)
    assert len(seldom) < len(often)
    assert same == finals


def test_relax_can_be_taken_back():
    captioner = Captioner(open_recogniser(Bundle.open("figop-rules"), "facing", False))
    before = captioner._buffer.unit_s
    captioner.relax(2.0)
    captioner.relax(1.0)
    assert captioner._buffer.unit_s == before


def test_every_reason_has_words_and_the_terminal_prints_them_at_once():
    assert all(says(level.name) for level in LEVELS[1:])
    assert says(EASED)
    assert says(LEFT_OUT)
    assert says("late") == ""
    out = io.StringIO()
    screen = Terminal(Console(file=out, width=120), "camera", live=True)
    clock = Clock()
    governor = Governor(100.0, fps=FPS, clock=clock)
    (step,) = feed(governor, clock, 0.25, 0.6)
    screen.write(None, None, [told(step, 3.0, Counter())])
    assert "the machine is too slow: pictures are drawn twice a second (latency 250 ms)" in out.getvalue()

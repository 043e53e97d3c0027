"""Hands that take and hold things: the truth of the score, the twins' landmarks, and what is in the picture."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from edge.errors import FigopError
from edge.recording import Recording
from edge.score import HANDS, signature
from export.data.pairs import pairs, score_of
from export.sim import taking
from export.sim.flesh import clothe
from export.sim.interactions import pictures
from export.sim.kinematics import landmarks
from export.sim.perform import Performance
from export.sim.solids import distance
from export.sim.split import split_of_score
from export.sim.taking import CARRIES, SEED, TWIN_SEEDS, Taking, main, performed, takings, twin

SEEN = list(islice(takings(SEED), 8))
TAKES = [t for t in SEEN if t.closes]
HOLDS = [t for t in SEEN if not t.closes]


def test_both_kinds_are_there():
    assert TAKES
    assert HOLDS
    assert {len(t.program.hands) for t in SEEN} == {1, 2}


def test_a_number_of_a_seed_is_always_the_same():
    again = list(islice(takings(SEED), 8))[5]
    assert again.program.score == SEEN[5].program.score
    assert np.array_equal(again.grip.angles, SEEN[5].grip.angles)


@pytest.mark.parametrize("one", SEEN, ids=range(len(SEEN)))
def test_the_holding_hand_does_nothing_else_with_its_fingers(one: Taking):
    own = [e for e in one.program.score if e.hand == HANDS[one.slot]]
    assert all(e.contact == "object" or e.motion in CARRIES for e in own)
    assert len([e for e in own if e.motion == "grab"]) == (1 if one.closes else 0)
    assert any(e.contact != "object" for e in one.program.score), "something happens beside it"


def flesh(done: Performance, slot: int, frame: int) -> np.ndarray:
    """Distance from a hand's flesh to points is asked of its bones' ends."""
    joints = done.joints[frame, slot] + done.wrist[frame, slot]
    made = clothe(joints, left=slot == 0, forearm=done.stage.forearm[slot][:, 0])
    part = np.linspace(0, 1, 6)[None, :, None]
    fingers = made.group <= 5
    ends, radii = made.ends[fingers], made.radii[fingers]
    points = ends[:, :1] * (1 - part) + ends[:, 1:] * part
    return points, radii[:, :1] * (1 - part[..., 0]) + radii[:, 1:] * part[..., 0]


@pytest.mark.parametrize("one", TAKES[:3], ids=range(3))
def test_a_taken_thing_is_touched_while_it_is_held_and_stays_in_the_hand(one: Taking):
    scene = performed(one)
    done, thing = scene.performance, scene.things[0]
    held = np.flatnonzero(scene.held[:, one.slot, 0])
    times = done.t_ns * 1e-9
    assert times[held[0]] >= one.closes[1] > times[held[0] - 1]
    assert np.array_equal(thing.place[0], thing.place[held[0]]), "before it is taken it hangs where it will be"
    middle = int(held[len(held) // 2])
    points, radius = flesh(done, one.slot, middle)
    assert (distance(thing.at(middle), points) - radius).min() < 0.006
    palm = landmarks(done.angles[middle, one.slot][None], one.program.body)[0] * float(one.program.body.metres)
    assert np.allclose(palm @ thing.turn[middle].T, done.joints[middle, one.slot], atol=1e-9), "it turns with the palm"
    assert np.allclose(thing.place[middle], done.wrist[middle, one.slot])


def test_a_thing_that_is_only_held_is_there_from_the_first_frame():
    scene = performed(HOLDS[0])
    assert scene.held[:, HOLDS[0].slot].all()
    assert not scene.held[:, 1 - HOLDS[0].slot].any()


def test_twins_move_alike_and_only_the_picture_and_the_score_differ():
    one = TAKES[0]
    other = twin(one)
    a, b = performed(one), performed(other)
    assert np.array_equal(a.performance.joints, b.performance.joints, equal_nan=True)
    assert not b.things
    assert not b.held.any()
    closing = {e.motion: e.contact for e in one.program.score if e.hand == HANDS[one.slot]}
    empty = {e.motion: e.contact for e in other.program.score if e.hand == HANDS[one.slot]}
    assert (closing["grab"], empty["grab"]) == ("object", "")
    assert "release" not in empty
    first = [np.asarray(next(pictures(s)), int) for s in (a, b)]
    assert (np.abs(first[0] - first[1]).max(axis=2) > 60).mean() > 0.002, "the thing is seen"
    with pytest.raises(FigopError, match="has no twin"):
        twin(HOLDS[0])


def test_training_and_test_have_no_score_in_common():
    sides = {}
    for side, seed in TWIN_SEEDS.items():
        made = [
            t.program.score for t in islice(takings(seed, split=side, duration=2.6, taking=1.0, releases=False), 20)
        ]
        assert {split_of_score(s) for s in made} == {side}
        sides[side] = {repr(signature(s)) for s in made}
    assert not sides["train"] & sides["test"]
    assert {split_of_score(t.program.score) for t in SEEN} == {"test"}


def test_the_command_writes_clips_and_goes_on(tmp_path, capsys, monkeypatch):
    short = [replace(t, program=replace(t.program, duration=0.2)) for t in SEEN[:2]]
    monkeypatch.setattr(taking, "takings", lambda *a, **k: iter(short))
    assert main(["-o", str(tmp_path), "--count", "2"]) == 0
    assert "2 clips made; next: figop eval captions" in capsys.readouterr().out
    made = Recording.load(tmp_path / "taking-0001.npz")
    assert score_of(made) == tuple(e.moved(round(e.start, 3), round(e.end, 3)) for e in short[1].program.score)
    assert (tmp_path / "taking-0001.webm").stat().st_size > 1000
    assert main(["-o", str(tmp_path), "--count", "2"]) == 0
    assert "0 clips made" in capsys.readouterr().out
    (tmp_path / "file").write_text("")
    assert main(["-o", str(tmp_path / "file"), "--count", "1"]) == 1
    assert "cannot be used for clips" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["-o", str(tmp_path), "--job", "half"])


def test_tracked_twins_are_pairs(tmp_path, monkeypatch):
    short = [replace(t, program=replace(t.program, duration=0.2)) for t in TAKES[:1]]
    monkeypatch.setattr(taking, "takings", lambda *a, **k: iter(short))
    assert main(["-o", str(tmp_path), "--twins", "train", "--count", "2"]) == 0
    found = pairs(tmp_path)
    assert len(found) == 2
    seen, truth = (Recording.load(p) for p in found[0])
    assert seen.appearance_digest
    assert len(seen.keyframes)
    assert np.array_equal(Recording.load(found[1][1]).landmarks, truth.landmarks, equal_nan=True)
    scores = [score_of(Recording.load(a)) for a, _ in found]
    assert [any(e.contact == "object" for e in s) for s in scores] == [True, False]

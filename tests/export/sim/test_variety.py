"""People's bends: other shares of the joints, bent beginnings, fingers one after the other."""

from itertools import groupby, pairwise

import numpy as np
import pytest

from edge.score import FINGERS, FingerEvent
from export.data.scenes import draw_people, draw_scene, draw_test
from export.sim.anatomy import FIST, OPEN, SPAN, Body
from export.sim.plan import Planner, plan
from export.sim.programs import propose
from export.sim.stage import set_stage

CURL = FingerEvent("right", "curl", ("index",), extent="half", start=0.5, end=0.9)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def planner(seed: int, varied: bool) -> Planner:
    made = Planner((CURL,), Body.sample(rng()), set_stage(), rng(seed))
    if varied:
        made.vary()
    return made


def test_people_bend_by_other_shares_of_their_joints_and_as_far() -> None:
    people = [planner(seed, varied=True) for seed in range(200)]
    half = np.array([p.bent(1, 0.5) for p in people])
    assert half.sum(axis=1) == pytest.approx(0.5 * SPAN[1, :3].sum()), "a level is a summed flexion"
    share = half[:, 0] / half.sum(axis=1)
    usual = SPAN[1, 0] / SPAN[1, :3].sum()
    assert np.quantile(share, 0.1) < usual - 0.06
    assert np.quantile(share, 0.9) > usual + 0.06
    assert all(p.bent(1, 1.0) == pytest.approx(FIST[1, :3] - OPEN[1, :3]) for p in people), "a fist is a fist"


def test_without_it_bends_are_the_usual_ones() -> None:
    assert np.array_equal(planner(0, varied=False).bent(1, 0.5), 0.5 * SPAN[1, :3])
    body, stage = Body.sample(rng()), set_stage()
    plain, same, varied = (plan((CURL,), body, stage, rng(3), varied=v) for v in (False, False, True))
    assert np.array_equal(plain.start, same.start)
    assert not np.allclose(plain.start, varied.start)
    assert not varied.problems


def test_fingers_ripple_one_after_the_other() -> None:
    found = []
    for seed in range(60):
        program = propose(rng(seed), split="train", ripples=1.0)
        for _, events in groupby(sorted(program.score, key=lambda e: e.hand), key=lambda e: e.hand):
            own = sorted(events, key=lambda e: e.start)
            found += [
                (a, b)
                for a, b in pairwise(own)
                if a.motion == b.motion and a.motion in ("curl", "extend") and a.start < b.start < a.end
                and len(a.fingers) == len(b.fingers) == 1 and a.fingers != b.fingers
            ]  # fmt: skip
    assert len(found) > 60
    steps = {abs(FINGERS.index(a.fingers[0]) - FINGERS.index(b.fingers[0])) for a, b in found}
    assert 1 in steps, "neighbours follow one another"


def test_training_scenes_are_varied_and_test_scenes_as_they_were() -> None:
    assert draw_people(rng()).varied
    assert not draw_scene(rng()).varied
    assert not draw_test(rng()).varied
    assert propose(rng(5), split="test").score == propose(rng(5), split="test", ripples=0.0).score

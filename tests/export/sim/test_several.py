"""Programs of several acts: what is done, in which order, among things and hands that keep apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.objects.event import said
from edge.objects.narrator import narrate, parse
from export.objects.evaluate import Case, tallies
from export.objects.judge import total
from export.objects.simulate import truth_of
from export.sim.camera import film
from export.sim.director import Hand, between
from export.sim.interactions import Scene
from export.sim.several import demonstrate, tidy


@pytest.fixture(scope="module")
def filled() -> Scene:
    """A box is opened, something is put elsewhere, the box is closed."""
    return demonstrate(102, ("open", "place", "close"))


def test_acts_come_in_their_order_and_are_told_so(filled: Scene) -> None:
    verbs = [e.verb for e in filled.score]
    kept = [v for v in verbs if v in ("open", "lift", "put down", "close")]
    assert kept == ["open", "lift", "put down", "close"]
    assert verbs.count("reach") == verbs.count("grasp") == verbs.count("release") == 3
    text = narrate(filled.score)
    assert text.count(".") == 3
    assert [text.split(". ")[k].split(" the ")[0] for k in (1, 2)] == ["Then", "After that"]
    for language in ("en", "zh"):
        assert parse(narrate(filled.score, language), language) == said(filled.score)
    assert "接着" in narrate(filled.score, "zh")


def test_a_box_is_open_between_its_acts(filled: Scene) -> None:
    t = filled.performance.t_ns * 1e-9
    box = next(thing for thing in filled.things if thing.lid is not None)
    assert box.lid is not None
    opened, closed = (next(e for e in filled.score if e.verb == v) for v in ("open", "close"))
    middle = (t > opened.end) & (t < closed.start)
    assert np.ptp(box.lid[middle]) < 1e-9
    assert box.lid[middle][0] > 1.0
    assert box.lid[0] == box.lid[-1] == 0.0


def test_what_is_taken_again_is_where_it_was_left() -> None:
    scene = demonstrate(104, ("place", "again"))
    (thing,) = scene.things
    assert [e.verb for e in scene.score].count("grasp") == 2
    free = ~scene.held.any(axis=(1, 2))
    step = np.linalg.norm(np.diff(thing.place, axis=0), axis=-1)
    assert step[free[1:] & free[:-1]].max() < 1e-9, "nothing moves by itself"
    assert step.max() < 0.08, "nothing jumps"


def test_a_program_that_brushes_other_things_is_not_taken(filled: Scene) -> None:
    assert tidy(filled)
    n = next(k for k, thing in enumerate(filled.things) if thing.lid is None)
    slot = next(int(e.hand == "left") for e in filled.score if e.object == filled.things[n].name)
    brushed = filled.contact.copy()
    brushed[5:15, slot, n] = True
    assert not tidy(replace(filled, contact=brushed))


def test_palms_turn_the_short_way() -> None:
    first = np.eye(3)
    last = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    half = between(first, last, 0.5)
    np.testing.assert_allclose(half @ half, last, atol=1e-12)
    hand = Hand(0, [(0.0, np.zeros(3), 0.0, np.zeros((5, 4)), first)])
    hand.to(1.0, palm=last)
    _, palms, _ = hand.at(np.array([0.0, 0.5, 1.0]))
    np.testing.assert_allclose(palms, [first, half, last], atol=1e-12)


def test_exact_hands_tell_several_acts_in_order() -> None:
    rows = []
    for seed, acts in ((100, ("place", "place")), (105, ("hand over", "press"))):
        scene = demonstrate(seed, acts)
        exact, truth = film(scene.performance, scene.camera), truth_of(scene)
        assert truth.act == " ".join(acts)
        rows.append(tallies(Case(exact, exact, truth, seed), true_boxes=True))
    assert total(r["facts"] for r in rows).recall > 0.8
    assert total(r["order"] for r in rows).recall > 0.8
    assert total(r["verb grasp"] for r in rows).right >= 2

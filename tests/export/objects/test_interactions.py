"""Things in the renderer, hands that close on them, programs with true contact, and how readings are judged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.objects.dynamics import Reading
from edge.objects.event import ObjectEvent
from export.objects.evaluate import Case, tallies
from export.objects.judge import Tally, facts, facts_tally, frames_tally, interval, order_tally, total, verbs_tally
from export.objects.simulate import detected, truth_of
from export.sim.anatomy import Body
from export.sim.camera import Camera, film
from export.sim.grips import FITS, GRASPS, empty_hand, grip
from export.sim.held import pose
from export.sim.interactions import direct, pictures
from export.sim.kinematics import landmarks
from export.sim.render import Renderer, plain_look
from export.sim.solids import BALL, BOX, CYLINDER, Solid, outline

RED, GREY = np.array([0.8, 0.05, 0.05]), np.full(3, 0.2)


def solid(kind: int, z: float = 0.5) -> Solid:
    return Solid(kind, np.array([0.02, -0.01, z]), np.eye(3), np.array([0.05, 0.05, 0.05]), RED, GREY)


@pytest.mark.parametrize("kind", [BALL, CYLINDER, BOX])
def test_solids_are_drawn_where_their_outline_says(kind: int) -> None:
    camera = Camera(size=(96, 96))
    rgb, hit = Renderer(camera, plain_look()).draw([], [solid(kind)])
    red = (rgb[..., 0] > 90) & (rgb[..., 1] < 0.5 * rgb[..., 0])
    rows, columns = np.nonzero(red)
    flat = camera.project(outline([solid(kind)])) * 96
    seen = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    np.testing.assert_allclose(seen, [*flat.min(axis=0), *flat.max(axis=0)], atol=2.5)
    assert not hit.any(), "a thing is no hand"


def test_the_nearer_thing_hides_the_other() -> None:
    blue = Solid(BALL, np.array([0.02, -0.01, 0.8]), np.eye(3), np.full(3, 0.05), np.array([0.05, 0.05, 0.8]), GREY)
    for order in ([solid(BALL), blue], [blue, solid(BALL)]):
        rgb, _ = Renderer(Camera(size=(64, 64)), plain_look()).draw([], order)
        assert rgb[31, 34, 0] > rgb[31, 34, 2]


def test_distances() -> None:
    points = np.array([[0.02, -0.01, 0.5], [0.12, -0.01, 0.5], [0.12, 0.09, 0.5]])
    np.testing.assert_allclose(solid(BALL).distance(points), [-0.05, 0.05, np.hypot(0.1, 0.1) - 0.05], atol=1e-9)
    np.testing.assert_allclose(solid(BOX).distance(points), [-0.05, 0.05, np.hypot(0.05, 0.05)], atol=1e-9)


@pytest.mark.parametrize("grasp", GRASPS)
def test_fingers_close_on_things_and_not_into_them(grasp: str) -> None:
    rng = np.random.default_rng(3)
    body = Body.average()
    made = [g for shape in FITS[grasp] for _ in range(3) if (g := grip(grasp, shape, body, rng)) is not None]
    assert len(made) >= len(FITS[grasp]), "most things can be held so"
    for held in made:
        tips = landmarks(held.angles[None], body)[0][[4, 8]] * float(body.metres)
        inside = min(float(s.distance(tips).min()) for s in held.solids)
        assert inside > -0.012, "a fingertip's bone is not in the thing"


def test_empty_hands_stay_within_joint_limits_and_differ() -> None:
    rng = np.random.default_rng(0)
    hands = np.stack([empty_hand(Body.average(), rng) for _ in range(6)])
    assert np.ptp(hands, axis=0).max() > 0.3


def test_a_pose_of_a_seed_is_one_pose() -> None:
    a, b = pose(7), pose(7)
    np.testing.assert_array_equal(a.joints, b.joints)
    assert (a.holding, a.grasp, a.shape) == (b.holding, b.grasp, b.shape)
    assert a.holding == bool(a.grasp >= 0)


@pytest.mark.parametrize("act", ["place", "press", "hand over", "lid", "pass"])
def test_programs_say_what_their_flesh_does(act: str) -> None:
    scene = direct(4, act)
    t = scene.performance.t_ns * 1e-9
    names = [thing.name for thing in scene.things]
    assert (scene.contact | ~scene.held).all()
    for event in scene.score:
        n, slot = names.index(event.object), int(event.hand == "right")
        middle = int(np.searchsorted(t, 0.5 * (event.start + event.end)))
        if event.verb in ("lift", "move", "put down", "open", "close"):
            assert scene.held[middle, slot, n], event
        if event.verb in ("press", "touch"):
            assert scene.contact[middle, slot, n], event
            assert not scene.held[:, slot, n].any()
    if act == "pass":
        assert scene.score == ()
        assert not scene.contact.any()
    picture = next(iter(pictures(scene)))
    assert picture.shape == (240, 320, 3)


def test_what_exact_hands_and_boxes_tell() -> None:
    rows = []
    acts = ("place", "push", "turn", "press", "touch", "hand over", "lid", "pass")
    for seed, act in enumerate(acts, start=900):
        scene = direct(seed, act)
        exact, truth = film(scene.performance, scene.camera), truth_of(scene)
        rows.append(tallies(Case(exact, exact, truth, seed), true_boxes=True))
    assert total(r["held"] for r in rows).f1 > 0.9
    assert total(r["contact"] for r in rows).f1 > 0.85
    assert total(r["facts"] for r in rows).recall > 0.85
    assert total(r["facts"] for r in rows).invented < 0.1


def test_a_hand_that_is_unseen_while_it_holds_is_not_forgotten() -> None:
    scene = direct(900, "place")
    exact, truth = film(scene.performance, scene.camera), truth_of(scene)
    frames = np.flatnonzero(truth.held.any(axis=(1, 2)))
    lost = exact.presence.copy()
    lost[frames[4] : frames[-4]] = 0
    seen = replace(exact, presence=lost)
    assert tallies(Case(seen, exact, truth, 900))["held"].f1 > 0.8


def test_a_detector_is_never_quite_right() -> None:
    scene = direct(4, "place")
    truth, exact = truth_of(scene), film(scene.performance, scene.camera)
    noisy, true = (detected(truth, exact.landmarks, 1, exact=e) for e in (False, True))
    assert len(true) == len(truth.t_ns) > len(noisy)
    assert sum(len(r.objects) for r in noisy) < len(noisy) * len(truth.names), "it misses some"
    assert detected(truth, exact.landmarks, 1) == noisy, "the same seed, the same errors"


def event(verb: str, **more: str) -> ObjectEvent:
    return ObjectEvent("right", verb, "cup", start=0.0, end=1.0, **more)  # type: ignore[arg-type]


def test_facts_are_counted_by_what_the_text_says() -> None:
    scene = direct(4, "pass")
    truth = truth_of(scene)
    object.__setattr__(truth, "score", (event("reach"), event("grasp", grasp="power"), event("move", direction="left")))
    said = (event("reach"), event("grasp", grasp="pinch"), event("lift"))
    nothing = np.zeros((1, 2, 0), bool)
    assert facts_tally(Reading(nothing, nothing, said), truth) == Tally(right=2, wrong=2, missed=2)
    assert sum(facts(said).values()) == 4


def test_events_told_in_another_order_are_not_all_right() -> None:
    rows = [event("reach"), event("grasp"), event("lift"), event("release")]
    told = [replace(e, start=float(k), end=k + 1.0) for k, e in enumerate(rows)]
    truth = truth_of(direct(4, "pass"))
    object.__setattr__(truth, "score", tuple(told))
    nothing = np.zeros((1, 2, 0), bool)
    swapped = [replace(e, start=float(k), end=k + 1.0) for k, e in enumerate([rows[0], rows[2], rows[1], rows[3]])]
    assert order_tally(Reading(nothing, nothing, tuple(told)), truth) == Tally(4, 0, 0)
    assert order_tally(Reading(nothing, nothing, tuple(swapped)), truth) == Tally(3, 1, 1)
    assert facts_tally(Reading(nothing, nothing, tuple(swapped)), truth) == Tally(4, 0, 0)
    assert order_tally(Reading(nothing, nothing, ()), truth) == Tally(0, 0, 4)
    apart = verbs_tally(Reading(nothing, nothing, tuple(told[:2])), truth)
    assert (apart["grasp"], apart["lift"]) == (Tally(1, 0, 0), Tally(0, 0, 1))


def test_frames_are_counted_by_thing() -> None:
    one = np.zeros((4, 2, 1), bool)
    one[:2, 1, 0] = True
    other = np.zeros((4, 2, 1), bool)
    other[1:3, 1, 0] = True
    assert frames_tally(one, ["cup"], other, ["cup"]) == Tally(1, 1, 1)
    assert frames_tally(one, ["cup"], other, ["pen"]) == Tally(0, 2, 2)
    assert Tally().f1 == 1.0
    low, high = interval([Tally(8, 1, 1), Tally(1, 5, 5), Tally(6, 2, 0)], "f1")
    assert 0.1 < low < total([Tally(8, 1, 1), Tally(1, 5, 5), Tally(6, 2, 0)]).f1 < high < 0.95

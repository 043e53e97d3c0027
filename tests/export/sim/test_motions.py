"""Every motion does in space what its meaning says."""

import numpy as np
import pytest

from edge import skeleton as sk
from edge.score import FINGERS, HANDS, MOTIONS, FingerEvent, check
from export.sim.anatomy import LOWER, UPPER, Body
from export.sim.perform import feasible, perform, problems_of
from export.sim.programs import propose
from export.sim.stage import DIRECTIONS, set_stage

BEGIN, END = 0.5, 1.2


def event(motion, *fingers, hand="right", start=BEGIN, end=END, **more):
    made = FingerEvent(hand, motion, fingers, start=start, end=end, **more)
    check(made)
    return made


def done(*score, view="facing", posture="palm", seed=0, fps=50, duration=2.0, body=None, hands=None):
    body = body or Body.sample(np.random.default_rng(seed))
    result = perform(
        score, duration=duration, fps=fps, rng=np.random.default_rng(seed), body=body, stage=set_stage(view, posture),
        hands=hands,
    )  # fmt: skip
    assert result.problems == ()
    return result


def hand_of(result, hand="right"):
    slot = HANDS.index(hand)
    return result.joints[:, slot], result.wrist[:, slot]


def bends(joints):
    """[T,5] summed flexion, degrees."""
    return np.degrees(sk.flexion(joints).sum(axis=-1))


def at(result, seconds):
    return int(np.searchsorted(result.t_ns, seconds * 1e9))


EXAMPLES = [
    event("curl", "index"), event("extend", "ring"), event("spread", *FINGERS[1:]), event("close", *FINGERS[1:]),
    event("pinch", "middle", contact="thumb"), event("release", "index", contact="thumb"), event("tap", "index"),
    event("tap", "thumb", contact="index"), event("touch", "index", contact="palm"),
    event("touch", "thumb", contact="index"), event("slide", "thumb", contact="index", direction="tip"),
    event("slide", "index", contact="thumb", direction="base"), event("rotate", direction="cw"),
    event("rotate", "thumb", "index", direction="ccw"), event("point", "index"), event("hold"), event("wave", end=1.9),
    event("swipe", direction="left"), event("swipe", "thumb", contact="index", direction="left"), event("grab"),
    event("grab", contact="object"), event("open"), event("flick", "index", contact="thumb"), event("rest"),
]  # fmt: skip


def test_examples_cover_the_vocabulary():
    assert {e.motion for e in EXAMPLES} == set(MOTIONS)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: f"{e.motion}-{'-'.join(e.fingers)}-{e.contact}")
@pytest.mark.parametrize("hand", HANDS)
def test_every_motion_is_feasible_and_within_joint_limits(example, hand):
    score = (FingerEvent(hand, **{k: getattr(example, k) for k in example.__dataclass_fields__ if k != "hand"}),)
    for seed in range(3):
        # a left forearm turns clockwise from another side
        posture = "back" if example.direction == "cw" and hand == "left" and not example.fingers else "palm"
        result = done(*score, seed=seed, posture=posture)
        angles = result.angles[result.presence > 0]
        assert np.all((angles >= LOWER - 1e-9) & (angles <= UPPER + 1e-9))
        joints, wrist = hand_of(result, hand)
        moves = np.abs(joints - joints[:1]).max() + np.abs(wrist - wrist[:1]).max()
        assert (moves > 0.015) == (example.motion not in ("hold", "rest"))
        other = result.joints[:, 1 - HANDS.index(hand)]
        assert np.isnan(other).all()


def test_random_programs_respect_joint_limits_and_bones():
    rng = np.random.default_rng(8)
    for _ in range(12):
        p = propose(rng)
        result = perform(p.score, duration=p.duration, fps=15, rng=rng, body=p.body, stage=p.stage, hands=p.hands)
        seen = result.presence > 0
        angles, joints = result.angles[seen], result.joints[seen]
        assert np.all((angles >= LOWER - 1e-9) & (angles <= UPPER + 1e-9))
        bones = np.linalg.norm(np.diff(joints[:, sk.CHAINS], axis=2), axis=-1) / float(p.body.metres)
        np.testing.assert_allclose(bones, np.broadcast_to(p.body.lengths, bones.shape), atol=1e-9)


@pytest.mark.parametrize("finger", FINGERS)
@pytest.mark.parametrize("extent", ["small", "half", "full"])
def test_curl_grows_the_flexion_and_extend_takes_it_back(finger, extent):
    f = FINGERS.index(finger)
    result = done(event("curl", finger, extent=extent), event("extend", finger, start=1.3, end=1.8))
    bend = bends(hand_of(result)[0])
    grown = bend[at(result, 1.25)] - bend[0]
    assert grown[f] >= 30
    assert np.argmax(grown) == f
    assert bend[-1, f] - bend[at(result, 1.25), f] <= -30


def test_extents_are_ordered():
    grown = [np.ptp(bends(hand_of(done(event("curl", "index", extent=e)))[0])[:, 1]) for e in ("small", "half", "full")]
    assert grown[0] + 20 < grown[1] < grown[2] - 20


def test_a_bending_ring_drags_its_neighbours_but_less():
    grown = np.ptp(bends(hand_of(done(event("curl", "ring"), body=Body.average()))[0]), axis=0)
    assert 8 < grown[4] < 0.35 * grown[3]
    assert grown[2] > 8
    assert grown[1] < grown[2]


def test_nothing_moves_outside_the_event():
    result = done(event("curl", "index"))
    bend = bends(hand_of(result)[0])
    assert np.ptp(bend[: at(result, BEGIN)], axis=0).max() < 4
    assert np.ptp(bend[at(result, END) + 1 :], axis=0).max() < 4


@pytest.mark.parametrize("fingers", [("index",), ("middle",), ("ring",), ("pinky",), ("index", "middle")])
@pytest.mark.parametrize("hand", HANDS)
def test_pinch_brings_the_tips_together_and_release_apart(fingers, hand):
    result = done(event("pinch", *fingers, hand=hand, contact="thumb"),
                  event("release", *fingers, hand=hand, contact="thumb", start=1.4, end=1.9))  # fmt: skip
    joints = hand_of(result, hand)[0]
    apart = sk.tip_distances(joints) / sk.palm_length(joints)[:, None]
    named = [FINGERS.index(f) - 1 for f in fingers]
    assert apart[0, named].min() > 0.4
    assert apart[at(result, 1.3), named].max() < 0.15
    assert apart[-1, named].min() > 0.4
    others = [i for i in range(4) if i not in named]
    assert apart[at(result, 1.3), others].min() > 0.15


def test_a_score_that_begins_with_a_release_begins_with_the_pinch():
    result = done(event("release", "index", contact="thumb"))
    joints = hand_of(result)[0]
    apart = sk.tip_distances(joints)[:, 0] / sk.palm_length(joints)
    assert apart[0] < 0.13
    assert apart[-1] > 0.4


def test_spread_and_close():
    fan = np.degrees(sk.spread(hand_of(done(event("spread", *FINGERS[1:])))[0])[:, 1:].sum(axis=1))
    assert fan[-1] - fan[0] > 25
    fan = np.degrees(sk.spread(hand_of(done(event("close", *FINGERS[1:])))[0])[:, 1:].sum(axis=1))
    assert fan[-1] - fan[0] < -25


def test_taps_come_and_go_as_often_as_said():
    for fingers, contact in ((("index",), ""), (("index",), "thumb"), (("thumb",), "index")):
        result = done(event("tap", *fingers, contact=contact, repeat=2, end=1.1))
        joints = hand_of(result)[0]
        way = np.linalg.norm(joints - joints[:1], axis=-1)[:, sk.TIPS[FINGERS.index(fingers[0])]]
        near = way > 0.6 * way.max()
        assert np.sum(np.diff(near.astype(int)) == 1) == 2
        assert way[-1] < 0.3 * way.max()


def side_distance(joints, finger=1):
    """Thumb tip to the nearest point of a finger's axis, palm lengths [T]."""
    tip = joints[:, 4]
    best = np.full(len(tip), np.inf)
    for a, b in zip(sk.CHAINS[finger, :-1], sk.CHAINS[finger, 1:], strict=True):
        way = joints[:, b] - joints[:, a]
        c = np.clip(np.sum((tip - joints[:, a]) * way, 1) / np.sum(way * way, 1), 0, 1)
        best = np.minimum(best, np.linalg.norm(tip - joints[:, a] - c[:, None] * way, axis=1))
    return best / sk.palm_length(joints)


@pytest.mark.parametrize("view", ["facing", "egocentric"])
@pytest.mark.parametrize("hand", HANDS)
@pytest.mark.parametrize("direction", ["left", "right", "forward", "backward"])
def test_thumb_swipes_go_in_the_persons_direction_on_the_index_finger(view, hand, direction):
    swipe = event("swipe", "thumb", hand=hand, contact="index", direction=direction)
    result = done(swipe, view=view, posture="micro", body=Body.average())
    joints = hand_of(result, hand)[0]
    a, b = at(result, BEGIN + 0.28 * (END - BEGIN)), at(result, BEGIN + 0.72 * (END - BEGIN))
    assert side_distance(joints)[a : b + 1].max() < 0.22
    stroke = (joints[b, 4] - joints[a, 4]) / float(result.body.metres)
    along = stroke @ DIRECTIONS[view][direction]
    assert along > 0.10
    axis = DIRECTIONS[view]["forward" if direction in ("left", "right") else "left"]
    assert along > abs(stroke @ axis)


@pytest.mark.parametrize("direction", ["tip", "base"])
def test_slides_go_along_the_finger_while_touching(direction):
    result = done(event("slide", "thumb", contact="index", direction=direction))
    joints = hand_of(result)[0]
    a, b = at(result, BEGIN + 0.36 * (END - BEGIN)), at(result, END) - 1
    assert side_distance(joints)[a:b].max() < 0.22
    axis = sk.unit(joints[b, 7] - joints[b, 5])
    assert ((joints[b, 4] - joints[a, 4]) @ axis > 0.01) == (direction == "tip")


@pytest.mark.parametrize("view", ["facing", "egocentric"])
@pytest.mark.parametrize("hand", HANDS)
@pytest.mark.parametrize("direction", ["cw", "ccw"])
def test_rotation_is_about_the_forearm_with_the_same_sense_for_both_hands(view, hand, direction):
    for posture in ("palm", "back"):
        turn = event("rotate", hand=hand, direction=direction, extent="half")
        if problems_of([turn], stage=set_stage(view, posture)):
            continue
        result = done(turn, view=view, posture=posture)
        joints = hand_of(result, hand)[0]
        first, last = (sk.palm_frame(joints[i], left=hand == "left") for i in (0, -1))
        axis = sk.unit(first[:, 0] + last[:, 0])
        sense = np.cross(first[:, 2], last[:, 2]) @ axis
        assert sense > 0.5 if direction == "cw" else sense < -0.5
        return
    pytest.fail("no posture allows this rotation")


@pytest.mark.parametrize("direction", ["cw", "ccw"])
@pytest.mark.parametrize("hand", HANDS)
def test_turning_fingers_turn_about_the_forearm_while_the_palm_stays(direction, hand):
    result = done(event("rotate", "thumb", "index", hand=hand, direction=direction))
    joints = hand_of(result, hand)[0]
    a, b = at(result, BEGIN + 0.3 * (END - BEGIN)), at(result, END)
    frame = sk.palm_frame(joints[a], left=hand == "left")
    assert np.abs(sk.palm_frame(joints[b], left=hand == "left") - frame).max() < 0.1
    first, last = (joints[i, 8] - joints[i, 4] for i in (a, b))
    sense = np.cross(first, last) @ frame[:, 0] / np.linalg.norm(first) / np.linalg.norm(last)
    assert sense > 0.15 if direction == "cw" else sense < -0.15


@pytest.mark.parametrize("view", ["facing", "egocentric"])
@pytest.mark.parametrize("direction", list(DIRECTIONS["facing"]))
def test_hand_swipes_go_in_the_persons_direction(view, direction):
    result = done(event("swipe", direction=direction, end=0.9), view=view)
    wrist = hand_of(result)[1]
    moved = wrist[-1] - wrist[0]
    assert moved @ DIRECTIONS[view][direction] > 0.13
    assert np.linalg.norm(moved) < 0.2


def test_wave_swings_twice_or_more():
    result = done(event("wave", end=1.9))
    tips = (hand_of(result)[0] + hand_of(result)[1][:, None])[:, 12, 0]
    side = np.sign(tips - tips[0]) * (np.abs(tips - tips[0]) > 0.3 * np.abs(tips - tips[0]).max())
    swings = [s for s, before in zip(side[1:], side[:-1], strict=True) if s and s != before]
    assert len(swings) >= 4
    assert 1.0 in swings
    assert -1.0 in swings


def test_point_grab_open_and_flick():
    bend = bends(hand_of(done(event("point", "index")))[0])[-1]
    assert bend[1] < 40
    assert bend[2:].min() > 150
    bend = bends(hand_of(done(event("grab"), event("open", start=1.3, end=1.9)))[0])
    assert bend[at(done(event("grab")), 1.25), 1:].min() > 180
    assert bend[-1].max() < 60
    result = done(event("flick", "index", contact="thumb"))
    bend = bends(hand_of(result)[0])[:, 1]
    speed = np.diff(bend) * 50
    assert -speed.min() > 2.5 * speed.max()
    assert bend[-1] < 40


def test_other_fingers_and_the_other_hand_may_move_at_the_same_time():
    result = done(event("curl", "index"), event("curl", "pinky", start=0.7, end=1.3), event("rotate", direction="cw"),
                  event("grab", hand="left"))  # fmt: skip
    bend = bends(hand_of(result)[0])
    assert np.ptp(bend[:, 1]) > 180
    assert np.ptp(bend[:, 4]) > 180
    assert np.ptp(bend[:, 2]) < 100
    assert np.ptp(bends(hand_of(result, "left")[0])[:, 1:], axis=0).min() > 150


@pytest.mark.parametrize(
    "score",
    [
        [event("curl", "index"), event("curl", "index", start=1.3, end=1.8)],
        [event("extend", "index"), event("extend", "index", start=1.3, end=1.8)],
        [event("curl", "index"), event("release", "index", contact="thumb", start=1.3, end=1.8)],
        [event("pinch", "index", contact="thumb"), event("curl", "index", start=1.3, end=1.8)],
        [event("curl", "index"), event("tap", "index", start=1.0, end=1.4)],
        [event("grab"), event("grab", start=1.3, end=1.8)],
        [event("swipe", direction="left"), event("swipe", direction="left", start=1.3, end=1.8)],
        [event("rotate", direction="ccw")],
    ],
    ids=lambda s: "-".join(e.motion for e in s),
)
def test_impossible_scores_are_told_apart(score):
    assert not feasible(score)
    assert all("right" in p and p.endswith(".") for p in problems_of(score))


def test_frame_rate_does_not_change_the_motion():
    slow, fast = (done(event("pinch", "index", contact="thumb"), fps=f) for f in (15, 60))
    np.testing.assert_allclose(fast.joints[::4][: len(slow.joints)], slow.joints, atol=1e-9)
    np.testing.assert_allclose(fast.wrist[::4][: len(slow.wrist)], slow.wrist, atol=1e-9)


def test_the_same_seed_gives_the_same_clip_and_another_another():
    one, two, other = (done(event("grab"), seed=s, body=Body.average()) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.joints, two.joints)
    assert np.nanmax(np.abs(one.joints - other.joints)) > 1e-3


def test_a_resting_hand_trembles_within_physiological_bounds():
    result = done(event("rest"), body=Body.average(), duration=4.0)
    joints, wrist = hand_of(result)
    assert 0 < np.ptp(wrist, axis=0).max() < 0.012
    assert np.ptp(bends(joints), axis=0).max() < 6
    speed = np.linalg.norm(np.diff(wrist, axis=0), axis=1) * 50
    assert speed.max() < 0.06

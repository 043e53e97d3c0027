"""Joints of headsets: every order, axes and unit gives the same hands; what is mistaken is found and said."""

from pathlib import Path

import numpy as np
import pytest

from edge.errors import SourceError
from edge.hands.openxr import AXES, JUDGED, ORDERS, JointsError, JointsReader, Layout, misfit, side
from edge.skeleton import palm_length
from tests.edge.headset_joints import golden, openxr26

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
RECORDING = golden()


def read(joints, layout=None, check=True):
    reader = JointsReader(layout, check=check)
    return [reader.read(int(t), list(hands)) for t, hands in zip(RECORDING.t_ns, joints, strict=False)]


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("units", ["m", "cm", "mm"])
def test_any_axes_and_unit_give_the_same_hands(axes, units):
    frames = read(openxr26(RECORDING, axes, units)[:40], Layout("openxr26", axes, units))
    np.testing.assert_allclose([f.world for f in frames], RECORDING.world[:40], atol=1e-6)
    np.testing.assert_allclose([f.wrist for f in frames], RECORDING.wrist[:40], atol=1e-6)
    assert all(f.present(0) and f.present(1) for f in frames)


@pytest.mark.parametrize("order", ORDERS)
def test_any_order_gives_the_same_hands(order):
    joints = openxr26(RECORDING)[:40]
    given = {
        "openxr26": joints,
        "webxr25": joints[:, :, 1:],
        "unity26": np.concatenate((joints[:, :, 1:2], joints[:, :, :1], joints[:, :, 2:]), axis=2),
        "mediapipe21": joints[:, :, ORDERS["openxr26"][1]],
    }[order]
    np.testing.assert_allclose([f.world for f in read(given, Layout(order))], RECORDING.world[:40], atol=1e-6)


def test_a_hand_that_is_not_seen_ends_its_track():
    joints = openxr26(RECORDING)[:12]
    joints[5:7, 1, 20] = np.nan
    joints[9, 0] = 0.5
    frames = read(joints)
    assert [f.track_id[1] for f in frames] == [1] * 5 + [-1] * 2 + [2] * 5
    assert [f.present(0) for f in frames] == [True] * 9 + [False] + [True] * 2
    assert np.isnan(frames[5].world[1]).all()


def test_confidence_becomes_presence():
    frame = JointsReader().read(0, list(openxr26(RECORDING)[0]), (0.25, 7.0))
    assert frame.presence.tolist() == [0.25, 1.0]


#: OpenXR's 26 with the fingers in the other direction; the thumb has no middle phalanx, so one joint comes twice
REVERSED = [0, 1, *range(22, 26), 16, *range(17, 21), 11, *range(12, 16), 6, *range(7, 11), 2, 2, 3, 4, 5]
MISTAKES = {
    "unity for openxr": (lambda j: np.concatenate((j[:, :, 1:2], j[:, :, :1], j[:, :, 2:]), axis=2), "order",
                         "they look like the order unity26"),
    "palm at the end": (lambda j: np.concatenate((j[:, :, 1:], j[:, :, :1]), axis=2), "order", "palm at the end"),
    "fingers reversed": (lambda j: j[:, :, REVERSED], "order", "not in the order"),
    "sides exchanged": (lambda j: j[:, ::-1], "side", "exchange left and right"),
    "axes of unity": (lambda j: j * [1, 1, -1], "side", "left-handed axes"),
    "millimetres": (lambda j: j * 1000, "units", "the unit is probably mm"),
    "centimetres": (lambda j: j * 100, "units", "the unit is probably cm"),
    "inches": (lambda j: j * 39.37, "units", "measures"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_found_within_a_fifth_of_a_second(name):
    spoil, reason, words = MISTAKES[name]
    with pytest.raises(JointsError, match=words) as caught:
        read(spoil(openxr26(RECORDING))[:JUDGED])
    assert caught.value.reason == reason
    assert len(read(spoil(openxr26(RECORDING))[: JUDGED - 1])) == JUDGED - 1
    read(spoil(openxr26(RECORDING))[:40], check=False)


def test_after_a_mistake_nothing_is_taken_any_more():
    joints, reader = openxr26(RECORDING)[:, ::-1], JointsReader()
    refused = 0
    for t, hands in enumerate(joints[:60]):
        try:
            reader.read(t, list(hands))
        except JointsError:
            refused += 1
    assert refused == 60 - JUDGED + 1


def test_what_is_not_known_is_refused_in_words():
    with pytest.raises(SourceError, match="has 26 x 3 numbers"):
        JointsReader().read(0, [None, np.zeros((25, 3))])
    for field, words in (("order", "openxr26, webxr25"), ("axes", "openxr, optical, ros"), ("units", "m, cm, mm")):
        with pytest.raises(SourceError, match=words):
            Layout(**{field: "other"})


def read_all(hands):
    reader = JointsReader()
    return [reader.read(i, h) for i, h in enumerate(hands)]


def shared(folder, file):
    path = DATA / folder / file
    if not path.exists():
        pytest.skip("the shared data sets are not beside this checkout")
    return np.load(path)


@pytest.mark.shared
@pytest.mark.parametrize("file", ["handyjs_poses.npz", "handywork_poses.npz", "iwer_poses.npz"])
def test_recorded_webxr_poses(file):
    data = shared("webxr_static_poses", file)
    joints = data["webxr25"] if "webxr25" in data.files else data["matrix25_colmajor"][..., 3, :3]
    marks = Layout("webxr25").landmarks(joints)
    named = np.broadcast_to(data["handedness"] if "handedness" in data.files else "left", len(marks))
    assert (misfit(marks) < 0.03).all()
    assert ((palm_length(marks) > 0.08) & (palm_length(marks) < 0.11)).all()
    said = np.sign(side(marks)) == np.where(named == "right", 1, -1)
    assert said.mean() > 0.98
    assert (np.sign(side(marks)) == np.where(named == "right", -1, 1)).sum() == 0, "no pose says the other side"


@pytest.mark.shared
def test_recorded_leap_hands_are_taken_and_their_mistakes_found():
    data = shared("leap_recordings", "recordings.npz")
    for name, first, last in zip(data["handedness"], data["offsets"][:-1], data["offsets"][1:], strict=True):
        joints, slot = data["openxr26"][first:last], int(name == "right")

        def hands(given, slot):
            return [[None, g] if slot else [g, None] for g in given]

        frames = read_all(hands(joints, slot))
        assert all(f.present(slot) for f in frames)
        for spoilt, where, reason in (
            (joints, 1 - slot, "side"),
            (joints * [1, 1, -1], slot, "side"),
            (joints[:, [1, 0, *range(2, 26)]], slot, "order"),
            (joints * 1000, slot, "units"),
        ):
            with pytest.raises(JointsError) as caught:
                read_all(hands(spoilt, where))
            assert caught.value.reason == reason

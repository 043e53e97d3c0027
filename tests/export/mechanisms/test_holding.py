"""What counts as an answer to "with a thing or without", and what more of them is worth."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the studies train: pip install 'figop[train]'")

from edge.errors import SourceError  # noqa: E402
from edge.objects.grasp import SHAPES, Grasped  # noqa: E402
from edge.recording import Recording  # noqa: E402
from edge.score import FingerEvent  # noqa: E402
from export.mechanisms import holding  # noqa: E402
from export.mechanisms.holding import Answers, answers, gain, taught_keys  # noqa: E402
from export.mechanisms.material import Phrase  # noqa: E402
from export.mechanisms.telling import Told  # noqa: E402
from export.models.student import Student, StudentConfig  # noqa: E402

THING = FingerEvent("right", "grab", contact="object", start=0.5, end=1.0)
NOTHING = FingerEvent("right", "grab", start=0.5, end=1.0)


def told(event: FingerEvent, text: str) -> Told:
    return Told(Phrase(0, 0, 60, "", (event,), frozenset()), text, 0.0)


GRABS, CLOSES = "The right hand grabs the object.", "The right hand closes into a fist."


def test_an_answer_is_right_with_a_thing_where_there_is_one() -> None:
    found = answers([told(THING, GRABS), told(NOTHING, CLOSES), told(NOTHING, GRABS), told(THING, CLOSES)])
    assert (found.there.tolist(), found.said.tolist()) == ([True, False, False, True], [True, False, True, False])
    assert found.figures() == {
        "closings": 4, "named": 1.0, "right": 0.5, "right_of_named": 0.5, "said_with_thing": 0.5,
    }  # fmt: skip


def test_silence_another_hand_and_nonsense_are_no_answers() -> None:
    lines = [told(THING, ""), told(NOTHING, "The left hand closes into a fist."), told(THING, "grabs the the")]
    found = answers(lines)
    assert not found.named.any()
    assert found.figures()["right"] == 0.0
    assert found.figures()["right_of_named"] == 0.0


def test_who_always_says_the_same_is_right_half_the_time() -> None:
    found = answers([told(THING, GRABS), told(NOTHING, GRABS)] * 5)
    assert found.figures()["right_of_named"] == 0.5
    assert found.figures()["said_with_thing"] == 1.0


def test_gain_is_paired_and_says_how_sure_it_is() -> None:
    there = np.arange(40) % 2 == 0
    named = np.ones(40, bool)
    sees, guesses = Answers(there, named, there), Answers(there, named, ~there)
    assert gain([sees], [guesses]) == (1.0, 1.0, 1.0)
    assert gain([sees, guesses], [sees, guesses]) == (0.0, 0.0, 0.0)
    half = Answers(there, named, np.ones(40, bool))
    middle, low, high = gain([sees], [half])
    assert (middle, low < 0.5 < high) == (0.5, True)


def test_the_keyframe_layer_learns_from_single_pictures(tmp_path) -> None:
    """Pictures whose feature shows the thing in one number: the layer tells it of pictures that it did not see."""
    rng = np.random.default_rng(0)
    width = StudentConfig().units.appearance
    for split, count in (("train", 400), ("choose", 100)):
        holding = rng.random(count) < 0.5
        feature = rng.normal(size=(count, width)).astype(np.float16)
        feature[:, :20] += np.where(holding, 3, -3)[:, None].astype(np.float16)
        np.savez(
            tmp_path / f"{split}-00000.npz", feature=feature, world=rng.normal(size=(count, 21, 3)).astype(np.float32),
            slot=np.ones(count, np.int8), holding=holding, grasp=np.where(holding, 0, -1).astype(np.int8),
            shape=np.where(holding, 0, len(SHAPES) - 1).astype(np.int8), near=np.zeros(count, bool),
            lost=np.array(0), other_hand=np.array(0), digest=np.array("x"),
        )  # fmt: skip
    student = Student()
    before = student.units.see[0].weight.detach().clone()
    assert taught_keys(student, tmp_path, steps=60) > 0.9
    assert not torch.equal(before, student.units.see[0].weight)
    with pytest.raises(SourceError, match="holds no part 'train'"):
        taught_keys(student, tmp_path / "none")


def test_the_grasp_head_is_asked_after_the_closing(tmp_path, monkeypatch) -> None:
    """A head that knows: sure of a hand from the time on at which the thing is held."""
    from edge.hands.frame import HandFrame

    paths = []
    for k, contact in enumerate(("object", "")):
        frames = [
            HandFrame(round(i * 1e8), world=np.zeros((2, 21, 3), np.float32), presence=np.ones(2, np.float32),
                      track_id=np.array([0, 1], np.int32), appearance=np.full((2, 4), i, np.float32))
            for i in range(20)
        ]  # fmt: skip
        score = json.dumps([FingerEvent("right", "grab", contact=contact, start=0.5, end=1.0).to_dict()])
        Recording.from_frames(frames, appearance_digest="x", score_json=score).save(tmp_path / f"{k}.npz")
        paths.append(tmp_path / f"{k}.npz")

    class Trace:
        def __init__(self, heads, digest):
            self.looks = ([], [])

        def push(self, frame):
            late = frame.t >= 1.0
            held = 0.9 if late and Trace.clip == 0 else 0.2
            self.looks[1].append(Grasped(frame.t, held, np.ones(5), np.ones(6)))

    load = Recording.load
    monkeypatch.setattr(holding, "GraspTrace", Trace)
    monkeypatch.setattr(Recording, "load", lambda p: (setattr(Trace, "clip", paths.index(p)), load(p))[1])
    assert holding.by_head(paths) == {"closings": 2, "right": 1.0, "auc": 1.0}

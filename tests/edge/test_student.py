"""The recogniser's own logic, with networks that are a few lines of numpy."""

from dataclasses import replace

import numpy as np
import pytest

from edge.captioner import BEGIN, END, TokenCaptioner
from edge.decode import COLUMNS
from edge.encoder import LAG, FrameEncoder
from edge.errors import BundleError
from edge.hands.frame import HandFrame
from edge.model_features import WIDTH
from edge.narrator import vocabulary, words
from edge.pipeline import Captioner
from edge.runtime import TensorSpec
from edge.score import SIDE_DIRECTIONS, FingerEvent
from edge.student import StudentRecogniser
from edge.targets import ATTRIBUTES, DIRECTION_NAMES, MOTION_NAMES, SLOT_WIDTH, SLOTS
from export.sim.camera import Camera, film, frame_on
from export.sim.perform import perform
from export.sim.stage import set_stage

F32 = np.dtype(np.float32)
I32 = np.dtype(np.int32)


class FakeSession:
    digest, provider = "", "cpu"

    def __init__(self, inputs, outputs, act):
        self.inputs = tuple(TensorSpec(f"args_{i}", s, d) for i, (s, d) in enumerate(inputs))
        self.outputs = tuple(TensorSpec(f"output_{i}", s, F32) for i, s in enumerate(outputs))
        self.act = act

    def run(self, feeds):
        for spec in self.inputs:
            assert feeds[spec.name].shape == spec.shape
            assert feeds[spec.name].dtype == spec.dtype
        out = self.act(*(feeds[s.name] for s in self.inputs))
        return {f"output_{i}": np.asarray(a, np.float32) for i, a in enumerate(out)}

    def close(self):
        pass


def swipes(x, state):
    """Sees the palm's speed; says `swipe` of what it saw LAG ticks ago."""
    line = np.concatenate([state[:, 1:], x[:, 5:6, 9:15]], axis=1)
    speed = line[:, -1 - LAG, :3]
    probs = np.zeros((2, len(SLOTS), SLOT_WIDTH), np.float32)
    for name, column in COLUMNS.items():
        probs[..., column.start + {"extent": 2, "speed": 1}.get(name, 0)] = 1
    moving = np.abs(line[:, -1, :3]).max(axis=1) > 0.25
    for hand in range(2):
        if np.abs(speed[hand]).max() > 0.25:
            axis = int(np.abs(speed[hand]).argmax())
            way = (("left", "right"), ("down", "up"), ("backward", "forward"))[axis][int(speed[hand, axis] > 0)]
            row = probs[hand, 6]
            row[COLUMNS["motion"]] = np.eye(ATTRIBUTES["motion"])[MOTION_NAMES.index("swipe")]
            row[COLUMNS["direction"]] = np.eye(ATTRIBUTES["direction"])[DIRECTION_NAMES.index(way)]
    return probs, moving[:, None], np.zeros((2, 4)), line


def encoder():
    shapes = [(2, len(SLOTS), SLOT_WIDTH), (2, 1), (2, 4), (2, 12, 6)]
    return FrameEncoder(FakeSession([((2, 6, WIDTH), F32), ((2, 12, 6), F32)], shapes, swipes))


WORDS = vocabulary()


def captioner(text):
    """Always says the same text, with probability ~1 a word."""
    ids = [WORDS.index(w) + 2 for w in words(text)] + [END]
    cache = (1, 1, 1, 24, 2)

    def step(token, at, mask, cross_keys, cross_values, keys, values):
        assert int(token[0]) == (BEGIN if at[0] == 0 else ids[int(at[0]) - 1])
        row = np.zeros((1, len(WORDS) + 2))
        row[0, ids[int(at[0])]] = 20
        return row, keys, values

    unit = [(1, 2, 15, 4), (1, 2, 15, len(SLOTS) * SLOT_WIDTH), (1, 2, 15), (1, 2, 8), (1, 2)]
    units = FakeSession([(s, F32) for s in unit], [(1, 8, 2)], lambda *a: (np.zeros((1, 8, 2)),))
    prefill = FakeSession([((1, 96, 2), F32)], [(1, 1, 1, 96, 2)] * 2, lambda m: (np.zeros((1, 1, 1, 96, 2)),) * 2)
    cross = (1, 1, 1, 96, 2)
    inputs = [((1,), I32), ((1,), I32), *(((1, 96), F32), (cross, F32), (cross, F32), (cache, F32), (cache, F32))]
    return TokenCaptioner(units, prefill, FakeSession(inputs, [(1, len(WORDS) + 2), cache, cache], step), WORDS)


def clip(direction="left", fps=30.0) -> list[HandFrame]:
    score = (FingerEvent("right", "swipe", direction=direction, start=0.6, end=1.0),)
    done = perform(score, duration=2.0, fps=fps, rng=np.random.default_rng(2), stage=set_stage(hands=("right",)))
    return list(film(done, frame_on(done, Camera())).frames())


@pytest.mark.parametrize("direction", SIDE_DIRECTIONS)
@pytest.mark.parametrize("fps", [20.0, 30.0, 60.0])
def test_pipeline_speaks_with_the_student(direction, fps):
    with Captioner(StudentRecogniser(encoder())) as cap:
        events = [e for f in clip(direction, fps) for e in cap.push(f)] + cap.flush()
    finals = [e for e in events if e.type == "caption" and e.final]
    assert [c.text for c in finals] == [f"The right hand swipes {direction}."]
    assert finals[0].source == "model"
    assert finals[0].score[0].start == pytest.approx(0.7, abs=0.12)
    assert finals[0].score[0].end == pytest.approx(0.9, abs=0.12)


def test_a_selfie_reads_like_the_scene():
    def told(frames, mirrored):
        with Captioner(StudentRecogniser(encoder(), mirrored=mirrored)) as cap:
            events = [e for f in frames for e in cap.push(f)] + cap.flush()
        return [e.text for e in events if e.type == "caption" and e.final]

    blind = [replace(f, wrist=f.wrist * np.nan) for f in clip("left")]
    flip = np.array([-1, 1, 1], np.float32), np.array([1, 0, 0], np.float32)
    selfie = [replace(f, landmarks=f.landmarks * flip[0] + flip[1]) for f in blind]
    assert told(blind, False) == told(selfie, True) == ["The right hand swipes left."]


def test_chunks_do_not_matter():
    def told(sizes):
        cap, out, frames = Captioner(StudentRecogniser(encoder())), [], clip(fps=45.0)
        at = 0
        while at < len(frames):
            n = sizes[at % len(sizes)]
            out += cap.push(frames[at : at + n])
            at += n
        return out + cap.flush()

    assert told([1]) == told([3, 1, 4]) == told([100])


def test_caption_and_its_confidence():
    student = StudentRecogniser(encoder(), captioner("The right hand swipes left."))
    assert student.caption(final=True) == ("", 0.0)
    for frame in clip():
        student.push(frame)
    text, sure = student.caption(final=True)
    assert text == "The right hand swipes left."
    assert sure == pytest.approx(1.0, abs=1e-4)


def test_words_that_are_no_caption_have_no_confidence():
    student = StudentRecogniser(encoder(), captioner("The right the hand of."))
    for frame in clip():
        student.push(frame)
    assert student.caption(final=True)[1] == 0.0


def test_words_that_the_frame_heads_do_not_see_are_doubted():
    student = StudentRecogniser(encoder(), captioner("The right hand swipes left while the left hand opens."))
    for frame in clip():
        student.push(frame)
    assert student.caption(final=True)[1] == pytest.approx(2 / 3, abs=1e-3)


def test_forget_and_reset():
    student = StudentRecogniser(encoder())
    for frame in clip():
        student.push(frame)
    assert len(student.score(final=True)) == 1
    assert student.score(final=False) == student.score(final=True)
    student.forget(before=1.6)
    assert student.score(final=True) == ()
    for frame in clip():
        student.push(replace(frame, t_ns=frame.t_ns + 3 * 10**9))
    assert student.score(final=True)[-1].direction == "left"
    student.forget()
    assert student.score(final=True) == ()
    student.reset()
    assert student.moved_at() == -np.inf
    assert not student.moving


def test_a_new_track_is_measured_anew():
    student = StudentRecogniser(encoder())
    first = clip()[0]
    a = student.push(first)[1]
    bigger = replace(first, t_ns=first.t_ns + 10**8, world=first.world * 2, track_id=first.track_id + 5)
    b = student.push(bigger)[1]
    assert a is not None
    assert b is not None
    np.testing.assert_allclose(a.local, b.local, atol=1e-5)


def test_networks_that_do_not_belong_are_refused():
    wrong = FakeSession(
        [((2, 6, WIDTH), F32), ((2, 12, 6), F32)], [(2, 3, SLOT_WIDTH), (2, 1), (2, 4), (2, 12, 6)], swipes
    )
    with pytest.raises(BundleError, match="reads"):
        FrameEncoder(wrong)
    good = captioner("The right hand opens.")
    with pytest.raises(BundleError, match="do not belong together"):
        TokenCaptioner(good._units, good._prefill, good._step, WORDS[:-1])

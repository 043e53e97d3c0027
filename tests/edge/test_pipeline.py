"""The captioner: any chunking gives the same events; bad time stamps and landmarks are counted, not fatal."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import FigopError, SourceError
from edge.pipeline import Captioner
from edge.rules import RuleRecogniser
from edge.score import FingerEvent
from tests.edge.stage import caption, finals, recording

SCORE = [
    FingerEvent("right", "curl", ("index",), start=0.6, end=1.0),
    FingerEvent("right", "extend", ("index",), start=1.2, end=1.6),
    FingerEvent("left", "grab", start=1.3, end=1.8),
    FingerEvent("right", "pinch", ("ring",), contact="thumb", start=2.6, end=3.1),
]
FRAMES = list(recording(SCORE).frames())


def fresh():
    return Captioner(RuleRecogniser())


def rows(events):
    """Events as they are written, without what was measured on the way."""
    return [{k: v for k, v in e.to_dict().items() if k not in ("stages_ms", "age_ms")} for e in events]


WHOLE = rows(caption(recording(SCORE)))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=12))
def test_any_chunking_gives_the_same_events(sizes):
    captioner, events, at = fresh(), [], 0
    for size in sizes * len(FRAMES):
        if at >= len(FRAMES):
            break
        events += captioner.push(FRAMES[at : at + size])
        at += size
    assert rows(events + captioner.flush()) == WHOLE


def test_the_stream_is_told_as_phrases():
    captions = [e for e in caption(recording(SCORE)) if e.type == "caption"]
    finals_ = [c for c in captions if c.final]
    assert [c.id for c in finals_] == ["phrase-0", "phrase-1"]
    for final in finals_:
        revisions = [c.revision for c in captions if c.id == final.id]
        assert revisions == list(range(len(revisions)))
        assert len(revisions) > 1, "a provisional caption comes before the final one"
        assert final.text
        assert final.source == "rules"


def test_final_caption_comes_within_400_ms_of_the_motion():
    captioner, late = fresh(), []
    for frame in FRAMES:
        late += [frame.t - e.t_end for e in captioner.push(frame) if e.type == "caption" and e.final]
    assert len(late) == 2
    assert max(late) <= 0.4


def test_gestures_start_and_end_under_one_id():
    events = caption(recording(SCORE))
    starts = {e.id for e in events if e.type == "gesture_start"}
    ends = [e for e in events if e.type == "gesture_end"]
    assert starts == {e.id for e in ends}
    kept = [e for e in ends if e.confidence > 0]
    assert {(e.hand, e.label) for e in kept} >= {("left", "grab"), ("right", "pinch_ring")}


def test_hands_seen_tells_changes_only():
    events = [e for e in caption(recording(SCORE)) if e.type == "hands_seen"]
    assert [e.hands for e in events] == [{"left": 0, "right": 1}]


def dropped(frames):
    events = caption_frames(frames)
    return {e.reason: e.count for e in events if e.type == "dropped"}, events


def caption_frames(frames):
    captioner = fresh()
    return [e for f in frames for e in captioner.push(f)] + captioner.flush()


def test_time_standing_still_or_going_back_is_dropped_and_counted():
    frames = FRAMES[:20] + [FRAMES[19]] * 3 + FRAMES[17:19] + FRAMES[20:]
    counts, events = dropped(frames)
    assert counts == {"time_stood_still": 2, "time_went_back": 2}  # told at 1, 2, 4, ...
    assert [r for r in rows(events) if r["type"] != "dropped"] == WHOLE


def test_a_clock_set_back_restarts_the_stream():
    later = [replace(f, t_ns=f.t_ns + 10**12) for f in FRAMES]
    counts, events = dropped(later + FRAMES)
    assert counts["clock_restarted"] == 1
    texts = [e.text for e in events if e.type == "caption" and e.final]
    assert texts[-1] == [r for r in WHOLE if r["type"] == "caption" and r["final"]][-1]["text"]


def test_a_gap_ends_the_phrase():
    frames = [f for f in FRAMES if not 0.85 < f.t < 1.9]
    counts, events = dropped(frames)
    assert counts == {"gap": 1}
    spans = [(e.start, e.end) for e in finals(events)]
    assert not any(start < 0.85 and end > 1.9 for start, end in spans)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_landmarks_that_are_not_finite(bad):
    world = FRAMES[10].world.copy()
    world[1, 7, 1] = bad
    broken = replace(FRAMES[10], world=world, landmarks=np.full((2, 21, 3), bad, np.float32))
    counts, events = dropped([*FRAMES[:10], broken, *FRAMES[11:]])
    assert counts == {"landmarks_not_finite": 1}
    assert [c.text for c in events if c.type == "caption" and c.final]


def test_a_stamp_repeated_for_ever_is_only_counted():
    counts, events = dropped([*FRAMES[:20], *[FRAMES[19]] * 100])
    assert counts == {"time_stood_still": 64}  # told at 1, 2, 4, ... 64
    assert not any(e.type == "dropped" and e.reason == "clock_restarted" for e in events)


def test_a_gesture_ends_when_its_hand_rests_though_the_phrase_goes_on():
    score = [
        FingerEvent("right", "curl", ("index",), start=0.6, end=1.0),
        *(FingerEvent("left", "curl", ("index",), start=0.8 + i, end=1.2 + i) for i in (0, 1)),
        *(FingerEvent("left", "extend", ("index",), start=1.3 + i, end=1.7 + i) for i in (0, 1)),
    ]
    captioner, told = fresh(), {}
    for frame in recording(sorted(score, key=lambda e: e.start)).frames():
        for e in captioner.push(frame):
            if e.type == "gesture_end" and e.hand == "right":
                told[e.label] = frame.t
    assert told["curl_index"] < 1.9, "the left hand moves until 2.7 s"


@pytest.mark.parametrize("option", [{"view": "behind"}, {"style": "poem"}, {"detail": "none"}, {"language": "xx"}])
def test_options_are_checked_at_once(option):
    with pytest.raises(FigopError, match=r"found|language"):
        Captioner.open(tracker=None, **option)


@pytest.mark.parametrize("thing", ["a.mp4", None, 3.5, [1, 2]])
def test_what_is_no_frame_is_refused(thing):
    with pytest.raises(SourceError, match="or a HandFrame"):
        fresh().push(thing, 0)


def test_a_hand_of_twenty_joints_is_refused():
    short = replace(FRAMES[0], world=FRAMES[0].world[:, :20])
    with pytest.raises(SourceError, match="2, 21, 3"):
        fresh().push(short)


def test_pixels_need_a_tracker_a_stamp_and_a_shape():
    picture = np.zeros((48, 64, 3), np.uint8)
    with pytest.raises(SourceError, match="tracker='native'"):
        fresh().push(picture, 0)
    for stamp in (None, 0.5, float("nan")):
        with pytest.raises(SourceError, match="t_ns"):
            fresh().push(picture, stamp)

    class Blind:
        def track(self, *_args, **_kwargs):
            raise AssertionError("must not be reached")

    with pytest.raises(SourceError, match="height, width, 3"):
        Captioner(RuleRecogniser(), tracker=Blind()).push(picture[:, :, 0], 0)


def test_empty_stream_flushes_to_nothing():
    assert fresh().flush() == []

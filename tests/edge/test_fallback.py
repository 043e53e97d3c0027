"""Who is believed when student and rules differ, and that the pipeline says whose every event is."""

from dataclasses import replace

import numpy as np
import pytest

from edge.fallback import FallbackRecogniser, FallbackSettings, choose, confirmed, filled, kind_of
from edge.hands.frame import HandFrame
from edge.pipeline import Captioner
from edge.rules import RuleRecogniser
from edge.score import FingerEvent
from tests.edge.stage import recording

CURL = FingerEvent("right", "curl", ("index", "middle"), start=1.0, end=1.5, confidence=0.6)
GRAB = FingerEvent("left", "grab", start=1.0, end=1.6, confidence=0.95)
SETTINGS = FallbackSettings(sure=0.8, trust=0.7)


def told(model, rules, settings=SETTINGS):
    return [(e.motion, e.fingers, e.source) for e in choose(tuple(model), tuple(rules), settings)]


def test_the_student_tells_what_it_is_sure_of():
    assert told([GRAB], []) == [("grab", (), "model")]
    assert told([GRAB], [replace(GRAB, motion="open")]) == [("grab", (), "model")]


def test_a_doubt_needs_the_rules():
    assert told([CURL], []) == []
    assert told([CURL], [CURL]) == [("curl", ("index", "middle"), "rules")]
    assert told([CURL, GRAB], []) == [("grab", (), "model")]
    assert told([CURL], [], FallbackSettings(sure=0.0)) == [("curl", ("index", "middle"), "model")]


@pytest.mark.parametrize(
    "other",
    [
        replace(CURL, hand="left"),
        replace(CURL, motion="extend"),
        replace(CURL, fingers=("pinky",)),
        replace(CURL, start=1.6, end=2.0),
        replace(CURL, start=1.45, end=1.95),
    ],
)
def test_another_motion_hand_finger_or_time_is_no_confirmation(other):
    assert confirmed(CURL, [other]) is None


def test_only_the_confirmed_fingers_are_told():
    half = replace(CURL, fingers=("index",), start=1.1)
    assert confirmed(CURL, [half]).fingers == ("index",)
    assert confirmed(CURL, [half, replace(half, fingers=("middle",))]).fingers == ("index", "middle")
    spread = FingerEvent("right", "spread", ("index", "middle", "ring"), start=1.0, end=1.4)
    assert confirmed(spread, [replace(spread, fingers=("index", "ring"))]).fingers == ("index", "ring")
    assert confirmed(spread, [replace(spread, fingers=("index",))]) is None, "one finger cannot spread"
    assert confirmed(GRAB, [replace(GRAB, end=1.4)]).fingers == ()


def test_the_rules_speak_alone_only_where_the_student_names_nothing():
    weak, strong = replace(GRAB, confidence=0.6), replace(GRAB, confidence=0.9)
    assert told([], [weak]) == []
    assert told([], [strong]) == [("grab", (), "rules")]
    assert told([], [strong], FallbackSettings(trust=1.0)) == []
    assert told([CURL], [strong]) == [], "a doubted reading is not replaced"
    assert told([], []) == []


class Student:
    """Sees a hand act between two times and says what it is told to say."""

    source = "model"

    def __init__(self, events, acts=(0.6, 1.8), own=("Own words.", 0.9)):
        self.events, self.acts, self.own, self.t, self.began = tuple(events), acts, own, 0.0, 0.0
        self.atoms = 0

    def push(self, frame, known=None):
        self.t = frame.t
        return known

    def moved_at(self):
        return min(self.t, self.acts[1]) if self.t >= self.acts[0] else float("-inf")

    def score(self, *, final):
        return tuple(e for e in self.events if e.start <= self.t and e.end >= self.began)

    def words(self):
        return self.own

    def forget(self, before=float("inf")):
        self.began = min(before, self.t)

    def reset(self):
        self.t = 0.0


CLIP = [
    FingerEvent("right", "curl", ("index",), start=0.6, end=1.0),
    FingerEvent("right", "extend", ("index",), start=1.2, end=1.6),
]


def events(student, settings=SETTINGS):
    captioner = Captioner(FallbackRecogniser(student, RuleRecogniser(), settings))
    return [e for f in recording(CLIP).frames() for e in captioner.push(f)] + captioner.flush()


def final(events):
    (caption,) = [e for e in events if e.type == "caption" and e.final]
    return caption


def test_every_event_says_whose_it_is():
    said = events(Student([replace(CLIP[0], confidence=0.9), replace(CLIP[1], confidence=0.5)]))
    ends = {e.label: e.source for e in said if e.type == "gesture_end" and e.confidence > 0}
    assert ends == {"curl_index": "model", "extend_index": "rules"}
    assert final(said).source == "rules", "model only where it was sure of all of it"
    assert final(said).text == "The right index finger bends, then straightens."


def test_own_words_are_for_readings_that_are_told_whole():
    sure = events(Student([replace(e, confidence=0.9) for e in CLIP]))
    assert (final(sure).text, final(sure).source) == ("Own words.", "model")
    half = events(Student([replace(CLIP[0], confidence=0.9), replace(GRAB, confidence=0.1)]))
    assert (final(half).text, final(half).source) == ("The right index finger bends.", "model")


def test_phrases_are_the_students_and_the_rules_read_the_same_stretch():
    said = events(Student([], acts=(0.6, 1.0)))
    caption = final(said)
    assert caption.source == "rules"
    assert [e.motion for e in caption.score] == ["curl"], "what comes after the student's phrase is not told"
    assert events(Student([], acts=(9.0, 9.0))) == [e for e in said if e.type == "hands_seen"]


def test_reset_forgets_both():
    both = FallbackRecogniser(Student(CLIP), RuleRecogniser(), SETTINGS)
    for frame in recording(CLIP).frames():
        both.push(frame)
    assert both.score(final=False)
    both.reset()
    assert both.score(final=False) == ()
    assert both.atoms == 0
    assert both.words() is None


def test_a_captions_confidence_is_that_of_its_weakest_event_softened():
    sure = [replace(e, confidence=c) for e, c in zip(CLIP, (0.9, 0.95), strict=True)]
    plain = final(events(Student(sure, own=None)))
    humble = final(events(Student(sure, own=None), replace(SETTINGS, temperature=2.0)))
    assert plain.confidence == 0.9
    assert humble.confidence == pytest.approx(0.75)  # odds of 9 to 1 become 3 to 1
    assert humble.text == plain.text
    spoken = final(events(Student(sure), replace(SETTINGS, temperature=2.0)))
    assert (spoken.text, spoken.confidence) == ("Own words.", pytest.approx(0.75))


def only(made, kind):
    """The recording as a source of one kind of landmarks gives it."""
    if kind == "joints":
        return replace(made, landmarks=np.full_like(made.landmarks, np.nan), image_size=(0, 0))
    return replace(made, world=np.full_like(made.world, np.nan), wrist=np.full_like(made.wrist, np.nan))


FIRST = replace(SETTINGS, rules_first=("joints", "image"))


@pytest.mark.parametrize("kind", ["joints", "image"])
def test_where_one_kind_of_landmarks_is_there_the_rules_speak_first(kind):
    made = only(recording(CLIP), kind)
    assert {kind_of(f) for f in made.frames()} == {kind}
    sure = replace(GRAB, start=0.6, end=1.0, confidence=0.99)

    def told(settings):
        captioner = Captioner(FallbackRecogniser(Student([sure], acts=(9.0, 9.0)), RuleRecogniser(), settings))
        said = [e for f in made.frames() for e in captioner.push(f)] + captioner.flush()
        return [(e.motion, e.source) for c in said if c.type == "caption" and c.final for e in c.score]

    assert sorted(told(FIRST)) == [("curl", "rules"), ("extend", "rules"), ("grab", "model")]
    assert told(SETTINGS) == [], "the student opened no phrase"
    other = replace(FIRST, rules_first=("image" if kind == "joints" else "joints",))
    assert told(other) == []


def test_tracked_pictures_stay_the_students():
    both = FallbackRecogniser(Student([]), RuleRecogniser(), FIRST)
    for frame in recording(CLIP).frames():
        both.push(frame)
        assert both.moved_at() == both.model.moved_at()
    assert kind_of(HandFrame(0)) == ""


def test_the_student_fills_where_the_rules_are_silent():
    rules = (replace(CURL, fingers=("index",)),)
    same, later, hand = replace(CURL, fingers=("index", "ring")), CURL.moved(2.0, 2.5), replace(GRAB, hand="right")
    assert [(e.fingers, e.start) for e in filled(rules, (same, later, hand)) if e.source == "model"] == [
        (("index", "middle"), 2.0)
    ], "neither the same finger nor its whole hand is told twice"
    assert {e.hand for e in filled(rules, (GRAB,))} == {"left", "right"}


def test_settings_of_a_bundle():
    stored = {"sure": 0.8, "trust": 0.7, "rules_first": ["joints", "image"]}
    assert FallbackSettings.read(stored) == FIRST
    assert FallbackSettings.read({}) == FallbackSettings()
    with pytest.raises(ValueError, match="rules_first names 'gloves', which is none of joints, image"):
        FallbackSettings.read({"rules_first": ["gloves"]})

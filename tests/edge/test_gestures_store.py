"""Gestures of a bundle: defined, kept, refused, removed; what cannot be done leaves the bundle as it is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge.bundle import Bundle
from edge.cli import main
from edge.decode import COLUMNS
from edge.errors import BundleError, ScoreError
from edge.gestures.attributes import DIMENSIONS, VALUES, merged
from edge.gestures.background import Background, standing
from edge.gestures.enrol import Example, enrol
from edge.gestures.likeness import alike, describe
from edge.gestures.match import event_score, sentence_score
from edge.gestures.reader import READER_FILE, Reader, parts_of
from edge.gestures.sentence import events_of
from edge.gestures.store import STORE, Gesture, GestureError, GestureStore, builtin, write
from edge.gestures.watch import HandWatch
from edge.score import FINGERS, MOTIONS, FingerEvent
from edge.targets import MOTION_NAMES, SLOT_WIDTH, codes, slots_of

SCROLL = "thumb slides along the index finger towards its tip"
NONE = np.zeros(SLOT_WIDTH, np.float32)
for _columns in COLUMNS.values():
    NONE[_columns.start] = 1.0


def rows_of(event: FingerEvent, ticks: int = 12, sure: float = 0.95) -> np.ndarray:
    """The heads' rows [T,7,R] of a student that is sure of one event."""
    rows = np.tile(NONE, (ticks, 7, 1))
    for slot in slots_of(event):
        for code, columns in zip(codes(event), COLUMNS.values(), strict=True):
            rows[:, slot, columns] = (1 - sure) / (columns.stop - columns.start)
            rows[:, slot, columns.start + code] = sure
    return rows


def reader() -> Reader:
    """The finger reader that ships."""
    return Reader.from_bytes(READER_FILE.read_bytes())


def read_of(event: FingerEvent, ticks: int = 12, sure: float = 0.95) -> np.ndarray:
    """Rows [T,P] of a finger reader that is sure of one event."""
    known = reader()
    rows = np.zeros((ticks, known.width), np.float32)
    rows[:, known.quiet()] = 1.0
    for column in known.columns(event):
        rows[:, column] = sure
        rows[:, [q for q in known.quiet() if 0 <= column - q < 42]] = 1 - sure
    return rows


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A copy of figop-base with one gesture."""
    path = tmp_path / "mine.figop"
    assert main(["gesture", "define", SCROLL, "--name", "scroll_up", "-o", str(path)]) == 0
    return path


def test_a_defined_gesture_is_in_the_bundle_which_stays_whole(bundle: Path) -> None:
    opened = Bundle.open(bundle)
    opened.check()
    store = GestureStore.of(opened)
    (event,) = store.get("scroll_up").events("left")
    assert (event.hand, event.motion, event.fingers, event.direction, event.contact) == (
        "left", "slide", ("thumb",), "tip", "index",
    )  # fmt: skip
    assert opened.weights_digest == Bundle.open("figop-base").weights_digest


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["define", "", "--name", "x"], "The sentence is empty: say"),
        (["define", SCROLL], "a --name"),
        (["define", "wiggle the toes", "--name", "x"], "words that are understood: "),
        (["define", SCROLL, "--name", "scroll_up"], "already"),
        (["define", SCROLL, "--name", "Scroll Up"], "lower case"),
        (["define", SCROLL, "--name", "x", "--threshold", "2"], "between 0 and 1"),
        (["remove", "nope"], "it has scroll_up"),
        (["enrol", "x"], "needs clips"),
        (["enrol", "x", "nowhere.npz"], "2 examples at least"),
        (["enrol", "x", "nowhere.npz", "nowhere.npz"], "given twice"),
        (["enrol", "x", "nowhere.npz", "neither.npz"], "There is no file"),
        (["enrol", "scroll_up", "a.npz", "b.npz"], "already"),
    ],
)
def test_bad_input_is_one_sentence_and_the_bundle_is_untouched(
    bundle: Path, capsys: pytest.CaptureFixture[str], args: list[str], said: str
) -> None:
    before = bundle.read_bytes()
    assert main(["gesture", *args, "--bundle", str(bundle)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert bundle.read_bytes() == before


def test_what_came_with_figop_is_not_changed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gesture", "define", SCROLL, "--name", "x"]) == 2
    assert "came with figop" in capsys.readouterr().err


def test_rules_alone_hear_no_gestures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "x.figop"
    assert main(["gesture", "define", SCROLL, "--name", "x", "--bundle", "figop-rules", "-o", str(out)]) == 2
    assert "no trained student" in capsys.readouterr().err
    assert not out.exists()


def test_remove_and_list(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gesture", "list", "--bundle", str(bundle), "--json"]) == 0
    listed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [g["name"] for g in listed["gestures"]] == ["scroll_up"]
    assert main(["gesture", "remove", "scroll_up", "--bundle", str(bundle)]) == 0
    assert len(GestureStore.of(Bundle.open(bundle))) == 0


def test_the_builtin_set_is_described_in_four_dimensions_and_understood() -> None:
    rows = builtin()
    names = {r["name"] for r in rows}
    assert len(names) == len(rows)
    assert {"double_pinch", "thumb_tap", "knob_ccw", "stop", "thumbs_down", "victory", "count_five", "rest"} <= names
    assert {f"thumb_swipe_{w}" for w in ("left", "right", "forward", "backward")} <= names
    for row in rows:
        assert set(row["description"]) == set(DIMENSIONS)
        assert all(row["description"].values())
        if row["name"] != "rest":
            events_of(row["sentence"])
            assert row.get("pose", False) == ("shape" in row) or row["name"] == "point"


def test_sentences_of_a_hand_without_a_side() -> None:
    assert events_of("the hand waves", "left")[0].hand == "left"
    assert events_of("hand opens")[0].motion == "open"
    assert events_of("the left hand waves", "right")[0].hand == "left"
    with pytest.raises(ScoreError, match="is empty"):
        events_of("  ")


def test_every_event_has_values_in_every_dimension() -> None:
    said = merged(events_of("The index finger pinches twice."))
    assert said == {
        "part": ("index",), "motion": ("pinch",), "contact": ("thumb",), "manner": ("twice", "full", "normal"),
    }  # fmt: skip
    assert {v.split()[0] for v in VALUES["motion"]} == set(MOTIONS) - {"rest"}


def test_a_sentence_scores_its_own_motion_above_others() -> None:
    sentences = [r["sentence"] for r in builtin() if r["sentence"] and "shape" not in r]
    told = [events_of(s) for s in sentences]
    for events in told:
        if len(events) > 1:
            continue
        scores = [sentence_score(other, rows_of(events[0])) for other in told]
        own = sentence_score(events, rows_of(events[0]))
        assert own == max(scores) > 0.6
        assert sum(s >= own for s in scores) == 1, events


def test_another_finger_or_direction_scores_less() -> None:
    (event,) = events_of(SCROLL)
    (other,) = events_of("thumb slides along the index finger towards its base")
    assert event_score(event, rows_of(event)).max() > 0.8
    assert event_score(other, rows_of(event)).max() < 0.4
    (pinch,) = events_of("The middle finger pinches.")
    (wrong,) = events_of("The ring finger pinches.")
    assert event_score(wrong, rows_of(pinch)).max() < 0.2


def test_steps_of_a_sentence_have_an_order() -> None:
    both = events_of("The index finger pinches, then the thumb and index finger separate.")
    first, second = both
    right, wrong = (np.concatenate([rows_of(a), rows_of(b)]) for a, b in ((first, second), (second, first)))
    assert sentence_score(both, right) > 0.6
    assert sentence_score(both, wrong) < 0.3


def watched(gestures: list[Gesture], event: FingerEvent, ticks: int = 15) -> list[tuple[int, str, bool, float]]:
    watch = HandWatch(gestures, "right")
    stream = [*[np.tile(NONE, (7, 1))] * 10, *rows_of(event, ticks), *[np.tile(NONE, (7, 1))] * 20]
    said = []
    for k, rows in enumerate(stream):
        said += [(k, s.label, s.final, s.confidence) for s in watch.push(k / 30, rows, None)]
    return said


def test_a_watched_gesture_starts_while_it_runs_and_ends_after_it() -> None:
    gesture = Gesture("scroll_up", "sentence", 0.5, SCROLL)
    said = watched([gesture], gesture.events()[0])
    assert [(label, final) for _, label, final, _ in said] == [("scroll_up", False), ("scroll_up", True)]
    assert 10 < said[0][0] < 25 < said[1][0] < 35
    (other,) = events_of("The middle finger pinches.")
    assert watched([gesture], other) == []


def test_enrolment_chooses_a_threshold_and_tells_collisions(monkeypatch: pytest.MonkeyPatch) -> None:
    rng, known = np.random.default_rng(0), reader()
    (pinch,), (tap,) = events_of("The index finger pinches."), events_of("The ring finger taps the thumb.")

    def examples(event: FingerEvent) -> list[Example]:
        return [
            Example(f"clip{k}", 1, rows_of(event), read_of(event, 12, 0.9 + 0.05 * float(rng.random())))
            for k in range(3)
        ]

    store = GestureStore((Gesture("pinch", "sentence", 0.5, "The index finger pinches."),))
    made = enrol("pluck", examples(pinch), store, known)
    assert made.collisions.keys() == {"pinch"}
    assert 0.3 <= made.gesture.threshold < min(made.left_out)
    store = store.add(made.gesture)
    assert not enrol("knock", examples(tap), store, known).collisions
    assert "pluck" in enrol("plucked", examples(pinch), store, known).collisions
    (flick,) = events_of("The pinky finger flicks off the thumb.")
    strange = np.concatenate([read_of(tap, 4), read_of(flick, 4), read_of(pinch, 4)])[::-1]
    away = Example("clip0", 1, rows_of(flick), strange)
    monkeypatch.setattr("edge.gestures.enrol.AGREE", 0.9)  # made-up rows are all alike: mostly nothing
    mixed = [*examples(pinch)[:2], away]
    with pytest.raises(GestureError, match="clip0 is not like the other examples"):
        enrol("mixed", mixed, store, known)
    with pytest.raises(GestureError, match="2 examples at least"):
        enrol("single", mixed[:1], store, known)


def test_everyday_hands_raise_the_threshold_of_what_they_resemble() -> None:
    known = reader()
    (tap,) = events_of("The ring finger taps the thumb.")
    shown = [Example(f"clip{k}", 1, rows_of(tap), read_of(tap, 12, 0.9 + 0.02 * k)) for k in range(3)]
    packed = np.round(read_of(tap) * 255).astype(np.uint8)[None]
    same = Background(
        np.round(np.stack([rows_of(tap)] * 2) * 255).astype(np.uint8),
        np.repeat(packed, 2, axis=0),
        np.ones(2, np.uint8),
        np.array([True, False]),
        1.0,
        "w",
        "r",
    )
    alone, beside = (enrol("knock", shown, GestureStore(), known, b) for b in (None, same))
    assert alone.everyday == 0
    assert beside.everyday > 0.9
    assert beside.gesture.threshold > alone.gesture.threshold
    assert (
        standing(lambda hand: (tap,), same, known)[1]
        > 2 * standing(lambda hand: events_of("The pinky finger flicks off the thumb."), same, known)[1]
    )


def test_a_store_goes_through_its_file_and_refuses_damage() -> None:
    vectors = np.eye(3, 7, dtype=np.float32)
    store = GestureStore((), "abc").add(Gesture("pluck", "examples", 0.7, examples=vectors))
    back = GestureStore.from_bytes(store.to_bytes())
    np.testing.assert_array_equal(back.get("pluck").examples, vectors)
    assert back.weights == "abc"
    raw = json.loads(store.to_bytes())
    for change in ({"kind": "dance"}, {"threshold": 7}, {"examples": []}, {"name": "Bad Name"}):
        broken = {**raw, "gestures": [{**raw["gestures"][0], **change}]}
        with pytest.raises(BundleError):
            GestureStore.from_bytes(json.dumps(broken).encode())
    with pytest.raises(BundleError, match="update figop"):
        GestureStore.from_bytes(json.dumps({**raw, "schema": 9}).encode())
    with pytest.raises(BundleError):
        GestureStore.from_bytes(b"[]")


def test_examples_of_another_student_are_refused(bundle: Path, tmp_path: Path) -> None:
    opened = Bundle.open(bundle)
    strange = GestureStore((Gesture("pluck", "examples", 0.7, examples=np.eye(2, dtype=np.float32)),), "other")
    out = write(opened, {STORE: strange.to_bytes()}, tmp_path / "other.figop")
    with pytest.raises(BundleError, match="enrolled with another student"):
        GestureStore.of(Bundle.open(out))


def test_a_description_tells_what_came_first() -> None:
    (pinch,), (tap,) = events_of("The index finger pinches."), events_of("The ring finger taps the thumb.")
    forth = parts_of(np.concatenate([read_of(pinch), read_of(tap)]))
    back = parts_of(np.concatenate([read_of(tap), read_of(pinch)]))
    assert np.linalg.norm(forth - back) > 0.5 * np.linalg.norm(forth)
    assert len(parts_of(read_of(pinch, 2))) == len(forth)
    one = reader().describe(read_of(pinch))
    assert one @ one == pytest.approx(1.0, abs=1e-4)


def test_a_moving_wrist_counts_against_fingers() -> None:
    (tap,), (wave,) = events_of("The ring finger taps the thumb."), events_of("The hand waves.")
    still = rows_of(tap)
    moving = still.copy()
    moving[:, 6] = rows_of(wave)[:, 6]
    assert sentence_score([tap], moving) < 0.5 * sentence_score([tap], still)
    assert sentence_score([wave], rows_of(wave)) > 0.8


def test_a_sentence_that_names_a_hand_is_not_told_of_the_other() -> None:
    gesture = Gesture("left_pinch", "sentence", 0.5, "The left index finger pinches.")
    (event,) = events_of("The index finger pinches.")
    assert gesture.events("right")[0].hand == "left"
    assert watched([gesture], event) == []


def test_fingers_of_the_vocabulary_are_slots() -> None:
    assert MOTION_NAMES[0] == ""
    assert len(FINGERS) == 5


def test_strange_examples_can_be_removed_and_enrolled_again(bundle: Path, tmp_path: Path) -> None:
    opened = Bundle.open(bundle)
    old = Gesture("pluck", "examples", 0.7, examples=np.eye(2, dtype=np.float32))
    raw = json.loads(GestureStore((old,), opened.weights_digest).to_bytes())
    for name, stored in (("older", {**raw, "schema": 1}), ("other", {**raw, "weights": "other"})):
        out = write(opened, {STORE: json.dumps(stored).encode()}, tmp_path / f"{name}.figop")
        with pytest.raises(BundleError, match="figop gesture remove"):
            GestureStore.of(Bundle.open(out))
        assert main(["gesture", "list", "--bundle", str(out)]) == 0
        assert main(["gesture", "remove", "pluck", "--bundle", str(out)]) == 0
        again = GestureStore.of(Bundle.open(out))
        assert (len(again), again.weights) == (0, opened.weights_digest)


def test_both_readings_count_in_a_description() -> None:
    (pinch,), (tap,) = events_of("The index finger pinches."), events_of("The ring finger taps the thumb.")
    known = reader()
    same = describe(known, rows_of(pinch), read_of(pinch))
    assert same @ same == pytest.approx(1.0, abs=1e-4)
    for rows, read in ((rows_of(tap), read_of(pinch)), (rows_of(pinch), read_of(tap))):
        assert alike(same[None], describe(known, rows, read)) < 0.9

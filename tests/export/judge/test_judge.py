"""The caption judge: what is right scores 10, and every kind of mistake costs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from edge.errors import ScoreError
from edge.narrator import narrate
from edge.score import FINGERS, HANDS, MOTIONS, FingerEvent, Score, check, expand, order
from export.judge.judge import Judgement, Line, credit, judge


def spoken(score: Score, *, seed: int | None = None) -> list[Line]:
    """One caption of the whole score."""
    rng = None if seed is None else np.random.default_rng(seed)
    return [Line(narrate(score, rng=rng), min(e.start for e in score), max(e.end for e in score))]


def random_event(rng: np.random.Generator, hand: str, start: float) -> FingerEvent:
    """A valid event whose motion is drawn evenly; about 1 s long."""
    while True:
        motion = MOTIONS[str(rng.choice([m for m in MOTIONS if m != "rest"]))]
        low, high = motion.fingers
        picked = set(rng.choice(FINGERS, size=int(rng.integers(low, high + 1)), replace=False))
        targets = motion.contacts if motion.needs_contact else ("", *motion.contacts)
        event = FingerEvent(
            hand,
            motion.name,
            tuple(f for f in FINGERS if f in picked),
            str(rng.choice(motion.directions or ("",))),
            str(rng.choice(targets)),
            repeat=int(rng.integers(1, 4)),
            start=start,
            end=start + float(rng.uniform(0.5, 1.0)),
        )
        try:
            check(event)
        except ScoreError:
            continue
        return event


def random_score(seed: int) -> Score:
    """Three to five seconds, one event a second, sometimes one on each hand at once."""
    rng = np.random.default_rng(seed)
    out: list[FingerEvent] = []
    for second in range(int(rng.integers(3, 6))):
        hands = HANDS if rng.random() < 0.3 else (str(rng.choice(HANDS)),)
        out += [random_event(rng, hand, float(second)) for hand in hands]
    return order(out)


def facts(score: Score) -> Counter[tuple[str, ...]]:
    """What the judge can tell apart, without order."""
    return Counter((e.hand, part, e.motion, e.direction, e.contact) for part, e in expand(score))


def variants(event: FingerEvent, kind: str) -> list[FingerEvent]:
    """All events that differ from this one in `kind`."""
    if kind == "hand":
        return [replace(event, hand="left" if event.hand == "right" else "right")]
    if kind == "finger":
        out = [
            replace(event, fingers=tuple(f for f in FINGERS if f in {*event.fingers, new} - {old}))
            for old in event.fingers
            for new in FINGERS
            if new not in event.fingers
        ]
    elif kind == "direction":
        out = [replace(event, direction=d) for d in MOTIONS[event.motion].directions if d != event.direction]
    else:
        out = [replace(event, contact=c) for c in MOTIONS[event.motion].contacts if event.contact not in ("", c)]
    valid = []
    for one in out:
        try:
            check(one)
        except ScoreError:
            continue
        valid.append(one)
    return valid


def mutated(score: Score, kind: str) -> list[Score]:
    """The score with one mistake of this kind, in every way that says something else."""
    if kind == "order":
        out = [
            order((*(e for e in score if e not in (a, b)), a.moved(b.start, b.end), b.moved(a.start, a.end)))
            for i, a in enumerate(score)
            for b in score[i + 1 :]
            if int(a.start) != int(b.start) and facts((a,)) != facts((b,))
        ]
    else:
        out = [order((*score[:i], v, *score[i + 1 :])) for i, e in enumerate(score) for v in variants(e, kind)]
    return [m for m in out if kind == "order" or facts(m) != facts(score)]


@pytest.mark.parametrize("seed", range(60))
def test_a_perfect_caption_scores_ten(seed: int) -> None:
    score = random_score(seed)
    judged = judge(score, spoken(score, seed=seed), timed=score)
    assert judged.hand_judge == pytest.approx(10.0)
    assert judged.f1 == judged.f1_strict == judged.completeness == 1.0
    assert judged.hallucination == 0.0
    assert judged.events is not None
    assert judged.events.f1 == 1.0


@pytest.mark.parametrize("kind", ["finger", "hand", "direction", "contact", "order"])
def test_each_kind_of_mistake_lowers_the_score(kind: str) -> None:
    tried = 0
    for seed in range(60):
        score = random_score(seed)
        for wrong in mutated(score, kind):
            judged = judge(score, spoken(wrong))
            assert judged.hand_judge < 10.0 - 1e-6, (score, narrate(wrong))
            if kind in ("finger", "hand"):
                assert judged.f1 < 1.0
                assert judged.hallucination > 0.0
            elif kind in ("direction", "contact"):
                assert judged.f1_strict < judged.f1
            else:
                assert judged.order_agreement < 1.0
            tried += 1
    assert tried > 100, "the mutations hardly ever applied"


@pytest.mark.parametrize("seed", range(10))
def test_saying_nothing_scores_nothing_and_invents_nothing(seed: int) -> None:
    score = random_score(seed)
    for lines in ([], [Line("", 0.0, 9.0)]):
        judged = judge(score, lines)
        assert (judged.hand_judge, judged.f1, judged.hallucination) == (0.0, 0.0, 0.0)


def curl(*fingers: str, start: float = 0.0, end: float = 1.0, hand: str = "right", **more: object) -> FingerEvent:
    return FingerEvent(hand, "curl", fingers, start=start, end=end, **more)  # type: ignore[arg-type]


def test_an_invented_finger_is_counted() -> None:
    judged = judge((curl("index"),), [Line("The right index and middle fingers bend.", 0, 1)])
    assert (judged.counts.matched, judged.counts.predicted) == (1, 2)
    assert judged.hallucination == 0.5
    assert judged.f1 == pytest.approx(2 / 3)
    assert judged.completeness == 1.0


def test_silence_is_right_where_nothing_happens() -> None:
    assert judge((), []).hand_judge == 10.0
    assert judge((FingerEvent("right", "rest"),), []).hand_judge == 10.0
    spoken_up = judge((), [Line("The right index finger bends.", 0, 1)])
    assert (spoken_up.hand_judge, spoken_up.hallucination) == (0.0, 1.0)


def test_a_repeated_event_is_one_tuple() -> None:
    judged = judge((curl("index", repeat=3),), [Line("The right index finger bends twice.", 0, 1)])
    assert (judged.counts.reference, judged.counts.predicted, judged.f1) == (1, 1, 1.0)
    assert judged.counts.attributes["repeat"] == (0, 1)


@pytest.mark.parametrize(
    ("start", "end", "covered"),
    [(0.0, 9.0, True), (2.0, 3.0, True), (2.69, 9.0, True), (2.75, 9.0, False), (0.0, 2.25, False), (4.0, 5.0, False)],
)
def test_a_caption_is_about_its_own_seconds(start: float, end: float, covered: bool) -> None:
    judged = judge((curl("index", start=2.0, end=3.0),), [Line("The right index finger bends.", start, end)])
    assert judged.f1 == float(covered)


def test_short_events_match_by_both_ends() -> None:
    tap = FingerEvent("right", "tap", ("index",), start=1.0, end=1.05)
    assert judge((tap,), [Line("The right index finger taps.", 1.1, 1.2)]).f1 == 1.0


def test_captions_of_two_phrases_do_not_swap_their_events() -> None:
    score = (curl("index"), curl("ring", start=5.0, end=6.0))
    texts = ("The right index finger bends.", "The right ring finger bends.")
    assert judge(score, [Line(texts[0], 0, 1), Line(texts[1], 5, 6)]).hand_judge == 10.0
    assert judge(score, [Line(texts[1], 0, 1), Line(texts[0], 5, 6)]).f1 == 0.0


def test_calling_a_sequence_simultaneous_is_half_wrong() -> None:
    score = (curl("index"), curl("ring", start=2.0, end=3.0))
    judged = judge(score, [Line("The right index finger bends while the right ring finger bends.", 0, 3)])
    assert judged.order_agreement == 0.5
    assert judged.hand_judge == pytest.approx(7.5)


def test_credit_is_halved_per_mistake() -> None:
    swipe = FingerEvent("right", "swipe", ("thumb",), "left", "index")
    assert credit(swipe, swipe) == 1.0
    assert credit(swipe, replace(swipe, direction="right")) == 0.5
    assert credit(swipe, replace(swipe, contact="ring")) == 0.5
    assert credit(swipe, replace(swipe, direction="right", contact="ring")) == 0.0


def test_repeats_of_the_same_motion_are_matched_in_order() -> None:
    score = tuple(
        FingerEvent("right", "rotate", (), d, start=i, end=i + 1.0) for i, d in enumerate(("cw", "ccw", "cw"))
    )
    text = "The right hand turns clockwise, then turns counterclockwise. After that, the right hand turns clockwise."
    assert judge(score, [Line(text, 0, 3)]).hand_judge == 10.0
    wrong = "The right hand turns clockwise, then turns clockwise. After that, the right hand turns counterclockwise."
    assert judge(score, [Line(wrong, 0, 3)]).hand_judge < 10.0


def test_garbled_captions_count_for_what_was_understood() -> None:
    judged = judge((curl("index"),), [Line("The right index finger bends, then the sprocket wobbles.", 0, 1)])
    assert (judged.f1, judged.captions, judged.garbled) == (1.0, 1, 1)


def test_judgements_add_up() -> None:
    one = judge((curl("index"),), [Line("The right index finger bends.", 0, 1)])
    other = judge((curl("ring"),), [Line("The left ring finger bends.", 0, 1)])
    total = one + other
    assert isinstance(total, Judgement)
    assert (total.counts.matched, total.counts.reference, total.counts.predicted) == (1, 2, 2)
    assert total.scores == (10.0, 0.0)
    assert total.mean_hand_judge == 5.0
    assert total.motions["curl"].recall == 0.5

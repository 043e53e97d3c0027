"""The narrator and its parser: one is the inverse of the other, in every style, detail and paraphrase."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import edge.language.resource
from edge.errors import ScoreError
from edge.language.resource import Language, load
from edge.narrator import (
    DETAILS,
    STYLES,
    describe,
    label,
    narrate,
    not_understood,
    parse,
    said,
    steps,
    text_of,
    vocabulary,
    words,
)
from edge.score import EXTENTS, FINGERS, HANDS, MOTIONS, SPEEDS, FingerEvent, Score, check

MANY = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def events(draw: st.DrawFn) -> FingerEvent:
    """Any event that `check` allows, at any of a few times (so that many overlap)."""
    motion = MOTIONS[draw(st.sampled_from(sorted(MOTIONS)))]
    contact = draw(st.sampled_from(("", *motion.contacts) if not motion.needs_contact else motion.contacts))
    barred = {contact, "thumb"} if motion.name == "pinch" else {contact}
    low, high = motion.fingers
    usable = [f for f in FINGERS if f not in barred]
    picked = draw(st.lists(st.sampled_from(usable), min_size=low, max_size=min(high, len(usable)), unique=True))
    start = draw(st.integers(0, 12)) / 4
    event = FingerEvent(
        hand=draw(st.sampled_from(HANDS)),
        motion=motion.name,
        fingers=tuple(f for f in FINGERS if f in picked),
        direction=draw(st.sampled_from(motion.directions or ("",))),
        contact=contact,
        extent=draw(st.sampled_from(EXTENTS)),
        speed=draw(st.sampled_from(SPEEDS)),
        repeat=draw(st.one_of(st.integers(1, 4), st.integers(5, 10**6))),
        start=start,
        end=start + draw(st.integers(0, 8)) / 4,
        confidence=draw(st.floats(0, 1)),
    )
    check(event)
    return event


SCORES = st.lists(events(), min_size=0, max_size=6).map(tuple)
RNGS = st.one_of(st.none(), st.integers(0, 2**32 - 1).map(np.random.default_rng))


@MANY
@given(SCORES, st.sampled_from(sorted(STYLES)), st.sampled_from(DETAILS), RNGS)
def test_parse_reads_back_what_narrate_says(
    score: Score, style: str, detail: str, rng: np.random.Generator | None
) -> None:
    text = narrate(score, style=style, detail=detail, rng=rng)
    assert parse(text) == said(score, detail=detail), text


@MANY
@given(SCORES, st.sampled_from(sorted(STYLES)), RNGS)
def test_case_and_punctuation_do_not_matter(score: Score, style: str, rng: np.random.Generator | None) -> None:
    text = narrate(score, style=style, rng=rng)
    assert parse(text.upper()) == said(score), text
    assert parse(re.sub(r"[.,]", "", text)) == said(score), re.sub(r"[.,]", "", text)
    assert parse(re.sub(r"\.", " ;\n", text) + "!!") == said(score), text


@MANY
@given(SCORES, st.sampled_from(sorted(STYLES)), st.sampled_from(DETAILS), RNGS)
def test_narrations_stay_in_the_vocabulary(
    score: Score, style: str, detail: str, rng: np.random.Generator | None
) -> None:
    text = narrate(score, style=style, detail=detail, rng=rng)
    assert set(words(text)) <= set(vocabulary())
    assert text_of(words(text)) == text


@MANY
@given(SCORES)
def test_said_is_what_can_be_said(score: Score) -> None:
    once = said(score)
    assert said(once) == once
    assert {(e.hand, e.motion, f) for e in score for f in e.parts()} == {
        (e.hand, e.motion, f) for e in once for f in e.parts()
    }

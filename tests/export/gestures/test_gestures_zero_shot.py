"""The ten zero-shot gestures are never performed in training."""

from __future__ import annotations

import numpy as np

from edge.gestures.attributes import VALUES, values_of
from export.data.scenes import draw_scene
from export.gestures.performed import program, timed, zero_shot
from export.sim.split import combinations_of, held_out


def test_ten_gestures_all_of_held_out_combinations() -> None:
    entries = zero_shot()
    assert len({e.name for e in entries}) == 10
    for entry in entries:
        for event in entry.events():
            assert combinations_of(event) & held_out(), entry.name


def test_their_part_motion_direction_and_contact_are_told_apart() -> None:
    said = {tuple((e.fingers, e.motion, e.direction, e.contact) for e in z.events()) for z in zero_shot()}
    assert len(said) == 10


def test_no_training_scene_performs_one() -> None:
    asked = {(f, e.motion, e.direction, e.contact) for z in zero_shot() for e in z.events() for f in e.parts()}
    rng = np.random.default_rng(3)
    performed = {
        (f, e.motion, e.direction, e.contact) for _ in range(400) for e in draw_scene(rng).score for f in e.parts()
    }
    assert len(performed) > 60
    # spreading all five is held out by its thumb; the other fingers spread in training
    shared = {p for p in performed & asked if p[1] != "spread"}
    assert not shared
    assert ("thumb", "spread", "", "") not in performed


def test_every_value_of_them_is_known_to_the_vectors() -> None:
    for entry in zero_shot():
        for event in entry.events():
            for dimension, values in values_of(event).items():
                assert set(values) <= set(VALUES[dimension])


def test_a_program_is_feasible_and_always_the_same() -> None:
    entry = zero_shot()[0]
    one, two = program(entry, 3), program(entry, 3)
    assert one.score == two.score
    assert one.camera == two.camera
    assert one.score != program(entry, 4).score
    assert one.score[0].start >= 0.5
    assert one.duration > one.score[-1].end


def test_events_of_a_sentence_follow_one_another() -> None:
    entry = zero_shot()[0]
    two = (*entry.events(), *(e.moved(1.0, 2.0) for e in entry.events()))
    first, second = timed(two, np.random.default_rng(0))
    assert second.start > first.end

from itertools import islice

import numpy as np

from edge.score import FINGERS, MOTIONS, check, signature
from export.sim.plan import plan
from export.sim.programs import TEST_DIGEST, benchmark_programs, digest_of, programs, propose, random_program
from export.sim.split import COMBINATIONS, EVERYDAY, HELD_OUT, combinations_of, held_out, split_of, split_of_score


def drawn(count=400, **kind):
    rng = np.random.default_rng(5)
    return [propose(rng, **kind) for _ in range(count)]


def overlaps(score):
    return any(a is not b and a.start < b.end and b.start < a.end for a in score for b in score)


def test_every_motion_occurs_and_every_event_is_in_the_vocabulary():
    made = drawn()
    for program in made:
        for event in program.score:
            check(event)
    assert {e.motion for p in made for e in p.score} == set(MOTIONS) - {"rest"}


def test_the_binding_shares_and_ranges():
    made = drawn()
    assert np.mean([overlaps(p.score) for p in made]) >= 0.30
    assert np.mean([len({e.hand for e in p.score}) == 2 for p in made]) >= 0.30
    lengths = np.array([e.end - e.start for p in made for e in p.score])
    assert lengths.min() >= 0.2 - 1e-9
    assert lengths.max() <= 2.0 + 1e-9
    turn = np.degrees([np.hypot(p.camera.yaw, p.camera.pitch) for p in made])
    assert 35 < turn.max() <= 40 + 1e-6
    assert {p.fps for p in made} >= {15.0, 30.0, 60.0}
    assert {p.stage.view for p in made} == {"facing", "egocentric"}
    assert all(e.start > 0.3 and e.end <= p.duration - 0.4 for p in made for e in p.score)


def test_phrases_are_separated_by_rests():
    gaps = []
    for program in drawn(100):
        moving = sorted((e.start, e.end) for e in program.score)
        end = moving[0][1]
        for start, stop in moving[1:]:
            if start > end:
                gaps.append(start - end)
            end = max(end, stop)
    gaps = np.array(gaps)
    assert np.all((gaps < 0.25) | (gaps >= 0.55 - 1e-9))
    assert (gaps >= 0.55).mean() > 0.2


def test_proposals_are_nearly_always_feasible_and_programs_always():
    made = drawn(120)
    seeds = [np.random.default_rng(1) for _ in made]
    plans = [plan(p.score, p.body, p.stage, g) for p, g in zip(made, seeds, strict=True)]
    assert np.mean([bool(p.problems) for p in plans]) < 0.1
    program = random_program(np.random.default_rng(3))
    start = np.random.default_rng(program.seed).spawn(1)[0]
    assert plan(program.score, program.body, program.stage, start).problems == ()


def test_a_fifth_of_the_combinations_is_held_out_but_no_motion():
    assert len(held_out()) == round(HELD_OUT * len(COMBINATIONS))
    assert held_out() <= set(COMBINATIONS)
    assert not held_out() & EVERYDAY
    left = set(COMBINATIONS) - held_out()
    assert {m for _, m, _ in left} == {m for _, m, _ in COMBINATIONS}


def test_generated_combinations_are_the_listed_ones():
    found = set().union(*(combinations_of(e) for p in drawn() for e in p.score if e.fingers))
    assert found <= set(COMBINATIONS)
    assert len(found) > 0.9 * len(COMBINATIONS)


def test_training_and_test_programs_are_disjoint():
    train = list(islice(programs(1, split="train"), 40))
    test = list(islice(programs(1, split="test"), 25))
    assert all(split_of(e) == "train" for p in train for e in p.score)
    assert all(split_of_score(p.score) == "train" for p in train)
    assert all(split_of_score(p.score) == "test" for p in test)
    assert not {signature(p.score) for p in train} & {signature(p.score) for p in test}
    assert any(split_of(e) == "test" for p in test for e in p.score)


def test_a_program_depends_on_seed_and_number_alone():
    first = list(islice(programs(9), 3))
    again = list(islice(programs(9), 3))
    assert digest_of(first) == digest_of(again)
    assert np.array_equal(first[2].body.lengths, again[2].body.lengths)
    assert digest_of(first) != digest_of(list(islice(programs(10), 3)))
    assert digest_of(benchmark_programs(3)) == digest_of(benchmark_programs(4)[:3])


def test_the_committed_test_set_is_the_one_that_is_generated():
    made = benchmark_programs(60)
    assert digest_of(made) == TEST_DIGEST
    assert np.mean([overlaps(p.score) for p in made]) >= 0.30
    assert np.mean([len({e.hand for e in p.score}) == 2 for p in made]) >= 0.30
    assert {e.motion for p in made for e in p.score} == set(MOTIONS) - {"rest"}


def test_thumb_gestures_are_made_where_they_can_be_seen():
    for program in drawn():
        if any(e.motion == "swipe" and e.fingers for e in program.score):
            assert program.stage.posture == "micro"
        assert all(f in FINGERS for e in program.score for f in e.fingers)


def test_hurried_people_move_within_a_tenth_of_a_second_and_rest_as_long():
    made = drawn(300, split="train", hurried=1.0)
    spans = np.array([e.end - e.start for p in made for e in p.score])
    assert spans.min() >= 0.1 - 1e-9
    assert (spans < 0.2).mean() > 0.15
    assert {e.speed for p in made for e in p.score} >= {"fast", "normal"}
    assert all(e.end <= p.duration - 0.5 + 1e-9 for p in made for e in p.score)

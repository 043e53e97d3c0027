"""The simulator's random programs as scenes of a training batch: the training side of the split, never the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from export.sim.batch import Scene
from export.sim.programs import Program, propose
from export.sim.split import split_of_score

#: Share of hurried people in training. People bend a finger in 0.13 to 0.2 s when they are asked to, and tap 5 to 7
#: times a second at most; the test programs' motions last 0.2 s or more, so that they say nothing of this.
HURRIED = 0.5
#: Share of phrases in which fingers move one after the other. The test programs have none; people drum and count.
RIPPLES = 0.15


def scene_of(program: Program) -> Scene:
    """What a batch needs of a program."""
    return Scene(program.score, program.body, program.stage, program.hands, program.duration)


def draw_scene(rng: np.random.Generator, split: str = "train", ripples: float = 0.0) -> Scene:
    """A random scene whose score belongs to `split`; not checked to be feasible."""
    while True:
        program = propose(rng, split=split, hurried=HURRIED if split == "train" else 0.0, ripples=ripples)
        if program.score and split_of_score(program.score) == split:
            return scene_of(program)


def draw_people(rng: np.random.Generator) -> Scene:
    """A scene to train the student on: its people also ripple, and bend by other shares of their joints.

    What was trained before (finger reader, towers) is made anew with `draw_scene`.
    """
    return replace(draw_scene(rng, ripples=RIPPLES), varied=True)


def draw_test(rng: np.random.Generator) -> Scene:
    """A random scene of the test side: signatures, and combinations, that are never trained."""
    return draw_scene(rng, "test")

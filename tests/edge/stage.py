"""Short clips of exact landmarks for the tests of rules and pipeline, performed by the kinematic hand."""

import numpy as np

from edge.pipeline import Captioner
from edge.recording import Recording
from edge.rules import RuleRecogniser
from export.sim.camera import Camera, film, frame_on
from export.sim.perform import perform
from export.sim.stage import set_stage


def recording(
    score, *, view="facing", posture="palm", mirrored=False, fps=30.0, after=1.0, seed=0, yaw=0.0, hands=None
) -> Recording:
    """What a perfect tracker sees of a score."""
    seen = hands or tuple(sorted({e.hand for e in score}))
    duration = max((e.end for e in score), default=0.0) + after
    stage = set_stage(view, posture, hands=seen)
    performance = perform(score, duration=duration, fps=fps, rng=np.random.default_rng(seed), stage=stage, hands=seen)
    return film(performance, frame_on(performance, Camera(yaw=yaw, mirrored=mirrored)))


def caption(made: Recording, captioner: Captioner | None = None) -> list:
    """All events of a recording, by rules."""
    captioner = captioner or Captioner(RuleRecogniser(view=made.view, mirrored=made.mirrored))
    events = [event for frame in made.frames() for event in captioner.push(frame)]
    return events + captioner.flush()


def finals(events) -> list:
    """Every finger event of every final caption."""
    return [e for c in events if c.type == "caption" and c.final for e in c.score]

"""Captions about things as they come: told once, and taken back where a later look does not confirm them."""

import numpy as np
import pytest

from edge.hands.frame import HandFrame
from edge.objects import live
from edge.objects.detections import DetectionRows
from edge.objects.dynamics import Reading
from edge.objects.event import ObjectEvent
from edge.objects.live import ObjectCaptioner
from edge.pipeline import Captioner
from edge.rules import RuleRecogniser

PRESS = ObjectEvent("right", "press", "phone", start=1.0, end=1.4)
AGAIN = ObjectEvent("right", "press", "phone", start=1.1, end=1.9)
OTHER = ObjectEvent("right", "press", "phone", start=4.6, end=5.0)


@pytest.fixture
def told(monkeypatch):
    """What six seconds tell (final?, facts), given what is read when, and when a hand is at work."""

    def run(reads, busy=lambda t: False):
        def read(clip, **_):
            now = clip.t[-1]
            contact = np.array([busy(t) for t in clip.t])[:, None, None] * np.ones((1, 2, 1), bool)
            return Reading(contact, contact, tuple(e for at, e in reads if at[0] <= now < at[1]))

        monkeypatch.setattr(live, "read", read)
        inner = Captioner(RuleRecogniser())
        captioner = ObjectCaptioner(inner, DetectionRows(()))
        frames = [HandFrame(round(t * 1e9)) for t in np.arange(0, 6, 0.1)]
        said = [e for f in frames for e in captioner.push(f)] + captioner.flush()
        return [(e.final, [(o.verb, o.start) for o in e.objects]) for e in said if e.source == "objects"]

    return run


def test_a_fact_that_is_read_again_is_told_once(told):
    said = told([((1.5, 3.0), PRESS), ((3.0, 4.0), AGAIN), ((5.0, 9.0), OTHER)])
    finals = [facts for final, facts in said if final]
    assert finals == [[("press", 1.0)], [("press", 4.6)]], "the later press is another one"


def test_what_a_later_look_does_not_confirm_is_taken_back(told):
    said = told([((1.5, 2.0), PRESS)], busy=lambda t: t < 1.9)
    assert said == [(False, [("press", 1.0)]), (True, [])]

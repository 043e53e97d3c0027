"""What captions lose with hand networks: chosen by development clips alone, each seen twice."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

from edge.errors import RuntimeUnavailable
from edge.hands.networks import locate_networks
from edge.narrator import narrate
from edge.score import FingerEvent
from edge.sources import Picture
from export.formats.hand_captions import FILE, measured
from export.judge.clips import Clip, ClipError
from export.judge.evaluate import Heard
from export.judge.judge import Line
from quant import measure_hands
from quant.crops import FILES, Crops
from quant.measure_hands import View


def test_test_clips_choose_nothing(tmp_path):
    with pytest.raises(ClipError, match="training side of the split"):
        measure_hands.development(tmp_path)
    (tmp_path / "programs.json").write_text(json.dumps({"split": "test", "seed": 1}))
    with pytest.raises(ClipError, match=r"programs.json says 'test'"):
        measure_hands.development(tmp_path)


def test_a_turned_view_has_the_same_truth():
    """A hand on the left of a plain picture is on the left of its mirror image too, once that is known to be one."""
    try:
        locate_networks()
    except RuntimeUnavailable as error:
        pytest.skip(f"no hand networks: {error}")
    shown = Crops.load(FILES["verification"]).palm[:4]

    @dataclass(frozen=True)
    class Shown(View):
        def pictures(self):
            for i, rgb in enumerate(shown):
                yield Picture(rgb[:, ::-1].copy() if self.turned else rgb, i * 40_000_000)

    networks = measure_hands.held("tflite", None)
    plain, turned = (
        measure_hands.tracked(Shown(view.clip, view.turned), networks, "litert")
        for view in measure_hands.views_of([Clip("one", ())])
    )
    assert (plain.mirrored, turned.mirrored) == (False, True)
    both = (plain.presence >= 0.5) & (turned.presence >= 0.5)
    assert both.sum() >= 2
    apart = np.linalg.norm(plain.world[both] - turned.world[both], axis=-1).mean()
    flipped = np.linalg.norm(plain.world[both] * [-1, 1, 1] - turned.world[both], axis=-1).mean()
    assert apart < 0.02 < flipped, (apart, flipped)
    assert plain.keyframes[0] == 0
    assert np.isfinite(plain.appearance[0]).any()


def test_agreement_is_with_what_the_float_network_told():
    bend, fist = (FingerEvent("right", m, f, start=0.5, end=1.0) for m, f in (("curl", ("index",)), ("close", ())))
    base = Heard((Line(narrate((bend,)), 0.5, 1.0),), (bend,))
    assert measure_hands.agreement([base], [base]) == 1.0
    assert measure_hands.agreement([base], [Heard((), ())]) == 0.0
    assert measure_hands.agreement([base, Heard((), (fist,))], [base, Heard((), ())]) == pytest.approx(2 / 3)


@pytest.mark.skipif(not FILE.is_file(), reason="nothing was measured")
def test_what_is_measured_can_be_read():
    assert measured()
    for loss in measured().values():
        assert loss.lost == pytest.approx(loss.float_f1 - loss.f1, abs=2e-4)
        assert loss.interval[0] <= loss.lost <= loss.interval[1]

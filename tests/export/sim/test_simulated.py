import json

import numpy as np

from edge.recording import Recording
from export.sim.programs import benchmark_programs
from export.sim.simulated import main, seen

PROGRAM = benchmark_programs(1)[0]


def test_a_program_is_seen_with_errors_or_exactly_and_always_the_same() -> None:
    noisy, again, exact = seen(PROGRAM), seen(PROGRAM), seen(PROGRAM, exact=True)
    assert np.array_equal(noisy.world, again.world, equal_nan=True)
    assert len(json.loads(noisy.score_json)) == len(PROGRAM.score)
    assert np.median(np.diff(exact.t_ns)) * 1e-9 * PROGRAM.fps > 0.99
    shown = [h for h in range(2) if exact.presence[:, h].any()]
    assert shown == [h for h, name in enumerate(("left", "right")) if name in PROGRAM.hands]

    # bones of a perfect tracker keep their length, those of the fitted one do not
    def stretch(r: Recording) -> float:
        bone = np.linalg.norm(r.world[:, shown[0], 6] - r.world[:, shown[0], 5], axis=-1)
        return float(np.nanstd(bone) / np.nanmean(bone))

    assert stretch(exact) < 1e-3 < 0.02 < stretch(noisy)


def test_the_command_writes_judgeable_recordings(tmp_path, capsys) -> None:
    assert main(["-o", str(tmp_path), "--count", "2"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith(f"figop eval captions {tmp_path}")
    assert all(Recording.load(tmp_path / f"000{i}.npz").score_json for i in range(2))

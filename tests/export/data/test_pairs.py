import json
from pathlib import Path

import numpy as np
import pytest

from edge.errors import SourceError
from edge.recording import Recording
from edge.score import FingerEvent
from export.data.pairs import errors_of, mirror, paced, pairs, rolled, score_of, ticks_of, variants
from export.data.tracked import table
from export.sim.camera import Camera, film, frame_on
from export.sim.perform import perform
from export.sim.stage import set_stage

SCORE = (
    FingerEvent("right", "curl", ("index",), start=0.5, end=0.9),
    FingerEvent("right", "swipe", direction="left", start=1.3, end=1.6),
)


def clip(shift: float = 0.0) -> tuple[Recording, Recording]:
    """(as tracked, truth): the tracker errs by `shift` palm lengths downwards."""
    done = perform(SCORE, duration=2.0, rng=np.random.default_rng(1), stage=set_stage(hands=("right",)))
    true = film(done, frame_on(done, Camera()))
    keys = np.array([0, 15, 30])
    features = np.full((3, 2, 8), np.nan, np.float32)
    features[:, 1] = np.arange(3)[:, None]
    seen = {n: getattr(true, n).copy() for n in ("landmarks", "world", "wrist", "presence", "track_id")}
    palm = np.linalg.norm(true.world[:, 1, 9], axis=-1)[:, None]
    seen["world"][:, 1, 1:, 1] += shift * palm
    about = {"keyframes": keys, "appearance": features, "score_json": true.score_json}
    return Recording(t_ns=true.t_ns, image_size=true.image_size, view=true.view, **seen, **about), true


def folder(path: Path, shift: float = 0.0) -> Path:
    for name in ("0000", "0001"):
        seen, true = clip(shift)
        true.save(path / f"{name}.truth.npz")
        seen.save(path / f"{name}.npz")
    return path


def test_errors_are_in_palm_lengths(tmp_path: Path) -> None:
    found = errors_of(folder(tmp_path, 0.25))
    assert found.seen.all()
    assert len(found.clip) == 120
    np.testing.assert_allclose(found.world[:, 1:, 1], 0.25, atol=1e-4)
    np.testing.assert_allclose(found.world[:, 1:, [0, 2]], 0, atol=1e-6)
    np.testing.assert_allclose(found.image, 0, atol=1e-5)


def test_a_hand_in_the_wrong_slot_is_lost_not_found(tmp_path: Path) -> None:
    seen, true = clip()
    swapped = {n: getattr(seen, n)[:, ::-1] for n in ("landmarks", "world", "wrist", "presence", "track_id")}
    Recording(t_ns=seen.t_ns, image_size=seen.image_size, **swapped).save(tmp_path / "0000.npz")
    true.save(tmp_path / "0000.truth.npz")
    assert not errors_of(tmp_path).seen.any()


def test_the_mirror_image_changes_sides_and_directions() -> None:
    seen, _ = clip()
    turned = mirror(seen)
    assert [(e.hand, e.motion, e.direction) for e in score_of(turned)] == [
        ("left", "curl", ""),
        ("left", "swipe", "right"),
    ]
    assert turned.presence[0].tolist() == [1, 0]
    again = mirror(turned)
    np.testing.assert_allclose(again.landmarks, seen.landmarks, atol=1e-6)
    assert json.loads(again.score_json) == [e.to_dict() for e in score_of(seen)]
    # what the network sees of a finger is the same on both sides
    a, b = ticks_of(seen, 60).features[:, 1, :5, :30], ticks_of(turned, 60).features[:, 0, :5, :30]
    np.testing.assert_allclose(a.astype(float), b.astype(float), atol=0.01)


def test_a_rolled_camera_sees_the_same_hand() -> None:
    seen, _ = clip()
    turned = rolled(seen, 10.0)
    assert np.abs(turned.landmarks - seen.landmarks)[:, 1].max() > 0.02
    a, b = ticks_of(seen, 60).features[:, 1, :5], ticks_of(turned, 60).features[:, 1, :5]
    # palm coordinates do not change, nor do distances in the picture; its plane (columns 52, 53) does
    np.testing.assert_allclose(a[..., :52].astype(float), b[..., :52].astype(float), atol=0.02)
    assert np.abs(a[..., 52:].astype(float) - b[..., 52:].astype(float)).max() > 0.05


def test_another_pace_moves_frames_and_score() -> None:
    seen, _ = clip()
    slow = paced(seen, 1.5)
    assert slow.t_ns[-1] == pytest.approx(seen.t_ns[-1] * 1.5, abs=2)
    assert score_of(slow)[0].end == pytest.approx(1.35)


def test_table_is_read_once_and_again_when_clips_come(tmp_path: Path) -> None:
    home = folder(tmp_path)
    first = table(home, 2.0)
    count = sum(1 for p, _ in pairs(home) for _ in variants(Recording.load(p), 60))
    assert len(first) == count > 0
    assert first.features.shape[1] == 60
    seen, known = first.seen(0, 10, 50)
    assert known[:, 1].tolist()[:3] == [True, True, False]  # keyframes at ticks 15 and 30
    assert seen[0, 1, 0] == 1
    stamp = (home / "ticks" / "features.npy").stat().st_mtime_ns
    table(home, 2.0)
    assert (home / "ticks" / "features.npy").stat().st_mtime_ns == stamp
    third, true = clip()
    true.save(home / "0002.truth.npz")
    third.save(home / "0002.npz")
    assert len(table(home, 2.0)) > count


def test_a_folder_without_clips_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no tracked clips"):
        pairs(tmp_path)

"""Calibration data are judged before anything is converted; each reason to refuse them is one sentence."""

from dataclasses import replace

import numpy as np
import pytest

from quant import calibrate
from quant.calibrate import HOME, UnfitData, check, files_in, load


@pytest.fixture(scope="module")
def good():
    return load()


def test_what_comes_with_figop_is_fit_and_apart_from_verification(good):
    again = load(not_in=HOME / "verification")
    assert again.digest == good.digest
    assert good.seconds > calibrate.MIN_SECONDS
    assert len(good.recordings) >= 12
    assert {r.view for r in good.recordings} == {"facing", "egocentric"}
    assert len(files_in(HOME / "verification")) >= 12


def names(recordings):
    return [f"{i}.npz" for i in range(len(recordings))]


def unseen(recording):
    return replace(recording, presence=np.zeros_like(recording.presence))


def short(recording):
    cut = {
        name: getattr(recording, name)[:5] for name in ("t_ns", "landmarks", "world", "wrist", "presence", "track_id")
    }
    return replace(recording, **cut)


def broken(recording):
    world = recording.world.copy()
    world[recording.presence >= 0.5] = np.inf
    return replace(recording, world=world)


def without(slot):
    def change(recording):
        presence = recording.presence.copy()
        presence[:, slot] = 0
        return replace(recording, presence=presence)

    return change


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda rs: rs[:3], "3 recordings were given"),
        (lambda rs: [unseen(rs[0]), *rs[1:]], "0.npz has no hand in any frame"),
        (lambda rs: [broken(rs[0]), *rs[1:]], "0.npz has landmarks that are no numbers"),
        (lambda rs: [short(r) for r in rs], "The recordings last"),
        (lambda rs: [r for r in map(without(0), rs) if (r.presence >= 0.5).any()], "No recording shows a left hand"),
    ],
)
def test_unfit_data_are_refused(good, make, why):
    recordings = make(list(good.recordings))
    with pytest.raises(UnfitData, match=why):
        check(recordings, names(recordings))


def test_rarely_seen_hands_are_refused(good):
    def rarely(recording):
        presence = recording.presence.copy()
        presence[len(presence) // 5 :] = 0
        return replace(recording, presence=presence)

    recordings = [r for r in map(rarely, good.recordings) if (r.presence >= 0.5).any()]
    with pytest.raises(UnfitData, match="A hand is seen in"):
        check(recordings, names(recordings))


def test_an_empty_folder_and_a_shared_recording_are_refused(tmp_path, good):
    with pytest.raises(UnfitData, match="There is no recording"):
        load(tmp_path)
    for path in files_in(HOME / "calibration")[:2]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(UnfitData, match="calibrate on others"):
        load(not_in=tmp_path)


def test_the_digest_follows_the_content_not_the_names(tmp_path, good):
    for i, path in enumerate(reversed(files_in(HOME / "calibration"))):
        (tmp_path / f"{i:02}.npz").write_bytes(path.read_bytes())
    assert load(tmp_path).digest == good.digest
    (tmp_path / "00.npz").unlink()
    assert load(tmp_path).digest != good.digest

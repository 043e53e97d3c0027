"""The finger reader: tick by tick as at once, the same for every finger, silent where nothing moves."""

from __future__ import annotations

import numpy as np
import pytest

from edge.errors import BundleError
from edge.gestures.live import _ReadHand
from edge.gestures.reader import READER_FILE, TOKEN, FingerReader, Reader, tokens
from edge.gestures.sentence import events_of


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader.from_bytes(READER_FILE.read_bytes())


def features(ticks: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.5, (ticks, 6, 54)).astype(np.float32)


def test_a_stream_says_what_the_whole_clip_says(reader: Reader) -> None:
    x = features(70)
    stream = FingerReader(reader)
    np.testing.assert_allclose(np.stack([stream.push(f) for f in x]), reader.read(x), atol=1e-5)


def test_the_first_layer_is_that_of_the_tokens(reader: Reader) -> None:
    x = features(5)
    slow = np.maximum(tokens(x) @ reader.arrays["enter"] + reader.arrays["enter_bias"], 0)
    assert tokens(x).shape == (5, 5, TOKEN)
    np.testing.assert_allclose(reader.start(x), slow, atol=2e-4)


def test_long_fingers_share_one_network(reader: Reader) -> None:
    x = features(40)
    swapped = x.copy()
    swapped[:, [2, 3]] = x[:, [3, 2]]
    size = len(reader.labels["own"])
    one, two = (reader.read(a)[:, reader.slices["own"]].reshape(40, 5, size) for a in (x, swapped))
    np.testing.assert_allclose(one[:, 2], two[:, 3], atol=1e-5)
    np.testing.assert_allclose(one[:, 1], two[:, 1], atol=1e-5)


def test_rows_are_probabilities_and_columns_name_them(reader: Reader) -> None:
    rows = reader.read(features(12))
    assert rows.shape == (12, reader.width)
    assert rows.min() >= 0
    np.testing.assert_allclose(rows[:, reader.slices["wrist"]].sum(axis=1), 1, atol=1e-5)
    (index,) = events_of("The index finger taps the thumb.")
    (ring,) = events_of("The ring finger taps the thumb.")
    (thumb,) = events_of("The thumb slides along the middle finger towards its tip.")
    assert reader.columns(ring)[0] - reader.columns(index)[0] == 2 * len(reader.labels["own"])
    assert len(reader.columns(thumb)) == 2
    assert len(reader.columns(events_of("The hand waves.")[0])) == 1
    # what the student alone reads better is left to it
    assert reader.columns(events_of("The thumb swipes left on the index finger.")[0]) == []


def test_labels_are_composed_of_their_attributes(reader: Reader) -> None:
    def vector(*label: str) -> np.ndarray:
        k = reader.labels["own"].index(label)
        return reader.own[:, k] - reader.arrays["own"][k]

    tap = vector("tap", "", "thumb")
    surface = vector("tap", "", "surface")
    np.testing.assert_allclose(
        tap - surface,
        reader.arrays["bank_contact"][reader.about["contacts"].index("thumb")]
        - reader.arrays["bank_contact"][reader.about["contacts"].index("surface")],
        atol=1e-5,
    )


def test_a_hand_at_rest_sleeps_and_wakes_as_one_that_never_slept(reader: Reader) -> None:
    x = features(200)
    gate, awake = _ReadHand(reader), FingerReader(reader)
    still = np.random.default_rng(1).normal(size=(21, 2))
    said = []
    for k in range(200):
        joints = still + (0.5 * k if k >= 150 else 0.0)
        said.append((gate.push(k / 30, x[k], joints, busy=False), awake.push(x[k])))
    assert said[20][0] is not None
    assert all(row is None for row, _ in said[60:150])
    assert gate.push(7.0, x[0], None, busy=False) is None
    for row, always in said[150:]:
        np.testing.assert_allclose(row, always, atol=1e-5)


def test_a_damaged_reader_is_refused_in_a_sentence(reader: Reader) -> None:
    with pytest.raises(BundleError, match="cannot be read"):
        Reader.from_bytes(b"nothing")
    broken = {**reader.arrays, "enter": reader.arrays["enter"] * np.nan}
    with pytest.raises(BundleError, match="does not know"):
        Reader.from_bytes(Reader(broken, reader.about).to_bytes())

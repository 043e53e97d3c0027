"""The networks come out of one pinned wheel, whole or not at all, and are checked whenever they are read."""

from __future__ import annotations

import importlib.util
import subprocess
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest

from edge.errors import RuntimeUnavailable
from edge.hands import networks
from edge.hands.backends import open_tracker
from edge.hands.graft import add_output
from edge.hands.landmark import SHARED_FEATURE
from edge.runtime import open_session
from tests.edge.tiny_models import litert_add

PALM, LANDMARK = b"palm" * 100, b"landmark" * 100


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A wheel with two small "networks", an empty cache, no mediapipe, and a pip that counts its calls."""
    rows = {
        "PALM": networks.Network("palm.tflite", "palm_detection", networks.sha256(PALM)),
        "LANDMARK": networks.Network("hand.tflite", "hand_landmark", networks.sha256(LANDMARK)),
    }
    for name, row in rows.items():
        monkeypatch.setattr(networks, name, {"full": row})
    wheel = tmp_path / "mediapipe.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(rows["PALM"].member, PALM)
        archive.writestr(rows["LANDMARK"].member, LANDMARK)
        archive.writestr("mediapipe/huge.so", b"not wanted")
    monkeypatch.setattr(networks, "WHEEL_SHA256", networks.sha256(wheel.read_bytes()))
    monkeypatch.setenv("FIGOP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    world = SimpleNamespace(wheel=wheel, cache=tmp_path / "cache" / "hands", calls=[], code=0, stderr="", root=tmp_path)

    def pip(command, **options):
        world.calls.append(command)
        if not world.code:
            target = command[command.index("--dest") + 1]
            (networks.Path(target) / "mediapipe.whl").write_bytes(wheel.read_bytes())
        return SimpleNamespace(returncode=world.code, stderr=world.stderr)

    monkeypatch.setattr(subprocess, "run", pip)
    return world


def test_setup_takes_only_the_networks_and_only_once(world):
    said = []
    (found,) = networks.ensure_networks(progress=said.append)
    assert found.load() == (PALM, LANDMARK)
    assert sorted(p.name for p in world.cache.iterdir()) == ["hand.tflite", "palm.tflite"]
    networks.ensure_networks(progress=said.append)
    assert len(world.calls) == 1
    assert said
    assert "--no-deps" in world.calls[0]


def test_without_setup_the_sentence_says_what_to_run(world):
    with pytest.raises(RuntimeUnavailable, match=r"palm\.tflite is not in .*; run `figop setup`"):
        networks.locate_networks()
    assert world.calls == []


def test_the_lite_tracker_asks_for_the_lite_networks(world, monkeypatch):
    for known in (networks.PALM, networks.LANDMARK):
        monkeypatch.setitem(known, "lite", known["full"])
    with pytest.raises(RuntimeUnavailable, match=r"is not in .*; run `figop setup --variant lite`"):
        open_tracker("native-lite", max_hands=1)


def test_a_wheel_on_disk_needs_no_network(world):
    networks.ensure_networks(wheel=world.wheel)
    assert world.calls == []
    assert networks.locate_networks().load() == (PALM, LANDMARK)


def test_an_installed_mediapipe_needs_no_network(world, monkeypatch):
    with zipfile.ZipFile(world.wheel) as archive:
        archive.extractall(world.root / "site")
    spec = SimpleNamespace(submodule_search_locations=[str(world.root / "site" / "mediapipe")])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    networks.ensure_networks()
    assert world.calls == []
    assert networks.locate_networks().load() == (PALM, LANDMARK)


def test_a_damaged_file_is_named_and_setup_repairs_it(world):
    (found,) = networks.ensure_networks()
    data = bytearray(PALM)
    data[7] ^= 1
    found.palm.write_bytes(data)
    with pytest.raises(RuntimeUnavailable, match=r"palm\.tflite is damaged.*figop setup"):
        networks.locate_networks().load()
    networks.ensure_networks()
    assert networks.locate_networks().load() == (PALM, LANDMARK)


def test_another_wheel_is_refused_and_leaves_nothing(world, monkeypatch):
    monkeypatch.setattr(networks, "WHEEL_SHA256", "0" * 64)
    with pytest.raises(RuntimeUnavailable, match="not the pinned wheel"):
        networks.ensure_networks()
    assert not world.cache.exists()


def test_a_network_with_another_digest_is_refused_and_leaves_nothing(world, monkeypatch):
    row = networks.PALM["full"]
    monkeypatch.setattr(networks, "PALM", {"full": networks.Network(row.name, row.folder, "0" * 64)})
    with pytest.raises(RuntimeUnavailable, match=r"palm\.tflite has the sha256"):
        networks.ensure_networks()
    assert list(world.cache.glob("*")) == []


def test_a_failing_pip_is_told_with_its_own_reason(world):
    world.code, world.stderr = 1, "WARNING: retrying\nERROR: No matching distribution found\n"
    with pytest.raises(RuntimeUnavailable, match=r"\(No matching distribution found\).*figop setup --wheel FILE"):
        networks.ensure_networks()


@pytest.mark.parametrize("content", [None, b"no zip"])
def test_a_wheel_that_is_none(world, content, monkeypatch):
    path = world.root / "other.whl"
    if content is not None:
        path.write_bytes(content)
        monkeypatch.setattr(networks, "WHEEL_SHA256", networks.sha256(content))
    with pytest.raises(RuntimeUnavailable, match=r"other\.whl"):
        networks.ensure_networks(wheel=path)


def test_a_cache_that_cannot_be_written(world, monkeypatch):
    blocked = world.root / "file"
    blocked.write_bytes(b"")
    monkeypatch.setenv("FIGOP_CACHE", str(blocked))
    with pytest.raises(RuntimeUnavailable, match="set FIGOP_CACHE"):
        networks.ensure_networks(wheel=world.wheel)


def test_an_unknown_variant_is_refused():
    with pytest.raises(RuntimeUnavailable, match="full or lite, found 'tiny'"):
        networks.locate_networks("tiny")


def test_an_inner_tensor_becomes_an_output():
    a, b = (np.random.default_rng(k).normal(size=(1, 4)).astype(np.float32) for k in (0, 1))
    session = open_session(add_output(litert_add(), "inner"))
    out = session.run({"a": a, "b": b})
    assert list(out) == ["sum", "inner"]
    np.testing.assert_array_equal(out["inner"], a + b)
    np.testing.assert_array_equal(out["sum"], open_session(litert_add()).run({"a": a, "b": b})["sum"])


@pytest.mark.parametrize("data", [litert_add(), b"", b"x" * 100, litert_add()[:60]])
def test_a_tensor_that_is_not_there(data):
    with pytest.raises(RuntimeUnavailable, match="no tensor 'elsewhere'"):
        add_output(data, "elsewhere")


@pytest.mark.parametrize(("variant", "width"), [("full", 1152), ("lite", 672)])
def test_reading_out_the_feature_leaves_the_four_heads_bit_equal(variant, width):
    try:
        _, landmark = networks.locate_networks(variant).load()
    except RuntimeUnavailable as error:
        pytest.skip(str(error))
    crop = {"input_1": np.random.default_rng(0).random((1, 224, 224, 3), np.float32)}
    plain, grafted = open_session(landmark).run(crop), open_session(add_output(landmark, SHARED_FEATURE)).run(crop)
    assert grafted.pop(SHARED_FEATURE).shape == (1, width)
    assert plain.keys() == grafted.keys()
    for name, value in plain.items():
        np.testing.assert_array_equal(value, grafted[name])


def test_a_wheel_that_is_not_there_is_told_even_when_it_is_not_needed(world):
    networks.ensure_networks()
    with pytest.raises(RuntimeUnavailable, match=r"There is no wheel at nope\.whl"):
        networks.ensure_networks(wheel="nope.whl")

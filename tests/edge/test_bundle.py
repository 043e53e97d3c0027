"""Bundles: what is verified when one is opened, and that the shipped one is what would be built."""

import hashlib
import io
import json
import shutil
import socket
import zipfile
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge import bundle_files
from edge.atoms import RuleSettings
from edge.bundle import BUNDLE_SCHEMA, Bundle, canonical, manifest_digest, shipped
from edge.bundle_cli import add_parser
from edge.errors import BundleError, SinkError
from edge.score import MOTIONS
from export import build

SHIPPED = build.BUNDLES / "figop-rules"
NAMES = sorted(p.name for p in SHIPPED.iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "figop-rules"))


def rewrite(folder: Path, change) -> None:
    """Edit the manifest and state its new digest, as a careful forger would."""
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    manifest["digest"] = manifest_digest(manifest)
    (folder / "manifest.json").write_bytes(canonical(manifest))


def replace_file(folder: Path, name: str, value: object) -> None:
    """Put another JSON file into the bundle, with its right digest."""
    data = canonical(value)
    (folder / name).write_bytes(data)

    def change(manifest):
        manifest["files"][name] |= {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}

    rewrite(folder, change)


def zipped(folder: Path, target: Path) -> Path:
    build.write({p.name: p.read_bytes() for p in folder.iterdir()}, target)
    return target


def refused(path: str | Path) -> str:
    with pytest.raises(BundleError) as caught:
        Bundle.open(path)
    text = str(caught.value)
    assert "\n" not in text
    assert text.endswith((".", ")."))
    return text


def test_the_shipped_bundle_says_what_it_is() -> None:
    bundle = Bundle.open("figop-rules")
    assert (bundle.name, bundle.source, bundle.language, bundle.schema) == ("figop-rules", "rules", "en", 1)
    assert bundle.weights_digest == ""
    assert bundle.rules == RuleSettings()
    assert set(bundle.labels) == set(MOTIONS) - {"rest"}
    assert {"thumb", "index", "left", "right"} <= set(bundle.vocabulary)
    assert [n.name for n in bundle.networks] == ["palm_detection_full.tflite", "hand_landmark_full.tflite"]
    assert bundle.appearance_digest == bundle.networks[1].sha256
    assert not list(SHIPPED.glob("*.tflite")), "hand networks are set up, never shipped"
    assert b"no learned captioner" in bundle.read("MODEL_CARD.md")


@pytest.mark.parametrize("name", sorted(build.RECIPES))
def test_the_shipped_bundles_are_what_would_be_built(name: str) -> None:
    differing = build.stale(build.RECIPES[name](None), build.BUNDLES / name)
    assert not differing, f"run `make bundle`: {', '.join(differing)} of {name} is out of date"


def test_building_with_another_student_changes_its_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shipped_base = build.BUNDLES / "figop-base"
    folder = tmp_path / "released"
    folder.mkdir()
    for path in shipped_base.glob("*.*"):
        if path.suffix in (".tflite", ".onnx") or path.name == "student.json":
            shutil.copy(path, folder)
    about = json.loads((folder / "student.json").read_text())
    (folder / "student.json").write_text(json.dumps({**about, "training": {"steps": 7, "seconds": 60}}))
    assert build.main(["figop-base", "--student", str(folder), "-o", str(tmp_path / "same")]) == 0
    same = Bundle.open(tmp_path / "same")
    assert same.weights_digest == Bundle.open(shipped_base).weights_digest, "training is a note, not a weight"
    assert "7 steps in 1" in same.read("MODEL_CARD.md").decode()
    (folder / "student.json").write_text(json.dumps({**about, "fallback": {"sure": 0.5, "trust": 0.6}}))
    assert build.main(["figop-base", "--student", str(folder), "-o", str(tmp_path / "b.figop")]) == 0
    other = Bundle.open(tmp_path / "b.figop")
    assert other.weights_digest != same.weights_digest
    assert "speak alone from 0.6" in other.read("MODEL_CARD.md").decode()
    assert build.main(["figop-base", "--student", str(tmp_path), "-o", str(tmp_path / "none")]) == 1
    assert "holds no released student" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a", "a.figop"])
def test_building_twice_gives_the_same_bytes(tmp_path: Path, name: str) -> None:
    for run in ("one", "two"):
        assert build.main(["figop-rules", "-o", str(tmp_path / run / name)]) == 0
    one, two = tmp_path / "one" / name, tmp_path / "two" / name
    if one.is_file():
        assert one.read_bytes() == two.read_bytes()
    else:
        assert {p.name: p.read_bytes() for p in one.iterdir()} == {p.name: p.read_bytes() for p in two.iterdir()}
    assert Bundle.open(one).name == "figop-rules"


def test_building_replaces_a_bundle_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("keep")
    with pytest.raises(SinkError, match="not a bundle"):
        build.write(build.rules(), tmp_path / "notes")
    assert (tmp_path / "notes" / "mine.txt").read_text() == "keep"
    target = tmp_path / "b"
    build.write({**build.rules(), "old.txt": b"x"}, target)
    build.write(build.rules(), target)
    assert sorted(p.name for p in target.iterdir()) == NAMES
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_check_of_build_tells_a_stale_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "b"
    build.write(build.rules(), folder)
    assert build.main(["figop-rules", "--check", "-o", str(folder)]) == 0
    (folder / "rules.json").write_text("{}")
    assert build.main(["figop-rules", "--check", "-o", str(folder)]) == 1
    assert "rules.json" in capsys.readouterr().out


@pytest.mark.parametrize("as_zip", [False, True])
def test_a_folder_and_a_zip_are_the_same_bundle(folder: Path, tmp_path: Path, as_zip: bool) -> None:
    bundle = Bundle.open(zipped(folder, tmp_path / "b.figop") if as_zip else folder)
    assert bundle.read("rules.json") == (SHIPPED / "rules.json").read_bytes()
    assert bundle.check()


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(NAMES), st.integers(min_value=0), st.integers(1, 255))
def test_one_flipped_byte_names_the_file(tmp_path_factory, name: str, place: int, flip: int) -> None:
    folder = Path(shutil.copytree(SHIPPED, tmp_path_factory.mktemp("flip") / "b"))
    data = bytearray((folder / name).read_bytes())
    data[place % len(data)] ^= flip
    (folder / name).write_bytes(data)
    assert name in refused(folder)


@settings(max_examples=60, deadline=None)
@given(st.integers(min_value=0), st.integers(1, 255))
def test_one_flipped_byte_of_a_zip_never_changes_the_bundle(tmp_path_factory, place: int, flip: int) -> None:
    path = tmp_path_factory.mktemp("flip") / "b.figop"
    build.write(build.rules(), path)
    whole = json.dumps(Bundle.open(path).inspect() | {"path": ""})
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= flip
    path.write_bytes(data)
    try:
        bundle = Bundle.open(path)
    except BundleError:
        return
    # the flip hit a time stamp or the like inside the zip, which says nothing
    assert json.dumps(bundle.inspect() | {"path": ""}) == whole


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 0.999))
def test_a_truncated_zip_is_refused(tmp_path_factory, share: float) -> None:
    path = tmp_path_factory.mktemp("cut") / "b.figop"
    build.write(build.rules(), path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert "cut short" in refused(path)


def test_a_newer_schema_names_both_versions(folder: Path) -> None:
    rewrite(folder, lambda m: m.update(schema=BUNDLE_SCHEMA + 6))
    text = refused(folder)
    assert f"schema {BUNDLE_SCHEMA + 6}" in text
    assert f"to {BUNDLE_SCHEMA}" in text
    assert "update figop" in text


def test_missing_and_extra_files_are_named(folder: Path) -> None:
    (folder / "extra.bin").write_bytes(b"?")
    assert "extra.bin is not in its manifest" in refused(folder)
    (folder / "extra.bin").unlink()
    (folder / "rules.json").unlink()
    assert "rules.json is missing" in refused(folder)
    (folder / "manifest.json").unlink()
    assert "manifest.json is missing" in refused(folder)


def test_an_unknown_name_lists_the_alternatives() -> None:
    text = refused("figop-bass")
    assert "did you mean figop-base?" in text
    assert all(name in text for name in shipped())
    assert "no bundle at" in refused("nowhere/b.figop")
    assert "no bundle at" in refused(Path("nowhere"))


def test_what_is_not_a_bundle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.figop").write_bytes(b"not a zip")
    assert "not a bundle" in refused(tmp_path / "a.figop")
    assert "manifest.json is missing" in refused(tmp_path)
    (tmp_path / "manifest.json").write_bytes(b"[" * 100_000)
    assert "manifest.json is not readable JSON" in refused(tmp_path)
    (tmp_path / "manifest.json").write_bytes(b"[]")
    assert "no schema number" in refused(tmp_path)


@pytest.mark.parametrize("name", ["../out.txt", "/etc/x", "a/../../x", "..\\x", "C:x", "a//b", "./a", "a\nb"])
def test_zip_slip_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "b.figop"
    build.write(build.rules(), path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo(name), b"x")
    assert "leads out of the bundle" in refused(path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b.figop"]


@pytest.mark.parametrize("name", ["../out.txt", "/etc/hostname", "sub/../../x", "manifest.json"])
def test_a_manifest_cannot_name_files_outside(folder: Path, name: str) -> None:
    rewrite(folder, lambda m: m["files"].update({name: m["files"]["rules.json"]}))
    assert "leads out of it" in refused(folder)


def test_links_and_doubles_in_a_zip_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "b.figop"
    build.write(build.rules(), path)
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    assert "link is a link" in refused(path)
    build.write(build.rules(), path)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("rules.json", "{}")
    assert "rules.json is in it twice" in refused(path)


def test_zip_bombs_are_refused_before_they_unpack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "b.figop"

    def bomb(sizes: dict[str, int]) -> Path:
        build.write(build.rules(), path)
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
            for name, size in sizes.items():
                archive.writestr(name, bytes(size))
        return path

    monkeypatch.setattr(bundle_files, "MAX_FILE_BYTES", 1 << 20)
    monkeypatch.setattr(bundle_files, "MAX_TOTAL_BYTES", 2 << 20)
    monkeypatch.setattr(bundle_files, "MAX_FILES", 16)
    assert "big unpacks to" in refused(bomb({"big": (1 << 20) + 1}))
    assert "it unpacks to" in refused(bomb(dict.fromkeys("abc", 1 << 20)))
    assert "more than 16 files" in refused(bomb({f"f{i}": 1 for i in range(20)}))


def test_a_zip_that_lies_about_its_sizes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "b.figop"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", bytes(1 << 19))
    data = bytearray(path.read_bytes())
    central = data.index(b"PK\x01\x02")
    data[central + 24 : central + 28] = (1 << 10).to_bytes(4, "little")
    path.write_bytes(data)
    assert "manifest.json" in refused(path)


def test_oversized_and_endless_folders_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_files, "MAX_FILES", 3)
    assert "more than 3 files" in refused(folder)
    monkeypatch.undo()
    monkeypatch.setattr(bundle_files, "MAX_MANIFEST_BYTES", 100)
    assert "manifest.json is larger than 100 bytes" in refused(folder)


def test_rule_settings_override_and_are_checked(folder: Path) -> None:
    replace_file(folder, "rules.json", {"bend_min": 40})
    assert Bundle.open(folder).rules == RuleSettings(bend_min=40)
    replace_file(folder, "rules.json", {"bend_mn": 40})
    assert "rules.json sets the unknown 'bend_mn' (did you mean bend_min?)" in refused(folder)
    replace_file(folder, "rules.json", {"wave_turns": 2.5})
    assert "not a whole number" in refused(folder)
    replace_file(folder, "rules.json", {"bend_min": "40"})
    assert "not a finite number" in refused(folder)
    replace_file(folder, "rules.json", [1])
    assert "must map names to numbers" in refused(folder)


def test_labels_and_vocabulary_are_checked(folder: Path) -> None:
    replace_file(folder, "labels.json", ["curl", "pinhc"])
    assert "'pinhc' (did you mean pinch?)" in refused(folder)
    replace_file(folder, "labels.json", ["curl", "curl"])
    assert "twice" in refused(folder)
    replace_file(folder, "labels.json", ["curl"])
    replace_file(folder, "vocabulary.json", {"a": 1})
    assert "list of words" in refused(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m["captions"].update(source="oracle"), "'oracle'"),
        (lambda m: m["captions"].update(source="model"), "'student'"),
        (lambda m: m["captions"].update(source="model", student="labels.json"), "the graph encoder"),
        (lambda m: m["captions"].pop("rules"), "'rules'"),
        (lambda m: m["captions"].update(rules="none.json"), "none.json"),
        (lambda m: m.pop("name"), "'name'"),
        (lambda m: m.update(files=[]), "'files'"),
        (lambda m: m["files"]["rules.json"].pop("licence"), "rules.json"),
        (lambda m: m["files"]["rules.json"].update(licence=""), "rules.json"),
        (lambda m: m["networks"][0].update(sha256=3), "networks"),
        (lambda m: m["preprocessing"].update(unit=1), "did you mean unit_s?"),
        (lambda m: m.update(graphs={"encoder": {"onnx": "encoder.onnx"}}), "encoder.onnx"),
        (lambda m: m.update(graphs={"encoder": {"onyx": "rules.json"}}), "onyx"),
    ],
)
def test_a_manifest_that_says_something_odd_is_refused(folder: Path, change, said: str) -> None:
    rewrite(folder, change)
    assert said in refused(folder)


def test_an_edited_manifest_is_refused_even_if_it_still_parses(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"version"', '"version" '))
    assert "manifest.json does not have the digest" in refused(folder)


def test_graphs_are_read_by_role_and_format(folder: Path) -> None:
    rewrite(folder, lambda m: m.update(graphs={"encoder": {"onnx": "rules.json"}}))
    bundle = Bundle.open(folder)
    assert bundle.graph("encoder", "onnx") == bundle.read("rules.json")
    with pytest.raises(BundleError, match=r"no graph 'encoder' for tflite; it has encoder \(onnx\)"):
        bundle.graph("encoder", "tflite")
    with pytest.raises(BundleError, match=r"did you mean rules.json"):
        bundle.read("rule.json")


def test_check_reads_the_disk_again(folder: Path) -> None:
    bundle = Bundle.open(folder)
    (folder / "rules.json").write_bytes(b"{}")
    with pytest.raises(BundleError, match=r"rules\.json"):
        bundle.check()


def test_opening_needs_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def no(*args: object, **kwargs: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", no)
    monkeypatch.setattr(socket, "create_connection", no)
    assert Bundle.open().name == "figop-base"


def run_verb(*argv: str) -> int:
    import argparse

    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    args = parser.parse_args(["bundle", *argv])
    return int(args.run(args))


def test_inspect_prints_and_gives_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("inspect", "figop-rules") == 0
    text = capsys.readouterr().out
    assert all(
        name in text
        for name in (*set(NAMES) - {"manifest.json"}, "hand_landmark_full.tflite", "Apache-2.0", "by rules")
    )
    assert run_verb("inspect", "figop-rules", "--json") == 0
    about = json.load(io.StringIO(capsys.readouterr().out))
    assert about["rules"] == asdict(RuleSettings())
    assert set(about["files"]) == set(NAMES) - {"manifest.json"}


def test_check_verb(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("check", str(folder)) == 0
    assert "is whole" in capsys.readouterr().out
    assert run_verb("check", str(folder), "--json") == 0
    assert json.loads(capsys.readouterr().out)["holds"]
    (folder / "labels.json").write_bytes(b"[]\n")
    with pytest.raises(BundleError, match=r"labels\.json"):
        run_verb("check", str(folder))

"""Signatures, differences, and what an exported manifest must say."""

import argparse
import json
import shutil
import zipfile
from pathlib import Path

import pytest

from edge.bundle import Bundle, canonical, manifest_digest
from edge.bundle_cli import add_parser
from edge.bundle_diff import differences
from edge.bundle_files import add_file, open_files, zipped
from edge.bundle_signature import REQUIRED, SIGNATURE, new_keys, public_key, sign
from edge.errors import BundleError, SinkError

pytest.importorskip("cryptography", reason="signatures need the package cryptography")
SHIPPED = Path(__file__).resolve().parents[2] / "edge" / "bundles" / "figop-rules"


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree(SHIPPED, tmp_path / "b"))


@pytest.fixture
def keys(tmp_path):
    secret, shown = new_keys()
    (tmp_path / "key").write_bytes(secret)
    (tmp_path / "key.pub").write_bytes(shown)
    return tmp_path / "key", tmp_path / "key.pub"


def run(*words):
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    args = parser.parse_args(["bundle", *map(str, words)])
    return args.run(args)


def rewrite(folder, change):
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    manifest["digest"] = manifest_digest(manifest)
    (folder / "manifest.json").write_bytes(canonical(manifest))


@pytest.mark.parametrize("packed", [False, True])
def test_a_signed_bundle_opens_with_its_key_alone(folder, keys, tmp_path, packed, capsys):
    target = folder
    if packed:
        target = tmp_path / "b.figop"
        with open_files(folder) as files:
            target.write_bytes(zipped({n: files.read(n) for n in files.names()}))
    assert run("sign", target, "--key", keys[0]) == 0
    trusted = public_key(keys[1])
    assert Bundle.open(target, signed_by=trusted).signature.key == trusted.hex()
    assert run("check", target, "--require-signature", keys[1]) == 0
    assert "is signed by" in capsys.readouterr().out
    other, shown = new_keys()
    (tmp_path / "other.pub").write_bytes(shown)
    with pytest.raises(BundleError, match="not by the required key"):
        Bundle.open(target, signed_by=public_key(tmp_path / "other.pub"))
    assert other != shown


def test_an_unsigned_bundle_is_refused_where_a_signature_is_required(folder, keys, monkeypatch):
    with pytest.raises(BundleError, match="is not signed"):
        Bundle.open(folder, signed_by=public_key(keys[1]))
    monkeypatch.setenv(REQUIRED, str(keys[1]))
    with pytest.raises(BundleError, match="is not signed"):
        Bundle.open(folder)
    assert Bundle.open("figop-rules").signature is None, "what came with figop came with its wheel"
    monkeypatch.setenv(REQUIRED, str(folder / "none.pub"))
    with pytest.raises(BundleError, match="cannot be read"):
        Bundle.open(folder)


def test_an_altered_manifest_breaks_the_signature(folder, keys):
    run("sign", folder, "--key", keys[0])
    rewrite(folder, lambda m: m.update(version="9.9.9"))
    with pytest.raises(BundleError, match="it was altered"):
        Bundle.open(folder, signed_by=public_key(keys[1]))
    assert Bundle.open(folder).version == "9.9.9", "digests alone do not find forgery"


@pytest.mark.parametrize(
    "data", [b"", b"{}", b'{"key": "zz", "signature": ""}', b'{"algorithm": "rsa", "key": "", "signature": ""}']
)
def test_a_broken_signature_is_refused(folder, data):
    (folder / SIGNATURE).write_bytes(data)
    with pytest.raises(BundleError, match="signature of the bundle"):
        Bundle.open(folder)


def test_a_manifest_cannot_list_a_signature_or_an_engine(folder):
    for name, why in ((SIGNATURE, "leads out of it"), ("encoder.engine", "built on the device")):
        data = canonical({})
        (folder / name).write_bytes(data)
        import hashlib

        row = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data), "licence": "x", "origin": "x"}
        rewrite(folder, lambda m, name=name, row=row: m["files"].update({name: row}))
        with pytest.raises(BundleError, match=why):
            Bundle.open(folder)
        (folder / name).unlink()
        rewrite(folder, lambda m, name=name: m["files"].pop(name))


def test_keys_are_made_once_and_kept_private(tmp_path, keys, folder):
    assert run("keygen", tmp_path / "mine") == 0
    assert (tmp_path / "mine").stat().st_mode & 0o777 == 0o600
    assert run("sign", folder, "--key", tmp_path / "mine") == 0
    with pytest.raises(SinkError, match="not overwritten"):
        run("keygen", tmp_path / "mine")
    with pytest.raises(BundleError, match="private key"):
        sign(b"x", keys[1].read_bytes())
    with pytest.raises(BundleError, match="public key"):
        public_key(keys[0])


def test_differences_are_named(folder, capsys):
    assert differences(Bundle.open("figop-rules"), Bundle.open(folder)) == []
    assert run("diff", "figop-rules", folder) == 0
    rewrite(folder, lambda m: (m.update(version="9.9.9"), m["preprocessing"].update(rest_s=0.5)))
    found = {what: (a, b) for what, a, b in differences(Bundle.open("figop-rules"), Bundle.open(folder))}
    assert found["version"][1] == "9.9.9"
    assert found["preprocessing/rest_s"][1] == "0.5"
    assert run("diff", "figop-rules", folder) == 1
    assert "9.9.9" in capsys.readouterr().out
    apart = {what for what, _, _ in differences(Bundle.open("figop-rules"), Bundle.open("figop-base"))}
    assert "files/encoder.tflite" in apart


@pytest.mark.parametrize("key", ["device", "recipe", "verification"])
def test_an_exported_manifest_must_say_how_it_was_built(folder, key):
    said = ("device", "runtime", "recipe", "calibration", "verification", "schemes", "from")
    built = {name: {} for name in said}
    del built[key]
    rewrite(folder, lambda m: m.update(schema=2, built=built))
    with pytest.raises(BundleError, match=f"by which {key} it was built"):
        Bundle.open(folder)


def test_one_hand_network_alone_is_refused(folder):
    data = b"network"
    (folder / "palm.tflite").write_bytes(data)
    import hashlib

    row = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data), "licence": "x", "origin": "x"}

    def change(manifest):
        manifest["files"]["palm.tflite"] = row
        manifest["graphs"] = {"palm": {"tflite": "palm.tflite"}}

    rewrite(folder, change)
    with pytest.raises(BundleError, match="one hand network"):
        Bundle.open(folder)


def test_adding_to_a_zip_keeps_it_whole(folder, tmp_path):
    target = tmp_path / "b.figop"
    with open_files(folder) as files:
        target.write_bytes(zipped({n: files.read(n) for n in files.names()}))
    add_file(target, "x.json", b"{}")
    with zipfile.ZipFile(target) as archive:
        assert archive.read("x.json") == b"{}"
        assert archive.testzip() is None

"""`figop web`: the site, its server, the folder that it writes, and what it says when something is missing."""

import datetime
import gzip
import hashlib
import ipaddress
import json
import ssl
import urllib.error
import urllib.request

import pytest

from edge import web_cli, web_site
from edge.addresses import is_loopback
from edge.bundle import Bundle
from edge.bundle_files import add_file, zipped
from edge.errors import BundleError, FigopError
from edge.web_server import WebServer
from edge.web_site import bundle_files, sees_pictures, site, write_site


@pytest.fixture
def app(tmp_path):
    """A built app, as far as the server cares."""
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>figop</title>" + " " * 500)
    (folder / "sw.js").write_text("//")
    (folder / "assets/main-abc.js").write_text("let x = 1;" * 100)
    (folder / "assets/main-abc.js.gz").write_bytes(gzip.compress(b"let x = 1;" * 100))
    (folder / "assets/runtime-abc.wasm.gz").write_bytes(gzip.compress(b"wasm" * 100))
    return folder


@pytest.fixture
def pages(app):
    return site(Bundle.open("figop-base"), app)


@pytest.fixture
def server(pages):
    running = WebServer(pages, port=0)
    running.start()
    yield running
    running.close()


def get(url, **headers):
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10)


def test_the_page_and_the_bundle_are_served_whole(server):
    answer = get(server.url)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    manifest = json.loads(get(f"{server.url}bundle/manifest.json").read())
    for name in ("rules.json", "encoder.onnx", "student.json"):
        data = get(f"{server.url}bundle/{name}").read()
        assert hashlib.sha256(data).hexdigest() == manifest["files"][name]["sha256"]


def test_what_shrinks_goes_out_shrunk_and_what_is_kept_is_not_sent_again(server):
    answer = get(f"{server.url}assets/main-abc.js", **{"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(answer.read()) == b"let x = 1;" * 100
    for name, content in (
        ("main-abc.js", b"let x = 1;"),
        ("runtime-abc.wasm", b"wasm"),
    ):
        assert get(f"{server.url}assets/{name}").read() == content * 100
    assert "immutable" in answer.headers["Cache-Control"]
    assert get(f"{server.url}assets/main-abc.js").headers["Content-Encoding"] is None
    with pytest.raises(urllib.error.HTTPError) as again:
        get(server.url, **{"If-None-Match": get(server.url).headers["ETag"]})
    assert again.value.code == 304


@pytest.mark.parametrize(
    "path", ["../pyproject.toml", "%2e%2e/web_cli.py", "assets", "bundle/encoder.tflite", "nothing"]
)
def test_nothing_else_is_served(server, path):
    with pytest.raises(urllib.error.HTTPError) as refused:
        get(server.url + path)
    assert refused.value.code == 404


def test_https_with_a_certificate(pages, tmp_path):
    certificate = self_signed(tmp_path)
    server = WebServer(pages, port=0, certificate=certificate)
    server.start()
    try:
        assert server.url.startswith("https://127.0.0.1:")
        trust = ssl.create_default_context(cafile=certificate)
        with urllib.request.urlopen(f"{server.url}sw.js", timeout=10, context=trust) as answer:
            assert answer.read() == b"//"
    finally:
        server.close()


def self_signed(folder):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "figop")])
    now = datetime.datetime(2026, 1, 1)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=20000))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    file = folder / "site.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return file


def test_a_folder_for_any_web_server(pages, tmp_path):
    folder = tmp_path / "site"
    write_site(pages, folder)
    held = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert {"index.html", "sw.js", "bundle/manifest.json", "bundle/step.onnx", "assets/main-abc.js.gz"} <= held
    assert {"assets/runtime-abc.wasm", "assets/runtime-abc.wasm.gz"} <= held
    assert not any(name.endswith(".tflite") for name in held), "browsers have no use for it"
    with pytest.raises(FigopError, match="is not empty"):
        write_site(pages, folder)
    write_site(pages, folder, force=True)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years")
    with pytest.raises(FigopError, match="is not empty"):
        write_site(pages, mine, force=True)
    assert (mine / "thesis.txt").exists()


def test_without_the_app_one_sentence_says_how_to_build_it(tmp_path):
    with pytest.raises(FigopError, match="make web"):
        site(Bundle.open("figop-base"), tmp_path / "none")


def test_a_bundle_without_onnx_graphs_is_refused_by_name(tmp_path, app):
    source = Bundle.open("figop-base")
    from export.build import Part, assemble

    with open(source.path / "manifest.json") as file:
        manifest = {k: v for k, v in json.load(file).items() if k not in ("files", "digest", "schema")}
    graphs = {role: {"tflite": f"{role}.tflite"} for role in source.graphs}
    parts = {
        name: Part(source.read(name), entry.licence, entry.origin)
        for name, entry in source.files.items()
        if not name.endswith(".onnx")
    }
    path = tmp_path / "lite.figop"
    path.write_bytes(zipped(assemble({**manifest, "graphs": graphs}, parts)))
    with pytest.raises(BundleError, match=r"no graph 'encoder' for onnx.*browser-wasm"):
        site(Bundle.open(path), app)


def test_a_zip_serves_as_well_as_a_folder(tmp_path):
    source = Bundle.open("figop-base")
    path = tmp_path / "copy.figop"
    path.write_bytes(zipped({name: (source.path / name).read_bytes() for name in [*source.files, "manifest.json"]}))
    assert bundle_files(Bundle.open(path)) == bundle_files(source)
    assert not sees_pictures(source)
    add_file(path, "stray.txt", b"?")
    with pytest.raises(BundleError):
        Bundle.open(path)


def test_addresses():
    assert is_loopback("127.0.0.1")
    assert is_loopback("::1")
    assert is_loopback("localhost")
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("robot.local")


def test_the_code_holds_the_address():
    segno = pytest.importorskip("segno")
    url = "http://192.168.1.20:8088/"
    drawn = web_cli.qr_code(url)
    assert len(drawn.splitlines()) == (segno.make(url, error="m").symbol_size(border=2)[1] + 1) // 2


def test_a_port_that_is_taken_gets_one_sentence(server, pages):
    with pytest.raises(FigopError, match="choose another by --port"):
        WebServer(pages, port=server.port)


def test_headers_keep_only_what_has_a_digest_in_its_name(pages):
    kept = {path for path, page in pages.items() if "immutable" in page.headers["Cache-Control"]}
    assert kept == {path for path in pages if path.startswith(web_site.HASHED)}

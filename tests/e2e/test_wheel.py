"""The wheel: builds, holds what it should, and captions the demo clip in an environment of its own."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("edge", "export", "quant", "devices")

if int(metadata.version("setuptools").split(".")[0]) < 77:
    pytest.skip("building needs setuptools 77 or newer (`make test` installs it)", allow_module_level=True)


def run(*command: str | Path, **options) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, env=env, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done


def repository_files() -> list[Path]:
    """What a commit of everything would hold: no build leftovers, no caches."""
    done = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip("not a git checkout")
    return [Path(line) for line in done.stdout.splitlines() if (ROOT / line).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = tmp_path_factory.mktemp("tree")
    for name in repository_files():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tree / name)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tree / "dist", tree)
    (built,) = (tree / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_only_the_packages_are_in_it(names: list[str]) -> None:
    top = {n.split("/")[0] for n in names}
    expected = {p for p in PACKAGES if (ROOT / p / "__init__.py").is_file()}
    assert {t for t in top if not t.endswith(".dist-info")} == expected
    assert not [n for n in names if "test" in n.lower().split("/")[0] or n.endswith((".pyc", ".webm.part"))]
    # figop's own graphs lie in its bundles; the hand networks are obtained by `figop setup` and never shipped
    assert not [n for n in names if n.endswith((".tflite", ".onnx")) and not n.startswith("edge/bundles/")]
    assert not [n for n in names if "palm_detection" in n or "hand_landmark" in n]


def test_every_file_of_the_packages_is_in_it(names: list[str]) -> None:
    wanted = {
        str(n)
        for n in repository_files()
        # the web app's sources are no package (what `make web` builds of them is), nor are weights to train on from
        if n.parts[0] in PACKAGES
        and (ROOT / n.parts[0] / "__init__.py").is_file()
        and n.parts[:2] != ("edge", "web")
        and n.suffix != ".pt"
    }
    assert wanted - set(names) == set()
    assert {"edge/bundles/figop-base/manifest.json", "edge/assets/demo.webm", "edge/py.typed"} <= set(names)


def test_licences_are_in_it(names: list[str], wheel: Path) -> None:
    assert [n.rsplit("/", 1)[1] for n in names if "/licenses/" in n] == ["LICENSE", "NOTICE"]
    with zipfile.ZipFile(wheel) as archive:
        about = archive.read(next(n for n in names if n.endswith("METADATA"))).decode()
    assert "License-Expression: Apache-2.0" in about


def needed(root: str) -> set[str]:
    """Distributions that `root` requires without extras, as installed here, all the way down."""
    found: set[str] = set()
    open_ = [root]
    while open_:
        for line in metadata.requires(open_.pop()) or []:
            name = re.match(r"[A-Za-z0-9._-]+", line)
            if name and "extra ==" not in line and name[0].lower() not in found:
                try:
                    metadata.distribution(name[0])
                except metadata.PackageNotFoundError:
                    continue  # for another platform or Python
                found.add(name[0].lower())
                open_.append(name[0])
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel and the distributions that it requires, and nothing else."""
    venv = tmp_path_factory.mktemp("fresh") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", venv)
    python = venv / ("Scripts" if os.name == "nt" else "bin") / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", "--no-compile", wheel)
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip())
    with zipfile.ZipFile(wheel) as archive:
        about = archive.read(next(n for n in archive.namelist() if n.endswith("METADATA"))).decode()
    direct = re.findall(r"^Requires-Dist: ([A-Za-z0-9._-]+)(?!.*extra ==)", about, re.MULTILINE)
    assert "numpy" in direct
    assert "mediapipe" not in direct
    # linked instead of downloaded: what is under test is the wheel and its list of requirements
    for name in sorted({n for d in direct for n in (d, *needed(d))}):
        for file in metadata.distribution(name).files or []:
            link(file.locate(), Path(file.parts[0]), site)
    for libs in Path(str(metadata.distribution("numpy").locate_file(""))).glob("*.libs"):
        link(libs / "x", Path(libs.name), site)
    return python


def link(file: Path, top: Path, site: Path) -> None:
    """Link the top-level folder or module that a distribution's file lies in."""
    if top.name in ("..", "__pycache__") or (site / top).exists():
        return
    source = next(p for p in (Path(file), *Path(file).parents) if p.name == top.name)
    (site / top).symlink_to(source, target_is_directory=source.is_dir())


def test_it_imports_from_its_own_environment(installed: Path) -> None:
    where = run(installed, "-c", "import edge, sys; print(edge.__file__)", cwd=installed.parent).stdout
    assert str(installed.parents[1]) in where
    look = "import sys, importlib.util as u; print([n for n in sys.argv[1:] if u.find_spec(n)])"
    never = ("mediapipe", "scipy", "numba", "onnx", "pytest", "torch", "tests")
    assert run(installed, "-c", look, *never, cwd=installed.parent).stdout.strip() == "[]"


def test_it_checks_its_bundle(installed: Path, tmp_path: Path) -> None:
    figop = installed.with_name("figop")
    said = json.loads(run(figop, "bundle", "check", "--json", cwd=tmp_path).stdout)
    assert said["name"] == "figop-base"
    assert str(installed.parents[1]) in said["path"]


@pytest.mark.usefixtures("networks")
def test_it_captions_the_demo_clip(installed: Path, tmp_path: Path) -> None:
    run(installed.with_name("figop"), "demo", "--out", tmp_path / "demo", cwd=tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "demo" / "events.jsonl").read_text().splitlines()]
    spoken = [r for r in rows if r["type"] == "caption" and r["final"]]
    assert len(spoken) >= 3
    assert {e["hand"] for r in spoken for e in r["score"]} == {"left", "right"}


def test_verbs_whose_extra_is_missing_say_so(installed: Path, tmp_path: Path) -> None:
    """`eval` needs scipy, which a runtime does not have: one sentence, no traceback, and not exit code 0."""
    done = subprocess.run(
        [installed.with_name("figop"), "eval", "captions"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "sim" in done.stderr

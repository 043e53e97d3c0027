"""What the tree promises: who imports whom, packages that are packages, no path of anyone's machine."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = [p for p in ("edge", "export", "quant", "devices") if (ROOT / p).is_dir()]
NEVER_IN_EDGE = {"torch", "scipy", "numba", "pandas", "matplotlib", "PIL", "export", "quant", "devices", "tests", "jax"}
#: imported inside functions only, so that `edge` loads without them
LAZY_IN_EDGE = {"mediapipe", "onnxruntime", "tflite_runtime"}
#: paths of a machine; a document may speak of ~/, of placeholders, and of where every ROS lies
MACHINE_PATH = re.compile(r"(?<![\w.$/~-])/(?:home|Users|work|root|mnt|opt|tmp)/(?!path|ros/)[\w.]")
TEXT = {
    ".py",
    ".md",
    ".toml",
    ".txt",
    ".json",
    ".yaml",
    ".yml",
    ".cfg",
    ".html",
    ".js",
    ".css",
    ".vtt",
    ".srt",
    ".jsonl",
}


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(tree: ast.AST, *, inside: bool = False) -> Iterator[tuple[str, bool]]:
    """(top-level name, whether inside a function) of every import; relative ones are the package itself."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((a.name.split(".")[0], inside) for a in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").split(".")[0], inside
        elif isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            continue
        else:
            yield from imports(node, inside=inside or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))


def tracked() -> list[Path]:
    """Files of the repository; outside a checkout, what the tree holds."""
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return [ROOT / line for line in done.stdout.splitlines() if (ROOT / line).is_file()]
    return [
        p
        for p in ROOT.rglob("*")
        if p.is_file() and not any(part.startswith(".") for part in p.relative_to(ROOT).parts)
    ]


@pytest.mark.parametrize("path", sources("edge"), ids=lambda p: str(p.relative_to(ROOT)))
def test_edge_imports_only_what_a_board_has(path: Path) -> None:
    for name, inside in imports(ast.parse(path.read_text(encoding="utf-8"))):
        assert name not in NEVER_IN_EDGE, f"{path.relative_to(ROOT)} imports {name}"
        assert inside or name not in LAZY_IN_EDGE, f"{path.relative_to(ROOT)} imports {name} when it is loaded"


@pytest.mark.parametrize(("bundle", "loaded"), [("figop-rules", set()), ("figop-base", {"ai_edge_litert"})])
def test_captioning_from_landmarks_loads_no_more_than_it_needs(bundle: str, loaded: set[str]) -> None:
    """Recordings and headsets need no OpenCV, and with the rules alone no inference runtime."""
    code = (
        "import sys\n"
        "from edge.pipeline import Captioner\n"
        "from edge.hands.frame import HandFrame\n"
        "with Captioner.open(sys.argv[1], tracker=None) as cap:\n"
        "    cap.push(HandFrame(t_ns=0)); cap.flush()\n"
        "heavy = {'cv2', 'ai_edge_litert', 'onnxruntime', 'mediapipe', 'torch', 'scipy', 'rich', 'socket'}\n"
        "print(*heavy & set(sys.modules))\n"
    )
    command = [sys.executable, "-c", code, bundle]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # LiteRT's own import reads package metadata, which loads `socket` and opens none
    assert set(done.stdout.split()) - ({"socket"} if loaded else set()) == loaded


@pytest.mark.parametrize("package", PACKAGES)
def test_every_folder_with_code_is_a_package(package: str) -> None:
    folders = {p.parent for p in sources(package)}
    assert not [str(f.relative_to(ROOT)) for f in folders if not (f / "__init__.py").is_file()]


@pytest.mark.parametrize("package", PACKAGES)
def test_tests_are_never_imported_by_what_is_installed(package: str) -> None:
    for path in sources(package):
        names = {name for name, _ in imports(ast.parse(path.read_text(encoding="utf-8")))}
        assert not names & {"tests", "pytest", "hypothesis"}, path.relative_to(ROOT)


def test_no_path_of_a_machine_is_in_the_repository() -> None:
    found = []
    for path in tracked():
        if path.suffix in TEXT or path.name in ("Makefile", "run", "LICENSE", "NOTICE"):
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                if MACHINE_PATH.search(line):
                    found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("line", ["|home|ann|x", "see |Users|bob|x", "'|tmp|figop|a'", "(|opt|x)"])
def test_the_machine_path_check_finds_paths(line: str) -> None:
    assert MACHINE_PATH.search(line.replace("|", "/"))
    assert not MACHINE_PATH.search("https://host/home/page ../shared/data /path/to/python tests/tmp/x")


def test_no_large_file_is_in_the_repository() -> None:
    # a trained graph is as large as it is; its bundle has a bar of its own (15 MB, tests/e2e/test_student_bundle.py)
    # and so are the weights that training goes on from
    graphs = {ROOT / "edge" / "bundles", ROOT / "export" / "models"}
    large = [
        f"{p.relative_to(ROOT)}: {p.stat().st_size}"
        for p in tracked()
        if p.stat().st_size > (4_000_000 if graphs & set(p.parents) else 2_000_000)
    ]
    assert not large

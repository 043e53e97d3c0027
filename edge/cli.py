"""`figop`: one command, one verb for each thing to do. Verbs of other folders come by entry points.

Only the verb that was asked for is imported, so that `figop --help` and error messages come at once.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module, metadata
from types import FrameType
from typing import Any

from edge import __version__
from edge.errors import FigopError
from edge.stdout import StdoutError, guarded

AddParser = Callable[[Any], None]

#: Verbs of this folder: module and line of help.
VERBS: Mapping[str, tuple[str, str]] = {
    "setup": ("edge.verbs.setup", "obtain the hand networks, once; everything else works offline"),
    "demo": ("edge.verbs.demo", "caption the bundled clip and write every kind of output"),
    "caption": ("edge.verbs.caption", "caption a video, a folder of pictures or a recording"),
    "run": ("edge.verbs.run", "caption a camera live"),
    "record": ("edge.verbs.record", "track hands and keep the landmarks, not the pictures"),
    "replay": ("edge.verbs.replay", "caption a recording of landmarks; needs no camera and no OpenCV"),
    "serve": ("edge.verbs.serve", "events to other programs, hands from headsets, over HTTP and WebSocket"),
    "gesture": ("edge.verbs.gesture", "define gestures by a sentence, enrol them by examples, test them"),
}
ENTRY_POINTS = "figop.verbs"
#: Extra of pyproject.toml that brings a module.
EXTRAS: Mapping[str, str] = {
    "numba": "sim",
    "scipy": "sim",
    "serial": "serial",
    "mediapipe": "mediapipe",
    "onnxruntime": "onnx",
    "torch": "train",
    "tflite_runtime": "tflite",
    "starlette": "serve",
    "uvicorn": "serve",
    "websockets": "serve",
    "onnx": "dev",
    "jsonschema": "dev",
    "pyarrow": "corpus",
    "faiss": "search",
    "ray": "cluster",
}
#: Exit codes besides 0: what was asked for holds only in part; it could not be begun; SIGPIPE; Ctrl-C; SIGTERM.
PARTLY, USER_ERROR, PIPE_CLOSED, INTERRUPTED, TERMINATED = 1, 2, 141, 130, 143


def main(argv: Sequence[str] | None = None) -> int:
    """Run a verb; returns the exit code. User errors become one sentence on stderr."""
    try:
        with guarded() as stdout:
            try:
                return _main(argv)
            except BrokenPipeError:  # the reader of our output has gone, as in `figop ... | head`
                stdout.silence()
                return PIPE_CLOSED
    except StdoutError as error:  # what was asked for is done, but not told
        _complain(str(error))
        return PARTLY
    except BrokenPipeError:  # found by the last flush
        return PIPE_CLOSED


def _main(argv: Sequence[str] | None) -> int:
    args = list(sys.argv[1:] if argv is None else argv)
    verb = args[0] if args else "--help"
    terminated: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        terminated.append(number)
        raise KeyboardInterrupt

    try:
        if verb in ("-h", "--help", "help"):
            print(overview())
            return 0
        if verb in ("-V", "--version", "version"):
            print(f"figop {__version__}")
            return 0
        restore = signal.signal(signal.SIGTERM, end) if _main_thread() else None
        try:
            code = _run(verb, args)
        finally:
            if restore is not None:
                signal.signal(signal.SIGTERM, restore)
        sys.stdout.flush()
    except StdoutError:
        raise
    except FigopError as error:
        _complain(str(error))
        return USER_ERROR
    except KeyboardInterrupt:
        code = INTERRUPTED
    return TERMINATED if terminated and code == INTERRUPTED else code


def _main_thread() -> bool:
    import threading

    return threading.current_thread() is threading.main_thread()


def _run(verb: str, args: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="figop", allow_abbrev=False)
    try:
        _adder(verb)(parser.add_subparsers(metavar="VERB"))
        parsed = parser.parse_args(args)
        return int(parsed.run(parsed))
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").split(".")[0])
        if extra is None:
            raise
        raise FigopError(f"figop {verb} needs the {extra} extra: pip install 'figop[{extra}]'") from error


def _adder(verb: str) -> AddParser:
    """The function that adds the verb's parser. Raises FigopError for a verb that does not exist."""
    if verb in VERBS:
        adder: AddParser = import_module(VERBS[verb][0]).add_parser
        return adder
    others = _others()
    if verb in others:
        plugged: AddParser = others[verb].load()
        return plugged
    known = [*VERBS, *others]
    near = difflib.get_close_matches(verb, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"verbs are {', '.join(known)}."
    raise FigopError(f"figop has no verb {verb!r}; {hint}")


def _others() -> dict[str, metadata.EntryPoint]:
    return {e.name: e for e in metadata.entry_points(group=ENTRY_POINTS) if e.name not in VERBS}


def overview() -> str:
    """The text of `figop --help`."""
    rows = {name: text for name, (_, text) in VERBS.items()}
    for name, entry in _others().items():
        rows[name] = _help_of(name, entry)
    width = max(map(len, rows)) + 2
    return "\n".join(
        [
            "usage: figop VERB ...",
            "",
            "Watches hands, keeps a motion score of every finger, and speaks it: in real time, offline.",
            "",
            *(f"  {name:{width}}{text}" for name, text in rows.items()),
            "",
            "figop VERB --help tells more. Begin with: figop setup",
        ]
    )


def _help_of(name: str, entry: metadata.EntryPoint) -> str:
    holder = argparse.ArgumentParser().add_subparsers()
    try:
        entry.load()(holder)
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").split(".")[0], "")
        return f"(needs the {extra} extra: pip install 'figop[{extra}]')" if extra else f"(not available: {error})"
    except Exception as error:  # a plug-in of somebody else must not break the help
        return f"(not available: {error})"
    return next((str(a.help) for a in holder._choices_actions if a.dest == name), "")


def _complain(sentence: str) -> None:
    if sys.stderr is not None:
        with contextlib.suppress(OSError):  # nobody is left to tell
            print(f"figop: {sentence}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""`figop gesture list|test|define|enrol|remove`: the gestures of a bundle, by sentence or example; all take --json."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from edge.bundle import DEFAULT_BUNDLE, Bundle
from edge.gestures.reader import shipped
from edge.gestures.sentence import events_of
from edge.gestures.store import STORE, Gesture, GestureError, GestureStore, builtin, write
from edge.hands.frame import VIEWS
from edge.verbs.common import add_json


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "gesture", help="list, test, define, enrol and remove gestures of a bundle", description=__doc__
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="list|test|define|enrol|remove")

    listed = actions.add_parser("list", help="the gestures of a bundle, and the built-in set")
    _bundle(listed)
    listed.set_defaults(run=_list)

    test = actions.add_parser("test", help="gesture events of a recording or video, with their score traces")
    test.add_argument("file", type=Path, metavar="FILE", help="recording (.npz) or video")
    test.add_argument("--plot", nargs="?", const=Path("gestures.png"), type=Path, metavar="FILE.png",
                      help="draw score traces with thresholds and events (default: %(const)s)")  # fmt: skip
    _bundle(test)
    _camera(test)
    test.set_defaults(run=_test)

    define = actions.add_parser("define", help="add a gesture by a sentence")
    define.add_argument("sentence", nargs="?", default="", help='such as "thumb slides along the index finger"')
    define.add_argument("--name", help="its label: lower case letters, digits and _")
    define.add_argument("--threshold", type=float, help="score that it needs (default: few other motions reach it)")
    define.add_argument("--builtin", action="store_true", help="add the whole built-in set instead")
    _bundle(define, writes=True)
    define.set_defaults(run=_define)

    enrol = actions.add_parser("enrol", help="add a gesture by three or more examples")
    enrol.add_argument("name", metavar="NAME", help="its label: lower case letters, digits and _")
    enrol.add_argument(
        "clips", type=Path, nargs="*", metavar="CLIP", help="recordings (.npz) or videos, one example each"
    )
    enrol.add_argument(
        "--camera", type=int, metavar="N", help="show the examples to a camera instead, with a countdown"
    )
    enrol.add_argument("--examples", type=int, default=3, help="how many to show (default: %(default)s)")
    _bundle(enrol, writes=True)
    _camera(enrol)
    enrol.set_defaults(run=_enrol)

    remove = actions.add_parser("remove", help="remove a gesture")
    remove.add_argument("name", metavar="NAME")
    _bundle(remove, writes=True)
    remove.set_defaults(run=_remove)


def _bundle(parser: argparse.ArgumentParser, *, writes: bool = False) -> None:
    parser.add_argument("--bundle", default=DEFAULT_BUNDLE, help="name, folder or .figop file (default: %(default)s)")
    if writes:
        parser.add_argument("-o", "--output", type=Path, metavar="FILE.figop",
                            help="write another bundle and leave this one as it is")  # fmt: skip
    add_json(parser, "one JSON object instead of text")


def _camera(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--camera-view", choices=VIEWS, help="(default: facing, or the recording's own)")
    parser.add_argument("--mirrored", action="store_true", help="the pictures are a selfie view")


def _say(args: argparse.Namespace, about: dict[str, Any], text: str) -> int:
    print(json.dumps(about) if args.json else text)
    return 0


def _list(args: argparse.Namespace) -> int:
    store = GestureStore.of(Bundle.open(args.bundle), strangers=True)
    rows = [{k: v for k, v in g.to_dict().items() if k != "examples"} for g in store]
    if args.json:
        print(json.dumps({"gestures": rows, "builtin": builtin()}))
        return 0
    print(f"{len(rows)} gestures in {args.bundle}" + ("" if rows else ": add some by `figop gesture define`"))
    for row in rows:
        print(f"  {row['name']:22} {row['kind']:9} from {row['threshold']:.2f}  {row.get('sentence', '')}")
    print(f"{len(builtin())} in the built-in set (`figop gesture define --builtin`)")
    for row in builtin():
        d = row["description"]
        print(f"  {row['name']:22} {d['part']}: {d['motion']}; {d['contact']}; {d['manner']}")
    return 0


def _define(args: argparse.Namespace) -> int:
    from edge.gestures.define import DEFINED, alike, needs_student, placed
    from edge.gestures.shapes import Shape

    bundle = Bundle.open(args.bundle)
    store = GestureStore.of(bundle)
    if not args.builtin and not args.sentence.strip():
        events_of(args.sentence)  # refuses it, and lists the words
    if not args.builtin and not args.name:
        raise GestureError("A gesture needs a sentence and a --name, or --builtin for the whole built-in set.")
    if args.threshold is not None and not 0 < args.threshold < 1:
        raise GestureError(f"The threshold lies between 0 and 1, found {args.threshold}.")
    rows = [r for r in builtin() if r["name"] != "rest"] if args.builtin else []
    made = [
        Gesture(
            r["name"], "shape" if "shape" in r else "sentence", DEFINED, r["sentence"],
            shape=Shape.from_dict(r["shape"]) if "shape" in r else None, description=r["description"],
        )
        for r in rows
    ] or [Gesture(args.name, "sentence", DEFINED, args.sentence.strip())]  # fmt: skip
    for gesture in made:
        same = alike(gesture, store)
        store = store.add(placed(gesture, bundle.weights_digest, args.threshold))
    needs_student(bundle)
    where = write(bundle, {STORE: store.to_bytes()}, args.output)
    about = {"bundle": str(where), "gestures": [g.name for g in made]}
    if args.builtin:
        text = f"{where}: the built-in set, {len(made)} gestures"
    else:
        text = f"{where}: {args.name} ({'; '.join(_event_words(e) for e in made[0].events())})"
    if not args.builtin and same:
        about["same_as"] = same
        text += f"\nWarning: it says the same as {same!r}; the better of the two will be told."
    return _say(args, about, text)


def _event_words(event: Any) -> str:
    from edge.narrator import describe

    return describe(event)


def _enrol(args: argparse.Namespace) -> int:
    from edge.gestures.define import needs_student
    from edge.gestures.enrol import clips_of, enrol, shown

    bundle = Bundle.open(args.bundle)
    store = GestureStore.of(bundle)
    needs_student(bundle)
    store.add(Gesture(args.name, "examples", 0.5))  # a name that cannot be is refused before anybody shows anything
    if (args.camera is None) == (not args.clips):
        raise GestureError("Enrolling needs clips, or --camera N to show the examples live: one of the two.")
    reader = shipped()
    if args.camera is not None:
        from edge.hands.backends import open_tracker
        from edge.sources import CameraSource

        source = CameraSource(str(args.camera))
        tracker = open_tracker("native", max_hands=2, mirrored=args.mirrored)
        view = args.camera_view or "facing"
        clips = shown(source, tracker, args.examples, bundle, reader, view=view, mirrored=args.mirrored)
    else:
        clips = clips_of(args.clips, bundle, reader, view=args.camera_view, mirrored=args.mirrored)
    made = enrol(args.name, clips, store, reader)
    where = write(bundle, {STORE: store.add(made.gesture).to_bytes()}, args.output)
    about = {
        "bundle": str(where), "gesture": args.name, "examples": len(made.gesture.examples),
        "threshold": round(made.gesture.threshold, 3), "left_out": [round(s, 3) for s in made.left_out],
        "collisions": {k: round(v, 3) for k, v in made.collisions.items()}, "everyday": round(made.everyday, 3),
    }  # fmt: skip
    text = f"{where}: {args.name} by {len(made.gesture.examples)} examples, from {made.gesture.threshold:.2f} on"
    for other, how in made.collisions.items():
        text += f"\nWarning: {args.name!r} is {how:.2f} similar to {other!r}."
    if made.everyday >= min(made.left_out):
        text += (
            f"\nWarning: everyday motion comes as near to {args.name!r} ({made.everyday:.2f}) as its own examples: it "
            "will seldom be told. A larger or longer motion is told more often."
        )
    text += f"\nNext: figop gesture test CLIP --bundle {where} --plot"
    return _say(args, about, text)


def _remove(args: argparse.Namespace) -> int:
    bundle = Bundle.open(args.bundle)
    store = GestureStore.of(bundle, strangers=True).remove(args.name)
    where = write(bundle, {STORE: store.to_bytes()}, args.output)
    return _say(args, {"bundle": str(where), "removed": args.name}, f"{where}: {args.name} is gone, {len(store)} left")


def _test(args: argparse.Namespace) -> int:
    from edge.gestures.plot import draw
    from edge.gestures.trial import trial

    if args.plot is not None and args.plot.suffix != ".png":
        raise GestureError(f"The plot is a .png, found {args.plot}.")
    found = trial(args.file, Bundle.open(args.bundle), view=args.camera_view, mirrored=args.mirrored)
    if args.plot is not None:
        draw(found, args.plot)
    rows = [e.to_dict() for e in found.events]
    if args.json:
        print(json.dumps({"events": rows, "plot": str(args.plot) if args.plot else ""}))
        return 0
    for row in rows:
        if row["type"] == "gesture_end" and row["confidence"] > 0:
            print(
                f"{row['t_start']:7.2f} {row['t_end']:7.2f}  {row['hand']:5} {row['label']:22} {row['confidence']:.2f}"
            )
    print(f"wrote {args.plot}" if args.plot else f"Next: figop gesture test {args.file} --plot")
    return 0

"""`figop bundle inspect|check|diff|sign|keygen`: what is in a bundle, whether it is whole, and who made it."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from edge.bundle import DEFAULT_BUNDLE, Bundle
from edge.bundle_diff import differences
from edge.bundle_files import MANIFEST, add_file, open_files
from edge.bundle_signature import SIGNATURE, new_keys, public_key, sign
from edge.errors import BundleError, SinkError
from edge.files import write_whole


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the verb. Called by `edge.cli` through the entry point."""
    parser = subparsers.add_parser("bundle", help="look into a bundle, verify or sign it", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True, metavar="inspect|check|diff|sign|keygen")
    for name, run, text in (
        ("inspect", _inspect, "print what is in a bundle"),
        ("check", _check, "verify every file of a bundle; exit code 0 only when it is whole"),
        ("diff", _diff, "say in what two bundles differ; exit code 0 only when in nothing"),
        ("sign", _sign, "sign a bundle with an Ed25519 private key"),
    ):
        action = actions.add_parser(name, help=text, description=text)
        if name == "sign":
            action.add_argument("bundle", help="folder or .figop file")
            action.add_argument("--key", type=Path, required=True, help="private key (PEM)")
        else:
            action.add_argument("bundle", nargs="?" if name != "diff" else None, default=DEFAULT_BUNDLE,
                                help="name, folder or .figop file")  # fmt: skip
            action.add_argument("--require-signature", type=Path, metavar="KEY", help="public key (PEM) that must have "
                                "signed it")  # fmt: skip
        if name == "diff":
            action.add_argument("other", help="name, folder or .figop file")
        action.add_argument("--json", action="store_true", help="one JSON object instead of text")
        action.set_defaults(run=run)
    keygen = actions.add_parser("keygen", help="make a key pair for `sign` and `--require-signature`")
    keygen.add_argument("private", type=Path, help="file of the private key; the public one gets .pub")
    keygen.add_argument("--json", action="store_true", help="one JSON object instead of text")
    keygen.set_defaults(run=_keygen)


def _open(args: argparse.Namespace) -> Bundle:
    return Bundle.open(args.bundle, signed_by=public_key(args.require_signature) if args.require_signature else None)


def _inspect(args: argparse.Namespace) -> int:
    about = _open(args).inspect()
    if args.json:
        print(json.dumps(about))
        return 0
    captions, built = about["captions"], about["built"]
    print(f"{about['name']} {about['version']} (schema {about['schema']})  {about['path']}")
    print(f"captions  by {captions['speakers']}, language {captions['language']}, {captions['words']} words")
    print(f"graphs    {', '.join(about['graphs']) or 'none'}")
    if built:
        print(f"built for {built['device']} ({built['runtime']}), recipe {built['recipe']}")
        print(f"calibrated on {built['calibration'].get('digest', '')[:12] or 'nothing: the recipe needs no ranges'}")
    print(f"made by   {', '.join(about['created'].values())}")
    print(f"signed by {about['signed_by'] or 'nobody'}")
    rows = [(name, entry) for name, entry in about["files"].items()]
    rows += [(f"{n['name']} (by `figop setup`)", n) for n in about["networks"]]
    width = max((len(name) for name, _ in rows), default=0)
    for name, entry in rows:
        size, digest = entry.get("bytes", ""), entry["sha256"][:12]
        print(f"  {name:{width}}  {size:>8}  {entry['licence']:<10}  {digest}  {entry['origin']}")
    return 0


def _check(args: argparse.Namespace) -> int:
    bundle = _open(args)
    holds = bundle.check()
    if args.json:
        print(json.dumps({"name": bundle.name, "version": bundle.version, "path": str(bundle.path), "holds": holds}))
    else:
        print(f"{bundle.name} {bundle.version} is whole: {bundle.path}")
        print("\n".join(f"  {line}" for line in holds))
    return 0


def _diff(args: argparse.Namespace) -> int:
    found = differences(_open(args), Bundle.open(args.other))
    if args.json:
        print(json.dumps([{"what": what, "before": before, "after": after} for what, before, after in found]))
    elif not found:
        print("The two bundles are the same.")
    else:
        for what, before, after in found:
            print(f"{what}\n  - {before}\n  + {after}")
    return int(bool(found))


def _sign(args: argparse.Namespace) -> int:
    bundle = Bundle.open(args.bundle)
    try:
        secret = args.key.read_bytes()
    except OSError as error:
        raise BundleError(f"The private key {args.key} cannot be read: {error.strerror or error}.") from error
    with open_files(bundle.path) as files:
        data = sign(files.read(MANIFEST), secret)
    add_file(bundle.path, SIGNATURE, data)
    key = json.loads(data)["key"]
    print(json.dumps({"path": str(bundle.path), "key": key}) if args.json else f"{bundle.path} is signed by {key}.")
    return 0


def _keygen(args: argparse.Namespace) -> int:
    public = args.private.with_name(f"{args.private.name}.pub")
    for path in (args.private, public):
        if path.exists():
            raise SinkError(f"{path} is there already and is not overwritten: name another file.")
    secret, shown = new_keys()
    try:
        args.private.parent.mkdir(parents=True, exist_ok=True)
        # nobody else may read it, not even for the moment between writing and chmod
        with os.fdopen(os.open(args.private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secret)
        write_whole(public, shown)
    except OSError as error:
        raise SinkError(f"The keys could not be written to {args.private}: {error.strerror or error}.") from error
    about = {"private": str(args.private), "public": str(public)}
    print(json.dumps(about) if args.json else f"private key {args.private} (keep it), public key {public}")
    return 0

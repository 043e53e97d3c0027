"""`figop web`: serve the web app and a bundle to this computer's browser or to a headset, or write them as a folder."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path
from typing import Any

from edge.addresses import is_loopback
from edge.bundle import DEFAULT_BUNDLE, Bundle
from edge.errors import FigopError
from edge.verbs.common import add_json, port
from edge.web_server import PORT, WebServer
from edge.web_site import APP, sees_pictures, site, write_site


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the verb. Called by `edge.cli` through the entry point."""
    parser = subparsers.add_parser(
        "web", help="caption in a browser or headset: serve the web app and a bundle", description=__doc__
    )
    parser.add_argument("--bundle", default=DEFAULT_BUNDLE, help="name, folder or .figop file (default: %(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 = every network of this "
                        "computer (default: %(default)s)")  # fmt: skip
    parser.add_argument("--port", type=port, default=PORT, help="port, 0 = any free one (default: %(default)s)")
    parser.add_argument(
        "--cert", type=Path, metavar="PEM", help="certificate for HTTPS, which headsets need over a network"
    )
    parser.add_argument("--key", type=Path, metavar="PEM", help="its private key, where that is in a file of its own")
    parser.add_argument("--no-qr", action="store_true", help="draw no QR code of the address")
    parser.add_argument(
        "--build", type=Path, metavar="DIR", help="write a folder for any web server instead of serving"
    )
    parser.add_argument("--force", action="store_true", help="replace a folder that figop web --build made before")
    add_json(parser, "one JSON object with the address or the folder instead of text")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    if args.key and not args.cert:
        raise FigopError("--key needs --cert: the certificate that the key belongs to.")
    bundle = Bundle.open(args.bundle)
    pages = site(bundle, APP)
    pictures = sees_pictures(bundle)
    if args.build:
        size = write_site(pages, args.build, force=args.force)
        if args.json:
            print(json.dumps({"folder": str(args.build), "files": len(pages), "bytes": size, "pictures": pictures}))
            return 0
        print(f"{len(pages)} files, {size / 1e6:.1f} MB: the app and {bundle.name}, for any web server.")
        _about_pictures(bundle, pictures)
        print(f"next: python -m http.server --directory {args.build} --bind 127.0.0.1 {PORT}")
        return 0
    server = WebServer(pages, args.host, args.port, args.cert, args.key)
    local = is_loopback(args.host)
    try:
        if args.json:
            print(json.dumps({"url": server.url, "secure": server.secure or local, "pictures": pictures}), flush=True)
        else:
            _tell(server, bundle, local=local, pictures=pictures, qr=not args.no_qr)
        server.serve()
    except KeyboardInterrupt:
        pass  # the way to end it
    finally:
        server.close()
    return 0


def _tell(server: WebServer, bundle: Bundle, *, local: bool, pictures: bool, qr: bool) -> None:
    print(f"{bundle.name} is served. Ctrl-C ends it.")
    _about_pictures(bundle, pictures)
    if local:
        print(f"A headset on a cable reaches it as well, after: adb reverse tcp:{server.port} tcp:{server.port}")
    elif not server.secure:
        print(
            "Over a network without HTTPS, browsers give a page no camera, no headset and no offline use: add --cert."
        )
    if qr:
        code = qr_code(server.url)
        print(code if code else "pip install 'figop[web]' draws a QR code here, for a headset's camera.")
    print(f"next: open {server.url}", flush=True)


def _about_pictures(bundle: Bundle, pictures: bool) -> None:
    if not pictures:
        print(f"{bundle.name} holds no hand networks: recordings and headsets, but no cameras and videos. "
              "With them: figop export --device browser-wasm --with-hands -o web.figop")  # fmt: skip


def qr_code(url: str) -> str:
    """The address as a QR code in half blocks; "" without the library for it."""
    try:
        import segno
    except ImportError:
        return ""
    drawn = io.StringIO()
    segno.make(url, error="m").terminal(drawn, compact=True, border=2)
    return drawn.getvalue().rstrip("\n")

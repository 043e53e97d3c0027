"""Who may come in: the token, the name by which the server is called, and the page that a browser asks from."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from edge.addresses import is_loopback

#: A browser cannot set headers of a WebSocket: it offers the token as a subprotocol with this beginning.
BEARER = "figop.bearer."
#: and this one, which the server chooses
PROTOCOL = "figop.v1"
#: answers without a token: says nothing but that somebody is there
OPEN_PATHS = ("/v1/health",)


def new_token() -> str:
    """256 bits, for a command line and a URL alike."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True)
class Rules:
    """What is let in.

    Attributes:
        token: must be shown; "" = none is needed.
        origins: web pages (scheme://host[:port]) that may ask besides the server's own.
        local: the server listens to this computer alone: it is then called by a loopback name and by no other, or a
            web page of anybody could reach it through a name of its own that points here.
    """

    token: str = ""
    origins: Sequence[str] = ()
    local: bool = True

    def refusal(self, path: str, headers: Headers) -> tuple[int, str] | None:
        """Status and sentence for what is not let in."""
        host = headers.get("host", "")
        if self.local and not is_loopback(urlsplit(f"//{host}").hostname or ""):
            return 403, f"figop answers here to localhost and 127.0.0.1 only, not to {host!r}."
        origin = headers.get("origin")
        if origin is not None and origin not in self.origins and urlsplit(origin).netloc != host:
            return 403, f"Pages of {origin} may not ask: allow them with --origin {origin}."
        if self.token and path not in OPEN_PATHS and not self._shown(headers):
            return 401, "A token is needed: Authorization: Bearer TOKEN, which figop serve printed when it began."
        return None

    def _shown(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        shown = [given.strip()] if scheme.lower() == "bearer" else []
        offered = headers.get("sec-websocket-protocol", "").split(",")
        shown += [p.strip().removeprefix(BEARER) for p in offered if p.strip().startswith(BEARER)]
        return any(hmac.compare_digest(s.encode(), self.token.encode()) for s in shown)


class Guard:
    """ASGI middleware: applies `Rules` to every request and every WebSocket before anything else sees them."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self._app, self._rules = app, rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refused = self._rules.refusal(scope["path"], Headers(scope=scope))
        if refused is None:
            await self._app(scope, receive, send)
            return
        status, sentence = refused
        more: dict[str, Any] = {"headers": {"WWW-Authenticate": "Bearer"}} if status == 401 else {}
        answer = JSONResponse({"type": "error", "reason": "refused", "message": sentence}, status, **more)
        if scope["type"] == "http" or "websocket.http.response" in scope.get("extensions", {}):
            await answer(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008, "reason": sentence[:120]})

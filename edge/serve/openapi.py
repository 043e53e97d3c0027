"""What `figop serve` answers, as an OpenAPI document; messages and events by their JSON schemas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edge import __version__

_SCHEMAS = Path(__file__).resolve().parents[1] / "schemas"
_ERROR = {"$ref": "#/components/schemas/error"}
_STREAM = {
    "name": "stream",
    "in": "query",
    "schema": {"type": "string", "default": "source"},
    "description": "`source` is the server's own camera or recording; others are named in a hello",
}


def schema(name: str) -> dict[str, Any]:
    """The JSON schema of the messages or of the events."""
    loaded: dict[str, Any] = json.loads((_SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    return loaded


def _answer(text: str, kind: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {kind: {"schema": content}}}


def _refused(*codes: int) -> dict[str, Any]:
    texts = {
        401: "no token, or a wrong one",
        403: "called by another name, or from a page that is not allowed",
        404: "there is no such stream or schema",
        413: "the body is too long",
        422: "a message is wrong: which line, and what is wrong with it",
        503: "as many as can be served are there already",
    }
    return {str(code): _answer(texts[code], "application/json", _ERROR) for code in (401, 403, *codes)}


def openapi() -> dict[str, Any]:
    """The document."""
    event = {"$ref": "#/components/schemas/event"}
    messages = schema("messages")
    parts = json.loads(json.dumps(messages.pop("$defs")).replace("#/$defs/", "#/components/schemas/"))
    anything = {"type": "object"}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "figop serve",
            "version": __version__,
            "description": "Finger motion as events and captions. /v1/events and /v1/hands are WebSockets (subprotocol "
            "figop.v1): GET with Upgrade. A browser shows its token as the subprotocol figop.bearer.TOKEN.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"token": []}, {}],
        "paths": {
            "/v1/health": {
                "get": {
                    "summary": "Is somebody there? Needs no token.",
                    "security": [{}],
                    "responses": {"200": _answer("yes", "application/json", anything)},
                }
            },
            "/v1/status": {
                "get": {
                    "summary": "Version, bundle, streams with their listeners, sessions.",
                    "responses": {"200": _answer("the state", "application/json", anything), **_refused()},
                }
            },
            "/v1/events": {
                "get": {
                    "summary": "Events of a stream: server-sent events, or a WebSocket that says an event a message.",
                    "parameters": [_STREAM],
                    "responses": {
                        "200": _answer("one event after `data: `", "text/event-stream", event),
                        "101": {"description": "WebSocket: events from figop; what the listener says is not read"},
                        **_refused(404, 503),
                    },
                }
            },
            "/v1/hands": {
                "get": {
                    "summary": "WebSocket: hello, then hands in; ready, then events out.",
                    "x-messages": {
                        "app": [{"$ref": f"#/components/schemas/{n}"} for n in ("hello", "hands", "flush")],
                        "figop": [
                            {"$ref": f"#/components/schemas/{n}"} for n in ("ready", "event", "flushed", "error")
                        ],
                    },
                    "responses": {"101": {"description": "WebSocket"}, **_refused()},
                }
            },
            "/v1/captions": {
                "post": {
                    "summary": "A whole recording of joints in, all its events out.",
                    "requestBody": {
                        "required": True,
                        "description": "a hello, then hands, one JSON a line",
                        "content": {"application/x-ndjson": {"schema": {"$ref": "#/components/schemas/hands"}}},
                    },
                    "responses": {
                        "200": _answer("one event a line", "application/x-ndjson", event),
                        **_refused(413, 422, 503),
                    },
                }
            },
            "/v1/schemas/{name}": {
                "get": {
                    "summary": "The JSON schemas: messages, events.",
                    "parameters": [
                        {
                            "name": "name",
                            "in": "path",
                            "required": True,
                            "schema": {"enum": ["messages", "events"]},
                        }
                    ],
                    "responses": {"200": _answer("the schema", "application/schema+json", anything), **_refused(404)},
                }
            },
            "/openapi.json": {
                "get": {
                    "summary": "This document.",
                    "responses": {"200": _answer("OpenAPI 3.1", "application/json", anything), **_refused()},
                }
            },
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {**parts, "event": schema("events")},
        },
    }

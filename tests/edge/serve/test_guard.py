"""Who is let in."""

import pytest
from starlette.datastructures import Headers

from edge.addresses import is_loopback
from edge.serve.guard import Rules, new_token

TOKEN = "a-token-of-enough-letters"
LOCAL, REMOTE = Rules(), Rules(TOKEN, ("https://my.site",), local=False)


@pytest.mark.parametrize(
    ("rules", "headers", "status"),
    [
        (LOCAL, {"host": "127.0.0.1:8723"}, None),
        (LOCAL, {"host": "localhost:8723"}, None),
        (LOCAL, {"host": "[::1]:8723"}, None),
        (LOCAL, {"host": "evil.example:8723"}, 403),
        (LOCAL, {"host": "127.0.0.1.evil.example"}, 403),
        (LOCAL, {}, 403),
        (LOCAL, {"host": "localhost:8723", "origin": "http://localhost:8723"}, None),
        (LOCAL, {"host": "localhost:8723", "origin": "http://localhost:9999"}, 403),
        (LOCAL, {"host": "localhost:8723", "origin": "https://evil.example"}, 403),
        (LOCAL, {"host": "localhost:8723", "origin": "null"}, 403),
        (REMOTE, {"host": "robot.local:8723"}, 401),
        (REMOTE, {"host": "robot.local", "authorization": f"Bearer {TOKEN}"}, None),
        (REMOTE, {"host": "robot.local", "authorization": f"bearer {TOKEN}"}, None),
        (REMOTE, {"host": "robot.local", "authorization": f"Bearer {TOKEN}x"}, 401),
        (REMOTE, {"host": "robot.local", "authorization": "Bearer "}, 401),
        (REMOTE, {"host": "robot.local", "authorization": f"Basic {TOKEN}"}, 401),
        (REMOTE, {"host": "robot.local", "authorization": "Bearer \xff\xfe"}, 401),
        (REMOTE, {"host": "robot.local", "sec-websocket-protocol": f"figop.v1, figop.bearer.{TOKEN}"}, None),
        (REMOTE, {"host": "robot.local", "sec-websocket-protocol": f"figop.v1, {TOKEN}"}, 401),
        (REMOTE, {"host": "h", "origin": "https://my.site", "authorization": f"Bearer {TOKEN}"}, None),
        (REMOTE, {"host": "h", "origin": "https://other.site", "authorization": f"Bearer {TOKEN}"}, 403),
    ],
)
def test_rules(rules, headers, status):
    refused = rules.refusal("/v1/events", Headers(headers))
    assert (refused and refused[0]) == status


def test_health_needs_no_token_but_keeps_the_other_rules():
    assert REMOTE.refusal("/v1/health", Headers({"host": "robot.local"})) is None
    assert LOCAL.refusal("/v1/health", Headers({"host": "evil.example"})) is not None


def test_tokens_are_long_and_never_the_same():
    assert len({new_token() for _ in range(50)}) == 50
    assert all(len(new_token()) >= 43 for _ in range(5))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "::1", "[::1]", "localhost"])
def test_loopback(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "localhost.evil.example", ""])
def test_not_loopback(host):
    assert not is_loopback(host)

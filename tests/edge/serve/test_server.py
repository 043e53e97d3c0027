"""The API as its clients see it: a real server, real sockets, the golden recording sent as a headset would."""

import contextlib
import http.client
import json
import re
import threading

import jsonschema
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from edge.events import Caption
from edge.serve import app as app_module
from edge.serve.client import captions, listen, open_socket
from edge.serve.guard import Rules
from edge.serve.hub import OWN, Hub
from edge.serve.openapi import openapi, schema
from tests.e2e.test_golden import same, stored
from tests.edge.serve.conftest import serving

MESSAGES = jsonschema.Draft202012Validator(schema("messages"))
EVENTS = jsonschema.Draft202012Validator(schema("events"))
TOKEN = "a-token-of-enough-letters"


def ask(address, path, method="GET", body=None, **headers):
    with contextlib.closing(http.client.HTTPConnection(address, timeout=30)) as connection:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer


def talk(address, *messages, path="/v1/hands"):
    """Everything the server says to these messages until it closes."""
    with connect(f"ws://{address}{path}") as socket:
        for message in messages:
            socket.send(message)
        out = []
        try:
            for text in socket:
                out.append(json.loads(text))
                if out[-1]["type"] == "flushed":
                    break
        except ConnectionClosed:
            pass
        return out


def plain(rows):
    return [{k: v for k, v in row.items() if k not in ("stages_ms", "age_ms")} for row in rows]


def alike(said, expected):
    assert [(r["type"], r.get("text")) for r in said] == [(r["type"], r.get("text")) for r in expected]
    for row, want in zip(said, expected, strict=True):
        row = {**row, **({"hands": want["hands"]} if "hands" in want else {})}  # tracks are numbered anew
        assert same(row, want)


def test_hands_in_golden_events_out(address, joints):
    said = captions(f"ws://{address}", joints)
    alike(plain(said), stored("headset_60fps", "rules"))
    for row in said:
        EVENTS.validate(row)
    for line in joints[:3]:
        MESSAGES.validate(json.loads(line))


def test_a_posted_recording_says_the_same(address, joints):
    status, body, answer = ask(address, "/v1/captions", "POST", "\n".join(joints))
    assert status == 200
    assert answer.getheader("content-type").startswith("application/x-ndjson")
    alike(plain(map(json.loads, body.splitlines())), stored("headset_60fps", "rules"))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", "it is empty"),
        ("{}", "first message must be of the type 'hello'"),
        ('{"type":"hello"}\n{"type":"hands"}', "Line 2: A message of hands needs its time"),
        ('{"type":"hello","language":"tlh"}', "tlh"),
    ],
)
def test_a_wrong_recording_is_told_in_one_sentence(address, body, words):
    status, answer, _ = ask(address, "/v1/captions", "POST", body)
    assert status == 422
    MESSAGES.validate(json.loads(answer))
    assert words in json.loads(answer)["message"]


def test_a_recording_that_is_too_long_is_refused(address, monkeypatch):
    monkeypatch.setattr(app_module, "BODY", 1000)
    assert ask(address, "/v1/captions", "POST", b" " * 2000)[0] == 413


@pytest.mark.parametrize(
    ("messages", "reason", "words"),
    [
        (["nonsense"], "hello", "must be JSON"),
        ([b"\x00"], "hello", "found bytes"),
        (['{"type":"hello","order":"ovr24"}'], "hello", "one of openxr26"),
        (['{"type":"hello","version":2}'], "hello", "speaks version 1"),
        (['{"type":"hello","stream":"Bad Name"}'], "hello", "small letters"),
        (['{"type":"hello","stream":"source"}'], "hello", "small letters"),
        (['{"type":"hello","style":"haiku"}'], "hello", "descriptive, instruction"),
        (['{"type":"hello"}', "{"], "message", "must be JSON"),
        (['{"type":"hello"}', '{"type":"hands","t":1,"left":{"joints":[1]}}'], "message", "three each"),
        (['{"type":"hello"}', '{"type":"hello"}'], "message", "type 'hands'"),
    ],
)
def test_wrong_messages_are_told_in_one_sentence_and_end_it(address, messages, reason, words):
    last = talk(address, *messages)[-1]
    MESSAGES.validate(last)
    assert (last["type"], last["reason"]) == ("error", reason)
    assert words in last["message"]


def test_exchanged_sides_are_refused(address, joints):
    swapped = [joints[0]]
    for line in joints[1:40]:
        row = json.loads(line)
        swapped.append(json.dumps({**row, "left": row["right"], "right": row["left"]}))
    last = talk(address, *swapped)[-1]
    assert (last["type"], last["reason"]) == ("error", "side")
    assert "exchange left and right" in last["message"]


def test_a_message_that_is_too_long_ends_it(address):
    with connect(f"ws://{address}/v1/hands") as socket:
        socket.send("x" * 70000)
        with pytest.raises(ConnectionClosed) as caught:
            socket.recv(timeout=20)
    assert caught.value.rcvd is None or caught.value.rcvd.code == 1009


def test_others_may_listen_to_a_named_stream(address, joints):
    hello = json.dumps({**json.loads(joints[0]), "pace": "all", "stream": "headset"})
    with contextlib.ExitStack() as stack, connect(f"ws://{address}/v1/hands") as sender:
        sender.send(hello)
        assert json.loads(sender.recv(timeout=20)) == {"type": "ready", "version": 1, "stream": "headset"}
        assert json.loads(ask(address, "/v1/status")[1])["streams"] == {"headset": 0}
        taken = talk(address, hello)[-1]
        assert "already" in taken["message"]
        listener = stack.enter_context(open_socket(f"ws://{address}", "/v1/events?stream=headset"))
        web = http.client.HTTPConnection(address, timeout=30)
        web.request("GET", "/v1/events?stream=headset")
        lines = web.getresponse()
        assert lines.getheader("content-type").startswith("text/event-stream")
        assert lines.readline() == b": figop\n"
        wait_for_listeners(address, "headset", 2)
        for line in joints[1:]:
            sender.send(line)
        sender.send('{"type":"flush"}')
        own = list(iter(lambda: json.loads(sender.recv(timeout=60)), {"type": "flushed"}))
        sender.close()
        assert list(listen(listener)) == own  # ends with the stream
        rows = [json.loads(row[6:]) for row in lines.read().decode().splitlines() if row.startswith("data: ")]
        assert rows == own
        web.close()
    assert ask(address, "/v1/events?stream=headset")[0] == 404


def wait_for_listeners(address, stream, count):
    """Ask until so many listen: joining takes a turn of the server's loop."""
    for _ in range(200):
        if json.loads(ask(address, "/v1/status")[1])["streams"][stream] == count:
            return
    raise AssertionError(f"{count} listeners never came")


def test_the_servers_own_source_is_heard():
    hub = Hub()
    with serving(hub=hub) as address:
        hub.open(OWN)
        with open_socket(f"ws://{address}", "/v1/events") as socket:
            wait_for_listeners(address, OWN, 1)
            hub.publish(OWN, [Caption("phrase-0", 0.0, 1.0, text="The left index finger bends.")])
            assert json.loads(socket.recv(timeout=20))["text"] == "The left index finger bends."


def test_an_unknown_stream_is_told(address):
    last = talk(address, path="/v1/events?stream=other")[-1]
    assert last["message"] == "There is no stream 'other'; streams are: none at the moment."


def test_only_so_many_apps_at_once(address, monkeypatch):
    monkeypatch.setattr(app_module, "SESSIONS", 1)
    with serving() as small, connect(f"ws://{small}/v1/hands") as first:
        first.send('{"type":"hello"}')
        assert json.loads(first.recv(timeout=20))["type"] == "ready"
        last = talk(small)[-1]
        assert last["reason"] == "busy"
        assert ask(small, "/v1/captions", "POST", '{"type":"hello"}')[0] == 503


def test_tokens_and_origins_at_the_door(joints):
    with serving(Rules(TOKEN, ("https://my.site",))) as address:
        assert json.loads(ask(address, "/v1/health")[1]) == {"ok": True}
        status, body, answer = ask(address, "/v1/status")
        assert (status, answer.getheader("www-authenticate")) == (401, "Bearer")
        MESSAGES.validate(json.loads(body))
        assert ask(address, "/v1/status", Authorization=f"Bearer {TOKEN}")[0] == 200
        assert ask(address, "/v1/status", Authorization=f"Bearer {TOKEN}", Origin="https://evil.example")[0] == 403
        allowed = ask(address, "/v1/status", Authorization=f"Bearer {TOKEN}", Origin="https://my.site")[2]
        assert allowed.getheader("access-control-allow-origin") == "https://my.site"
        for more, code in (({}, 401), ({"origin": "https://evil.example"}, 403)):
            with pytest.raises(InvalidStatus) as caught, connect(f"ws://{address}/v1/hands", **more):
                pass
            assert caught.value.response.status_code == code
        with connect(f"ws://{address}/v1/hands", subprotocols=["figop.v1", f"figop.bearer.{TOKEN}"]) as socket:
            assert socket.subprotocol == "figop.v1"  # the token is not said back
            socket.send('{"type":"hello"}')
            assert json.loads(socket.recv(timeout=20))["type"] == "ready"
        assert captions(f"ws://{address}", joints[:40], TOKEN)


def test_apps_that_vanish_leave_nothing_behind(address, joints):
    for _ in range(6):  # more than may be there at once
        with connect(f"ws://{address}/v1/hands") as socket:
            for line in joints[:5]:
                socket.send(line)
            socket.socket.close()  # as when the cable is pulled
    assert captions(f"ws://{address}", joints[:40])


def test_every_route_is_documented_and_every_reference_leads_somewhere(address):
    document = json.loads(ask(address, "/openapi.json")[1])
    assert document == json.loads(json.dumps(openapi()))
    routes = {(r.path, m) for r in app_module.build(app_module.Settings(), Rules()).routes
              for m in (getattr(r, "methods", None) or {"GET"}) - {"HEAD"}}  # fmt: skip
    assert {(p, m.upper()) for p, ways in document["paths"].items() for m in ways} == routes
    # the schema of events has an $id: its own references are to its own parts
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)):
        part = document["components"]["schemas"]["event"] if reference.startswith("$defs/") else document
        for step in reference.split("/"):
            part = part[step]
    for name in ("messages", "events"):
        jsonschema.Draft202012Validator.check_schema(json.loads(ask(address, f"/v1/schemas/{name}")[1]))
    assert ask(address, "/v1/schemas/other")[0] == 404


def test_many_listeners_at_once_hear_the_same(joints):
    with serving() as address:
        hello = json.dumps({**json.loads(joints[0]), "pace": "all", "stream": "headset"})
        heard = [[] for _ in range(8)]
        with contextlib.ExitStack() as stack, connect(f"ws://{address}/v1/hands") as sender:
            sender.send(hello)
            sender.recv(timeout=20)
            sockets = [stack.enter_context(open_socket(f"ws://{address}", "/v1/events?stream=headset")) for _ in heard]
            wait_for_listeners(address, "headset", 8)
            threads = [threading.Thread(target=lambda s=s, h=h: h.extend(listen(s)))
                       for s, h in zip(sockets, heard, strict=True)]  # fmt: skip
            for thread in threads:
                thread.start()
            for line in [*joints[1:80], '{"type":"flush"}']:
                sender.send(line)
            while json.loads(sender.recv(timeout=60))["type"] != "flushed":
                pass
            sender.close()
            for thread in threads:
                thread.join(20)
        assert heard[0]
        assert all(h == heard[0] for h in heard)

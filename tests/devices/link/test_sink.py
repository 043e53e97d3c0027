"""What a board is told, and what is said when it does not hear."""

import pytest

from devices.link.port import Address
from devices.link.reliable import Outcome
from devices.link.session import LinkState, Session
from devices.link.sink import SerialSink
from edge import plugins
from edge.errors import SinkError, SourceError
from edge.events import Caption, Dropped, GestureEnd, GestureStart, HandsSeen
from edge.score import FingerEvent

SAID = FingerEvent("right", "pinch", ("index",), contact="thumb", start=1.0, end=1.5)


class FakeLink:
    """Takes what is sent; the test says what comes."""

    def __init__(self):
        self.address, self.session = Address("/dev/fake"), Session(1)
        self.listeners, self.submitted, self.shown, self.events, self.waited = [], [], [], [], 0

    def listen(self, listener):
        self.listeners.append(listener)

    def tell(self, notice):
        for listener in self.listeners:
            listener(notice)

    def submit(self, message):
        self.submitted.append(message)
        return len(self.submitted)

    def show(self, caption):
        self.shown.append(caption)

    def wait_for(self, true, seconds):
        self.waited += 1
        return True


@pytest.fixture
def link():
    return FakeLink()


def sink(link, live=True, told=None):
    tell = (told if told is not None else []).append
    return SerialSink(link, live=live, tell=tell, let_go=lambda _: link.events.append("released"))


EVENTS = [
    HandsSeen("hands", 1.0, 1.0, hands={"right": 3}),
    GestureStart("gesture-4", 1.0, 1.5, event=SAID, hand="right"),
    Caption("phrase-2", 1.0, 1.5, final=True, text="Thumb and index finger pinch."),
    GestureEnd("gesture-4", 1.0, 1.5, revision=1, event=SAID, hand="right"),
    Dropped("dropped-late", 1.0, 1.0),
]


def test_events_go_by_what_they_are(link):
    one = sink(link)
    one.write(None, None, EVENTS)
    assert [m.kind for m in link.submitted] == ["hands", "gesture", "gesture"]
    assert link.submitted[0]["seen"] == 2
    assert [m["phase"] for m in link.submitted[1:]] == ["start", "end"]
    assert [(c.text, c.phrase, c.final) for c in link.shown] == [("Thumb and index finger pinch.", 2, True)]
    assert one.close() is None
    assert link.events == ["released"]


def test_only_a_source_that_can_wait_waits(link):
    sink(link, live=True).write(None, None, EVENTS)
    assert link.waited == 0
    sink(link, live=False).write(None, None, EVENTS)
    assert link.waited == 4


def test_what_the_board_did_not_hear_is_an_error_at_the_end(link):
    told = []
    one = sink(link, told=told)
    one.write(None, None, EVENTS)
    link.tell(Outcome(1, True, "", 0.01, 1))
    link.tell(Outcome(2, False, "deadline", 2.0, 9))
    link.tell(LinkState("closed", "it was unplugged"))
    with pytest.raises(SinkError, match=r"on /dev/fake did not acknowledge 1 of 3 events \(1 deadline\)"):
        one.close()
    assert told == ["/dev/fake: up", "/dev/fake: closed (it was unplugged)"]
    assert link.events == ["released"]


def test_plugins_name_what_there_is(monkeypatch):
    class Entry:
        name = "sock"

        def load(self):
            return lambda where, *live: (where, *live)

    monkeypatch.setattr(plugins.metadata, "entry_points", lambda group: [Entry()])
    assert plugins.open_source("sock:left") == ("left",)
    assert plugins.open_sink("sock", "foot", live=True) == ("foot", True)
    with pytest.raises(SourceError, match=r"no source of the kind 'shoe'; kinds are sock\."):
        plugins.open_source("shoe:left")
    with pytest.raises(SinkError, match=r"no sink of the kind 'shoe'"):
        plugins.open_sink("shoe", "left", live=False)
    for wrong in ("sock", "sock:", ""):
        with pytest.raises(SourceError):
            plugins.open_source(wrong)

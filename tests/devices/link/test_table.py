"""The table: what the score can say fits into it, and everything made of it is what is committed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.link import convert, generate
from devices.link.framing import decode
from devices.link.table import BITS, ENUMS, KINDS, PAYLOAD_MAX, VERSION, Died, LinkError, Message, pack, unpack
from edge.events import GestureEnd, GestureStart
from edge.score import (
    CONTACTS,
    EXTENTS,
    FINGERS,
    HANDS,
    MOTIONS,
    SIDE_DIRECTIONS,
    SLIDE_DIRECTIONS,
    SPEEDS,
    TURN_DIRECTIONS,
    FingerEvent,
)


def test_the_words_are_those_of_the_score():
    """A new word goes to the end of its list here, with a new version: numbers on the wire never change."""
    assert ENUMS["motion"] == tuple(MOTIONS)
    assert ENUMS["contact"] == ("", *CONTACTS)
    assert set(ENUMS["direction"]) == {"", *SIDE_DIRECTIONS, *TURN_DIRECTIONS, *SLIDE_DIRECTIONS}
    assert (ENUMS["hand"], ENUMS["extent"], ENUMS["speed"]) == (HANDS, EXTENTS, SPEEDS)
    assert (BITS["fingers"], BITS["seen"]) == (FINGERS, HANDS)


def test_payloads_are_at_most_64_bytes():
    assert PAYLOAD_MAX == 64
    for kind in KINDS.values():
        assert kind.size + (kind.text.high if kind.text else 0) <= PAYLOAD_MAX, kind.name


@pytest.mark.parametrize(
    ("path", "made"),
    [
        (generate.HEADER, generate.header),
        (generate.GOLDEN, generate.golden),
        (generate.PAGE, lambda: generate.page(generate.PAGE.read_text(encoding="utf-8"))),
    ],
    ids=["header", "golden", "page"],
)
def test_what_is_committed_is_what_the_table_makes(path, made):
    assert path.read_text(encoding="utf-8") == made(), "run `python -m devices.link.generate`"


def plain(value):
    return list(value) if isinstance(value, tuple) else value


def test_golden_vectors(golden):
    """The first frame was also put together by hand, byte by byte."""
    assert golden[0]["wire"] == "00" + "0201" + "01" + "04eeffc0" + "0201" + "01" * 12 + "05" + golden[0]["wire"][-10:]
    for row in golden:
        frame = decode(bytes.fromhex(row["wire"])[1:-1])
        assert (frame.seq, frame.boot, frame.payload.hex()) == (row["seq"], row["boot"], row["payload"])
        message = unpack(frame.type, frame.payload)
        assert message.kind == row["kind"]
        assert pack(message) == (frame.type, frame.payload)
        for name, value in row["values"].items():
            got = message[name]
            wanted = bytes.fromhex(value["hex"]) if isinstance(value, dict) else value
            assert plain(got) == (wanted.encode() if isinstance(got, bytes) and isinstance(wanted, str) else wanted)
    assert {row["kind"] for row in golden} == set(KINDS)


def test_every_gesture_of_the_vocabulary_survives():
    for motion in MOTIONS.values():
        for direction in motion.directions or ("",):
            for contact in (*motion.contacts, *(() if motion.needs_contact else ("",))):
                fingers = tuple(f for f in FINGERS if f not in (contact, "thumb"))[: motion.fingers[0]]
                said = FingerEvent("left", motion.name, fingers, direction, contact, "half", "fast", 3, 1.25, 2.5, 0.5)
                sent = convert.gesture(
                    GestureStart("gesture-70000", 1.25, 2.5, confidence=0.5, hand="left", event=said)
                )
                kind, payload = pack(Message("gesture", {**sent.values, "number": 1, "behind": 0}))
                got = unpack(kind, payload)
                assert convert.finger_event(got) == said
                assert got["id"] == 70000 & 0xFFFF


def test_phases():
    said = FingerEvent("right", "grab")
    assert convert.gesture(GestureStart("gesture-1", 0, 0, event=said))["phase"] == "start"
    assert convert.gesture(GestureEnd("gesture-1", 0, 0, event=said))["phase"] == "end"
    assert convert.gesture(GestureEnd("gesture-1", 0, 0, confidence=0.0, event=said))["phase"] == "withdrawn"
    assert convert.gesture(GestureStart("gesture-1", 0, 0)) is None


def test_values_that_do_not_fit_are_refused_in_one_sentence():
    ack = {"boot": 1, "next": 2, "seq": 3}
    for values in ({**ack, "next": 65536}, {**ack, "next": -1}):
        with pytest.raises(LinkError, match=r"ack\.next takes 1 numbers from 0 to 65535"):
            pack(Message("ack", values))


@given(st.integers(0, 255), st.binary(max_size=PAYLOAD_MAX))
def test_any_payload_is_a_message_or_dies(kind, payload):
    try:
        message = unpack(kind, payload)
    except Died as death:
        counter = death.counter
    else:
        assert pack(message) == (kind, payload)
        return
    assert counter in ("unknown_type", "bad_length", "bad_value", "other_version")


def test_a_heartbeat_of_any_other_version_is_told_apart():
    for payload in (b"\x02", b"\xff" * 40):
        with pytest.raises(Died, match="other_version"):
            unpack(KINDS["heartbeat"].id, payload)
    assert VERSION == 1

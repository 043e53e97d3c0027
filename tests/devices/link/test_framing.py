"""Frames: published vectors, round trips, and what noise may do to a stream."""

import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from devices.link.framing import ENCODED_MAX, Counters, Frame, FrameReader, decode, encode, stuff, unstuff
from devices.link.table import PAYLOAD_MAX, Died

frames = st.builds(
    Frame, st.integers(0, 255), st.integers(0, 0xFFFF), st.integers(0, 2**32 - 1), st.binary(max_size=PAYLOAD_MAX)
)


# Cheshire and Baker 1999, and the examples that every COBS library carries
@pytest.mark.parametrize(
    ("plain", "stuffed"),
    [
        ("", "01"),
        ("00", "0101"),
        ("0000", "010101"),
        ("001100", "01021101"),
        ("11220033", "0311220233"),
        ("11223344", "0511223344"),
        ("11000000", "0211010101"),
        (bytes(range(1, 255)).hex(), "ff" + bytes(range(1, 255)).hex()),
        (bytes(range(255)).hex(), "01ff" + bytes(range(1, 255)).hex()),
        (bytes(range(1, 256)).hex(), "ff" + bytes(range(1, 255)).hex() + "02ff"),
        (bytes([*range(2, 256), 0]).hex(), "ff" + bytes(range(2, 256)).hex() + "0101"),
        (bytes([*range(3, 256), 0, 1]).hex(), "fe" + bytes(range(3, 256)).hex() + "0201"),
    ],
)
def test_published_vectors(plain, stuffed):
    assert stuff(bytes.fromhex(plain)).hex() == stuffed
    assert unstuff(bytes.fromhex(stuffed)).hex() == plain


def test_the_checksum_is_the_one_of_the_catalogues():
    assert zlib.crc32(b"123456789") == 0xCBF43926


@given(st.binary(max_size=600))
@example(b"x" * 254)
@example(b"x" * 508 + b"\0")
def test_stuffing_leaves_no_zero_and_can_be_undone(data):
    stuffed = stuff(data)
    assert 0 not in stuffed
    assert len(stuffed) <= len(data) + len(data) // 254 + 1
    assert unstuff(stuffed) == data


@given(frames)
def test_frames_come_back(frame):
    wire = encode(frame)
    assert wire[0] == wire[-1] == 0
    assert len(wire) <= ENCODED_MAX + 2
    assert decode(wire[1:-1]) == frame


@pytest.mark.parametrize(
    ("chunk", "death"),
    [
        (b"\x05ab", "bad_cobs"),
        (stuff(b"short"), "too_short"),
        (stuff(b"0123456789a" + b"\0\0\0\0"), "bad_crc"),
        (b"x" * (ENCODED_MAX + 1), "too_long"),
    ],
)
def test_each_death_has_its_counter(chunk, death):
    counters = Counters()
    assert FrameReader(counters).push(b"\0" + chunk + b"\0") == []
    assert {name: n for name, n in counters.counts.items() if n} == {
        "bytes_in": len(chunk) + 2,
        "frames_in": 1,
        death: 1,
    }


@given(st.lists(frames, max_size=6), st.data())
def test_any_pieces_give_the_same_frames(sent, data):
    wire = b"".join(map(encode, sent))
    counters = Counters()
    reader, got = FrameReader(counters), []
    while wire:
        size = data.draw(st.integers(1, len(wire)))
        got += reader.push(wire[:size])
        wire = wire[size:]
    assert got == sent
    assert counters.died == 0


edits = st.lists(st.tuples(st.sampled_from(["drop", "insert", "flip"]), st.integers(0, 10**6), st.integers(1, 255)))


def spoil(wire, changes):
    out = bytearray(wire)
    for how, at, byte in changes:
        at %= max(1, len(out))
        if how == "insert":
            out.insert(at, byte)
        elif out and how == "drop":
            del out[at]
        elif out:
            out[at] ^= byte
    return bytes(out)


@given(st.lists(frames, min_size=1, max_size=5), edits, st.binary(max_size=300), frames)
def test_the_next_good_frame_after_noise_is_always_recovered(sent, changes, noise, good):
    counters = Counters()
    got = FrameReader(counters).push(spoil(b"".join(map(encode, sent)), changes) + noise + encode(good))
    assert got[-1] == good
    # whatever else came through is one of those that were sent: nothing is made up
    assert all(frame in sent or frame == good for frame in got)
    assert counters["frames_in"] == len(got) + counters.died


@given(st.binary(max_size=5000))
def test_the_buffer_is_bounded(data):
    reader = FrameReader(Counters())
    for byte in data:
        reader.push(bytes([byte]))
        assert len(reader._chunk) <= ENCODED_MAX


def test_a_port_that_goes_away_in_mid_frame_is_counted():
    counters = Counters()
    reader = FrameReader(counters)
    wire = encode(Frame(1, 2, 3, b"abc"))
    reader.push(wire[:7])
    reader.cut_off()
    reader.cut_off()
    assert (counters["frames_in"], counters["cut_off"]) == (1, 1)
    assert reader.push(wire) == [Frame(1, 2, 3, b"abc")]


def test_lengths_that_lead_nowhere_die():
    for data in (b"\0", b"\x02", b"\xff" + b"x" * 10):
        with pytest.raises(Died):
            unstuff(data)

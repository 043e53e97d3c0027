"""The C end says what the Python end says: golden vectors, any noise, and clean under the sanitisers."""

import ctypes
import random
import re
import shutil
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.link.captions import LinkCaption
from devices.link.framing import Counters, Frame, encode, stuff, unstuff
from devices.link.session import LinkState, Session
from devices.link.simulate import sample
from devices.link.table import COUNTERS, KINDS, PAYLOAD_MAX, Died, Message, pack, unpack
from tests.devices.link.conftest import HERE, STRICT, C, compiled

STATES = {"silent": 0, "up": 1, "other_version": 2}
#: counters that mean the same at both ends whoever sends; C answers at once and so sends other frames
BOTH = [c.name for c in COUNTERS if c.group in ("in", "death", "reliable", "caption") or c.name in ("lost", "reboots")]


def test_golden_vectors(library, golden):
    out = (ctypes.c_uint8 * 128)()
    for row in golden:
        payload = bytes.fromhex(row["payload"])
        size = library.shim_again(KINDS[row["kind"]].id, payload, len(payload), out)
        assert bytes(out[:size]) == payload, row["kind"]
        wire = bytes.fromhex(row["wire"])
        made = library.figop_encode(KINDS[row["kind"]].id, row["seq"], row["boot"], payload, len(payload), out)
        assert bytes(out[:made]) == wire


@given(st.sampled_from(sorted(KINDS.values(), key=lambda k: k.id)), st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_payload_is_judged_alike(library, kind, data):
    size = data.draw(st.one_of(st.just(kind.size), st.integers(0, PAYLOAD_MAX)))
    payload = data.draw(st.binary(min_size=size, max_size=size))
    if kind.name == "heartbeat" and payload[:1]:
        payload = b"\x01" + payload[1:]  # other versions are told apart before unpacking
    out = (ctypes.c_uint8 * 128)()
    theirs = library.shim_again(kind.id, payload, len(payload), out)
    try:
        ours = pack(unpack(kind.id, payload))[1]
    except Died as death:
        ours = {"bad_length": -1, "bad_value": -2}[death.counter]
    assert (theirs if theirs < 0 else bytes(out[:theirs])) == ours


@given(st.binary(max_size=600))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_stuffing_is_the_same(library, data):
    library.figop_stuff.restype = library.figop_unstuff.restype = ctypes.c_size_t
    out = (ctypes.c_uint8 * 700)()
    size = library.figop_stuff(data, len(data), out)
    assert bytes(out[:size]) == stuff(data)
    found = library.figop_unstuff(data, len(data), out)
    try:
        wanted = unstuff(data)
    except Died:
        wanted = None
    assert (None if found == 2 ** (8 * ctypes.sizeof(ctypes.c_size_t)) - 1 else bytes(out[:found])) == wanted


def c_counters(library):
    raw = (ctypes.c_uint32 * 64)()
    return dict(zip([c.name for c in COUNTERS], raw[: library.shim_counters(raw)], strict=True))


def said_by(session):
    """What a Python end heard, in the shim's words."""
    lines = []
    for notice in session.notices():
        if isinstance(notice, LinkState):
            lines.append(f"state {STATES[notice.state]}")
        elif isinstance(notice, LinkCaption):
            text = notice.text.encode()
            flags = notice.final | notice.shortened << 1
            lines.append(f"caption {notice.phrase} {flags} {len(text)} {text.hex()}")
        elif isinstance(notice, Message) and notice.kind in ("gesture", "hands"):
            which = notice["id"] if notice.kind == "gesture" else notice["seen"]
            lines.append(f"{notice.kind} {notice['number']} {which}")
    return lines


def a_stream(rng, golden):
    """Frames as two incarnations might send them, with numbers that jump, and noise over it all."""
    out = bytearray()
    seq, number = 0, rng.randrange(65536)
    for _ in range(rng.randrange(1, 40)):
        row = rng.choice(golden)
        message = unpack(KINDS[row["kind"]].id, bytes.fromhex(row["payload"]))
        values = dict(message.values)
        if "number" in values:
            number = (number + rng.choice([0, 0, 1, 1, 1, 2, -1])) & 0xFFFF
            values |= {"number": number, "behind": rng.randrange(3)}
        kind, payload = pack(Message(message.kind, values))
        seq = (seq + rng.choice([1, 1, 1, 5])) & 0xFFFF
        payload = payload if rng.random() < 0.9 else payload[: rng.randrange(len(payload) + 1)]
        kind = kind if rng.random() < 0.95 else rng.randrange(256)
        out += encode(Frame(kind, seq, rng.choice([8, 8, 8, 8, 9, 77]), payload))
    for _ in range(rng.randrange(6)):
        at = rng.randrange(len(out))
        how = rng.randrange(4)
        if how == 0:
            del out[at]
        elif how == 1:
            out.insert(at, rng.randrange(256))
        elif how == 2:
            out[at] = rng.randrange(256)
        else:
            out[at:at] = bytes(rng.randrange(1, 256) for _ in range(90))
    return bytes(out)


@pytest.mark.parametrize("seed", range(60))
def test_both_ends_hear_the_same_of_any_stream(library, golden, seed):
    rng = random.Random(seed)
    library.shim_said.restype = ctypes.c_char_p
    library.shim_begin(77)
    session = Session(77)
    session.opened(0.0)
    session.notices()
    stream = a_stream(rng, golden)
    while stream:
        size = rng.randrange(1, 60)
        library.shim_receive(stream[:size], len(stream[:size]), 5)
        session.receive(stream[:size], 0.005)
        stream = stream[size:]
    assert library.shim_said().decode().splitlines() == said_by(session)
    theirs = c_counters(library)
    assert {name: theirs[name] for name in BOTH} == {name: session.counters[name] for name in BOTH}
    added = Counters()
    added.counts.update(theirs)
    assert added.add_up()


def test_it_beats_acknowledges_and_sends_hands(library):
    library.shim_begin(9)
    host = Session(1)
    host.opened(0.0)
    host.submit(Message("hands", {"seen": 3, "at_ms": 1, "age_ms": 0}), 0.0)
    out = (ctypes.c_uint8 * 4096)()
    assert library.shim_send_hand(pack(sample(0.5))[1], 60) == 0  # not up yet
    delivered = []
    for ms in range(0, 600, 5):
        now = ms * 1e-3
        while (wire := host.next_frame(now)) is not None:
            library.shim_receive(wire, len(wire), ms)
        library.shim_poll(ms)
        if ms == 400:
            assert library.shim_send_hand(pack(sample(0.5))[1], 60) == 1
        host.receive(bytes(out[: library.shim_sent(out)]), now)
        delivered += [n for n in host.notices() if not isinstance(n, LinkState)]
    assert delivered[0].delivered
    assert delivered[0].tries == 1
    assert delivered[1] == sample(0.5)
    assert c_counters(library)["frames_out"] == 3 + 1 + 1  # heartbeats, acknowledgement, hand
    library.shim_poll(600 + 2000)
    library.shim_said.restype = ctypes.c_char_p
    assert library.shim_said().decode().splitlines() == ["state 1", "hands 0 3", "state 0"]


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_it_is_c99_without_a_warning(tmp_path, compiler):
    flags = (*STRICT, "-Wconversion", "-Wshadow", "-Wstrict-prototypes", "-c")
    compiled(tmp_path / "link.o", C / "figop_link.c", compiler=compiler, flags=flags)


def test_it_allocates_nothing():
    text = (C / "figop_link.c").read_text() + (C / "figop_link.h").read_text() + (C / "figop_messages.h").read_text()
    assert "memcpy(" in text
    assert not re.search(r"\b(?:[mc]alloc|realloc|free|alloca|printf)\s*\(", text)


@pytest.mark.parametrize("sketch", ["captions", "glove"])
def test_the_arduino_sketches_compile(tmp_path, sketch):
    source = tmp_path / f"{sketch}.cpp"
    text = (C / "examples" / sketch / f"{sketch}.ino").read_text()
    source.write_text(f"#include <Arduino.h>\n{text}\nint main() {{ setup(); loop(); return 0; }}\n")
    flags = ("-std=c++11", "-Wall", "-Wextra", "-Werror", f"-I{HERE}")
    library = compiled(tmp_path / "link.o", C / "figop_link.c", compiler="gcc", flags=(*STRICT, "-c"))
    program = compiled(tmp_path / sketch, source, library, compiler="g++", flags=flags)
    assert subprocess.run([str(program)], check=False, timeout=60).returncode == 0


def sanitised(tmp_path, *more):
    flags = ("-std=c99", "-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", *more)
    return compiled(tmp_path / "asan", C / "tools" / "fuzz_link.c", C / "figop_link.c", compiler="gcc", flags=flags)


@pytest.mark.parametrize("caption_max", [384, 100, 1])
def test_address_and_undefined_behaviour_sanitisers_find_nothing(tmp_path, golden, caption_max):
    program = sanitised(tmp_path, "-DFIGOP_FUZZ_MAIN", f"-DFIGOP_CAPTION_MAX={caption_max}u")
    files = []
    for seed in range(200):
        rng = random.Random(seed)
        raw = a_stream(rng, golden) if seed % 2 else rng.randbytes(rng.randrange(3000))
        files.append(tmp_path / f"{seed}")
        files[-1].write_bytes(bytes([1 if seed % 4 else 0]) + raw)
    done = subprocess.run([str(program), *map(str, files)], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]


def test_the_fuzz_target_can_fail(tmp_path):
    """Its own checks are alive: a link that takes every number as the next one is found out."""
    broken = tmp_path / "broken.c"
    text = (C / "figop_link.c").read_text()
    assert "if (by == 0) {" in text
    broken.write_text(text.replace("if (by == 0) {", "if (by <= 0) {").replace('"figop_link.h"', f'"{C}/figop_link.h"'))
    program = compiled(
        tmp_path / "b", C / "tools" / "fuzz_link.c", broken, compiler="gcc", flags=("-DFIGOP_FUZZ_MAIN",)
    )
    hands = pack(Message("hands", {"number": 5, "behind": 0, "seen": 1, "at_ms": 0, "age_ms": 0}))[1]
    row = bytes([4, len(hands), 0]) + hands
    (tmp_path / "twice").write_bytes(b"\0" + row + row)
    done = subprocess.run([str(program), str(tmp_path / "twice")], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "does not hold" in done.stderr


@pytest.mark.heavy
def test_libfuzzer_finds_nothing_in_a_minute(tmp_path, golden):
    if shutil.which("clang") is None:
        pytest.skip("libFuzzer comes with clang, and there is none here")
    probe = tmp_path / "probe.c"
    probe.write_text(
        "#include <stdint.h>\n#include <stddef.h>\n"
        "int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n) { return d == 0 && n > 0; }\n"
    )
    flags = ["-g", "-O1", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"]
    done = subprocess.run(["clang", *flags, "-o", str(tmp_path / "p"), str(probe)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("this clang comes without the fuzzer's library (Debian: libclang-rt-dev)")
    program = compiled(
        tmp_path / "fuzz", C / "tools" / "fuzz_link.c", C / "figop_link.c", compiler="clang", flags=flags
    )
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for i, row in enumerate(golden):
        payload = bytes.fromhex(row["payload"])
        (corpus / str(i)).write_bytes(b"\0" + bytes([KINDS[row["kind"]].id, len(payload), 0]) + payload)
    command = [str(program), "-max_total_time=60", "-max_len=2000", str(corpus)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Done " in done.stderr

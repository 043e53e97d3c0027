"""The C codec, the golden vectors and the tables of docs/serial.md out of `messages.json`.

    python -m devices.link.generate

A test compares what is committed with what this makes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from devices.link.framing import ENCODED_MAX, WIRE_MAX, Frame, encode
from devices.link.table import (
    BITS,
    COUNTERS,
    ENUMS,
    KINDS,
    PAYLOAD_MAX,
    PIECE,
    PIECES,
    VERSION,
    Field,
    Kind,
    Message,
    Value,
    pack,
)

ROOT = Path(__file__).resolve().parents[2]
HEADER = ROOT / "devices" / "c" / "figop_messages.h"
GOLDEN = ROOT / "tests" / "devices" / "link" / "golden.json"
PAGE = ROOT / "docs" / "serial.md"
_C_TYPES: Mapping[str, str] = {"u8": "uint8_t", "u16": "uint16_t", "u32": "uint32_t", "i16": "int16_t"}
_WIDTH: Mapping[str, int] = {"u8": 1, "u16": 2, "u32": 4, "i16": 2}
#: Smallest and largest value that a C type holds anyway: no comparison is written for them.
_SPAN: Mapping[str, tuple[int, int]] = {
    "u8": (0, 0xFF), "u16": (0, 0xFFFF), "u32": (0, 0xFFFFFFFF), "i16": (-0x8000, 0x7FFF),
}  # fmt: skip


def header() -> str:
    """`figop_messages.h`."""
    out = [
        "/* Written by `python -m devices.link.generate` from devices/link/messages.json; do not edit.",
        " * Messages of the figop serial link: structures, codec, names. C99, no allocation. */",
        "#ifndef FIGOP_MESSAGES_H",
        "#define FIGOP_MESSAGES_H",
        "",
        "#include <stddef.h>",
        "#include <stdint.h>",
        "#include <string.h>",
        "",
        f"#define FIGOP_LINK_VERSION {VERSION}u",
        f"#define FIGOP_PAYLOAD_MAX {PAYLOAD_MAX}u",
        f"#define FIGOP_ENCODED_MAX {ENCODED_MAX}u /* between two delimiters */",
        f"#define FIGOP_WIRE_MAX {WIRE_MAX}u       /* with both */",
        f"#define FIGOP_PIECE {PIECE}u",
        f"#define FIGOP_PIECES {PIECES}u",
        "",
    ]
    for name, words in ENUMS.items():
        out.append(f"/* {name} */")
        out += [f"#define {_constant(name, word)} {i}u" for i, word in enumerate(words)]
    for name, words in BITS.items():
        out.append(f"/* bits of {name} */")
        out += [f"#define {_constant(name, word)} {1 << i}u" for i, word in enumerate(words)]
    out.append("")
    for kind in KINDS.values():
        out += _struct(kind)
    out += ["/* Counters: every way that a frame can die has its own. */", "typedef struct {"]
    out += [f"    uint32_t {c.name}; /* {c.doc} */" for c in COUNTERS]
    out += ["} figop_counters;", "", "#define FIGOP_COUNTER_NAMES \\"]
    out += ["    " + ", ".join(f'"{c.name}"' for c in COUNTERS), ""]
    out += _READERS
    for kind in KINDS.values():
        out += [*_unpack(kind), *_pack(kind)]
    for name in ("hand", "phase", "motion", "direction", "contact", "extent", "speed", "source"):
        out += _names(name)
    out += ["#endif", ""]
    return "\n".join(out)


_READERS = (
    "static inline uint16_t figop_get_u16(const uint8_t *p) { return (uint16_t)(p[0] | ((uint16_t)p[1] << 8)); }",
    "static inline uint32_t figop_get_u32(const uint8_t *p) {",
    "    return (uint32_t)figop_get_u16(p) | ((uint32_t)figop_get_u16(p + 2) << 16);",
    "}",
    "static inline int16_t figop_get_i16(const uint8_t *p) {",
    "    int32_t v = (int32_t)figop_get_u16(p);",
    "    return (int16_t)(v > 32767 ? v - 65536 : v);",
    "}",
    "static inline void figop_put_u16(uint8_t *p, uint16_t v) {",
    "    p[0] = (uint8_t)(v & 0xFFu);",
    "    p[1] = (uint8_t)(v >> 8);",
    "}",
    "static inline void figop_put_u32(uint8_t *p, uint32_t v) {",
    "    figop_put_u16(p, (uint16_t)(v & 0xFFFFu));",
    "    figop_put_u16(p + 2, (uint16_t)(v >> 16));",
    "}",
    "static inline void figop_put_i16(uint8_t *p, int16_t v) { figop_put_u16(p, (uint16_t)v); }",
    "",
    "/* What an unpack function returns. */",
    "enum { FIGOP_OK = 0, FIGOP_BAD_LENGTH = 1, FIGOP_BAD_VALUE = 2 };",
    "",
)


def _constant(group: str, word: str) -> str:
    return f"FIGOP_{group.removesuffix('s')}_{word or 'none'}".upper()


def _struct(kind: Kind) -> list[str]:
    out = [f"/* {kind.doc} */", f"#define FIGOP_TYPE_{kind.name.upper()} {kind.id}u", "typedef struct {"]
    for f in kind.fields:
        if f.type == "text":
            out += [f"    uint8_t {f.name}_size;", f"    uint8_t {f.name}[{f.high}]; /* {f.doc} */"]
        else:
            out.append(f"    {_C_TYPES[f.type]} {f.name}{f'[{f.count}]' if f.count > 1 else ''}; /* {f.doc} */")
    return [*out, f"}} figop_{kind.name};", ""]


def _unpack(kind: Kind) -> Iterator[str]:
    text = kind.text
    yield f"static inline int figop_unpack_{kind.name}(figop_{kind.name} *m, const uint8_t *p, size_t n) {{"
    top = f"n < {kind.size}u || n > {kind.size + text.high}u" if text else f"n != {kind.size}u"
    yield f"    if ({top}) return FIGOP_BAD_LENGTH;"
    at = 0
    for f in kind.fields:
        if f.type == "text":
            yield f"    m->{f.name}_size = (uint8_t)(n - {kind.size}u);"
            yield f"    memcpy(m->{f.name}, p + {kind.size}, m->{f.name}_size);"
            continue
        width = _WIDTH[f.type]
        if f.count > 1:
            yield f"    for (size_t i = 0; i < {f.count}u; i++) {{"
            yield f"        m->{f.name}[i] = figop_get_{f.type}(p + {at} + {width} * i);"
            if test := _outside(f, f"m->{f.name}[i]"):
                yield f"        if ({test}) return FIGOP_BAD_VALUE;"
            yield "    }"
        else:
            yield f"    m->{f.name} = " + (f"p[{at}];" if width == 1 else f"figop_get_{f.type}(p + {at});")
            if test := _outside(f, f"m->{f.name}"):
                yield f"    if ({test}) return FIGOP_BAD_VALUE;"
        at += width * f.count
    if kind.name == "caption":
        yield "    if (m->piece >= m->pieces) return FIGOP_BAD_VALUE;"
        yield "    if (m->piece + 1u < m->pieces ? m->text_size != FIGOP_PIECE : m->text_size == 0u && m->pieces > 1u)"
        yield "        return FIGOP_BAD_VALUE;"
    yield "    return FIGOP_OK;"
    yield "}"


def _outside(f: Field, name: str) -> str:
    """The C condition under which a value is refused, "" = never."""
    low, high = _SPAN[f.type]
    sign = "" if f.type[0] == "i" else "u"
    tests = [f"{name} < {f.low}{sign}"] if f.low > low else []
    tests += [f"{name} > {f.high}{sign}"] if f.high < high else []
    test = " || ".join(tests)
    if test and f.unknown is not None:
        return f"({test}) && {name} != {f.unknown}"
    return test


def _pack(kind: Kind) -> Iterator[str]:
    yield f"static inline size_t figop_pack_{kind.name}(const figop_{kind.name} *m, uint8_t *p) {{"
    at = 0
    for f in kind.fields:
        if f.type == "text":
            yield f"    memcpy(p + {kind.size}, m->{f.name}, m->{f.name}_size);"
            yield f"    return {kind.size}u + m->{f.name}_size;"
            yield "}"
            yield ""
            return
        width = _WIDTH[f.type]
        if f.count > 1:
            yield f"    for (size_t i = 0; i < {f.count}u; i++)"
            yield f"        figop_put_{f.type}(p + {at} + {width} * i, m->{f.name}[i]);"
        elif width == 1:
            yield f"    p[{at}] = m->{f.name};"
        else:
            yield f"    figop_put_{f.type}(p + {at}, m->{f.name});"
        at += width * f.count
    yield f"    return {kind.size}u;"
    yield "}"
    yield ""


def _names(name: str) -> Iterator[str]:
    words = ", ".join(f'"{word}"' for word in ENUMS[name])
    yield f"static inline const char *figop_{name}_name(uint8_t value) {{"
    yield f"    static const char *const names[] = {{{words}}};"
    yield f'    return value < {len(ENUMS[name])}u ? names[value] : "?";'
    yield "}"
    yield ""


def examples() -> list[Message]:
    """Messages with ordinary and with extreme values, in which every word of every enum occurs."""
    out: list[Message] = []
    for kind in KINDS.values():
        rows = max([2, *(len(f.enum) for f in kind.fields)])
        for row in range(rows):
            out.append(Message(kind.name, {f.name: _example(kind, f, row) for f in kind.fields}))
    full = {f.name: _example(KINDS["caption"], f, 1) for f in KINDS["caption"].fields}
    out.append(Message("caption", {**full, "piece": 0, "pieces": 2, "text": ("zwei Hände… " * 9).encode()[:PIECE]}))
    return out


def _example(kind: Kind, field: Field, row: int) -> Value:
    if kind.name == "heartbeat" and field.name == "version":
        return VERSION
    if field.type == "text":
        return b"" if row == 0 else "Die rechte Hand öffnet sich.".encode()
    if kind.name == "caption" and field.name in ("piece", "pieces"):
        return 0 if field.name == "piece" else 1
    if field.enum:
        return field.enum[row % len(field.enum)]
    first = field.unknown if field.unknown is not None else field.low
    spread = [first, field.high, field.low, *((field.low * (7 - i) + field.high * i) // 7 for i in range(1, 7))]
    values = tuple(spread[(row + i) % len(spread)] for i in range(field.count))
    return values if field.count > 1 else values[0]


def golden() -> str:
    """`golden.json`: each message with its payload and its whole frame."""
    rows = []
    for i, message in enumerate(examples()):
        kind, payload = pack(message)
        frame = Frame(kind, (i * 4099) & 0xFFFF, 0x00C0FFEE + i, payload)
        values = {k: v.decode() if isinstance(v, bytes) and _whole(v) else _plain(v) for k, v in message.values.items()}
        rows.append(
            {
                "kind": message.kind,
                "seq": frame.seq,
                "boot": frame.boot,
                "values": values,
                "payload": payload.hex(),
                "wire": encode(frame).hex(),
            }
        )
    return "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n"


def _whole(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _plain(value: Value) -> Value:
    return {"hex": value.hex()} if isinstance(value, bytes) else list(value) if isinstance(value, tuple) else value


def tables() -> dict[str, str]:
    """The tables of docs/serial.md by name."""
    rows = []
    for kind in KINDS.values():
        size = f"{kind.size}" if kind.text is None else f"{kind.size}-{kind.size + kind.text.high}"
        rows.append(f"\n**{kind.id} `{kind.name}`** ({kind.delivery}, {size} bytes): {kind.doc}\n")
        rows.append(_table(("field", "type", "what"), ((f"`{f.name}`", _shown(f), _told(f)) for f in kind.fields)))
    counters = _table(("counter", "of", "counts"), ((f"`{c.name}`", c.group, c.doc) for c in COUNTERS))
    return {"messages": "\n".join(rows).strip("\n"), "counters": counters}


def _shown(field: Field) -> str:
    return f"{field.type}[{field.count}]" if field.count > 1 else field.type


def _told(field: Field) -> str:
    if not field.enum:
        return field.doc
    return field.doc + ": " + ", ".join(f"{i} {word or 'none'}" for i, word in enumerate(field.enum))


def _table(head: Sequence[str], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"| {' | '.join('---' for _ in head)} |"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


def page(text: str) -> str:
    """docs/serial.md with its tables anew."""
    for name, table in tables().items():
        before, rest = text.split(f"<!-- table: {name} -->\n")
        text = f"{before}<!-- table: {name} -->\n{table}\n<!-- end -->{rest.split('<!-- end -->', 1)[1]}"
    return text


def main() -> None:
    HEADER.write_text(header(), encoding="utf-8")
    GOLDEN.write_text(golden(), encoding="utf-8")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    for path in (HEADER, GOLDEN, PAGE):
        print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()

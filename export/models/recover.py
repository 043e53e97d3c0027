"""A bundle's graphs back into a checkpoint to train on: `python -m export.models.recover BUNDLE -o FILE`.

The shipped weights exist as ONNX graphs whose BatchNorms are folded away. Everything else is copied; for each norm the
statistics of fresh training clips are taken, and its weight and bias are chosen so that the student says what the
bundle says (compared with the bundle's own graphs before anything is written). The optimiser's state is gone, so that
a recovered checkpoint is one to begin with (`figop train --from`), not one to go on from.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edge.bundle import Bundle
from edge.errors import FigopError
from export.models.convert import graphs
from export.models.encoder import Block, Encoder
from export.models.release import PARITY, difference
from export.models.student import Student, StudentConfig

#: clips whose statistics the norms take: like training's first batch, which they meet next
CLIPS, SEED = 64, 20_000
Weights = dict[str, NDArray[np.float32]]


class NotRecoverable(FigopError):
    """A bundle holds no float student that a checkpoint can be made of."""


def recover(bundle: Bundle, features: Tensor | None = None) -> Student:
    """The student that a float bundle was released from.

    features [N,T,6,width]: clips whose statistics the norms take (default: fresh training clips).
    Raises NotRecoverable when a graph is absent, quantised, or does not say the same afterwards.
    """
    if not bundle.student.get("sizes"):
        raise NotRecoverable(f"{bundle.name} speaks by rules and has no weights: name a bundle with a student.")
    student = Student(StudentConfig.from_dict(bundle.student["sizes"]))
    roles = ("encoder", "units", "prefill", "step")
    files = {role: bundle.graph(role, "onnx") for role in roles}
    found = {role: named(data) for role, data in files.items()}
    try:
        copy_plain(student.units, found["units"], "")
        copy_plain(student.decoder, {**found["prefill"], **found["step"]}, "decoder.")
        unfold(student.encoder, found["encoder"], training_features() if features is None else features)
    except (KeyError, ValueError, RuntimeError) as error:
        raise NotRecoverable(
            f"The graphs of {bundle.name} hold no {error} as float weights: recover from the float bundle, "
            "before it is quantised."
        ) from error
    for graph in graphs(student):
        away = difference(graph, files[graph.name], "onnx")
        if not away <= PARITY:
            raise NotRecoverable(
                f"The recovered {graph.name} is {away:.2g} away from {bundle.name}'s own: not written."
            )
    return student


def named(data: bytes) -> Weights:
    """Weights of a graph by torch's names, in torch's layout.

    The exporter transposes the weights of dense layers and renames them; their biases keep their names, so a weight
    is known by the bias that is added next. Those without a bias and constant slices are numbered: "#dense.0",
    "#times.0", in the order of the graph.
    """
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_from_string(data).graph
    held = {w.name: numpy_helper.to_array(w) for w in graph.initializer if w.data_type == onnx.TensorProto.FLOAT}
    out: Weights = {n: np.array(w) for n, w in held.items() if not n.startswith(("val_", "select_"))}
    added = {n.input[0]: n.input[1] for n in graph.node if n.op_type == "Add" and n.input[1] in held}
    counts = {"dense": 0, "times": 0}

    def put(kind: str, value: NDArray[np.float32]) -> None:
        out[f"#{kind}.{counts[kind]}"] = np.array(value)
        counts[kind] += 1

    for node in graph.node:
        weight = held.get(node.input[1]) if len(node.input) > 1 else None
        if weight is None or not node.input[1].startswith(("val_", "select_")):
            continue
        bias = added.get(node.output[0], "")
        if node.op_type == "MatMul" and bias.endswith(".bias"):
            out[bias.removesuffix("bias") + "weight"] = np.array(weight.T)
        elif node.op_type == "MatMul":
            put("dense", weight.T)
        elif node.op_type == "Mul" and weight.ndim == 2:
            put("times", weight)
    return out


@torch.no_grad()
def copy_plain(module: torch.nn.Module, found: Mapping[str, NDArray[np.float32]], prefix: str) -> None:
    """Copy every parameter by its name. Raises KeyError, and ValueError where a shape differs."""
    for name, parameter in module.named_parameters():
        _set(parameter, found[prefix + name], name)


def _set(parameter: Tensor, value: NDArray[Any] | Tensor, name: str = "weight") -> None:
    tensor = torch.as_tensor(np.asarray(value), dtype=torch.float32)
    if tensor.shape != parameter.shape:
        raise ValueError(f"{name} of {tuple(parameter.shape)} (found {tuple(tensor.shape)})")
    parameter.data.copy_(tensor)


@torch.no_grad()
def unfold(encoder: Encoder, found: Weights, features: Tensor) -> None:
    """Fill the encoder: what was folded into the weights stays there, and every norm begins as what is left over."""
    encoder.eval()
    for name, parameter in encoder.named_parameters():
        if "encoder." + name in found:
            _set(parameter, found["encoder." + name], name)
    for i, block in enumerate(encoder.blocks):
        assert isinstance(block, Block)
        taps = np.stack([found[f"#times.{3 * i + k}"] for k in range(3)])  # [3, 6, C]
        _set(block.taps, taps[:, [0, 5]], "taps")
        _set(block.gather.weight, found[f"blocks.{i}.gather.weight"])
        _set(block.spread.weight, found[f"blocks.{i}.spread.weight"])
        _set(block.point.finger.weight, found[f"#dense.{2 * i}"])
        _set(block.point.palm.weight, found[f"#dense.{2 * i + 1}"])
    _enter(encoder, found["enter"], found["enter_bias"], features.reshape(-1, *features.shape[-2:]))
    for i, block in enumerate(encoder.blocks):
        assert isinstance(block, Block)
        spread = found[f"blocks.{i}.spread.bias"]
        _shifts(block, found[f"blocks.{i}.taps_bias"], found[f"blocks.{i}.gather.bias"], spread[: len(spread) // 2])
    _statistics(encoder, features)


def _enter(encoder: Encoder, enter: NDArray[np.float32], bias: NDArray[np.float32], x: Tensor) -> None:
    """Split the first layer, [6, width, C] with a norm folded in, into that norm and one set of weights for the five
    fingers. Up to a factor a feature, which the norm takes, there is one way to do so."""
    mean, var = (v.double().numpy() for v in (x.mean(0), x.var(0)))  # [6, width]
    root = np.sqrt(var + encoder.norm.eps)
    gain = np.ones(enter.shape[:2])
    wide = enter[:5].astype(np.float64)
    first = np.abs(wide).sum(-1).argmax(0)  # the finger that says most of a feature
    most = np.take_along_axis(wide, first[None, :, None], 0)[0]  # [width, C]
    size = (most**2).sum(-1)
    gain[:5] = np.where(size > 0, (wide * most).sum(-1) / np.where(size > 0, size, 1), 1 / root[:5])
    # the norm's own weight is 1 on average: what a fresh one has
    factor = np.abs(gain * root)[:5].mean(0)
    gain[:5] /= factor
    gain[5] = 1 / root[5]
    finger, palm = (most * factor[:, None]).T, (enter[5].astype(np.float64) * root[5][:, None]).T
    # what is subtracted before the weights, given what is added after them: one solution is enough, the one nearest
    # to removing the features' mean
    shift = -mean * gain
    rest = bias.astype(np.float64) - np.stack([(palm if p == 5 else finger) @ shift[p] for p in range(6)])
    common = rest[:5].mean(0)
    for p in range(5):
        shift[p] += np.linalg.lstsq(finger, rest[p] - common, rcond=1e-9)[0]
    _set(encoder.enter.finger.weight, finger)
    _set(encoder.enter.palm.weight, palm)
    _set(encoder.enter.finger.bias, common)
    _set(encoder.enter.palm.bias, rest[5])
    _set(encoder.norm.get_buffer("running_mean"), mean.reshape(-1))
    _set(encoder.norm.get_buffer("running_var"), var.reshape(-1))
    _set(encoder.norm.weight, (gain * root).reshape(-1))
    _set(encoder.norm.bias, (shift + mean * gain).reshape(-1))


def _shifts(block: Block, taps: Any, context: Any, change: Any) -> None:
    """Norms that only add: weight 1 of a variance of 1."""
    for norm, shift in ((block.norm_taps, taps), (block.norm_context, context), (block.norm, change)):
        norm.get_buffer("running_mean").zero_()
        norm.get_buffer("running_var").fill_(1 - norm.eps)
        _set(norm.weight, np.ones(len(shift)))
        _set(norm.bias, shift)


def _statistics(encoder: Encoder, features: Tensor) -> None:
    """Give the blocks' norms the statistics of what they see, and take them back in weight and bias."""
    norms = [n for b in encoder.blocks if isinstance(b, Block) for n in (b.norm_taps, b.norm_context, b.norm)]
    seen: dict[int, tuple[Tensor, Tensor]] = {}

    def look(norm: torch.nn.Module, given: tuple[Tensor, ...]) -> None:
        x = given[0].reshape(-1, given[0].shape[-1]).double()
        seen[id(norm)] = x.mean(0), x.var(0)

    hooks = [norm.register_forward_pre_hook(look) for norm in norms]
    encoder(features)
    for hook in hooks:
        hook.remove()
    for norm in norms:
        mean, var = seen[id(norm)]
        _set(norm.weight, torch.sqrt(var + norm.eps))
        _set(norm.bias, norm.bias.double() + mean)
        _set(norm.get_buffer("running_mean"), mean)
        _set(norm.get_buffer("running_var"), var)


def training_features(count: int = CLIPS, seed: int = SEED) -> Tensor:
    """Hands in view of fresh training clips, [N,T,6,width]."""
    from export.data.scenes import draw_scene
    from export.sim.batch import Streamer

    return torch.cat(list(_hands(Streamer(draw_scene, size=count, seconds=5.0, seed=seed))))


def _hands(streamer: Any) -> Iterator[Tensor]:
    clips = streamer.batch(0)
    for features, present in zip(clips.features, clips.present, strict=True):
        for hand in (0, 1):
            if present[:, hand].any():
                yield torch.from_numpy(features[None, :, hand].astype(np.float32))


def save(bundle: Bundle, path: Path) -> Student:
    """Write the checkpoint that `figop train --from`, `export.qat` and `export.models.release` read."""
    student = recover(bundle)
    training = bundle.student.get("training", {})
    path.parent.mkdir(parents=True, exist_ok=True)
    student.save(
        path, step=int(training.get("steps", 0)), seconds=float(training.get("seconds", 0)),
        appearance=bool(bundle.student.get("appearance")), recovered_from=bundle.weights_digest,
    )  # fmt: skip
    return student


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m export.models.recover", description=__doc__)
    parser.add_argument("bundle", help="name or path of a float bundle")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="checkpoint to write (.pt)")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    try:
        save(Bundle.open(args.bundle), args.output)
    except FigopError as error:
        print(error)
        return 1
    print(f"{args.output}: says what {args.bundle} says; next: figop train --from {args.output}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

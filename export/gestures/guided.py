"""The reader's network in torch: labels as vectors that texts guide, attributes at its middle, classes at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from edge.encoder import LAG
from edge.gestures.attributes import VALUES, said
from edge.gestures.reader import ANY, LISTS, NOTHING, PARTS, TOKEN, Label, Reader
from edge.score import FINGERS, HANDS, MOTIONS, FingerEvent
from edge.targets import CONTACT_NAMES, DIRECTION_NAMES, GRASP, MOTION_NAMES, WRIST, WRIST_MOTIONS
from export.gestures.net import NetSettings, Norm, _Block, trunk
from export.gestures.text import class_text, vectors
from export.sim.split import COMBINATIONS, held_out

Array = NDArray[Any]

#: directions that a thumb's stroke on a finger takes
STROKES = ("left", "right", "forward", "backward")


#: weight of ticks at which nothing of a list happens; rare lists would learn nothing else
QUIET = {"own": 0.3, "touched": 0.05, "grasp": 0.15, "wrist": 0.2}


@dataclass(frozen=True, slots=True)
class GuideSettings:
    """class_text, attribute_text: which texts guide. fine: weight of the attributes once they have ramped up.

    everyday: share of hands that do nothing of note.
    """

    class_text: bool = True
    attribute_text: bool = True
    width: int = 56
    size: int = 48
    dilations: tuple[int, ...] = (1, 2, 4, 8)
    middle: int = 2
    steps: int = 1500
    batch: int = 12
    rate: float = 3e-3
    fine: float = 0.4
    everyday: float = 0.25
    seed: int = 0


def _ways(motion: str, contact: str) -> tuple[str, ...]:
    ways = MOTIONS[motion].directions or ("",)
    return STROKES if motion == "swipe" and contact == ANY else ways


def labels() -> dict[str, list[Label]]:
    """What training performs, fingers left out: of one finger, of a thumb on a finger, of the hand, of the wrist."""
    own, touched = [NOTHING], [NOTHING]
    for finger, motion, contact in COMBINATIONS:
        if (finger, motion, contact) in held_out():
            continue
        what = ANY if contact in FINGERS[1:] else contact
        for way in _ways(motion, what):
            own.append((motion, way, what))
            if finger == "thumb" and what == ANY:
                touched.append((motion, way, what))
    grasp = [NOTHING, ("grab", "", ""), ("grab", "", "object"), ("open", "", ""), ("hold", "", ""),
             ("release", "", "object")]  # fmt: skip
    wrist = [NOTHING, *((m, d, "") for m in WRIST_MOTIONS for d in MOTIONS[m].directions or ("",))]
    unique = {"own": own, "touched": touched, "grasp": grasp, "wrist": wrist}
    return {name: list(dict.fromkeys(rows)) for name, rows in unique.items()}


def tables(known: Mapping[str, Sequence[Label]]) -> dict[str, Array]:
    """(motion, direction, contact) as target codes -> row of each list; nothing where a list has no such label."""
    out = {n: np.zeros((len(MOTION_NAMES), len(DIRECTION_NAMES), len(CONTACT_NAMES)), np.int64) for n in known}
    for name, rows in known.items():
        for k, (motion, way, contact) in enumerate(rows):
            if not motion:
                continue
            for c, touches in enumerate(CONTACT_NAMES):
                if contact == touches or (contact == ANY and touches in FINGERS[1:]):
                    out[name][MOTION_NAMES.index(motion), DIRECTION_NAMES.index(way), c] = k
    return out


def targets_of(codes: Array, table: Mapping[str, Array]) -> dict[str, Array]:
    """Targets [...,7,6] -> own [...,5], touched [...,5] (of the finger that the thumb is on), grasp, wrist [...]."""
    motion, way, contact = (codes[..., k].astype(np.int64) for k in range(3))
    own = table["own"][motion[..., :5], way[..., :5], contact[..., :5]]
    thumb = table["touched"][motion[..., 0], way[..., 0], contact[..., 0]]
    touched = np.zeros_like(own)
    for f, name in enumerate(FINGERS):
        if f:
            touched[..., f] = np.where(contact[..., 0] == CONTACT_NAMES.index(name), thumb, 0)
    whole = {n: table[n][motion[..., s], way[..., s], contact[..., s]] for n, s in (("grasp", GRASP), ("wrist", WRIST))}
    return {"own": own, "touched": touched, **whole}


def _class_vector(label: Label, known: Mapping[str, Array]) -> Array:
    """Mean over fingers of what trained classes of this label are called."""
    motion, way, contact = label
    rows = []
    for finger, m, c in COMBINATIONS:
        if m == motion and (finger, m, c) not in held_out() and (c in FINGERS[1:] if contact == ANY else c == contact):
            try:
                text = class_text(FingerEvent(HANDS[1], motion, (finger,), way, c))
            except Exception:  # one finger alone of a motion that takes two has no sentence
                continue
            if text in known:
                rows.append(known[text])
    return np.mean(rows, axis=0) if rows else _attribute_vector("motion", f"{motion} {way}".strip(), known)


def _attribute_vector(dimension: str, value: str, known: Mapping[str, Array]) -> Array:
    if value == ANY:
        return np.mean([known[said(dimension, f)] for f in FINGERS[1:]], axis=0)
    return known[said(dimension, value or "nothing")]


class Banks:
    """Text vectors, centred: of motions [M,384], contacts [C,384], and of every label's class [L,384]."""

    def __init__(self, rows: Sequence[Label]) -> None:
        known = vectors()
        self.motions, self.contacts = list(VALUES["motion"]), [*VALUES["contact"], ANY]
        self.motion = _centred([_attribute_vector("motion", v, known) for v in self.motions])
        self.contact = _centred([_attribute_vector("contact", v, known) for v in self.contacts])
        self.label = _centred([_class_vector(r, known) for r in rows])
        self.of_motion = np.array([self.motions.index(f"{m} {d}".strip()) for m, d, _ in rows])
        self.of_contact = np.array([self.contacts.index(c or "nothing") for _, _, c in rows])


def _centred(rows: Sequence[Array]) -> Tensor:
    bank = np.stack(rows)
    bank = bank - bank.mean(axis=0)
    return torch.from_numpy((bank / np.linalg.norm(bank, axis=1).mean()).astype(np.float32))


class GuideNet(nn.Module):
    """forward(tokens [N,T,5,F]) -> logits by name, and the middle's attributes."""

    def __init__(self, known: Mapping[str, Sequence[Label]], s: GuideSettings) -> None:
        super().__init__()
        self.s, self.known = s, known
        net = NetSettings(width=s.width, taps=3, dilations=s.dilations, dropout=0.1)
        self.norm = Norm(TOKEN)
        self.enter = nn.Linear(TOKEN, s.width)
        self.blocks = nn.ModuleList(_Block(net, d) for d in s.dilations)
        self.say = nn.ModuleDict({n: nn.Linear(s.width, s.size) for n in ("own", "touched", "middle")})
        self.whole = nn.ModuleDict({n: nn.Linear(2 * s.width, len(known[n])) for n in ("grasp", "wrist")})
        self.banks = {n: Banks(known[n][1:]) for n in ("own", "touched")}
        self.nothing = nn.Parameter(torch.zeros(2, s.size))
        self.free = nn.ParameterDict(
            {n: nn.Parameter(torch.randn(len(known[n]) - 1, s.size) * 0.3) for n in self.banks}
        )
        self.texts = nn.ModuleDict({n: nn.Linear(384, s.size, bias=False) for n in ("motion", "contact", "label")})
        for text in self.texts.values():
            nn.init.normal_(text.weight, std=0.5)

    def prototypes(self, name: str, *, attributes: bool = True) -> Tensor:
        """Vectors of a list's labels [L,D], nothing first; without what their attributes' texts give, if asked."""
        bank, rows = self.banks[name], []
        if self.s.attribute_text and attributes:
            rows.append(self.texts["motion"](bank.motion)[bank.of_motion])
            rows.append(self.texts["contact"](bank.contact)[bank.of_contact])
        if self.s.class_text:
            rows.append(self.texts["label"](bank.label))
        if not self.s.attribute_text and not self.s.class_text:
            rows.append(self.free[name])
        rows = rows or [torch.zeros(len(bank.of_motion), self.s.size)]
        nothing = self.nothing[list(self.banks).index(name)]
        return torch.cat([nothing[None], torch.stack(rows).sum(0)])

    def trunk(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """tokens [N,T,5,F] -> (middle, last) [N,5,T,W]."""
        n, t, f, _ = x.shape
        h = F.relu(self.enter(self.norm(x))).transpose(1, 2).reshape(n * f, t, -1)
        middle = h
        for k, block in enumerate(self.blocks, 1):
            h = block(h)
            if k == self.s.middle:
                middle = h
        return middle.reshape(n, f, t, -1), h.reshape(n, f, t, -1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        middle, h = self.trunk(x)
        out = {n: self.say[n](h) @ self.prototypes(n).T * self.s.size**-0.5 for n in ("own", "touched")}
        pooled = torch.cat((h.mean(dim=1), h.amax(dim=1)), dim=-1)
        out |= {n: layer(pooled) for n, layer in self.whole.items()}
        if self.s.attribute_text:
            z = self.say["middle"](middle)
            bank = self.banks["own"]
            nothing = (z @ self.nothing[0])[..., None]
            for n in ("motion", "contact"):
                words = self.texts[n](getattr(bank, n))
                out[f"middle_{n}"] = torch.cat((nothing, z @ words.T), dim=-1) * self.s.size**-0.5
        return out


def loss_of(
    out: Mapping[str, Tensor], target: Mapping[str, Tensor], seen: Tensor, net: GuideNet, share: float
) -> Tensor:
    """Coarse to fine: classes from the start, attributes by `share`. target [N,T,...] of `LAG` ticks later."""
    s = net.s
    total: Any = 0.0
    bank = net.banks["own"]
    goals = {n: target[n].transpose(1, 2) if target[n].ndim == 3 else target[n] for n in target}
    rows = [(n, goals[n], QUIET[n], 1.0) for n in LISTS]
    if s.attribute_text and share:
        own = goals["own"]
        for n, table in (("motion", bank.of_motion), ("contact", bank.of_contact)):
            at = torch.cat((torch.zeros(1, dtype=torch.long), torch.from_numpy(table) + 1))
            rows.append((f"middle_{n}", at[own], QUIET["own"], share))
    for name, goal, quiet, weight in rows:
        logits = out[name][..., LAG:, :]
        goal = goal[..., : goal.shape[-1] - LAG]
        here = seen[:, LAG:] if goal.ndim == 2 else seen[:, None, LAG:].expand_as(goal)
        if name == "touched":
            logits, goal, here = logits[:, 1:], goal[:, 1:], here[:, 1:]
        w = torch.where(goal == 0, quiet, 1.0) * here
        ce = F.cross_entropy(logits.flatten(0, -2), goal.flatten(), reduction="none")
        total = total + weight * (ce * w.flatten()).sum() / w.sum().clamp(min=1)
    return total


@torch.no_grad()
def fold(net: GuideNet, about: Mapping[str, Any]) -> Reader:
    """The network as `edge.gestures.reader` runs it: norms folded in, labels as plain vectors."""
    net.eval()
    arrays = trunk(net)
    for n in ("own", "touched"):
        # a label's vector is composed on the device; what the texts of attributes do not say is kept beside
        rest = net.prototypes(n, attributes=False)
        arrays[n] = rest * net.s.size**-0.5
        arrays[f"{n}_say"], arrays[f"{n}_say_bias"] = net.say[n].weight.T, net.say[n].bias
    for n, layer in net.whole.items():
        arrays[f"{n}_out"], arrays[f"{n}_out_bias"] = layer.weight.T, layer.bias
    for n in ("motion", "contact") if net.s.attribute_text else ():
        arrays[f"bank_{n}"] = net.texts[n](getattr(net.banks["own"], n)) * net.s.size**-0.5
    # no coordinates are learnt yet: `export.gestures.metric`
    width = PARTS * sum(len(net.known[n]) * (5 if n in LISTS[:2] else 1) for n in LISTS)
    arrays |= {"metric_mean": torch.zeros(width), "metric": torch.eye(width, 1)}
    plain = {n: np.ascontiguousarray(a.numpy(), np.float32) for n, a in arrays.items()}
    bank = net.banks["own"]
    return Reader(plain, {**about, **net.known, "motions": bank.motions, "contacts": bank.contacts,
                          "dilations": list(net.s.dilations)})  # fmt: skip

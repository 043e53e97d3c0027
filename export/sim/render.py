"""Pictures of hands: looks (skin, light, backdrop, sleeve) drawn by seed, and a renderer for performances."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from export.sim.anatomy import Array
from export.sim.camera import Camera
from export.sim.flesh import Flesh, clothe
from export.sim.perform import Performance

if TYPE_CHECKING:
    from export.sim.solids import Solid

#: Skin tones light to dark, sRGB: back of the hand and palm (after the Monk skin tone scale's steps).
TONES = np.array(
    [
        [[241, 206, 186], [246, 200, 184]],
        [[232, 190, 164], [240, 188, 168]],
        [[214, 165, 134], [228, 172, 148]],
        [[189, 135, 103], [214, 156, 130]],
        [[150, 100, 72], [196, 142, 116]],
        [[108, 70, 52], [176, 124, 102]],
        [[78, 52, 41], [158, 110, 92]],
    ],
    float,
)


def linear(srgb: Array) -> Array:
    """sRGB 0..255 -> linear light 0..1."""
    return np.asarray((np.clip(srgb, 0, 255) / 255) ** 2.2)


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """How a clip looks; all light is linear RGB.

    Attributes:
        skin [4,3]: back of the hand, palm, nail, crease. cloth [3]: the sleeve.
        sun [3]: unit vector towards the main light, camera axes; sun_rgb, sky_rgb, ground_rgb [3].
        sleeve: palm lengths from wrist to sleeve, >= 9 for bare arms. stout: girth factor.
        backdrop: seed of the background. noise: standard deviation of the sensor, 0..255.
    """

    skin: Array
    cloth: Array
    sun: Array
    sun_rgb: Array
    sky_rgb: Array
    ground_rgb: Array
    sleeve: float = 0.9
    stout: float = 1.0
    backdrop: int = 0
    noise: float = 2.0

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Look:
        """A random person in a random room."""
        tone = rng.uniform(0, len(TONES) - 1.001)
        low, part = int(tone), tone - int(tone)
        back, palm = linear(TONES[low] + part * (TONES[low + 1] - TONES[low])) * rng.uniform(0.94, 1.06, 3)
        sun = np.array([rng.uniform(-0.8, 0.8), rng.uniform(-0.9, -0.3), rng.uniform(-1.0, -0.45)])
        warm = rng.uniform(-0.08, 0.08) * np.array([1.0, 0.1, -1.0])
        strength = rng.uniform(0.55, 0.85)
        return cls(
            skin=_skin(back, palm),
            cloth=linear(rng.uniform(20, 220, 3)) * 0.8 + 0.02,
            sun=sun / np.linalg.norm(sun),
            sun_rgb=strength * (1 + warm),
            sky_rgb=(1.02 - strength) * rng.uniform(0.85, 1.15) * (1 - warm),
            ground_rgb=(0.72 - 0.5 * strength) * rng.uniform(0.6, 1.1) * np.array([1.0, 0.95, 0.9]),
            sleeve=float(rng.uniform(0.5, 1.5)) if rng.random() < 0.7 else 9.0,
            stout=float(rng.uniform(0.92, 1.10)),
            backdrop=int(rng.integers(2**31)),
            noise=float(rng.uniform(0.8, 3.5)),
        )


def _skin(back: Array, palm: Array) -> Array:
    nail = 0.55 * palm + 0.45 * linear(np.array([236.0, 190, 182]))
    crease = palm * np.array([0.58, 0.42, 0.38])
    return np.stack([back, palm, nail, crease])


def plain_look() -> Look:
    """The look of the demo clip."""
    return Look(
        skin=_skin(linear(np.array([226.0, 178, 152])), linear(np.array([236.0, 184, 164]))),
        cloth=linear(np.array([58.0, 84, 118])),
        sun=np.array([-0.46, -0.62, -0.64]),
        sun_rgb=np.array([0.74, 0.70, 0.65]),
        sky_rgb=np.array([0.36, 0.38, 0.42]),
        ground_rgb=np.array([0.22, 0.20, 0.18]),
        sleeve=0.75,
        backdrop=14,
        noise=0.0,
    )


def backdrop(size: tuple[int, int], seed: int) -> NDArray[np.float32]:
    """A blurred room [H,W,3], linear light: wall, floor or desk, furniture out of focus, a lamp's glow."""
    width, height = size
    rng = np.random.default_rng(seed)
    v, u = np.mgrid[0:height, 0:width]
    u, v = (u + 0.5) / width, (v + 0.5) / height
    wall = linear(rng.uniform(90, 215) + rng.uniform(-18, 18, 3))
    picture = wall * (1.1 - 0.35 * v[..., None] * rng.uniform(0.2, 1.0))
    if rng.random() < 0.7:
        edge = rng.uniform(0.55, 0.95)
        mask = _soft((v - edge - rng.uniform(-0.06, 0.06) * u) / 0.02)[..., None]
        picture = picture + mask * (linear(rng.uniform(50, 180) + rng.uniform(-25, 25, 3)) - picture)
    for _ in range(int(rng.integers(2, 7))):
        cx, cy, w, h = rng.uniform(0, 1), rng.uniform(0.1, 0.9), rng.uniform(0.04, 0.22), rng.uniform(0.08, 0.4)
        blur = rng.uniform(0.012, 0.04)
        mask = _soft((w - np.abs(u - cx)) / blur) * _soft((h - np.abs(v - cy)) / blur)
        tint = linear(rng.uniform(30, 210) + rng.uniform(-45, 45, 3))
        picture = picture + (mask * rng.uniform(0.35, 0.85))[..., None] * (tint - picture)
    gx, gy = rng.uniform(-0.2, 1.2), rng.uniform(-0.2, 0.5)
    glow = np.exp(-((u - gx) ** 2 + (v - gy) ** 2) / rng.uniform(0.1, 0.4))[..., None]
    picture = picture * (0.8 + 0.5 * glow)
    fall = 1 - 0.35 * ((u - 0.5) ** 2 + (v - 0.5) ** 2)[..., None]
    return np.asarray(np.clip(picture * fall, 0, 1), np.float32)


def _soft(x: Array) -> Array:
    s = np.clip(0.5 + 0.5 * x, 0, 1)
    return np.asarray(s * s * (3 - 2 * s))


class Renderer:
    """Draws frames of one clip: one camera, one look. Deterministic by seed."""

    def __init__(self, camera: Camera, look: Look | None = None, *, supersample: int = 1, seed: int = 0) -> None:
        self.camera, self.look, self.factor = camera, look or plain_look(), supersample
        width, height = camera.size
        self._ground = backdrop((width * supersample, height * supersample), self.look.backdrop)
        self._rng = np.random.default_rng(seed)

    def draw(self, hands: list[Flesh], solids: Sequence[Solid] = ()) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """(RGB [H,W,3] uint8, coverage of the hands [H,W] 0..1); hands and solids in camera axes; mirrored where the
        camera is."""
        from export.sim import march

        image = self._ground.copy()
        hit = np.zeros(image.shape[:2], np.float32)
        behind = np.full(hit.shape, march.FAR, np.float32)
        look, focal = self.look, self.camera.focal * image.shape[1]
        if solids:
            from export.sim.solids import draw as draw_solids

            draw_solids(image, behind, focal, solids, _pack(hands) if hands else None, look)
        if hands:
            march.draw(
                image, hit, behind, focal, *_pack(hands), look.skin, look.cloth,
                look.sun, look.sun_rgb, look.sky_rgb, look.ground_rgb,
            )  # fmt: skip
        if self.factor > 1:
            f, (h, w) = self.factor, hit.shape
            image = image.reshape(h // f, f, w // f, f, 3).mean(axis=(1, 3))
            hit = hit.reshape(h // f, f, w // f, f).mean(axis=(1, 3))
        tone = 255 * np.clip(image, 0, 1) ** np.float32(1 / 2.2)
        if self.look.noise:
            tone += self._rng.standard_normal(tone.shape, np.float32) * np.float32(self.look.noise)
        rgb = np.clip(tone + 0.5, 0, 255).astype(np.uint8)
        if self.camera.mirrored:
            rgb, hit = np.ascontiguousarray(rgb[:, ::-1]), np.ascontiguousarray(hit[:, ::-1])
        return rgb, hit

    def frames(self, performance: Performance) -> Iterator[NDArray[np.uint8]]:
        """The pictures of a performance, one a time stamp."""
        for i in range(len(performance.t_ns)):
            yield self.draw(solid(performance, self.camera, self.look, i))[0]


def solid(performance: Performance, camera: Camera, look: Look, frame: int) -> list[Flesh]:
    """The capsules of all hands in one frame, camera axes."""
    present = [slot for slot in (0, 1) if performance.presence[frame, slot] > 0]
    return [clothed(performance, camera, look, frame, slot) for slot in present]


def clothed(performance: Performance, camera: Camera, look: Look, frame: int, slot: int) -> Flesh:
    """The capsules of one hand in one frame, camera axes."""
    joints = camera.see(performance.joints[frame, slot] + performance.wrist[frame, slot])
    arm = camera.rotation() @ performance.stage.forearm[slot][:, 0]
    return clothe(joints, left=slot == 0, forearm=arm, sleeve=look.sleeve, stout=look.stout)


def _pack(hands: list[Flesh]) -> tuple[Array, ...]:
    """Hands as the flat arrays that `march.draw` takes: palm first, then fingers, of each hand."""
    caps, kinds, backs, bounds = [], [], [], []
    for number, hand in enumerate(hands):
        order = np.argsort(np.where((hand.group == 5) | (hand.group == 6), -1, hand.group), kind="stable")
        start, way = hand.ends[order, 0], hand.ends[order, 1] - hand.ends[order, 0]
        radii = hand.radii[order]
        length = np.maximum((way**2).sum(axis=1), 1e-12)
        caps.append(np.column_stack([start, way, 1 / length, radii[:, 0], radii[:, 1] - radii[:, 0]]))
        kinds.append(np.column_stack([np.full(len(order), number), hand.group[order], hand.bone[order]]))
        backs.append(hand.back[order])
        bounds.append(np.column_stack([start + way / 2, np.sqrt(length) / 2 + radii.max(axis=1)]))
    return (
        np.concatenate(caps), np.concatenate(kinds).astype(np.int64), np.concatenate(backs), np.concatenate(bounds),
        np.stack([h.knuckles for h in hands]), np.stack([h.frame for h in hands]), np.stack([h.wrist for h in hands]),
        np.array([h.scale for h in hands]),
    )  # fmt: skip

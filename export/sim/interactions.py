"""Hands that do things with things: programs by seed, performed with true contact, true boxes and the true score.

A program here is one act (take and place, push, press, touch, turn, hand over, open, close, pass by without touching);
`export.sim.several` makes rows of them. Hands move by minimum-jerk ways between postures whose fingers have closed on
the thing; a held thing is fixed to the hand. Contact is what the flesh and the thing's surface say in every frame, not
what the program meant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from edge.objects.event import ObjectScore, order
from export.sim.acts import Acts
from export.sim.anatomy import Array
from export.sim.camera import Camera
from export.sim.director import Hand, about
from export.sim.kinematics import landmarks
from export.sim.perform import Performance, frame_times
from export.sim.render import Look, Renderer, clothed, solid
from export.sim.solids import Solid, distance, outline
from export.sim.stage import Stage

#: Flesh nearer than this to a thing touches it, metres: the flesh of a closed finger gives 1.5 mm.
TOUCHES = 0.003
#: Half a bone and its flesh reach no farther than this from the nearest joint, metres.
FAR_OFF = 0.09
#: How far the camera looks down, radians; from the head it must look past the forearms.
_PITCH = {"facing": (0.25, 0.75), "egocentric": (0.75, 1.05)}
ACTS = ("place", "place", "place", "turn", "push", "press", "touch", "hand over", "lid", "pass")


@dataclass(slots=True, eq=False)
class Thing:
    """A thing of a clip: solids in its own axes, where it is in every frame, how far its lid is open.

    turn [T,3,3], place [T,3]: its axes in the scene; lid [T]: radians about `hinge` (point, axis), of the last solid.
    """

    name: str
    solids: tuple[Solid, ...]
    turn: Array
    place: Array
    lid: Array | None = None
    hinge: tuple[Array, Array] | None = None

    def at(self, frame: int) -> tuple[Solid, ...]:
        """Its solids in the scene."""
        own = self.solids
        if self.lid is not None and self.hinge is not None:
            swung = about(self.hinge[1], self.lid[frame])
            own = (*own[:-1], own[-1].moved(swung, self.hinge[0] - swung @ self.hinge[0]))
        return tuple(s.moved(self.turn[frame], self.place[frame]) for s in own)


@dataclass(slots=True, eq=False)
class Scene:
    """A performed program.

    Attributes:
        performance: the hands. things: what is there.
        score: the true score.
        contact, held [T,2,N] bool: which hand touches, which hand holds which thing.
        act: names of the acts, for figures apart.
    """

    performance: Performance
    things: list[Thing]
    score: ObjectScore
    contact: Array
    held: Array
    act: tuple[str, ...]
    camera: Camera
    look: Look
    seed: int
    fps: float


def direct(seed: int, act: str | None = None, *, fps: float = 15.0, size: tuple[int, int] = (320, 240)) -> Scene:
    """The program of a seed, performed."""
    rng = np.random.default_rng((seed, 77))
    view = str(rng.choice(["facing", "egocentric"]))
    stage = Acts(rng, view)
    chosen = act or str(rng.choice(ACTS))
    slot = int(rng.integers(2))
    stage.t = stage.span(0.3, 0.6)
    acts: dict[str, Callable[[int], None]] = {
        "place": stage.place, "turn": lambda s: stage.place(s, turn=True), "push": lambda s: stage.place(s, push=True),
        "press": stage.press, "touch": lambda s: stage.press(s, touch=True), "hand over": stage.hand_over,
        "lid": stage.lid, "pass": stage.pass_by,
    }  # fmt: skip
    acts[chosen](slot)
    if chosen != "hand over" and rng.random() < 0.35:
        stage.bystander()
    duration = stage.t + stage.span(0.8, 1.1)
    return perform(stage, (chosen,), duration, fps, size, seed)


def perform(stage: Acts, act: tuple[str, ...], duration: float, fps: float, size: tuple[int, int], seed: int) -> Scene:
    """What a director wrote, performed before a camera, with what is true of it."""
    rng = stage.rng
    times = frame_times(duration, fps)
    count = len(times)
    joints, wrists = np.full((count, 2, 21, 3), np.nan), np.full((count, 2, 3), np.nan)
    angles, presence = np.zeros((count, 2, 5, 4)), np.zeros((count, 2), np.float32)
    palms = np.tile(np.eye(3), (count, 2, 1, 1))
    forearm, home = np.tile(np.eye(3), (2, 1, 1)), np.zeros((2, 3))
    for slot, hand in stage.hands.items():
        hand.stay(duration + 1)
        wrist, palm, finger = hand.at(times)
        hz, phase = rng.uniform(0.2, 1.5, (3, 3)), rng.uniform(0, 2 * np.pi, (3, 3))
        wrist = wrist + 0.0008 * np.sin(2 * np.pi * hz * times[:, None, None] + phase).sum(axis=1)
        local = landmarks(np.ascontiguousarray(finger), stage.body) * stage.metres
        joints[:, slot] = np.einsum("tij,tnj->tni", palm, local)
        wrists[:, slot], palms[:, slot], angles[:, slot], presence[:, slot] = wrist, palm, finger, 1.0
        forearm[slot], home[slot] = _forearm(hand), hand.keys[0][1]
    things = [_thing(stage, n, times, palms, wrists) for n in range(len(stage.things))]
    camera = Camera(
        yaw=rng.uniform(-0.35, 0.35), pitch=rng.uniform(*_PITCH[stage.view]), roll=rng.normal(0, 0.03), size=size,
        focal=float(rng.uniform(0.8, 0.95)),
    )  # fmt: skip
    set_up = Stage(stage.view, forearm, home, np.zeros(2), "objects")
    done = Performance(np.round(times * 1e9).astype(np.int64), joints, wrists, presence, angles, (), stage.body, set_up)
    scene = Scene(done, things, order(stage.events), np.zeros(0), np.zeros(0), act, camera, stage.look, seed, fps)
    scene.camera = _frame(scene)
    scene.contact, scene.held = _truth(stage, scene, times)
    meant = {e.object for e in scene.score}
    spoilt = [n for n, t in enumerate(things) if t.name not in meant and scene.contact[:, :, n].any()]
    if spoilt:  # a hand that brushes what only stood about would be true but unsaid
        keep = [n for n in range(len(things)) if n not in spoilt]
        scene.things = [things[n] for n in keep]
        scene.contact, scene.held = scene.contact[:, :, keep], scene.held[:, :, keep]
    return scene


def _forearm(hand: Hand) -> Array:
    """Axes of a forearm that the palm turns about: the palm's first ones along the mean of its ways."""
    palms = [k[4] for k in hand.keys]
    if all(p is palms[0] for p in palms):
        return palms[0]
    x = np.mean([p[:, 0] for p in palms], axis=0)
    x = x / np.linalg.norm(x)
    z = palms[0][:, 2] - (palms[0][:, 2] @ x) * x
    z = z / np.linalg.norm(z)
    return np.stack([x, np.cross(z, x) if hand.slot == 0 else np.cross(x, z), z], axis=1)


def _thing(stage: Acts, n: int, times: Array, palms: Array, wrists: Array) -> Thing:
    """Where a thing is: on the hand while it hangs there, else where it was left."""
    name, solids, turn0, place0 = stage.things[n]
    turn, place = np.empty((len(times), 3, 3)), np.empty((len(times), 3))
    now = (turn0, place0)
    spans = [h for h in stage.hangs if h[0] == n and h[3] >= 0]
    own: tuple[int, Array, Array] | None = None
    for i, t in enumerate(times):
        on = next((h for h in spans if h[1] <= t < h[2]), None)
        if on is None:
            own = None
        else:
            slot = on[3]
            if own is None or own[0] != slot:  # fixed to the hand as it lies in it now
                back = np.linalg.inv(palms[i, slot])
                own = (slot, back @ now[0], back @ (now[1] - wrists[i, slot]))
            now = (palms[i, slot] @ own[1], palms[i, slot] @ own[2] + wrists[i, slot])
        turn[i], place[i] = now
    lid = None
    if n in stage.lids:
        keys = np.array(stage.lids[n])
        lid = np.interp(times, keys[:, 0], keys[:, 1])
    return Thing(name, solids, turn, place, lid, stage.hinges.get(n))


def _truth(stage: Acts, scene: Scene, times: Array) -> tuple[Array, Array]:
    """contact, held [T,2,N]: by the flesh in each frame; held while the thing hangs on the hand."""
    count = len(scene.things)
    contact, held = np.zeros((len(times), 2, count), bool), np.zeros((len(times), 2, count), bool)
    for n, start, end, slot in stage.hangs:
        held[(times >= start) & (times < end), slot if slot >= 0 else -1 - slot, n] = True
    done = scene.performance
    turn, shift = scene.camera.rotation(), scene.camera.see(np.zeros(3))
    part = np.linspace(0, 1, 6)[None, :, None]
    for i in range(len(times)):
        there = [thing.at(i) for thing in scene.things]
        for slot in np.flatnonzero(done.presence[i]).tolist():
            joints = done.joints[i, slot] + done.wrist[i, slot]
            near = [n for n, solids in enumerate(there) if distance(solids, joints).min() < FAR_OFF]
            if not near:
                continue
            flesh = clothed(done, scene.camera, stage.look, i, slot)
            fingers = flesh.group <= 5
            ends = flesh.ends[fingers]
            points = ends[:, :1] * (1 - part) + ends[:, 1:] * part
            radius = flesh.radii[fingers][:, :1] * (1 - part[..., 0]) + flesh.radii[fingers][:, 1:] * part[..., 0]
            for n in near:
                solids = [s.moved(turn, shift) for s in there[n]]
                contact[i, slot, n] = (distance(solids, points) - radius).min() < TOUCHES
    return contact | held, held


def _frame(scene: Scene) -> Camera:
    """A camera that has hands and things in its picture."""
    from export.sim.camera import frame_on

    done = scene.performance
    ghosts = np.concatenate(
        [outline(t.at(i)) for t in scene.things for i in range(0, len(done.t_ns), max(1, len(done.t_ns) // 6))]
    )
    hands = (done.joints + done.wrist[:, :, None])[done.presence > 0].reshape(-1, 3)
    everything = np.concatenate([hands, ghosts])
    pad = -len(everything) % 21
    everything = np.concatenate([everything, everything[:pad]]).reshape(-1, 1, 21, 3)
    whole = replace(
        done,
        joints=everything,
        wrist=np.zeros((len(everything), 1, 3)),
        presence=np.ones((len(everything), 1), np.float32),
    )
    return frame_on(whole, scene.camera, margin=0.05, closest=0.5)


def pictures(scene: Scene) -> Iterator[Array]:
    """The frames of a scene, one a time stamp."""
    look = scene.look
    renderer = Renderer(scene.camera, look, seed=scene.seed)
    turn, shift = scene.camera.rotation(), scene.camera.see(np.zeros(3))
    for i in range(len(scene.performance.t_ns)):
        there = [s.moved(turn, shift) for thing in scene.things for s in thing.at(i)]
        yield renderer.draw(solid(scene.performance, scene.camera, look, i), there)[0]


def boxes(scene: Scene) -> Array:
    """[T,N,4] image fractions x0, y0, x1, y1 of the things, hidden parts included."""
    out = np.empty((len(scene.performance.t_ns), len(scene.things), 4))
    for n, thing in enumerate(scene.things):
        for i in range(len(out)):
            flat = scene.camera.project(scene.camera.see(outline(thing.at(i))))
            out[i, n] = np.concatenate([flat.min(axis=0), flat.max(axis=0)])
    return np.clip(out, 0, 1)

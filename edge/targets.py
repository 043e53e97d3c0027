"""How a score stands on a time line for the network: for every hand seven slots, for every slot six attributes.

The slots are what can move by itself at the same time: the five fingers, the hand as a grasp (grab, open, hold)
and the hand as a whole through space (wave, swipe, rotate).
"""

from __future__ import annotations

from edge.score import (
    CONTACTS,
    EXTENTS,
    FINGERS,
    MOTIONS,
    SIDE_DIRECTIONS,
    SLIDE_DIRECTIONS,
    SPEEDS,
    TURN_DIRECTIONS,
    FingerEvent,
)

GRASP, WRIST = 5, 6
SLOTS = (*FINGERS, "grasp", "wrist")
#: index 0 of motion, direction and contact says: none
MOTION_NAMES = ("", *(m for m in MOTIONS if m != "rest"))
DIRECTION_NAMES = ("", *SIDE_DIRECTIONS, *TURN_DIRECTIONS, *SLIDE_DIRECTIONS)
CONTACT_NAMES = ("", *CONTACTS)
#: repeats beyond the last are counted as the last
REPEATS = (1, 2, 3, 4)
ATTRIBUTES: dict[str, int] = {
    "motion": len(MOTION_NAMES),
    "direction": len(DIRECTION_NAMES),
    "contact": len(CONTACT_NAMES),
    "extent": len(EXTENTS),
    "speed": len(SPEEDS),
    "repeat": len(REPEATS),
}
#: numbers of one slot, all attributes
SLOT_WIDTH = sum(ATTRIBUTES.values())
WRIST_MOTIONS = ("rotate", "wave", "swipe")


def allowed(slot: int) -> tuple[int, ...]:
    """Motion indices that a slot can have, none included."""
    if slot == WRIST:
        names = {"", *WRIST_MOTIONS}
    elif slot == GRASP:
        names = {"", *(m.name for m in MOTIONS.values() if m.fingers[0] == 0)} - set(WRIST_MOTIONS)
    else:
        names = {"", *(m.name for m in MOTIONS.values() if m.fingers[1] > 0)}
        if slot == FINGERS.index("thumb"):
            names.discard("pinch")  # it names the fingers that meet the thumb
    return tuple(i for i, name in enumerate(MOTION_NAMES) if name in names)


def slots_of(event: FingerEvent) -> tuple[int, ...]:
    """The slots that an event fills."""
    if event.fingers:
        return tuple(FINGERS.index(f) for f in event.fingers)
    return (WRIST,) if event.motion in WRIST_MOTIONS else (GRASP,)


def codes(event: FingerEvent) -> tuple[int, int, int, int, int, int]:
    """An event's attributes as class indices."""
    return (
        MOTION_NAMES.index(event.motion),
        DIRECTION_NAMES.index(event.direction),
        CONTACT_NAMES.index(event.contact),
        EXTENTS.index(event.extent),
        SPEEDS.index(event.speed),
        min(event.repeat, REPEATS[-1]) - 1,
    )

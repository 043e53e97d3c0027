"""Which hand is it: evidence gathered over time, and the slot that each tracked hand gets."""

from __future__ import annotations

from collections.abc import Sequence

from edge.hands.frame import LEFT, RIGHT

#: Seconds of clear evidence that fill an empty vote; a settled hand flips after 1 + FLIP of them.
_SETTLE_S = 0.4
#: The side changes only when the vote has gone this far to the other one.
_FLIP = 0.3
#: One frame counts as at most this long, so that a gap in the stream does not make one frame decide.
_LONGEST_S = 0.1
#: Two hands vote the same side: below the first figure the weaker one is taken for the other hand, and stays it
#: up to the second.
_WEAK, _WEAK_STAYS = 0.5, 0.8
#: By how much a rival must be surer to take a slot from the hand that holds it.
_TAKEOVER = 0.25


class SideVote:
    """Evidence for one tracked hand. `value` is -1 (surely left) .. 1 (surely right)."""

    __slots__ = ("side", "slot", "value")

    def __init__(self) -> None:
        self.value = 0.0
        self.side = -1
        #: The slot that `assign` gave it last; -1 = none yet.
        self.slot = -1

    def add(self, right: float, seconds: float) -> None:
        """One frame's probability that it is a right hand, and the time since the frame before (0 for the first)."""
        share = min(max(seconds, 1 / 60), _LONGEST_S) / _SETTLE_S
        self.value = min(1.0, max(-1.0, self.value + (2 * right - 1) * share))
        if self.side < 0:
            self.side = RIGHT if self.value >= 0 else LEFT
        elif self.value > _FLIP:
            self.side = RIGHT
        elif self.value < -_FLIP:
            self.side = LEFT


def assign(votes: Sequence[SideVote]) -> list[int]:
    """The slot of each of up to two hands; -1 = no slot is left for it (two hands that are clearly the same side)."""
    slots = [vote.side for vote in votes]
    if len(votes) == 2 and slots[0] == slots[1]:
        side, other = slots[0], LEFT + RIGHT - slots[0]
        # the surer one keeps the slot; its holder, and then the older track, is given the benefit of the doubt
        weaker = min((1, 0), key=lambda i: abs(votes[i].value) + _TAKEOVER * (votes[i].slot == side))
        limit = _WEAK_STAYS if votes[weaker].slot == other else _WEAK
        slots[weaker] = other if abs(votes[weaker].value) < limit else -1
    for vote, slot in zip(votes, slots, strict=True):
        vote.slot = slot
    return slots

// Which hand is it (edge/hands/identity.py): evidence gathered over time, and the slot that each tracked hand gets.
import { LEFT, RIGHT } from "../core/frame";

const SETTLE_S = 0.4;
const FLIP = 0.3;
const LONGEST_S = 0.1;
const WEAK = 0.5;
const WEAK_STAYS = 0.8;
const TAKEOVER = 0.25;

/** Evidence for one tracked hand; `value` is -1 (surely left) .. 1 (surely right). */
export class SideVote {
  value = 0;
  side = -1;
  slot = -1;

  /** One frame's probability that it is a right hand, and the time since the frame before. */
  add(right: number, seconds: number): void {
    const share = Math.min(Math.max(seconds, 1 / 60), LONGEST_S) / SETTLE_S;
    this.value = Math.min(1, Math.max(-1, this.value + (2 * right - 1) * share));
    if (this.side < 0) this.side = this.value >= 0 ? RIGHT : LEFT;
    else if (this.value > FLIP) this.side = RIGHT;
    else if (this.value < -FLIP) this.side = LEFT;
  }
}

/** The slot of each of up to two hands; -1 = no slot is left for it. */
export function assign(votes: readonly SideVote[]): number[] {
  const slots = votes.map((v) => v.side);
  if (votes.length === 2 && slots[0] === slots[1]) {
    const side = slots[0]!;
    const other = LEFT + RIGHT - side;
    // the surer one keeps the slot; its holder, and then the older track, is given the benefit of the doubt
    const weight = (i: number) => Math.abs(votes[i]!.value) + TAKEOVER * Number(votes[i]!.slot === side);
    const weaker = weight(0) < weight(1) ? 0 : 1;
    const limit = votes[weaker]!.slot === other ? WEAK_STAYS : WEAK;
    slots[weaker] = Math.abs(votes[weaker]!.value) < limit ? other : -1;
  }
  votes.forEach((vote, i) => (vote.slot = slots[i]!));
  return slots;
}

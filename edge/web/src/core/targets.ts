// How a score stands on a time line for the network (edge/targets.py): seven slots a hand, six attributes a slot.
import { CONTACTS, EXTENTS, FINGERS, MOTIONS, SPEEDS } from "./score";
import tables from "../tables.json";

export const SLOTS: readonly string[] = [...FINGERS, "grasp", "wrist"];
const GRASP = 5;
const WRIST = 6;
export const MOTION_NAMES: readonly string[] = ["", ...[...MOTIONS.keys()].filter((m) => m !== "rest")];
export const DIRECTION_NAMES: readonly string[] = ["", ...tables.directions];
export const CONTACT_NAMES: readonly string[] = ["", ...CONTACTS];
export const REPEATS = [1, 2, 3, 4];

const WIDTHS = {
  motion: MOTION_NAMES.length,
  direction: DIRECTION_NAMES.length,
  contact: CONTACT_NAMES.length,
  extent: EXTENTS.length,
  speed: SPEEDS.length,
  repeat: REPEATS.length,
};
export type Attribute = keyof typeof WIDTHS;

/** Where each attribute stands in a slot's row: [from, to). */
export const COLUMNS = {} as Record<Attribute, readonly [number, number]>;
let edge = 0;
for (const [name, width] of Object.entries(WIDTHS)) {
  COLUMNS[name as Attribute] = [edge, edge + width];
  edge += width;
}
/** Numbers of one slot, all attributes. */
export const SLOT_WIDTH = edge;
export const HAND_WIDTH = SLOTS.length * SLOT_WIDTH;
const WRIST_MOTIONS = ["rotate", "wave", "swipe"];

/** Whether a slot can have a motion (index), none included. */
export function allowed(slot: number, motion: number): boolean {
  const name = MOTION_NAMES[motion]!;
  if (name === "") return true;
  if (slot === WRIST) return WRIST_MOTIONS.includes(name);
  const [low, high] = MOTIONS.get(name)!.fingers as [number, number];
  if (slot === GRASP) return low === 0 && !WRIST_MOTIONS.includes(name);
  return high > 0 && !(slot === 0 && name === "pinch");
}

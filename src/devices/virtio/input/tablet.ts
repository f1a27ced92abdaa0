import type { Clock, Dma } from "../../../bus/device.ts";
import { POINTER_MAX, type PointerButton } from "../../../bus/input.ts";
import type { Fields, Saved } from "../../../snapshot/fields.ts";
import { ABS, BTN, EV, REL } from "./event-codes.ts";
import { type InputEvent, VirtioInput } from "./input.ts";

const NOTCHES_MAX = 100;

/** A pointer that says where it is, with five buttons and two wheels. */
export class VirtioTablet extends VirtioInput {
  #x = -1;
  #y = -1;
  #buttons: ReadonlySet<PointerButton> = new Set();

  constructor(dma: Dma, clock?: Clock) {
    const codes = new Map<number, readonly number[]>([
      [EV.key, Object.values(BTN)],
      [EV.rel, Object.values(REL)],
      [EV.abs, Object.values(ABS)],
    ]);
    super(dma, { name: "Atoll tablet", product: 3, codes, absoluteMax: POINTER_MAX }, clock);
  }

  pointer(x: number, y: number, buttons: ReadonlySet<PointerButton>): void {
    const events: InputEvent[] = [];
    const axis = (code: number, value: number, old: number): number => {
      const inside = Math.min(POINTER_MAX, Math.max(0, Math.round(value)));
      if (inside !== old) events.push({ type: EV.abs, code, value: inside });
      return inside;
    };
    const newX = axis(ABS.x, x, this.#x);
    const newY = axis(ABS.y, y, this.#y);
    let released = false;
    for (const [name, code] of Object.entries(BTN) as [PointerButton, number][]) {
      const pressed = buttons.has(name);
      if (pressed === this.#buttons.has(name)) continue;
      released ||= !pressed;
      events.push({ type: EV.key, code, value: pressed ? 1 : 0 });
    }
    // What is lost is sent with what comes next.
    if (!this.send(events, released)) return;
    this.#x = newX;
    this.#y = newY;
    this.#buttons = new Set(buttons);
  }

  wheel(vertical: number, horizontal: number): void {
    const events: InputEvent[] = [];
    const turn = (code: number, notches: number): void => {
      const value = Math.max(-NOTCHES_MAX, Math.min(NOTCHES_MAX, Math.trunc(notches)));
      if (value !== 0) events.push({ type: EV.rel, code, value });
    };
    turn(REL.wheel, vertical);
    turn(REL.hwheel, horizontal);
    this.send(events);
  }

  override save(): Saved {
    return { ...super.save(), at: [this.#x + 1, this.#y + 1], buttons: [...this.#buttons] };
  }

  override restore(state: Fields): void {
    super.restore(state);
    const [x = 0, y = 0] = state.wholes("at", 2, POINTER_MAX + 1);
    this.#x = x - 1;
    this.#y = y - 1;
    const buttons = state.any("buttons");
    const names = Object.keys(BTN) as PointerButton[];
    this.#buttons = new Set(names.filter((name) => Array.isArray(buttons) && buttons.includes(name)));
  }

  /** Nobody presses buttons any more who did then. */
  override resumed(): void {
    if (this.#buttons.size > 0) this.pointer(this.#x, this.#y, new Set());
  }

  override reset(): void {
    super.reset();
    this.#x = this.#y = -1;
    this.#buttons = new Set();
  }
}

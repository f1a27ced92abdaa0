import { type InputPort, POINTER_MAX, type PointerButton } from "../../bus/input.ts";

/** RFC 6143, 7.5.5: bits of the button mask. */
const BUTTONS: readonly (readonly [number, PointerButton])[] = [
  [1 << 0, "left"],
  [1 << 1, "middle"],
  [1 << 2, "right"],
];
const WHEEL_UP = 1 << 3;
const WHEEL_DOWN = 1 << 4;
const WHEEL_LEFT = 1 << 5;
const WHEEL_RIGHT = 1 << 6;

/** What one client's pointer does to the guest's. */
export class ClientPointer {
  readonly #input: InputPort;
  #mask = 0;
  #x = 0;
  #y = 0;

  constructor(input: InputPort) {
    this.#input = input;
  }

  /** @param width, height of the picture in which x and y are pixels. */
  event(mask: number, x: number, y: number, width: number, height: number): void {
    const scaled = (at: number, size: number): number =>
      Math.round((Math.min(at, size - 1) * POINTER_MAX) / Math.max(1, size - 1));
    this.#x = scaled(x, width);
    this.#y = scaled(y, height);
    const pressed = mask & ~this.#mask;
    this.#mask = mask;
    this.#send();
    // A notch is a button that is pressed.
    const notch = (bit: number): number => (pressed & bit ? 1 : 0);
    const vertical = notch(WHEEL_UP) - notch(WHEEL_DOWN);
    const horizontal = notch(WHEEL_RIGHT) - notch(WHEEL_LEFT);
    if (vertical !== 0 || horizontal !== 0) this.#input.wheel(vertical, horizontal);
  }

  /** The client is gone. */
  releaseAll(): void {
    if (this.#mask === 0) return;
    this.#mask = 0;
    this.#send();
  }

  #send(): void {
    const buttons = BUTTONS.filter(([bit]) => this.#mask & bit).map(([, name]) => name);
    this.#input.pointer(this.#x, this.#y, new Set(buttons));
  }
}

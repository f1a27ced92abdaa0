import type { Clock, Dma } from "../../../bus/device.ts";
import type { InputPort, KeyboardLeds, PointerButton } from "../../../bus/input.ts";
import { VirtioKeyboard } from "./keyboard.ts";
import { VirtioTablet } from "./tablet.ts";

/** A keyboard and a tablet, as one port. */
export class VirtioInputs implements InputPort {
  readonly keyboard: VirtioKeyboard;
  readonly tablet: VirtioTablet;
  readonly #listeners = new Set<() => void>();

  constructor(dma: Dma, clock: Clock) {
    this.keyboard = new VirtioKeyboard(
      dma,
      () => {
        for (const listener of this.#listeners) listener();
      },
      clock,
    );
    this.tablet = new VirtioTablet(dma, clock);
  }

  get leds(): KeyboardLeds {
    return this.keyboard.leds;
  }

  onLeds(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  key(code: number, pressed: boolean): void {
    this.keyboard.key(code, pressed);
  }

  pointer(x: number, y: number, buttons: ReadonlySet<PointerButton>): void {
    this.tablet.pointer(x, y, buttons);
  }

  wheel(vertical: number, horizontal: number): void {
    this.tablet.wheel(vertical, horizontal);
  }
}

import type { Clock, Dma } from "../../../bus/device.ts";
import type { KeyboardLeds } from "../../../bus/input.ts";
import type { Fields, Saved } from "../../../snapshot/fields.ts";
import { EV, KEY_FIRST, KEY_LAST, LED } from "./event-codes.ts";
import { type InputEvent, VirtioInput } from "./input.ts";

const KEYS = Array.from({ length: KEY_LAST - KEY_FIRST + 1 }, (_, i) => KEY_FIRST + i);
/** REP_DELAY, REP_PERIOD: the guest repeats keys that are held. */
const REPEAT = [0, 1];
const OFF: KeyboardLeds = { numLock: false, capsLock: false, scrollLock: false };

/** A keyboard with three lights. */
export class VirtioKeyboard extends VirtioInput {
  readonly #pressed = new Set<number>();
  #leds = OFF;
  readonly #onLeds: () => void;

  /** @param onLeds the guest has set the lights anew. */
  constructor(dma: Dma, onLeds: () => void, clock?: Clock) {
    const codes = new Map<number, readonly number[]>([
      [EV.key, KEYS],
      [EV.led, Object.values(LED)],
      [EV.rep, REPEAT],
    ]);
    super(dma, { name: "Atoll keyboard", product: 1, codes }, clock);
    this.#onLeds = onLeds;
  }

  get leds(): KeyboardLeds {
    return this.#leds;
  }

  key(code: number, pressed: boolean): void {
    if (code < KEY_FIRST || code > KEY_LAST || pressed === this.#pressed.has(code)) return;
    // A key that is let go again is news, however slow the driver is: there are only so many that are pressed.
    const sent = this.send([{ type: EV.key, code, value: pressed ? 1 : 0 }], !pressed);
    if (!pressed) this.#pressed.delete(code);
    else if (sent) this.#pressed.add(code);
  }

  override reset(): void {
    super.reset();
    this.#pressed.clear();
    this.#setLeds(OFF);
  }

  override save(): Saved {
    return { ...super.save(), pressed: [...this.#pressed], leds: { ...this.#leds } };
  }

  override restore(state: Fields): void {
    super.restore(state);
    this.#pressed.clear();
    for (const code of state.wholes("pressed", KEYS.length, KEY_LAST)) this.#pressed.add(code);
    const leds = state.object("leds");
    const [numLock, capsLock, scrollLock] = [leds.flag("numLock"), leds.flag("capsLock"), leds.flag("scrollLock")];
    this.#setLeds({ numLock, capsLock, scrollLock });
  }

  /** Nobody presses keys any more who did then. */
  override resumed(): void {
    for (const code of [...this.#pressed]) this.key(code, false);
  }

  protected override told({ type, code, value }: InputEvent): void {
    if (type !== EV.led) return;
    const on = value !== 0;
    if (code === LED.numLock) this.#setLeds({ ...this.#leds, numLock: on });
    else if (code === LED.capsLock) this.#setLeds({ ...this.#leds, capsLock: on });
    else if (code === LED.scrollLock) this.#setLeds({ ...this.#leds, scrollLock: on });
  }

  #setLeds(leds: KeyboardLeds): void {
    const old = this.#leds;
    this.#leds = leds;
    const same = old.numLock === leds.numLock && old.capsLock === leds.capsLock && old.scrollLock === leds.scrollLock;
    if (!same) this.#onLeds();
  }
}

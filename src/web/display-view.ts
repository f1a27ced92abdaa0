// A machine's display: a canvas that takes keys, the pointer and fingers while it has the focus.

import type { Frame, InputEvent, Machine } from "../hosts/browser/index.ts";
import { element } from "./element.ts";
import { linuxKey } from "./key-codes.ts";

const BUTTONS = ["left", "middle", "right", "side", "extra"] as const;
/** Of MouseEvent.buttons, in the order of BUTTONS. */
const BITS = [1, 4, 2, 8, 16] as const;
/** Pixels of a wheel's notch, as browsers have it. */
const NOTCH = 100;

export class DisplayView {
  readonly place: HTMLElement;
  readonly #canvas: HTMLCanvasElement;
  readonly #machine: Machine;
  readonly #pressed = new Set<number>();
  #isClosed = false;
  #wheel = { vertical: 0, horizontal: 0 };

  constructor(machine: Machine, label: string) {
    this.#machine = machine;
    this.#canvas = element("canvas", {
      width: 640,
      height: 400,
      tabIndex: 0,
      attrs: { role: "application", "aria-label": label },
    });
    this.place = element("div", { className: "display", hidden: true }, this.#canvas);
    this.#listen();
    void this.#show();
  }

  close(): void {
    this.#isClosed = true;
  }

  /** Asks for what has changed with each picture of the browser's, the next time when the last answer was drawn. */
  async #show(): Promise<void> {
    const context = this.#canvas.getContext("2d", { alpha: false });
    while (!this.#isClosed && context) {
      await new Promise(requestAnimationFrame);
      try {
        const frame = await this.#machine.frame();
        if (frame) this.#draw(frame, context);
      } catch {
        // It has none, or is closed.
        return;
      }
    }
  }

  #draw({ width, height, area, pixels, cursor }: Frame, context: CanvasRenderingContext2D): void {
    this.place.hidden = width === 0;
    if (width === 0) return;
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
    }
    if (area.width > 0) context.putImageData(new ImageData(pixels, area.width, area.height), area.x, area.y);
    if (cursor) this.#setCursor(cursor);
  }

  #setCursor({ width, height, hotX, hotY, pixels }: NonNullable<Frame["cursor"]>): void {
    if (width === 0) {
      this.#canvas.style.cursor = "default";
      return;
    }
    const picture = element("canvas", { width, height });
    picture.getContext("2d")?.putImageData(new ImageData(pixels, width, height), 0, 0);
    this.#canvas.style.cursor = `url(${picture.toDataURL()}) ${hotX} ${hotY}, default`;
  }

  #send(event: InputEvent): void {
    this.#machine.input(event).catch(() => {});
  }

  #listen(): void {
    const canvas = this.#canvas;
    const key = (event: KeyboardEvent, pressed: boolean): void => {
      const code = linuxKey(event.code);
      // Control, Alt and Escape let the keyboard go, so that nobody who has no pointer is caught.
      if (pressed && event.ctrlKey && event.altKey && event.key === "Escape") canvas.blur();
      if (code === undefined || document.activeElement !== canvas) return;
      event.preventDefault();
      if (event.repeat) return;
      if (pressed) this.#pressed.add(code);
      else this.#pressed.delete(code);
      this.#send({ kind: "key", code, pressed });
    };
    canvas.addEventListener("keydown", (event) => key(event, true));
    canvas.addEventListener("keyup", (event) => key(event, false));
    canvas.addEventListener("blur", () => {
      for (const code of this.#pressed) this.#send({ kind: "key", code, pressed: false });
      this.#pressed.clear();
    });
    const pointer = (event: PointerEvent): void => {
      const { left, top, width, height } = canvas.getBoundingClientRect();
      const buttons = BUTTONS.filter((_, i) => (event.buttons & (BITS[i] as number)) !== 0);
      this.#send({ kind: "pointer", x: (event.clientX - left) / width, y: (event.clientY - top) / height, buttons });
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.focus();
      canvas.setPointerCapture(event.pointerId);
      pointer(event);
    });
    canvas.addEventListener("pointermove", pointer);
    canvas.addEventListener("pointerup", pointer);
    canvas.addEventListener("pointercancel", pointer);
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        const wheel = this.#wheel;
        wheel.vertical -= event.deltaY / NOTCH;
        wheel.horizontal += event.deltaX / NOTCH;
        const [vertical, horizontal] = [Math.trunc(wheel.vertical), Math.trunc(wheel.horizontal)];
        if (vertical === 0 && horizontal === 0) return;
        this.#wheel = { vertical: wheel.vertical - vertical, horizontal: wheel.horizontal - horizontal };
        this.#send({ kind: "wheel", vertical, horizontal });
      },
      { passive: false },
    );
  }
}

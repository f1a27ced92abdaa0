import type { ExceptionEvent, Machine } from "../hosts/browser/index.ts";
import { element } from "./element.ts";
import type { Tab } from "./inspector-view.ts";

const SHOWN = 24;
// Of the picture.
const LEVELS = 4;
const WIDTH = 28;
const HEIGHT = 26;
const LEFT = 36;

/** The way of the last exceptions through the levels, as a picture and as a list. */
export class ExceptionsTab implements Tab {
  readonly title = "Exceptions";
  readonly place: HTMLElement;
  readonly #hold = element("input", { type: "checkbox" });
  readonly #shown = element("div");
  #isRecording: boolean | undefined;

  constructor() {
    this.place = element(
      "div",
      {},
      element(
        "p",
        {},
        "An exception goes up, to the level that takes it; a return comes down again. The machine is a little slower while this tab looks. ",
        element("label", {}, this.#hold, " hold the picture"),
      ),
      this.#shown,
    );
  }

  async look(machine: Machine): Promise<void> {
    this.#isRecording ??= await machine.recordExceptions(true);
    if (!this.#isRecording) {
      this.#shown.replaceChildren("The machine's trace has the exceptions already.");
      return;
    }
    if (this.#hold.checked) return;
    const events = (await machine.exceptions()).slice(-SHOWN);
    if (events.length === 0) {
      this.#shown.replaceChildren("None yet: the guest waits, or is paused.");
      return;
    }
    this.#shown.replaceChildren(picture(events), list(events));
  }

  async leave(machine: Machine): Promise<void> {
    this.#isRecording = undefined;
    await machine.recordExceptions(false);
  }
}

function svg(name: string, attributes: Readonly<Record<string, string | number>>, text?: string): SVGElement {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  if (text !== undefined) made.textContent = text;
  return made;
}

const y = (level: number): number => (LEVELS - 1 - level) * HEIGHT + HEIGHT / 2;

function picture(events: readonly ExceptionEvent[]): Element {
  const width = LEFT + events.length * WIDTH + 8;
  const made = svg("svg", {
    viewBox: `0 0 ${width} ${LEVELS * HEIGHT}`,
    width,
    height: LEVELS * HEIGHT,
    role: "img",
    "aria-label": "Exception levels over the last exceptions",
    class: "way",
  });
  for (let level = 0; level < LEVELS; level++) {
    made.append(
      svg("text", { x: 0, y: y(level) + 4 }, `EL${level}`),
      svg("line", { x1: LEFT, x2: width, y1: y(level), y2: y(level), class: "level" }),
    );
  }
  const points = events.flatMap(({ from, to }, i) => [
    `${LEFT + i * WIDTH},${y(from)}`,
    `${LEFT + i * WIDTH + 8},${y(to)}`,
    `${LEFT + (i + 1) * WIDTH},${y(to)}`,
  ]);
  made.append(svg("polyline", { points: points.join(" "), class: "path" }));
  return made;
}

function list(events: readonly ExceptionEvent[]): HTMLElement {
  const row = ({ time, cpu, from, to, text, address }: ExceptionEvent): HTMLElement =>
    element(
      "tr",
      {},
      element("td", { className: "number" }, `${(time / 1e9).toFixed(6)} s`),
      element("td", {}, `CPU ${cpu}`),
      element("td", {}, `EL${from} → EL${to}`),
      element("td", {}, text),
      element("td", { className: "mono" }, address),
    );
  return element("table", {}, ...[...events].reverse().map(row));
}
